// Round to nearest in 4 bits with a zero point: what `int4_g32` and `int4_g128` of engines/plan/format.md hold.
#pragma once

#include <cstdint>

#include "../../kernels/tensor.h"

namespace quoth {

// A limit that clamps nothing.
inline constexpr float kNoInt4Limit = 3.4e38f;

// One group of a row: 32 or 128 columns. A weight is (code - zero) * scale; the scale is what an f16 holds.
struct Int4Fit {
  float scale = 0;
  float zero = 0;  // a whole number from 0 to 15
};

// The scale and zero point of `count` numbers (a multiple of 16) clamped to [-limit, limit]: the smallest and largest
// of them, and nought, are reached. All zero: scale 0.
Int4Fit fit_int4(const float* weights, int32_t count, float limit);

// The codes 0..15 of those numbers.
void int4_codes(const float* weights, int32_t count, float limit, const Int4Fit& fit, uint8_t* codes);

// What those codes mean: the numbers after rounding to 4 bits.
void rounded_int4(const float* weights, int32_t count, float limit, float* rounded);

// The largest magnitude of `count` numbers (a multiple of 16).
float largest_magnitude(const float* numbers, int32_t count);

}  // namespace quoth
