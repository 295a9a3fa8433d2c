// Operations that only some models ask for: norms of single heads, caps, permuted columns, segments.
#include "harness.h"

namespace quoth::test {
namespace {

constexpr double kNorm = 2e-6;  // as for the norms of whole rows
constexpr double kCap = 3e-6;   // tanh in f32, relative to the cap where it bites and to x where it does not
constexpr double kOneRounding = 6e-8;

Matrix copy_of(Matrix& x) {
  Matrix copy(x.num_rows(), x.width());
  for (int32_t t = 0; t < x.num_rows(); ++t) {
    std::memcpy(copy.row(t), x.row(t), sizeof(float) * static_cast<size_t>(x.width()));
  }
  return copy;
}

std::string check_heads(const std::string& set, int32_t num_heads, int32_t head_size, Shape shape) {
  constexpr int32_t kTokens = 6;
  Random random(static_cast<uint64_t>(head_size) * 3 + 1);
  Matrix x(kTokens, num_heads * head_size);
  x.fill(random, shape);
  Matrix before = copy_of(x);
  Guarded<float> weight(static_cast<size_t>(head_size));
  for (int32_t i = 0; i < head_size; ++i) weight[i] = random.normal();
  Backend& device = backend(set);
  const auto norm = [&](Rows rows) {
    return device.ops->rms_norm_heads(device.device, rows, num_heads, head_size, weight.data(), 1e-6f);
  };
  if (const Status status = norm(x.rows()); !status.ok()) return status.message;
  for (int32_t t = 0; t < kTokens; ++t) {
    for (int32_t head = 0; head < num_heads; ++head) {
      const float* from = before.row(t) + head * head_size;
      double squares = 0;
      for (int32_t i = 0; i < head_size; ++i) squares += static_cast<double>(from[i]) * from[i] / head_size;
      const double scale = 1 / std::sqrt(squares + 1e-6f);
      for (int32_t i = 0; i < head_size; ++i) {
        const double tolerance = kNorm * (1 + std::abs(from[i]) * scale) * (1 + std::abs(weight[i]));
        const int32_t column = head * head_size + i;
        const std::string why = compare("x", t, column, x.at(t, column), from[i] * scale * weight[i], tolerance);
        if (!why.empty()) return why;
      }
    }
    Rows one{before.row(t), 1, num_heads * head_size, num_heads * head_size};
    if (!norm(one).ok()) return "failed alone";
    if (std::memcmp(before.row(t), x.row(t), sizeof(float) * static_cast<size_t>(x.width())) != 0) {
      return text("row %d has other bits alone", t);
    }
  }
  Rows narrow = x.rows();
  narrow.width -= 1;
  if (norm(narrow).code != Code::invalid_input) return "a row with a part of a head was accepted";
  return x.intact() && weight.intact() ? "" : "a guard byte was overwritten";
}

std::string check_cap(const std::string& set, float cap, int32_t width) {
  Random random(static_cast<uint64_t>(width));
  Matrix x(4, width);
  x.fill(random, Shape::outliers);
  constexpr float kEdges[] = {0.0f, -0.0f, 1e-20f, 0.624f, 0.626f, -0.63f, 9.0f, -9.0f, 44.0f, -88.0f, 1e6f, -1e6f};
  for (int32_t k = 0; k < width; ++k) x.at(1, k) = kEdges[k % 12] * cap;
  Matrix before = copy_of(x);
  Backend& device = backend(set);
  if (const Status status = device.ops->soft_cap(device.device, x.rows(), cap); !status.ok()) return status.message;
  for (int32_t t = 0; t < 4; ++t) {
    for (int32_t k = 0; k < width; ++k) {
      const double expected = cap * std::tanh(before.at(t, k) / static_cast<double>(cap));
      const double tolerance = kCap * std::abs(expected) + 1e-30;
      const std::string why = compare("x", t, k, x.at(t, k), expected, tolerance);
      if (!why.empty()) return why;
    }
  }
  x.at(2, width - 1) = NAN;
  if (!device.ops->soft_cap(device.device, x.rows(), cap).ok()) return "failed";
  if (!std::isnan(x.at(2, width - 1))) return "a NaN was hidden";
  return x.intact() ? "" : "a guard byte was overwritten";
}

std::string check_clamp(const std::string& set, int32_t num_tokens, int32_t width) {
  Random random(7);
  Matrix x(num_tokens, width);
  x.fill(random, Shape::outliers);
  x.at(0, 0) = NAN;
  Matrix before = copy_of(x);
  Backend& device = backend(set);
  if (const Status status = device.ops->clamp(device.device, x.rows(), 1.25f); !status.ok()) return status.message;
  if (!std::isnan(x.at(0, 0))) return "a NaN was hidden";
  for (int32_t t = 0; t < num_tokens; ++t) {
    for (int32_t k = t == 0 ? 1 : 0; k < width; ++k) {
      if (x.at(t, k) != std::min(std::max(before.at(t, k), -1.25f), 1.25f)) return text("x[%d, %d]", t, k);
    }
  }
  return x.intact() ? "" : "a guard byte was overwritten";
}

std::string check_permute(const std::string& set, int32_t num_tokens, int32_t width, int32_t out_width) {
  Random random(9);
  Matrix x(num_tokens, width), out(num_tokens, out_width);
  x.fill(random, Shape::normal);
  Guarded<int32_t> index(static_cast<size_t>(out_width));
  for (int32_t k = 0; k < out_width; ++k) index[k] = k == 0 ? width - 1 : random.below(width);
  Backend& device = backend(set);
  const Status status = device.ops->permute_columns(device.device, x.rows(), index.data(), out.rows());
  if (!status.ok()) return status.message;
  for (int32_t t = 0; t < num_tokens; ++t) {
    for (int32_t k = 0; k < out_width; ++k) {
      if (out.at(t, k) != x.at(t, index[k])) return text("out[%d, %d]", t, k);
    }
  }
  return x.intact() && out.intact() && index.intact() ? "" : "a guard byte was overwritten";
}

std::string check_segments(const std::string& set, Type type) {
  Random random(10);
  const TestWeight table = make_weight(type, 2, 33, random);
  const std::vector<int32_t> segments = {0, 1, 1, 0};
  Backend& device = backend(set);
  for (const bool has_segments : {true, false}) {
    Batch batch;
    batch.num_tokens = 4;
    batch.segments = has_segments ? segments.data() : nullptr;
    Matrix x(4, 33);
    x.fill(random, Shape::biased);
    Matrix before = copy_of(x);
    if (!device.ops->add_segments(device.device, &table.weight, &batch, x.rows()).ok()) return "failed";
    for (int32_t t = 0; t < 4; ++t) {
      for (int32_t k = 0; k < 33; ++k) {
        const double expected = before.at(t, k) + table.at(has_segments ? segments[t] : 0, k);
        const std::string why = compare("x", t, k, x.at(t, k), expected, kOneRounding * std::abs(expected) + 1e-30);
        if (!why.empty()) return why;
      }
    }
    const std::vector<int32_t> wrong = {0, 0, 2, 0};
    batch.segments = wrong.data();
    if (device.ops->add_segments(device.device, &table.weight, &batch, x.rows()).code != Code::invalid_input) {
      return "a segment after the table's end was accepted";
    }
    if (!x.intact()) return "a guard byte was overwritten";
  }
  return {};
}

}  // namespace

void row_change_cases() {
  for (const std::string& set : instruction_sets()) {
    const char* s = set.c_str();
    for (const int32_t head_size : {1, 5, 16, 64, 80, 128, 256}) {
      for (const Shape shape : {Shape::normal, Shape::biased, Shape::outliers, Shape::zeros}) {
        run_case(text("rms_norm_heads [H=3 d=%d] of %s x, %s", head_size, name_of(shape), s),
                 [&] { return check_heads(set, 3, head_size, shape); });
      }
    }
    for (const float cap : {0.5f, 30.0f, 50.0f}) {
      for (const int32_t width : {1, 13, 16, 1000, 32003}) {
        run_case(text("soft_cap [cap=%g D=%d], %s", cap, width, s), [&] { return check_cap(set, cap, width); });
      }
    }
    run_case(text("clamp [T=2 D=17], %s", s), [&] { return check_clamp(set, 2, 17); });
    run_case(text("clamp [T=40 D=1000], %s", s), [&] { return check_clamp(set, 40, 1000); });
    run_case(text("permute_columns [T=1 D=32], %s", s), [&] { return check_permute(set, 1, 32, 32); });
    run_case(text("permute_columns [T=37 D=1000 to 1100], %s", s), [&] { return check_permute(set, 37, 1000, 1100); });
    run_case(text("add_segments f32, %s", s), [&] { return check_segments(set, Type::f32); });
    run_case(text("add_segments f16, %s", s), [&] { return check_segments(set, Type::f16); });
  }
}

}  // namespace quoth::test
