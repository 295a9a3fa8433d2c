// linear: every weight type, odd shapes, bias and activation, against float64; and the same bits for a row wherever it
// is.
#include "linear_cases.h"

namespace quoth::test {
namespace {

// f32 and f16: a sum in f32 of K products errs by a few units of 2^-24 times the sum of their magnitudes.
constexpr double kFloatSum = 4e-6;
// q8, q4 and int4 against the rounded x: sums of a group are exact, so only the additions of K/32 groups round.
constexpr double kGroupSum = 1e-6;
constexpr Type kAllTypes[] = {Type::f32, Type::f16, Type::q8, Type::q4, Type::int4_g32, Type::int4_g128, Type::f8};

// Rounding x moves a value by at most half a step of the largest magnitude among its 32 columns.
constexpr double kLargestStep = 32512;
constexpr double kRounding = 0.5 / kLargestStep;

// x as the kernels round it: to 16 bits by groups of 32.
std::vector<double> rounded_row(const float* x, int32_t num_columns) {
  std::vector<double> rounded(static_cast<size_t>(num_columns));
  for (int32_t first = 0; first < num_columns; first += 32) {
    float largest = 0;
    for (int32_t k = 0; k < 32; ++k) largest = std::max(largest, std::abs(x[first + k]));
    const float inverse = largest > 0 ? static_cast<float>(kLargestStep) / largest : 0;
    for (int32_t k = 0; k < 32; ++k) {
      rounded[first + k] =
          std::nearbyint(x[first + k] * inverse) * static_cast<double>(largest / static_cast<float>(kLargestStep));
    }
  }
  return rounded;
}

bool is_quantized(Type type) {
  return record_columns(type) > 0;
}

// Whether the GPU multiplies halves: all weights but f32 and those whose rows are not whole 16-byte pieces.
bool is_in_halves(const std::string& set, Type type, int32_t num_columns) {
  if (set != "cuda" || type == Type::f32) return false;
  return type == Type::f16 ? num_columns % 8 == 0 : type == Type::f8 ? num_columns % 16 == 0 : true;
}

}  // namespace

std::string check_against_float64(const std::string& set, const LinearCase& c, uint64_t seed) {
  Random random(seed);
  const TestWeight w = make_weight(c.type, c.num_rows, c.num_columns, random);
  Matrix x(c.num_tokens, c.num_columns), out(c.num_tokens, c.num_rows);
  x.fill(random, c.shape);
  Guarded<float> bias(static_cast<size_t>(c.num_rows));
  for (size_t n = 0; n < bias.size(); ++n) bias[n] = random.normal();
  Backend& device = backend(set);
  const Status status = device.ops->linear(device.device, x.rows(), &w.weight, c.has_bias ? bias.data() : nullptr,
                                           c.activation, out.rows());
  if (!status.ok()) return status.message;
  const bool quantized = is_quantized(c.type);
  const bool in_halves = is_in_halves(set, c.type, c.num_columns);
  const bool to_16_bits = quantized && !in_halves;  // how the device rounds x
  // On a GPU up to 8 rows of x are rounded so too, where the weight is quantized: by the columns of a record.
  const bool is_few = quantized && in_halves && c.num_tokens <= 8;
  const int32_t group = is_few ? record_columns(c.type) : 32;
  double errors = 0, sizes = 0;
  for (int32_t t = 0; t < c.num_tokens; ++t) {
    const std::vector<double> rounded =
        to_16_bits ? rounded_row(x.row(t), c.num_columns) : std::vector<double>(x.row(t), x.row(t) + c.num_columns);
    double values = 0;  // sum of |x|
    for (const double value : rounded) values += std::abs(value);
    for (int32_t n = 0; n < c.num_rows; ++n) {
      const double added = c.has_bias ? static_cast<double>(bias[n]) : 0.0;
      double sum = added, magnitude = std::abs(sum), unrounded = sum, rounding = 0, products = 0, squares = 0;
      for (int32_t k = 0; k < c.num_columns; ++k) {
        const double product = w.at(n, k) * rounded[k];
        sum += product;
        products += std::abs(product);
        squares += product * product;
        unrounded += w.at(n, k) * x.at(t, k);
        magnitude += std::abs(w.size_at(n, k) * rounded[k]);
        if (k % group == 0 && (to_16_bits || is_few)) {
          double largest = 0, weights = 0;
          for (int32_t i = k; i < std::min(k + group, c.num_columns); ++i) {
            largest = std::max(largest, std::abs(static_cast<double>(x.at(t, i))));
            weights += std::abs(w.at(n, i));
          }
          rounding += largest * weights * kRounding;
        }
      }
      if (in_halves && !is_few) rounding = 3 * kHalf * products + kSubnormal * values;
      const double expected = exact_activation(sum, c.activation);
      const double tolerance = (to_16_bits  ? kGroupSum
                                : in_halves ? kGpuSum
                                            : kFloatSum) *
                                   magnitude * 1.2 +
                               (in_halves ? 1.13 * rounding : 0) +  // the steepest slope of an activation
                               (c.activation == Activation::none ? 0 : kActivation * std::max(1.0, std::abs(sum))) +
                               1e-12;
      std::string why = compare("out", t, n, out.at(t, n), expected, tolerance);
      if (why.empty() && c.activation == Activation::none) {
        why = compare("out (x not rounded)", t, n, out.at(t, n), unrounded, tolerance + rounding * 1.001);
      }
      if (!why.empty()) return why;
      sizes += std::max(sum * sum, squares);  // a sum may be far less than what is added
      errors += (out.at(t, n) - expected) * (out.at(t, n) - expected);
    }
  }
  if (in_halves && c.activation == Activation::none && !(errors <= kGpuRelative * kGpuRelative * sizes)) {
    return text("errors are %.3g of the products", std::sqrt(errors / sizes));
  }
  if (!out.intact() || !x.intact() || !w.data->intact() || !bias.intact()) return "a guard byte was overwritten";
  return {};
}

namespace {

std::string check_same_bits(const std::string& set, Type type, int32_t num_rows, int32_t num_columns, uint64_t seed) {
  constexpr int32_t kTokens = 40;
  Random random(seed);
  const TestWeight w = make_weight(type, num_rows, num_columns, random);
  Matrix x(kTokens, num_columns), all(kTokens, num_rows);
  x.fill(random, Shape::outliers);
  Backend& device = backend(set);
  const auto run = [&](Backend& where, int32_t first, int32_t count, Matrix& out) {
    Rows some = x.rows();
    some.data = x.row(first);
    some.num_rows = count;
    return where.ops->linear(where.device, some, &w.weight, nullptr, Activation::silu, out.rows());
  };
  if (!run(device, 0, kTokens, all).ok()) return "linear failed";
  // A GPU has two families of kernels, for up to 8 rows and for more: the bits are the same within each.
  Matrix alone(kTokens, num_rows);
  for (int32_t t = 0; t < kTokens; ++t) {
    Matrix out(1, num_rows);
    if (!run(device, t, 1, out).ok()) return "linear failed";
    std::memcpy(alone.row(t), out.row(0), sizeof(float) * static_cast<size_t>(num_rows));
  }
  const size_t row_bytes = sizeof(float) * static_cast<size_t>(num_rows);
  for (const int32_t count : {1, 2, 3, 4, 5, 8, 11, 12, 13, 17, 24, 31}) {
    for (int32_t first = 0; first + count <= kTokens; first += count == 1 ? 1 : 7) {
      Matrix out(count, num_rows);
      if (!run(count % 2 == 0 ? device : backend(set, 1), first, count, out).ok()) return "linear failed";
      for (int32_t t = 0; t < count; ++t) {
        const bool is_few = set == "cuda" && count <= 8;
        if (std::memcmp(out.row(t), (is_few ? alone : all).row(first + t), row_bytes) != 0) {
          return text("row %d differs among %d rows from %s", first + t, count, is_few ? "alone" : "among 40");
        }
      }
    }
  }
  return {};
}

// The group sums of q8, q4 and int4 are exact and their additions are one fused step each, on every instruction set.
std::string check_same_bits_as_plain(const std::string& set, Type type, Shape shape) {
  constexpr int32_t kTokens = 48, kRows = 40, kColumns = 256;
  Random random(77);
  const TestWeight w = make_weight(type, kRows, kColumns, random);
  Matrix x(kTokens, kColumns), out(kTokens, kRows), plain(kTokens, kRows);
  x.fill(random, shape);
  Backend& device = backend(set);
  Backend& loops = backend("plain");
  for (const int32_t count : {1, 15, kTokens}) {
    const auto first = [count](Rows rows) {
      rows.num_rows = count;
      return rows;
    };
    if (!device.ops->linear(device.device, first(x.rows()), &w.weight, nullptr, Activation::none, first(out.rows()))
             .ok() ||
        !loops.ops->linear(loops.device, first(x.rows()), &w.weight, nullptr, Activation::none, first(plain.rows()))
             .ok()) {
      return "linear failed";
    }
    for (int32_t t = 0; t < count; ++t) {
      if (std::memcmp(out.row(t), plain.row(t), sizeof(float) * kRows) != 0) return text("row %d of %d", t, count);
    }
  }
  return {};
}

// Every weight and every value of x at the end of its range: no sum leaves its integer.
std::string check_ends_of_range(const std::string& set, int32_t num_tokens, uint8_t byte) {
  constexpr int32_t kRows = 16, kColumns = 2048;
  Random random(1);
  TestWeight w = make_weight(Type::q8, kRows, kColumns, random);
  for (int32_t group = 0; group < kColumns / 32; ++group) {
    uint8_t* record = w.data->data() + group * 544;
    std::memset(record, byte, 512);
    const uint16_t one = nearest_half(1);
    for (int32_t r = 0; r < kRows; ++r) std::memcpy(record + 512 + 2 * r, &one, sizeof one);
  }
  Matrix x(num_tokens, kColumns), out(num_tokens, kRows);
  for (int32_t t = 0; t < num_tokens; ++t) {
    for (int32_t k = 0; k < kColumns; ++k) x.at(t, k) = t % 2 == 0 ? 2.5f : -2.5f;
  }
  Backend& device = backend(set);
  const Status status = device.ops->linear(device.device, x.rows(), &w.weight, nullptr, Activation::none, out.rows());
  if (!status.ok()) return status.message;
  for (int32_t t = 0; t < num_tokens; ++t) {
    const double expected = (byte - 128.0) * (t % 2 == 0 ? 2.5 : -2.5) * kColumns;
    for (int32_t n = 0; n < kRows; ++n) {
      const std::string why = compare("out", t, n, out.at(t, n), expected, kFloatSum * std::abs(expected));
      if (!why.empty()) return why;
    }
  }
  return {};
}

// The same for int4: all nibbles 15 with zero point 0, or all 0 with zero point 15.
std::string check_ends_of_nibbles(const std::string& set, Type type, int32_t num_tokens, bool is_largest) {
  constexpr int32_t kRows = 16, kColumns = 2048;
  Random random(1);
  TestWeight w = make_weight(type, kRows, kColumns, random);
  const int32_t weight_bytes = record_bytes(type) - 64;
  const uint16_t one = nearest_half(1), zero = nearest_half(is_largest ? 0 : 15);
  for (int32_t group = 0; group < kColumns / record_columns(type); ++group) {
    uint8_t* record = w.data->data() + group * record_bytes(type);
    std::memset(record, is_largest ? 0xff : 0, static_cast<size_t>(weight_bytes));
    for (int32_t r = 0; r < kRows; ++r) {
      std::memcpy(record + weight_bytes + 2 * r, &one, sizeof one);
      std::memcpy(record + weight_bytes + 32 + 2 * r, &zero, sizeof zero);
    }
  }
  Matrix x(num_tokens, kColumns), out(num_tokens, kRows);
  for (int32_t t = 0; t < num_tokens; ++t) {
    for (int32_t k = 0; k < kColumns; ++k) x.at(t, k) = t % 2 == 0 ? 2.5f : -2.5f;
  }
  Backend& device = backend(set);
  const Status status = device.ops->linear(device.device, x.rows(), &w.weight, nullptr, Activation::none, out.rows());
  if (!status.ok()) return status.message;
  for (int32_t t = 0; t < num_tokens; ++t) {
    const double expected = (is_largest ? 15 : -15) * (t % 2 == 0 ? 2.5 : -2.5) * kColumns;
    for (int32_t n = 0; n < kRows; ++n) {
      const std::string why = compare("out", t, n, out.at(t, n), expected, kFloatSum * std::abs(expected));
      if (!why.empty()) return why;
    }
  }
  return {};
}

std::string check_not_a_number(const std::string& set, Type type, float bad) {
  Random random(5);
  const int32_t columns = type == Type::int4_g128 ? 128 : 64;
  const TestWeight w = make_weight(type, 20, columns, random);
  Matrix x(14, columns), out(14, 20), clean(14, 20);
  x.fill(random, Shape::normal);
  Backend& device = backend(set);
  if (!device.ops->linear(device.device, x.rows(), &w.weight, nullptr, Activation::none, clean.rows()).ok())
    return "failed";
  x.at(3, 40) = bad;
  if (!device.ops->linear(device.device, x.rows(), &w.weight, nullptr, Activation::none, out.rows()).ok())
    return "failed";
  for (int32_t t = 0; t < 14; ++t) {
    for (int32_t n = 0; n < 20; ++n) {
      if (t == 3 && w.at(n, 40) != 0 && std::isfinite(out.at(t, n))) return text("out[3, %d] hides it", n);
      if (t != 3 && out.at(t, n) != clean.at(t, n)) return text("row %d changed too", t);
    }
  }
  return {};
}

}  // namespace

void linear_cases() {
  for (const std::string& set : instruction_sets()) {
    const char* s = set.c_str();
    uint64_t seed = 100;
    const auto add = [&](const LinearCase& c) {
      ++seed;
      run_case(text("linear %s [T=%d N=%d K=%d] of %s x, %s%s, %s", name_of(c.type), c.num_tokens, c.num_rows,
                    c.num_columns, name_of(c.shape), name_of(c.activation), c.has_bias ? " and bias" : "", s),
               [&] { return check_against_float64(set, c, seed); });
    };
    for (const Type type : {Type::q8, Type::q4}) {
      for (const int32_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 25, 48}) add({type, tokens, 40, 96});
      for (const int32_t rows : {1, 15, 16, 17, 32, 33, 100, 256}) {
        add({type, 1, rows, 160, Shape::biased, Activation::none, true});
        add({type, 14, rows, 64, Shape::outliers, Activation::none, true});
      }
      for (const int32_t columns : {32, 64, 512, 2048}) {
        for (const Shape shape : {Shape::normal, Shape::biased, Shape::outliers, Shape::zeros}) {
          add({type, 1, 24, columns, shape});
          add({type, 13, 24, columns, shape});
        }
      }
      add({type, 20, 200, 1056, Shape::outliers});
    }
    for (const Type type : {Type::int4_g32, Type::int4_g128}) {
      const int32_t group = record_columns(type);
      for (const int32_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 25, 37, 48}) {
        add({type, tokens, 40, 3 * group, Shape::biased});
      }
      for (const int32_t rows : {1, 15, 16, 17, 32, 33, 100, 256}) {
        add({type, 1, rows, 2 * group, Shape::biased, Activation::none, true});
        add({type, 14, rows, group, Shape::outliers, Activation::none, true});
      }
      for (const int32_t columns : {group, 5 * group, 512, 2048}) {
        for (const Shape shape : {Shape::normal, Shape::biased, Shape::outliers, Shape::zeros}) {
          add({type, 1, 24, columns, shape});
          add({type, 13, 24, columns, shape});
        }
      }
      add({type, 20, 200, 1152, Shape::outliers});
      for (const int32_t tokens : {1, 13, 40}) {
        for (const bool is_largest : {false, true}) {
          run_case(text("linear %s of weights that are all %d adds %d rows of the largest values exactly enough, %s",
                        name_of(type), is_largest ? 15 : -15, tokens, s),
                   [&] { return check_ends_of_nibbles(set, type, tokens, is_largest); });
        }
      }
    }
    for (const Type type : {Type::f32, Type::f16, Type::f8}) {
      for (const int32_t tokens : {1, 2, 3, 5, 6, 7, 12, 13, 29}) add({type, tokens, 18, 100, Shape::outliers});
      for (const int32_t rows : {1, 2, 3, 4, 5, 17, 64, 131})
        add({type, 7, rows, 48, Shape::biased, Activation::none, true});
      for (const int32_t columns : {1, 7, 8, 9, 15, 16, 17, 31, 33, 384, 1536}) {
        add({type, 1, 9, columns});
        add({type, 9, 9, columns});
      }
    }
    for (const Activation activation :
         {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::tanh}) {
      for (const Type type : kAllTypes) {
        add({type, 5, 37, 128, Shape::normal, activation, true});
      }
    }
    for (const Type type : kAllTypes) {
      run_case(
          text("linear %s gives a row the same bits alone and among others, on 1 and 3 threads, %s", name_of(type), s),
          [&] { return check_same_bits(set, type, 100, type == Type::int4_g128 ? 384 : 224, 9); });
      run_case(text("linear %s of K=1024 gives a row the same bits alone and among others, %s", name_of(type), s),
               [&] { return check_same_bits(set, type, 36, 1024, 10); });
      run_case(text("linear %s lets a NaN of x be seen in its row and in no other, %s", name_of(type), s),
               [&] { return check_not_a_number(set, type, NAN); });
      run_case(text("linear %s lets an infinity of x be seen in its row and in no other, %s", name_of(type), s),
               [&] { return check_not_a_number(set, type, -INFINITY); });
    }
    for (const int32_t tokens : {1, 13}) {
      for (const uint8_t byte : {uint8_t{0}, uint8_t{255}}) {
        run_case(text("linear q8 of weights that are all %d adds %d rows of the largest values exactly enough, %s",
                      byte - 128, tokens, s),
                 [&] { return check_ends_of_range(set, tokens, byte); });
      }
    }
    if (set == "cuda") {
      gpu_linear_cases(set);
      fused_linear_cases(set);
      continue;  // it rounds x less than the plain loops do: other bits
    }
    for (const Type type : {Type::q8, Type::q4, Type::int4_g32, Type::int4_g128}) {
      for (const Shape shape : {Shape::biased, Shape::outliers}) {
        run_case(text("linear %s of %s x gives the bits of the plain loops, %s", name_of(type), name_of(shape), s),
                 [&] { return check_same_bits_as_plain(set, type, shape); });
      }
    }
  }
}

}  // namespace quoth::test
