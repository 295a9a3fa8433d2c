// OCP E4M3 (1 sign, 4 exponent and 3 fraction bits, bias 7) as bits. Functions are static, as in float16.h.
#pragma once

#include <cstdint>

#include "../tensor.h"
#include "float16.h"

namespace quoth::cpu {

// The bits are those of half precision, seven places lower, with a bias that is eight less; both formats hold their
// subnormal numbers the same way. The two bytes that are no numbers read as 480 and -480; a plan's builder writes none.
[[maybe_unused]] static float float_from_float8(uint8_t byte) {
  return float_from_half(static_cast<uint16_t>((byte & 0x80u) << 8 | (byte & 0x7fu) << 7)) * 256.0f;
}
[[maybe_unused]] static const float* f8_scales(const Weight& weight) {  // f32 [N]
  return reinterpret_cast<const float*>(static_cast<const char*>(weight.data) +
                                        f8_scales_offset(weight.num_rows, weight.num_columns));
}

}  // namespace quoth::cpu
