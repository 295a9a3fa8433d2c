// What the cases of linear share.
#pragma once

#include "harness.h"

namespace quoth::test {

// On a GPU more than 8 rows of x become f16 (after each was scaled by a power of two), and so does a weight: (nibble -
// zero point) where that is no whole number, and once more with its scale. Sums are f32. Subnormal weights err by 2^-25
// of themselves.
inline constexpr double kHalf = 1.0 / (1 << 11);
inline constexpr double kGpuSum = 4e-6;
inline constexpr double kSubnormal = 1.0 / (1 << 25);
// And of all results together: errors over what the products are, in square mean.
inline constexpr double kGpuRelative = 5e-4;
// exp, erf and tanh of the vector loops, relative to max(1, |value|).
inline constexpr double kActivation = 3e-6;

struct LinearCase {
  Type type;
  int32_t num_tokens, num_rows, num_columns;
  Shape shape = Shape::normal;
  Activation activation = Activation::none;
  bool has_bias = false;
};

// Why a linear of random rows and weights is not what float64 makes of it, or nothing.
std::string check_against_float64(const std::string& set, const LinearCase& c, uint64_t seed);

// Of a GPU alone.
void gpu_linear_cases(const std::string& set);
void fused_linear_cases(const std::string& set);

}  // namespace quoth::test
