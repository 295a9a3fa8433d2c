// What the kernels' tests share: guarded buffers, random numbers, weights with their float64 twin, and the list of
// cases.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/ops.h"

namespace quoth::test {

// Deterministic: a failing case fails again.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ * 0x2545f4914f6cdd1dull;
  }
  int32_t below(int32_t end) { return static_cast<int32_t>(next() >> 33) % end; }
  double uniform() { return static_cast<double>(next() >> 11) / 9007199254740992.0; }
  float normal() {
    const double radius = std::sqrt(-2 * std::log(uniform() + 1e-18));
    return static_cast<float>(radius * std::cos(6.283185307179586 * uniform()));
  }

 private:
  uint64_t state_;
};

// What activations look like: zero-mean, shifted, with some values a thousand times the rest, or all zero.
enum class Shape { normal, biased, outliers, zeros };
inline const char* name_of(Shape shape) {
  return shape == Shape::normal   ? "normal"
         : shape == Shape::biased ? "biased"
         : shape == Shape::zeros  ? "zero"
                                  : "outlier";
}
inline float draw(Random& random, Shape shape) {
  const float x = random.normal();
  if (shape == Shape::zeros) return 0;
  if (shape == Shape::biased) return x + 3;
  return shape == Shape::outliers && random.below(50) == 0 ? 1000 * x : x;
}

inline constexpr uint8_t kGuard = 0xA5;
inline constexpr size_t kGuardBytes = 192;

// `count` values between two stretches of guard bytes, the first value at a multiple of 64.
template <typename T>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count), bytes_(count * sizeof(T) + 2 * kGuardBytes + 64, kGuard) {
    const size_t misfit = reinterpret_cast<uintptr_t>(bytes_.data() + kGuardBytes) % 64;
    start_ = kGuardBytes + (64 - misfit) % 64;
  }
  T* data() { return reinterpret_cast<T*>(bytes_.data() + start_); }
  T& operator[](size_t index) { return data()[index]; }
  size_t size() const { return count_; }
  bool intact() const {
    const size_t end = start_ + count_ * sizeof(T);
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if ((i < start_ || i >= end) && bytes_[i] != kGuard) return false;
    }
    return true;
  }

 private:
  size_t count_;
  size_t start_ = 0;
  std::vector<uint8_t> bytes_;
};

// Rows with a gap of guard bytes after each: a view of some columns of a wider buffer.
class Matrix {
 public:
  Matrix(int32_t num_rows, int32_t width, int32_t gap = 5)
      : rows_(num_rows), width_(width), stride_(width + gap), memory_(static_cast<size_t>(num_rows) * (width + gap)) {
    std::memset(memory_.data(), kGuard, memory_.size() * sizeof(float));
  }
  Rows rows() { return {memory_.data(), rows_, width_, stride_}; }
  float* row(int32_t index) { return memory_.data() + static_cast<size_t>(index) * stride_; }
  float& at(int32_t row_index, int32_t column) { return row(row_index)[column]; }
  int32_t num_rows() const { return rows_; }
  int32_t width() const { return width_; }
  void fill(Random& random, Shape shape) {
    for (int32_t r = 0; r < rows_; ++r) {
      for (int32_t k = 0; k < width_; ++k) at(r, k) = draw(random, shape);
    }
  }
  bool intact() {
    for (int32_t r = 0; r < rows_; ++r) {
      const uint8_t* gap = reinterpret_cast<const uint8_t*>(row(r) + width_);
      for (size_t i = 0; i < sizeof(float) * static_cast<size_t>(stride_ - width_); ++i) {
        if (gap[i] != kGuard) return false;
      }
    }
    return memory_.intact();
  }

 private:
  int32_t rows_, width_, stride_;
  Guarded<float> memory_;
};

// The conversions of the test's own: by arithmetic, not by bits.
double half_value(uint16_t bits);
uint16_t nearest_half(double value);

// A weight in the plan's layout, and the numbers it stands for.
struct TestWeight {
  Weight weight;
  std::unique_ptr<Guarded<uint8_t>> data;
  std::vector<int8_t> codebook;
  std::vector<double> values;  // [N, K]
  std::vector<double> sizes;   // [N, K] what a sum's rounding is relative to: |value|; int4: |scale| (nibble + |zero|)
  double at(int32_t n, int32_t k) const { return values[static_cast<size_t>(n) * weight.num_columns + k]; }
  double size_at(int32_t n, int32_t k) const { return sizes[static_cast<size_t>(n) * weight.num_columns + k]; }
};
TestWeight make_weight(Type type, int32_t num_rows, int32_t num_columns, Random& random);
inline const char* name_of(Type type) {
  constexpr const char* kNames[] = {"f32", "f16", "q8", "q4", "int4_g32", "int4_g128", "f8", "i32", "i8"};
  return kNames[static_cast<int32_t>(type)];
}

double exact_activation(double x, Activation activation);
inline const char* name_of(Activation activation) {
  constexpr const char* kNames[] = {"none", "silu", "gelu", "gelu_tanh", "relu", "tanh"};
  return kNames[static_cast<int32_t>(activation)];
}

// An opened device: the CPU with one set of instructions ("plain", "avx2", …), or "cuda", whose table takes host memory
// too and mirrors it.
struct Backend {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  DeviceInfo info{};
  Backend(int32_t num_threads, const char* name);
  ~Backend() { close(device); }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

 private:
  void (*close)(Device*) = nullptr;
};

// What the cases run on: the instruction sets of this processor, or "cuda" alone.
const std::vector<std::string>& instruction_sets();
Backend& backend(const std::string& name, int32_t num_threads = 3);

// A case returns why it failed, or nothing. It is printed as `ok NAME` or `not ok NAME: why`.
void run_case(const std::string& name, const std::function<std::string()>& body);
int report();  // the exit status

std::string text(const char* format, ...);

// Nothing where |got - expected| <= tolerance, else a sentence.
inline std::string compare(const char* what, int32_t row, int32_t column, double got, double expected,
                           double tolerance) {
  if (std::abs(got - expected) <= tolerance) return {};
  return text("%s[%d, %d] is %.9g, expected %.9g within %.3g", what, row, column, got, expected, tolerance);
}

void linear_cases();
void attention_cases();
void row_cases();
void row_change_cases();
void device_cases();
void cuda_cases();

}  // namespace quoth::test
