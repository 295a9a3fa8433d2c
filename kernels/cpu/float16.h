// Half precision (IEEE 754 binary16) as bits: exact widening, and narrowing that rounds to nearest even as F16C does.
// Functions are static, not inline: a copy compiled with vector flags must never be shared with plain files.
#pragma once

#include <cstdint>
#include <cstring>

namespace quoth::cpu {

[[maybe_unused]] static float float_from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  uint32_t bits = 0;
  if (exponent == 0x1f) {
    bits = sign | 0x7f800000u | (fraction << 13) | (fraction != 0 ? 0x400000u : 0u);  // a NaN comes out quiet
  } else if (exponent != 0) {
    bits = sign | ((exponent + 112) << 23) | (fraction << 13);
  } else {
    const float magnitude =
        static_cast<float>(fraction) * 5.9604644775390625e-8f;  // 2^-24: subnormals are exact in f32
    std::memcpy(&bits, &magnitude, sizeof bits);
    bits |= sign;
  }
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

[[maybe_unused]] static uint16_t half_from_float(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x1ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and more round to infinity
  if (magnitude < 0x38800000u) {                                               // below 2^-14: a multiple of 2^-24
    float scaled = 0;
    std::memcpy(&scaled, &magnitude, sizeof scaled);
    scaled += 0.5f;  // the sum's last place is 2^-24, so the addition itself rounds to nearest even
    uint32_t sum = 0;
    std::memcpy(&sum, &scaled, sizeof sum);
    return static_cast<uint16_t>(sign | (sum - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

}  // namespace quoth::cpu
