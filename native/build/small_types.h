// Rounding to the plan's int4 and f8 types, group by group and row by row: engines/plan/format.md, "Tensor types".
#pragma once

#include <cstdint>

#include "../../kernels/tensor.h"

namespace quoth {

inline constexpr int32_t kMaxInt4Columns = 128;

// A group of one row: weight = (code - zero) * scale.
struct Int4Group {
  uint8_t codes[kMaxInt4Columns];  // 0 .. 15
  uint16_t scale;                  // f16
  uint16_t zero;                   // f16
};

// Round to nearest, asymmetric, as AWQ's last step does it (int4.h). False when the scale is too large for f16.
bool round_int4(const float* x, int32_t num_columns, Int4Group* group);

// The group of row r to its places in a record of num_columns columns.
void store_int4(const Int4Group& group, int32_t num_columns, int32_t r, uint8_t* record);

// The nearest E4M3, ties to even; beyond 448 it is 448. x must be a number.
uint8_t float8_from_float(float x);
float float_from_float8(uint8_t byte);

// One row: its scale is the largest magnitude / 448.
void round_float8(const float* x, int32_t num_columns, uint8_t* codes, float* scale);

}  // namespace quoth
