#include "dequantize.h"

#include <bit>
#include <cstring>

#include "iq2_grid.h"

namespace quoth {
namespace {

// The values of IQ4_NL and IQ4_XS: a 4-bit code that is finer near zero.
constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

float load_half(const uint8_t* from) {
  return float_from_half(load<uint16_t>(from));
}

void from_f32(const uint8_t* blocks, int64_t count, float* out) {
  std::memcpy(out, blocks, static_cast<size_t>(count) * sizeof(float));
}

void from_f16(const uint8_t* blocks, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i++) out[i] = load_half(blocks + 2 * i);
}

void from_bf16(const uint8_t* blocks, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(blocks + 2 * i)) << 16);
  }
}

// Low nibbles are the first half of a block, high nibbles the second, in all of GGUF's 32-value types.
void from_q4_0(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 18, out += 32) {
    const float scale = load_half(block);
    for (int j = 0; j < 16; j++) {
      out[j] = scale * ((block[2 + j] & 15) - 8);
      out[j + 16] = scale * ((block[2 + j] >> 4) - 8);
    }
  }
}

void from_q4_1(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 20, out += 32) {
    const float scale = load_half(block), low = load_half(block + 2);
    for (int j = 0; j < 16; j++) {
      out[j] = scale * (block[4 + j] & 15) + low;
      out[j + 16] = scale * (block[4 + j] >> 4) + low;
    }
  }
}

void from_q5_0(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 22, out += 32) {
    const float scale = load_half(block);
    const uint32_t fifth = load<uint32_t>(block + 2);
    for (int j = 0; j < 16; j++) {
      out[j] = scale * (static_cast<int>((block[6 + j] & 15) | ((fifth >> j & 1) << 4)) - 16);
      out[j + 16] = scale * (static_cast<int>((block[6 + j] >> 4) | ((fifth >> (j + 16) & 1) << 4)) - 16);
    }
  }
}

void from_q5_1(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 24, out += 32) {
    const float scale = load_half(block), low = load_half(block + 2);
    const uint32_t fifth = load<uint32_t>(block + 4);
    for (int j = 0; j < 16; j++) {
      out[j] = scale * static_cast<float>((block[8 + j] & 15) | ((fifth >> j & 1) << 4)) + low;
      out[j + 16] = scale * static_cast<float>((block[8 + j] >> 4) | ((fifth >> (j + 16) & 1) << 4)) + low;
    }
  }
}

void from_q8_0(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 34, out += 32) {
    const float scale = load_half(block);
    for (int j = 0; j < 32; j++) out[j] = scale * static_cast<int8_t>(block[2 + j]);
  }
}

// 16 x (4-bit scale, 4-bit minimum), then 2-bit codes, 4 planes of 32 per half of the block; then d, dmin.
void from_q2_k(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 84) {
    const uint8_t* scales = block;
    const float d = load_half(block + 80), dmin = load_half(block + 82);
    for (int half = 0; half < 2; half++) {
      const uint8_t* codes = block + 16 + 32 * half;
      for (int plane = 0; plane < 4; plane++) {
        for (int j = 0; j < 32; j++) {
          const uint8_t scale = scales[8 * half + 2 * plane + j / 16];
          *out++ = d * (scale & 15) * (codes[j] >> (2 * plane) & 3) - dmin * (scale >> 4);
        }
      }
    }
  }
}

// 32 bytes of high bits, 64 of 2-bit codes, 16 6-bit scales in 12 bytes, d.
void from_q3_k(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 110) {
    const uint8_t* high = block;
    const uint8_t* packed = block + 96;
    const float d = load_half(block + 108);
    int scales[16];
    for (int j = 0; j < 16; j++) {
      const int low = j < 8 ? packed[j] & 15 : packed[j - 8] >> 4;
      scales[j] = (low | (packed[8 + j % 4] >> (2 * (j / 4)) & 3) << 4) - 32;
    }
    for (int half = 0; half < 2; half++) {
      const uint8_t* codes = block + 32 + 32 * half;
      for (int plane = 0; plane < 4; plane++) {
        for (int j = 0; j < 32; j++) {
          const int code = (codes[j] >> (2 * plane) & 3) - ((high[j] >> (4 * half + plane) & 1) != 0 ? 0 : 4);
          *out++ = d * scales[8 * half + 2 * plane + j / 16] * code;
        }
      }
    }
  }
}

// The 6-bit scale and minimum of group j (of 8) of Q4_K and Q5_K, in 12 bytes.
void scale_and_minimum(const uint8_t* packed, int j, int* scale, int* minimum) {
  if (j < 4) {
    *scale = packed[j] & 63;
    *minimum = packed[j + 4] & 63;
  } else {
    *scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
    *minimum = (packed[j + 4] >> 4) | (packed[j] >> 6) << 4;
  }
}

void from_q4_k(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 144) {
    const float d = load_half(block), dmin = load_half(block + 2);
    for (int group = 0; group < 8; group++) {
      int scale, minimum;
      scale_and_minimum(block + 4, group, &scale, &minimum);
      const uint8_t* codes = block + 16 + 32 * (group / 2);
      for (int j = 0; j < 32; j++) {
        *out++ = d * scale * (group % 2 == 0 ? codes[j] & 15 : codes[j] >> 4) - dmin * minimum;
      }
    }
  }
}

void from_q5_k(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 176) {
    const float d = load_half(block), dmin = load_half(block + 2);
    for (int group = 0; group < 8; group++) {
      int scale, minimum;
      scale_and_minimum(block + 4, group, &scale, &minimum);
      const uint8_t* high = block + 16;
      const uint8_t* codes = block + 48 + 32 * (group / 2);
      for (int j = 0; j < 32; j++) {
        const int code = (group % 2 == 0 ? codes[j] & 15 : codes[j] >> 4) | (high[j] >> group & 1) << 4;
        *out++ = d * scale * code - dmin * minimum;
      }
    }
  }
}

// 128 bytes of low nibbles, 64 of 2-bit high parts, 16 int8 scales, d.
void from_q6_k(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 210) {
    const float d = load_half(block + 208);
    for (int half = 0; half < 2; half++) {
      const uint8_t* low = block + 64 * half;
      const uint8_t* high = block + 128 + 32 * half;
      const uint8_t* scales = block + 192 + 8 * half;
      for (int quarter = 0; quarter < 4; quarter++) {
        for (int j = 0; j < 32; j++) {
          const uint8_t byte = low[32 * (quarter % 2) + j];
          const int code = (quarter < 2 ? byte & 15 : byte >> 4) | (high[j] >> (2 * quarter) & 3) << 4;
          *out++ = d * static_cast<int8_t>(scales[2 * quarter + j / 16]) * (code - 32);
        }
      }
    }
  }
}

// Per 32 values: four indices of points, then four times 7 sign bits (the eighth makes their number even) and a 4-bit
// scale.
void from_iq2_xxs(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 66) {
    const float d = load_half(block);
    for (int group = 0; group < 8; group++) {
      const uint8_t* indices = block + 2 + 8 * group;
      const uint32_t signs_and_scale = load<uint32_t>(indices + 4);
      const float scale = d * (0.5f + static_cast<float>(signs_and_scale >> 28)) * 0.25f;
      for (int part = 0; part < 4; part++) {
        const uint32_t point = kIq2Points[indices[part]];
        uint32_t signs = signs_and_scale >> (7 * part) & 127;
        signs |= static_cast<uint32_t>(std::popcount(signs) & 1) << 7;
        for (int j = 0; j < 8; j++) {
          const float magnitude = scale * kIq2Magnitudes[point >> (2 * j) & 3];
          *out++ = (signs >> j & 1) != 0 ? -magnitude : magnitude;
        }
      }
    }
  }
}

void from_iq4_nl(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 18, out += 32) {
    const float scale = load_half(block);
    for (int j = 0; j < 16; j++) {
      out[j] = scale * kIq4Values[block[2 + j] & 15];
      out[j + 16] = scale * kIq4Values[block[2 + j] >> 4];
    }
  }
}

// d, 16 bits of high and 32 bits of low parts of eight 6-bit scales, then nibbles as in IQ4_NL.
void from_iq4_xs(const uint8_t* block, int64_t count, float* out) {
  for (int64_t b = 0; b < count; b++, block += 136) {
    const float d = load_half(block);
    const uint32_t high = load<uint16_t>(block + 2);
    for (int group = 0; group < 8; group++, out += 32) {
      const int low = block[4 + group / 2] >> (4 * (group % 2)) & 15;
      const float scale = d * (static_cast<int>(low | (high >> (2 * group) & 3) << 4) - 32);
      const uint8_t* codes = block + 8 + 16 * group;
      for (int j = 0; j < 16; j++) {
        out[j] = scale * kIq4Values[codes[j] & 15];
        out[j + 16] = scale * kIq4Values[codes[j] >> 4];
      }
    }
  }
}

void from_i32(const uint8_t* blocks, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i++) out[i] = static_cast<float>(load<int32_t>(blocks + 4 * i));
}

// weight = scale * code - low, as (code - low / scale) * scale. Where a scale is nothing beside `low` (or is zero), the
// group is a constant.
void set_scale_and_zero(float scale, float low, Int4Group* group) {
  const uint16_t half = half_from_float(scale);
  const float zero = low / scale;
  if (float_from_half(half) != 0 && (zero > -65504 && zero < 65504)) {
    group->scale = half;
    group->zero = half_from_float(zero);
    return;
  }
  group->scale = half_from_float(low);
  group->zero = half_from_float(1);
  for (int j = 0; j < 32; j++) group->codes[j] = 0;
}

void split_nibbles(const uint8_t* bytes, Int4Group* group) {
  for (int j = 0; j < 16; j++) {
    group->codes[j] = bytes[j] & 15;
    group->codes[j + 16] = bytes[j] >> 4;
  }
}

void q4_0_to_int4(const uint8_t* block, Int4Group* group) {
  split_nibbles(block + 2, group);
  group->scale = load<uint16_t>(block);
  group->zero = half_from_float(8);
}

void q4_1_to_int4(const uint8_t* block, Int4Group* group) {
  split_nibbles(block + 4, group);
  set_scale_and_zero(load_half(block), -load_half(block + 2), group);
}

void q4_k_to_int4(const uint8_t* block, Int4Group* groups) {
  const float d = load_half(block), dmin = load_half(block + 2);
  for (int g = 0; g < 8; g++) {
    int scale, minimum;
    scale_and_minimum(block + 4, g, &scale, &minimum);
    const uint8_t* codes = block + 16 + 32 * (g / 2);
    for (int j = 0; j < 32; j++) groups[g].codes[j] = g % 2 == 0 ? codes[j] & 15 : codes[j] >> 4;
    set_scale_and_zero(d * scale, dmin * minimum, &groups[g]);
  }
}

constexpr BlockFormat kFormats[] = {
    {"f32", 1, 4, 0, from_f32, nullptr},
    {"f16", 1, 2, 0, from_f16, nullptr},
    {"bf16", 1, 2, 0, from_bf16, nullptr},
    {"i32", 1, 4, 0, from_i32, nullptr},
    {"q4_0", 32, 18, 8, from_q4_0, q4_0_to_int4},
    {"q4_1", 32, 20, 0, from_q4_1, q4_1_to_int4},
    {"q5_0", 32, 22, 16, from_q5_0, nullptr},
    {"q5_1", 32, 24, 0, from_q5_1, nullptr},
    {"q8_0", 32, 34, 127, from_q8_0, nullptr},
    {"q2_k", 256, 84, 0, from_q2_k, nullptr},
    {"q3_k", 256, 110, 0, from_q3_k, nullptr},
    {"q4_k", 256, 144, 0, from_q4_k, q4_k_to_int4},
    {"q5_k", 256, 176, 0, from_q5_k, nullptr},
    {"q6_k", 256, 210, 0, from_q6_k, nullptr},
    {"iq2_xxs", 256, 66, 0, from_iq2_xxs, nullptr},
    {"iq4_nl", 32, 18, 0, from_iq4_nl, nullptr},
    {"iq4_xs", 256, 136, 0, from_iq4_xs, nullptr},
};

}  // namespace

const BlockFormat* find_block_format(std::string_view name) {
  for (const BlockFormat& format : kFormats) {
    if (name == format.name) return &format;
  }
  return nullptr;
}

float float_from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 31;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: mantissa x 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t half_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;   // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and above round to infinity
  if (magnitude < 0x38800000) {                       // below 2^-14: adding 0.5 leaves the subnormal's bits at the end
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return sign | static_cast<uint16_t>((rounded - 0x38000000) >> 13);
}

}  // namespace quoth
