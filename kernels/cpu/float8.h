// OCP E4M3 (1 sign, 4 exponent and 3 fraction bits, bias 7) as bits. Functions are static, as in float16.h.
#pragma once

#include <cstdint>

#include "../tensor.h"
#include "float16.h"

namespace quoth::cpu {

// The value of a byte is that of these half-precision bits, times this: both formats hold their subnormal numbers the
// same way. The two bytes that are no numbers read as 480 and -480; a plan's builder writes none.
inline constexpr float kFloat8Unit = 256;
[[maybe_unused]] static uint16_t half_bits_of_float8(uint8_t byte) {
  return static_cast<uint16_t>((byte & 0x80u) << 8 | (byte & 0x7fu) << 7);
}
[[maybe_unused]] static float float_from_float8(uint8_t byte) {
  return float_from_half(half_bits_of_float8(byte)) * kFloat8Unit;
}

[[maybe_unused]] static const float* f8_scales(const Weight& weight) {  // f32 [N]
  return reinterpret_cast<const float*>(static_cast<const char*>(weight.data) +
                                        f8_scales_offset(weight.num_rows, weight.num_columns));
}

}  // namespace quoth::cpu
