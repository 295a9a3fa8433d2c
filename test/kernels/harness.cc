#include "harness.h"

#include <cstdarg>
#include <map>

#include "cuda_backend.h"

namespace quoth::test {

std::string text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

double half_value(uint16_t bits) {
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

uint16_t nearest_half(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(value);
  if (std::isnan(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude == 0) return sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);                             // magnitude = m * 2^exponent, 0.5 <= m < 1
  const int place = exponent - 11 < -24 ? -24 : exponent - 11;  // of the last bit
  const double units = std::nearbyint(std::ldexp(magnitude, -place));
  // Half values that share an exponent follow each other as their bits do, and so do the exponents.
  return static_cast<uint16_t>(sign | (((place + 24) << 10) + static_cast<int>(units)));
}

double exact_activation(double x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::tanh:
      return std::tanh(x);
  }
  return x;
}

static bool on_cuda = false;

Backend::Backend(int32_t num_threads, const char* name) {
  if (name != nullptr && std::strcmp(name, "cuda") == 0) {
    // More rows than any case has, and wide ones: what is refused is tested apart.
    const CudaDevice made = make_cuda_device(512, 16384);
    device = made.device;
    ops = made.ops;
    info = made.info;
    close = close_cuda_device;
    return;
  }
  close = close_cpu_device;
  const Status opened = open_cpu_device(num_threads, name, &device, &ops, &info);
  if (!opened.ok() || !ops->reserve(device, 64, 2048).ok()) std::printf("not ok opening the CPU: %s\n", opened.message);
}

const std::vector<std::string>& instruction_sets() {
  static const std::vector<std::string> sets = [] {
    if (on_cuda) return std::vector<std::string>{"cuda"};
    std::vector<std::string> found;
    for (const char* name : {"plain", "avx2", "avx-vnni", "avx512-vnni"}) {
      Device* device = nullptr;
      const Ops* ops = nullptr;
      DeviceInfo info{};
      if (!open_cpu_device(1, name, &device, &ops, &info).ok()) continue;
      found.push_back(name);
      close_cpu_device(device);
    }
    return found;
  }();
  return sets;
}

Backend& backend(const std::string& name, int32_t num_threads) {
  static std::map<std::string, std::unique_ptr<Backend>> opened;
  std::unique_ptr<Backend>& place = opened[name == "cuda" ? name : name + std::to_string(num_threads)];
  if (place == nullptr) place = std::make_unique<Backend>(num_threads, name.c_str());
  return *place;
}

static std::vector<std::pair<std::string, int>> wanted;  // parts of names, and the cases of each; none = all cases
static int num_passed = 0;
static int num_failed = 0;

void run_case(const std::string& name, const std::function<std::string()>& body) {
  bool is_wanted = wanted.empty();
  for (auto& [part, num_cases] : wanted) {
    if (name.find(part) == std::string::npos) continue;
    ++num_cases;
    is_wanted = true;
  }
  if (!is_wanted) return;
  const std::string why = body();
  ++(why.empty() ? num_passed : num_failed);
  std::printf(why.empty() ? "ok %s%s\n" : "not ok %s: %s\n", name.c_str(), why.c_str());
  std::fflush(stdout);
}

int report() {
  for (const auto& [part, num_cases] : wanted) {
    if (num_cases > 0) continue;
    ++num_failed;
    std::printf("not ok %s: no case is named so\n", part.c_str());
  }
  std::printf("# %d passed, %d failed\n", num_passed, num_failed);
  return num_failed == 0 && num_passed > 0 ? 0 : 1;
}

// Reads the arguments: 0 to go on, else the exit status.
int begin(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--only" && i + 1 < count) {
      wanted.emplace_back(arguments[++i], 0);
    } else if (argument == "--cuda" && i + 1 < count) {
      std::string why;
      if (!open_cuda(arguments[++i], &why)) {
        std::printf("# no CUDA device: %s\n", why.c_str());
        return 77;  // what automake calls skipped
      }
      on_cuda = true;
    } else {
      std::fprintf(stderr, "quoth_kernels_test [--only part of a name]... [--cuda libquoth_kernels_cuda.so]\n");
      return 2;
    }
  }
  return 0;
}

void all_cases() {
  if (on_cuda) {
    cuda_cases();
  } else {
    device_cases();
  }
  row_cases();
  row_change_cases();
  linear_cases();
  attention_cases();
}

}  // namespace quoth::test

int main(int count, char** arguments) {
  const int status = quoth::test::begin(count, arguments);
  if (status != 0) return status;
  quoth::test::all_cases();
  return quoth::test::report();
}
