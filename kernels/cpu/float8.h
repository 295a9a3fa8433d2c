// OCP E4M3 (1 sign, 4 exponent and 3 fraction bits, bias 7) as bits. Functions are static, as in float16.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../tensor.h"
#include "float16.h"

namespace quoth::cpu {

// The bits are those of half precision, seven places lower, with a bias that is eight less; both formats hold their
// subnormal numbers the same way. The two bytes that are no numbers read as 480 and -480; a plan's builder writes none.
[[maybe_unused]] static float float_from_float8(uint8_t byte) {
  return float_from_half(static_cast<uint16_t>((byte & 0x80u) << 8 | (byte & 0x7fu) << 7)) * 256.0f;
}
// To nearest, ties to even; more than 448 becomes 448. Not for what is no number.
[[maybe_unused]] static uint8_t float8_from_float(float value) {
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  const float magnitude = std::min(std::abs(value), 448.0f);
  if (magnitude < 0.015625f) return static_cast<uint8_t>(sign | static_cast<int32_t>(std::nearbyint(magnitude * 512)));
  int exponent = 0;
  const float fraction = std::frexp(magnitude, &exponent);  // magnitude = fraction 2^exponent, fraction >= 1/2
  return static_cast<uint8_t>(sign | ((exponent + 6) * 8 + static_cast<int32_t>(std::nearbyint(fraction * 16)) - 8));
}
[[maybe_unused]] static const float* f8_scales(const Weight& weight) {  // f32 [N]
  return reinterpret_cast<const float*>(static_cast<const char*>(weight.data) +
                                        f8_scales_offset(weight.num_rows, weight.num_columns));
}

}  // namespace quoth::cpu
