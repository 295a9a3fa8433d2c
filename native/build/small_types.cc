#include "small_types.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "dequantize.h"
#include "int4.h"

namespace quoth {

bool round_int4(const float* x, int32_t num_columns, Int4Group* group) {
  const Int4Fit fit = fit_int4(x, num_columns, kNoInt4Limit);
  // The largest scale that an f16 holds may not reach the ends.
  if (largest_magnitude(x, num_columns) > 15 * 65504.0f) return false;
  group->scale = half_from_float(fit.scale);
  group->zero = half_from_float(fit.zero);
  int4_codes(x, num_columns, kNoInt4Limit, fit, group->codes);
  return true;
}

void store_int4(const Int4Group& group, int32_t num_columns, int32_t r, uint8_t* record) {
  for (int32_t i = 0; i < num_columns / 8; i++) {
    for (int32_t j = 0; j < 4; j++) {
      const uint8_t low = group.codes[8 * i + j], high = group.codes[8 * i + 4 + j];
      record[64 * i + 4 * r + j] = static_cast<uint8_t>(low | high << 4);
    }
  }
  uint8_t* scales = record + num_columns * kQuantRows / 2;
  std::memcpy(scales + 2 * r, &group.scale, 2);
  std::memcpy(scales + 2 * kQuantRows + 2 * r, &group.zero, 2);
}

uint8_t float8_from_float(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t sign = bits >> 24 & 0x80;
  const float magnitude = std::fabs(x);
  uint32_t code = 0;
  if (magnitude < 0x1p-6f) {  // below the normal numbers: a multiple of 2^-9
    code = static_cast<uint32_t>(std::nearbyint(magnitude * 512));
  } else {
    const uint32_t rounded = (bits & 0x7fffffff) + 0x7ffff + (bits >> 20 & 1);
    code = std::min((rounded >> 20) - ((127 - 7) << 3), uint32_t{0x7e});
  }
  return static_cast<uint8_t>(sign | code);
}

float float_from_float8(uint8_t byte) {
  const int exponent = byte >> 3 & 15, fraction = byte & 7;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                                        : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  return (byte & 0x80) != 0 ? -magnitude : magnitude;
}

void round_float8(const float* x, int32_t num_columns, uint8_t* codes, float* scale) {
  float largest = 0;
  for (int32_t k = 0; k < num_columns; k++) largest = std::max(largest, std::fabs(x[k]));
  *scale = largest / 448;
  for (int32_t k = 0; k < num_columns; k++) codes[k] = *scale == 0 ? 0 : float8_from_float(x[k] / *scale);
}

}  // namespace quoth
