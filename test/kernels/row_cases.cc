// Operations that work row by row: embeddings, norms, activations, rope, pooling.
#include "harness.h"

namespace quoth::test {
namespace {

constexpr double kOneRounding = 6e-8;  // of a product or sum in f32
constexpr double kNorm = 2e-6;         // sums in f32 or better, then three roundings
constexpr double kActivation = 3e-6;   // relative to max(1, |x|)
constexpr double kRope = 2e-6;         // cos and sin in f32 of an angle in f32, relative to the pair's length

constexpr int32_t kWidths[] = {1, 7, 8, 15, 16, 17, 48, 100, 384, 2048};
constexpr Shape kShapes[] = {Shape::normal, Shape::biased, Shape::outliers, Shape::zeros};

std::string check_embed(const std::string& set, Type type, int32_t width) {
  Random random(static_cast<uint64_t>(width));
  const TestWeight table = make_weight(type, 37, width, random);
  const std::vector<int32_t> ids = {0, 36, 17, 16, 15, 36, 1};
  Batch batch;
  batch.num_tokens = 7;
  batch.ids = ids.data();
  Matrix out(7, width);
  Backend& device = backend(set);
  const Status status = device.ops->embed(device.device, &table.weight, &batch, 1.5f, out.rows());
  if (!status.ok()) return status.message;
  for (int32_t t = 0; t < 7; ++t) {
    for (int32_t k = 0; k < width; ++k) {
      const double expected = 1.5 * table.at(ids[t], k);
      const std::string why =
          compare("out", t, k, out.at(t, k), expected, 2 * kOneRounding * 1.5 * table.size_at(ids[t], k) + 1e-30);
      if (!why.empty()) return why;
    }
  }
  const std::vector<int32_t> wrong = {0, 37, 0, 0, 0, 0, 0};
  batch.ids = wrong.data();
  if (device.ops->embed(device.device, &table.weight, &batch, 1, out.rows()).code != Code::invalid_input) {
    return "an id outside the vocabulary was accepted";
  }
  return out.intact() ? "" : "a guard byte was overwritten";
}

std::string check_positions(const std::string& set, Type type) {
  Random random(8);
  const TestWeight table = make_weight(type, 20, 33, random);
  const std::vector<int32_t> positions = {0, 1, 17, 5};
  Batch batch;
  batch.num_tokens = 4;
  batch.positions = positions.data();
  Matrix x(4, 33), before(4, 33);
  x.fill(random, Shape::biased);
  for (int32_t t = 0; t < 4; ++t) std::memcpy(before.row(t), x.row(t), 33 * sizeof(float));
  Backend& device = backend(set);
  if (!device.ops->add_positions(device.device, &table.weight, &batch, 2, x.rows()).ok()) return "failed";
  for (int32_t t = 0; t < 4; ++t) {
    for (int32_t k = 0; k < 33; ++k) {
      const double expected = before.at(t, k) + table.at(positions[t] + 2, k);
      const std::string why = compare("x", t, k, x.at(t, k), expected, kOneRounding * std::abs(expected) + 1e-30);
      if (!why.empty()) return why;
    }
  }
  if (device.ops->add_positions(device.device, &table.weight, &batch, 3, x.rows()).code != Code::invalid_input) {
    return "a position after the table's end was accepted";
  }
  return x.intact() ? "" : "a guard byte was overwritten";
}

enum class Norm { rms, layer, add_rms, add_layer };

Status run_norm(Backend& device, Norm norm, Rows x, Rows y, const float* weight, const float* bias, Rows out) {
  constexpr float kEpsilon = 1e-5f;
  if (norm == Norm::rms) return device.ops->rms_norm(device.device, x, weight, kEpsilon, out);
  if (norm == Norm::layer) return device.ops->layer_norm(device.device, x, weight, bias, kEpsilon, out);
  if (norm == Norm::add_rms) return device.ops->add_rms_norm(device.device, x, y, weight, kEpsilon, out);
  return device.ops->add_layer_norm(device.device, x, y, weight, bias, kEpsilon, out);
}

std::string check_norm(const std::string& set, Norm norm, int32_t width, Shape shape, bool in_place) {
  constexpr int32_t kTokens = 5;
  Random random(static_cast<uint64_t>(width) + 3);
  Matrix x(kTokens, width), y(kTokens, width), result(kTokens, width), alone(1, width), before(kTokens, width);
  x.fill(random, shape);
  y.fill(random, Shape::normal);
  Guarded<float> weight(static_cast<size_t>(width)), bias(static_cast<size_t>(width));
  for (int32_t k = 0; k < width; ++k) weight[k] = random.normal(), bias[k] = random.normal();
  for (int32_t t = 0; t < kTokens; ++t)
    std::memcpy(before.row(t), x.row(t), sizeof(float) * static_cast<size_t>(width));
  Matrix& out = in_place ? x : result;
  Backend& device = backend(set);
  const Status status = run_norm(device, norm, x.rows(), y.rows(), weight.data(), bias.data(), out.rows());
  if (!status.ok()) return status.message;
  const bool adds = norm == Norm::add_rms || norm == Norm::add_layer;
  const bool subtracts = norm == Norm::layer || norm == Norm::add_layer;
  for (int32_t t = 0; t < kTokens; ++t) {
    std::vector<float> sum(before.row(t), before.row(t) + width);
    for (int32_t k = 0; k < width && adds; ++k) sum[k] += y.at(t, k);
    double mean = 0, squares = 0, largest = 0;
    for (const float value : sum) mean += subtracts ? static_cast<double>(value) / width : 0.0;
    for (const float value : sum) squares += (value - mean) * (value - mean) / width;
    for (const float value : sum) largest = std::max(largest, std::abs(static_cast<double>(value)));
    const double scale = 1 / std::sqrt(squares + 1e-5);
    for (int32_t k = 0; k < width; ++k) {
      if (adds && x.at(t, k) != sum[k]) return text("x[%d, %d] is not x + y", t, k);
      const double expected = (sum[k] - mean) * scale * weight[k] + (subtracts ? static_cast<double>(bias[k]) : 0.0);
      // What cancels in x - mean was rounded at the size of x.
      const double tolerance =
          kNorm * (1 + (std::abs(sum[k]) + (subtracts ? largest : 0)) * scale) * (1 + std::abs(weight[k]));
      const std::string why = compare("out", t, k, out.at(t, k), expected, tolerance);
      if (!why.empty()) return why;
    }
    Rows one{before.row(t), 1, width, width};
    Rows other{y.row(t), 1, width, width};
    if (!run_norm(device, norm, one, other, weight.data(), bias.data(), alone.rows()).ok()) return "failed alone";
    if (std::memcmp(alone.row(0), out.row(t), sizeof(float) * static_cast<size_t>(width)) != 0) {
      return text("row %d has other bits alone", t);
    }
  }
  return out.intact() && x.intact() && y.intact() && weight.intact() ? "" : "a guard byte was overwritten";
}

std::string check_activation(const std::string& set, Activation activation, int32_t width, bool is_gated) {
  Random random(static_cast<uint64_t>(width) + 11);
  Matrix x(3, is_gated ? 2 * width : width), out(3, width);
  x.fill(random, Shape::normal);
  constexpr float kEdges[] = {0.0f, -0.0f, 88.0f, -88.0f, 104.0f, -104.0f, 1e4f, -1e4f, 1e-20f, -5.5f, 5.5f, -13.0f};
  for (int32_t k = 0; k < width; ++k) x.at(1, k) = kEdges[k % 12];
  for (int32_t k = 0; k < width; ++k) x.at(2, k) = static_cast<float>(k * 24.0 / width - 12);
  Backend& device = backend(set);
  const Status status = is_gated ? device.ops->gated(device.device, x.rows(), activation, out.rows())
                                 : device.ops->activate(device.device, x.rows(), activation, out.rows());
  if (!status.ok()) return status.message;
  for (int32_t t = 0; t < 3; ++t) {
    for (int32_t k = 0; k < width; ++k) {
      const double up = is_gated ? x.at(t, k + width) : 1;
      const double expected = exact_activation(x.at(t, k), activation) * up;
      const double tolerance =
          kActivation * std::max(1.0, std::abs(static_cast<double>(x.at(t, k)))) * std::abs(up) + 1e-30;
      const std::string why = compare("out", t, k, out.at(t, k), expected, tolerance);
      if (!why.empty()) return why;
    }
  }
  x.at(0, width / 2) = NAN;
  if (is_gated) device.ops->gated(device.device, x.rows(), activation, out.rows());
  if (!is_gated) device.ops->activate(device.device, x.rows(), activation, out.rows());
  if (!std::isnan(out.at(0, width / 2))) return "a NaN was hidden";
  return out.intact() && x.intact() ? "" : "a guard byte was overwritten";
}

std::string check_elementwise(const std::string& set, int32_t num_tokens, int32_t width) {
  Random random(4);
  Matrix a(num_tokens, width), b(num_tokens, width), sum(num_tokens, width), product(num_tokens, width);
  a.fill(random, Shape::outliers);
  b.fill(random, Shape::biased);
  Guarded<float> bias(static_cast<size_t>(width));
  for (int32_t k = 0; k < width; ++k) bias[k] = random.normal();
  Backend& device = backend(set);
  if (!device.ops->add(device.device, a.rows(), b.rows(), sum.rows()).ok()) return "add failed";
  if (!device.ops->multiply(device.device, a.rows(), b.rows(), product.rows()).ok()) return "multiply failed";
  for (int32_t t = 0; t < num_tokens; ++t) {
    for (int32_t k = 0; k < width; ++k) {
      if (sum.at(t, k) != a.at(t, k) + b.at(t, k)) return text("sum[%d, %d]", t, k);
      if (product.at(t, k) != a.at(t, k) * b.at(t, k)) return text("product[%d, %d]", t, k);
    }
  }
  if (!device.ops->add_bias(device.device, sum.rows(), bias.data()).ok()) return "add_bias failed";
  if (!device.ops->add(device.device, a.rows(), b.rows(), b.rows()).ok()) return "add in place failed";
  for (int32_t t = 0; t < num_tokens; ++t) {
    for (int32_t k = 0; k < width; ++k) {
      if (sum.at(t, k) != b.at(t, k) + bias[k]) return text("biased sum[%d, %d]", t, k);
    }
  }
  const bool intact = a.intact() && b.intact() && sum.intact() && product.intact() && bias.intact();
  return intact ? "" : "a guard byte was overwritten";
}

std::string check_rope(const std::string& set, int32_t head_size, int32_t rotary_size, bool adjacent,
                       float factor = 1) {
  constexpr int32_t kHeads = 3;
  Random random(21);
  const std::vector<int32_t> positions = {0, 1, 63, 64, 2047};
  Guarded<float> frequencies(static_cast<size_t>(rotary_size) / 2);
  for (int32_t i = 0; i < rotary_size / 2; ++i) frequencies[i] = std::pow(10000.0f, -2.0f * i / rotary_size);
  const Rope rope{frequencies.data(), rotary_size, adjacent, factor};
  Batch batch;
  batch.num_tokens = 5;
  batch.positions = positions.data();
  Matrix x(5, kHeads * head_size), before(5, kHeads * head_size);
  x.fill(random, Shape::outliers);
  for (int32_t t = 0; t < 5; ++t) std::memcpy(before.row(t), x.row(t), sizeof(float) * kHeads * head_size);
  Backend& device = backend(set);
  if (!device.ops->rope(device.device, x.rows(), kHeads, head_size, &rope, &batch).ok()) return "failed";
  for (int32_t t = 0; t < 5; ++t) {
    for (int32_t k = 0; k < kHeads * head_size; ++k) {
      const int32_t i = k % head_size;
      const int32_t half = rotary_size / 2;
      double expected = before.at(t, k), length = std::abs(expected);
      if (i < rotary_size) {
        const int32_t pair = adjacent ? i / 2 : i % half;
        const bool is_second = adjacent ? i % 2 == 1 : i >= half;
        const int32_t partner = adjacent ? (is_second ? k - 1 : k + 1) : (is_second ? k - half : k + half);
        const double angle = static_cast<float>(positions[t]) * frequencies[pair];
        const double turned = before.at(t, partner) * std::sin(angle);
        length = std::hypot(before.at(t, k), before.at(t, partner));
        expected = factor * (before.at(t, k) * std::cos(angle) + (is_second ? turned : -turned));
        length *= factor;
      }
      // The angle itself is f32: at position 2047 its last place is 1.2e-4.
      const std::string why = compare("x", t, k, x.at(t, k), expected, (kRope + positions[t] * kOneRounding) * length);
      if (!why.empty()) return why;
    }
  }
  return x.intact() ? "" : "a guard byte was overwritten";
}

std::string check_ends(const std::string& set) {
  constexpr int32_t kWidth = 37;
  Random random(31);
  const std::vector<int32_t> first_row = {0, 1, 6, 9};
  const std::vector<int32_t> outputs = {0, 5, 8};
  Batch batch;
  batch.num_tokens = 9;
  batch.num_sequences = 3;
  batch.first_row = first_row.data();
  batch.num_outputs = 3;
  batch.output_rows = outputs.data();
  Matrix x(9, kWidth), mean(3, kWidth), first(3, kWidth), gathered(3, kWidth);
  x.fill(random, Shape::biased);
  Backend& device = backend(set);
  if (!device.ops->pool_mean(device.device, x.rows(), &batch, mean.rows()).ok()) return "pool_mean failed";
  if (!device.ops->pool_first(device.device, x.rows(), &batch, first.rows()).ok()) return "pool_first failed";
  if (!device.ops->gather_outputs(device.device, x.rows(), &batch, gathered.rows()).ok()) return "gather failed";
  for (int32_t b = 0; b < 3; ++b) {
    for (int32_t k = 0; k < kWidth; ++k) {
      double expected = 0;
      const int32_t count = first_row[b + 1] - first_row[b];
      for (int32_t t = first_row[b]; t < first_row[b + 1]; ++t) expected += static_cast<double>(x.at(t, k)) / count;
      const std::string why = compare("mean", b, k, mean.at(b, k), expected, 1e-6 * (1 + std::abs(expected)));
      if (!why.empty()) return why;
      if (first.at(b, k) != x.at(first_row[b], k)) return text("first[%d, %d]", b, k);
      if (gathered.at(b, k) != x.at(outputs[b], k)) return text("gathered[%d, %d]", b, k);
    }
  }
  std::memset(first.row(1), 0, kWidth * sizeof(float));
  if (!device.ops->normalize(device.device, first.rows()).ok()) return "normalize failed";
  for (int32_t b = 0; b < 3; ++b) {
    double squares = 0;
    for (int32_t k = 0; k < kWidth; ++k) squares += static_cast<double>(first.at(b, k)) * first.at(b, k);
    if (std::abs(squares - (b == 1 ? 0 : 1)) > 1e-6) return text("row %d has length^2 %.9g", b, squares);
  }
  const bool intact = x.intact() && mean.intact() && first.intact() && gathered.intact();
  return intact ? "" : "a guard byte was overwritten";
}

}  // namespace

void row_cases() {
  for (const std::string& set : instruction_sets()) {
    const char* s = set.c_str();
    for (const Type type : {Type::f32, Type::f16, Type::q8, Type::q4, Type::int4_g32, Type::int4_g128, Type::f8}) {
      for (const int32_t width : {128, 384, 2048}) {
        run_case(text("embed %s [V=37 D=%d], %s", name_of(type), width, s),
                 [&] { return check_embed(set, type, width); });
      }
    }
    run_case(text("embed f16 [V=37 D=17], %s", s), [&] { return check_embed(set, Type::f16, 17); });
    run_case(text("add_positions f32, %s", s), [&] { return check_positions(set, Type::f32); });
    run_case(text("add_positions f16, %s", s), [&] { return check_positions(set, Type::f16); });
    constexpr const char* kNorms[] = {"rms_norm", "layer_norm", "add_rms_norm", "add_layer_norm"};
    for (int32_t norm = 0; norm < 4; ++norm) {
      for (const int32_t width : kWidths) {
        for (const Shape shape : kShapes) {
          run_case(text("%s [D=%d] of %s x, %s", kNorms[norm], width, name_of(shape), s),
                   [&] { return check_norm(set, static_cast<Norm>(norm), width, shape, false); });
        }
        if (norm < 2) {
          run_case(text("%s [D=%d] in place, %s", kNorms[norm], width, s),
                   [&] { return check_norm(set, static_cast<Norm>(norm), width, Shape::normal, true); });
        }
      }
    }
    for (const Activation activation : {Activation::none, Activation::silu, Activation::gelu, Activation::gelu_tanh,
                                        Activation::relu, Activation::tanh}) {
      for (const int32_t width : {1, 12, 16, 37, 1024}) {
        run_case(text("activate %s [D=%d], %s", name_of(activation), width, s),
                 [&] { return check_activation(set, activation, width, false); });
        run_case(text("gated %s [F=%d], %s", name_of(activation), width, s),
                 [&] { return check_activation(set, activation, width, true); });
      }
    }
    run_case(text("add, multiply and add_bias [T=3 D=33], %s", s), [&] { return check_elementwise(set, 3, 33); });
    run_case(text("add, multiply and add_bias [T=50 D=1000], %s", s), [&] { return check_elementwise(set, 50, 1000); });
    for (const bool adjacent : {false, true}) {
      run_case(text("rope [d=64 R=64], %s pairs, %s", adjacent ? "adjacent" : "halves", s),
               [&] { return check_rope(set, 64, 64, adjacent); });
      run_case(text("rope [d=64 R=48 factor=1.19], %s pairs, %s", adjacent ? "adjacent" : "halves", s),
               [&] { return check_rope(set, 64, 48, adjacent, 1.19f); });
      run_case(text("rope [d=80 R=32], %s pairs, %s", adjacent ? "adjacent" : "halves", s),
               [&] { return check_rope(set, 80, 32, adjacent); });
      run_case(text("rope [d=8 R=8], %s pairs, %s", adjacent ? "adjacent" : "halves", s),
               [&] { return check_rope(set, 8, 8, adjacent); });
    }
    run_case(text("pool_mean, pool_first, gather_outputs and normalize, %s", s), [&] { return check_ends(set); });
  }
}

}  // namespace quoth::test
