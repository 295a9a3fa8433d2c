// What the calibration text shows of one input of linears: enough to search scales and clipping without keeping it all.
#pragma once

#include <cstdint>
#include <vector>

#include "../../kernels/tensor.h"

namespace quoth {

struct Sample {
  int32_t num_columns = 0;   // K
  int64_t num_rows = 0;      // rows seen
  std::vector<double> sums;  // f64 [K]  sum over the rows of |x|
  std::vector<float> rows;   // f32 [R, K]  the rows that losses are measured on, evenly spread
  int32_t num_kept = 0;      // R
  // f32 [K/128, 128, 128]  sum over all rows of x_i x_j within each group of 128 columns (the last may be narrower)
  std::vector<float> products;
};

inline constexpr int32_t kSampleGroup = 128;

// Adds rows of x. Keeps row i of all that are ever seen when i is a multiple of `stride`.
void add_to_sample(Sample& sample, const Rows& x, int64_t stride);

// x[k] *= factors[k], for all that the sample knows of x.
void scale_sample(Sample& sample, const float* factors);

}  // namespace quoth
