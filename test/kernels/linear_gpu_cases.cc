// linear on a GPU: sizes at which it takes another of its kernels, and linear_fused against float64.
#include "linear_cases.h"

namespace quoth::test {
namespace {

struct FusedCase {
  Type type;
  int32_t num_tokens, num_rows, num_columns;
  LinearFusion::Norm norm;
  bool is_gated, adds, has_bias;
  Activation activation;
};

// linear_fused against float64: norm, product, bias, gate, residual.
std::string check_fused(const std::string& set, const FusedCase& c, uint64_t seed) {
  Random random(seed);
  const TestWeight w = make_weight(c.type, c.num_rows, c.num_columns, random);
  const int32_t width = c.is_gated ? c.num_rows / 2 : c.num_rows;
  Matrix x(c.num_tokens, c.num_columns, 4), out(c.num_tokens, width, 8);
  x.fill(random, Shape::biased);
  out.fill(random, Shape::normal);
  Guarded<float> bias(static_cast<size_t>(c.num_rows)), norm_weight(static_cast<size_t>(c.num_columns)),
      norm_bias(static_cast<size_t>(c.num_columns));
  for (size_t n = 0; n < bias.size(); ++n) bias[n] = random.normal();
  for (size_t k = 0; k < norm_weight.size(); ++k) norm_weight[k] = 1 + 0.3f * random.normal();
  for (size_t k = 0; k < norm_bias.size(); ++k) norm_bias[k] = 0.1f * random.normal();
  LinearFusion fusion;
  fusion.norm = c.norm;
  fusion.norm_weight = norm_weight.data();
  fusion.norm_bias = c.norm == LinearFusion::Norm::layer ? norm_bias.data() : nullptr;
  fusion.epsilon = 1e-5f;
  fusion.is_gated = c.is_gated;
  fusion.adds = c.adds;
  std::vector<double> before;
  for (int32_t t = 0; t < c.num_tokens; ++t) before.insert(before.end(), out.row(t), out.row(t) + width);
  Backend& device = backend(set);
  const Status status = device.ops->linear_fused(device.device, x.rows(), &w.weight, c.has_bias ? bias.data() : nullptr,
                                                 c.activation, &fusion, out.rows());
  if (!status.ok()) return status.message;
  std::vector<double> normed(static_cast<size_t>(c.num_columns)), sums(static_cast<size_t>(c.num_rows)),
      rounding(sums.size());
  for (int32_t t = 0; t < c.num_tokens; ++t) {
    double mean = 0, squares = 0;
    for (int32_t k = 0; k < c.num_columns; ++k) mean += x.at(t, k) / static_cast<double>(c.num_columns);
    if (c.norm != LinearFusion::Norm::layer) mean = 0;
    for (int32_t k = 0; k < c.num_columns; ++k) squares += (x.at(t, k) - mean) * (x.at(t, k) - mean);
    const double scale = 1 / std::sqrt(squares / c.num_columns + 1e-5);
    double values = 0;
    for (int32_t k = 0; k < c.num_columns; ++k) {
      const size_t at = static_cast<size_t>(k);
      normed[at] = c.norm == LinearFusion::Norm::none ? x.at(t, k)
                                                      : (x.at(t, k) - mean) * scale * norm_weight[at] +
                                                            (fusion.norm_bias != nullptr ? norm_bias[at] : 0);
      values += std::abs(normed[at]);
    }
    for (int32_t n = 0; n < c.num_rows; ++n) {
      double sum = c.has_bias ? static_cast<double>(bias[static_cast<size_t>(n)]) : 0.0, products = 0, magnitude = 0;
      for (int32_t k = 0; k < c.num_columns; ++k) {
        sum += w.at(n, k) * normed[static_cast<size_t>(k)];
        products += std::abs(w.at(n, k) * normed[static_cast<size_t>(k)]);
        magnitude += w.size_at(n, k) * std::abs(normed[static_cast<size_t>(k)]);
      }
      sums[static_cast<size_t>(n)] = sum;
      rounding[static_cast<size_t>(n)] =
          3.1 * kHalf * products + kSubnormal * values + 2 * kGpuSum * (magnitude + std::abs(sum)) + 1e-6;
    }
    for (int32_t n = 0; n < width; ++n) {
      const size_t at = static_cast<size_t>(n), other = static_cast<size_t>(width) + at;
      double expected = exact_activation(sums[at], c.activation);
      double tolerance = 1.13 * rounding[at] + kActivation * std::max(1.0, std::abs(sums[at]));
      if (c.is_gated) {
        tolerance = tolerance * (std::abs(sums[other]) + rounding[other]) + std::abs(expected) * rounding[other];
        expected *= sums[other];
        tolerance += 1e-6 * std::abs(expected);
      }
      if (c.adds) expected += before[static_cast<size_t>(t) * static_cast<size_t>(width) + at];
      const std::string why = compare("out", t, n, out.at(t, n), expected, tolerance);
      if (!why.empty()) return why;
    }
  }
  if (!out.intact() || !x.intact() || !w.data->intact() || !bias.intact() || !norm_weight.intact()) {
    return "a guard byte was overwritten";
  }
  return {};
}

}  // namespace

void fused_linear_cases(const std::string& set) {
  uint64_t seed = 700;
  using Norm = LinearFusion::Norm;
  for (const Type type : {Type::int4_g128, Type::int4_g32, Type::q8, Type::q4, Type::f16, Type::f8, Type::f32}) {
    for (const int32_t tokens : {1, 3, 8, 9, 20, 130}) {
      const FusedCase cases[] = {
          {type, tokens, 96, 384, Norm::rms, false, false, false, Activation::none},
          {type, tokens, 96, 256, Norm::none, false, true, false, Activation::none},
          {type, tokens, 192, 384, Norm::rms, true, false, false, Activation::silu},
          {type, tokens, 320, 128, Norm::layer, true, true, true, Activation::gelu_tanh},
          {type, tokens, 272, 384, Norm::layer, false, true, true, Activation::gelu},
      };
      for (const FusedCase& c : cases) {
        constexpr const char* kNorms[] = {"", " after rms norm", " after layer norm"};
        run_case(text("linear_fused %s [T=%d N=%d K=%d]%s, %s%s%s, %s", name_of(type), tokens, c.num_rows,
                      c.num_columns, kNorms[static_cast<int32_t>(c.norm)], name_of(c.activation),
                      c.is_gated ? ", gated" : "", c.adds ? ", added" : "", set.c_str()),
                 [&] { return check_fused(set, c, ++seed); });
      }
    }
  }
}

// Sizes at which a GPU takes another of its kernels, at the borders of its tiles and chunks.
void gpu_linear_cases(const std::string& set) {
  uint64_t seed = 900;
  for (const Type type : {Type::q8, Type::q4, Type::f16, Type::f32, Type::f8, Type::int4_g32, Type::int4_g128}) {
    for (const int32_t tokens : {1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 200, 257}) {
      const int32_t columns = type == Type::int4_g128 ? 640 : 544;
      const LinearCase c{type, tokens, 272, columns, Shape::biased, Activation::none, true};
      run_case(text("linear %s [T=%d N=272 K=%d], cuda", name_of(type), tokens, columns),
               [&] { return check_against_float64(set, c, ++seed); });
    }
    for (const int32_t columns : {128, 384, 14336}) {
      for (const int32_t tokens : {9, 70, 130}) {
        const LinearCase c{type, tokens, columns > 1000 ? 80 : 272, columns, Shape::outliers};
        run_case(text("linear %s [T=%d N=%d K=%d] of outlier x, cuda", name_of(type), tokens, c.num_rows, columns),
                 [&] { return check_against_float64(set, c, ++seed); });
      }
    }
    const LinearCase wide{type, 3, 48, 5632, Shape::outliers};
    run_case(text("linear %s [T=3 N=48 K=5632], cuda", name_of(type)),
             [&] { return check_against_float64(set, wide, ++seed); });
    // Few and many blocks: every row count takes another shape of tile.
    run_case(text("linear %s gives a row the same bits in all kernels, cuda", name_of(type)), [&] {
      constexpr int32_t kTokens = 300, kRows = 8000, kColumns = 128;
      Random random(4);
      const TestWeight w = make_weight(type, kRows, kColumns, random);
      Matrix x(kTokens, kColumns), all(kTokens, kRows);
      x.fill(random, Shape::outliers);
      Backend& device = backend(set);
      const auto run = [&](int32_t first, int32_t count, Matrix& out) {
        Rows some = x.rows();
        some.data = x.row(first);
        some.num_rows = count;
        return device.ops->linear(device.device, some, &w.weight, nullptr, Activation::none, out.rows());
      };
      if (!run(0, kTokens, all).ok()) return std::string("linear failed");
      for (const int32_t count : {9, 16, 40, 64, 150, 257}) {
        Matrix out(count, kRows);
        if (!run(37, count, out).ok()) return std::string("linear failed");
        for (int32_t t = 0; t < count; ++t) {
          if (std::memcmp(out.row(t), all.row(37 + t), sizeof(float) * kRows) != 0) {
            return text("row %d differs among %d rows from among %d", 37 + t, count, kTokens);
          }
        }
      }
      return std::string();
    });
  }
}

}  // namespace quoth::test
