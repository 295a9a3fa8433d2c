// How each type of weight is multiplied for few rows of x: operand A of the tensor cores is 16 weight rows, operand B
// has the tokens as its eight columns.
//
// q8, q4 and int4: m16n8k32 in integers. 128 columns of x are rounded to 16 bits (for 32 columns to a scale: 32), cut
// into two int8 digits: x = scale (256 high + low). Sums of a group are exact, so the order inside it is free and a row
// gives the same bits whatever stands beside it. Up to four tokens take one instruction for both digits (columns 2 t
// and 2 t + 1 are the digits of token t), up to eight take two. The zero point goes last: s (c - z sum(x)).
//
// f16 and f8: m16n8k16 with x as f16, 128 columns brought into range by a power of two; sums in f32.
//
// Lane 4 g + t feeds rows 2 g and 2 g + 1 of the tile (the instruction's rows g and g + 8), and of each 32 columns
// eight of its own (8 t .. 8 t + 7; kIsQuads: 4 t .. 4 t + 3 and 16 + 4 t ..); it gets the sums of the same two rows.
#pragma once

#include "device.h"

namespace quoth::cuda {

inline constexpr int32_t kUnitColumns = 128;

// What x of a group with this largest magnitude is multiplied by, to have 16 bits whose high digit stays in int8; 0 for
// next to nothing. Without a branch.
inline constexpr float kLargestDigits = 127.0f * 256.0f;
__device__ inline float digits_scale(float maximum) {
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(fmaxf(maximum, 1e-31f)));
  return maximum < 1e-31f ? 0.0f : kLargestDigits * inverse;
}
// c += a b: int8 [16, 32] times int8 [32, 8], exact in int32.
__device__ inline void multiply_32(int32_t (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint2 b) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b.x), "r"(b.y));
}
// The same of uint8 times int8.
__device__ inline void multiply_32_unsigned(int32_t (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3,
                                            uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
// Two groups of 32 columns of nibbles, rows 2 g and 2 g + 1: `low` += the low nibbles' products, `high` += 16 times the
// high ones', which so need no shift. x: digits of the lane's columns: low nibbles' of both groups, then high ones'.
__device__ inline void multiply_nibbles_of_two(int32_t (&low)[4], int32_t (&high)[4], uint2 first, uint2 second,
                                               uint4 x) {
  constexpr uint32_t kLow = 0x0f0f0f0fu, kHigh = 0xf0f0f0f0u;
  multiply_32_unsigned(low, first.x & kLow, first.y & kLow, second.x & kLow, second.y & kLow, x.x, x.y);
  multiply_32_unsigned(high, first.x & kHigh, first.y & kHigh, second.x & kHigh, second.y & kHigh, x.z, x.w);
}
// c += a b: f16 [16, 16] times f16 [16, 8] in f32.
__device__ inline void multiply_16(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                   uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// What a lane knows of its place, and of its x. Pointers into shared memory step by unit.
struct Lane {
  int32_t g, t;
  const uint8_t* x;       // digits or halves of the column of B that this lane feeds, at its first eight columns
  int32_t x_stride;       // to the other digit, kMany
  const float2* factors;  // {scale, scale * sum} of each group and token (8 a group): of the lane's first token
  uint4 book;             // q4: the codebook
  int32_t num_columns;    // of the unit, at most kUnitColumns
};

// What a lane adds up: !kMany: rows 2 g and 2 g + 1 of token t; kMany: the same of tokens 2 t and 2 t + 1 in turn.
template <bool kMany>
struct Sums {
  float of[kMany ? 4 : 2] = {};
};

// A group's products of integers.
template <bool kMany>
struct Products {
  int32_t high[4] = {};  // !kMany: both digits
  int32_t low[kMany ? 4 : 1] = {};

  // `group` counts 32 columns of the unit.
  __device__ void add(const Lane& lane, int32_t group, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3) {
    multiply_32(high, a0, a1, a2, a3, *reinterpret_cast<const uint2*>(lane.x + 32 * group));
    if constexpr (kMany) {
      multiply_32(low, a0, a1, a2, a3, *reinterpret_cast<const uint2*>(lane.x + lane.x_stride + 32 * group));
    }
  }
  // sums += scale (x's scale * product - zero * sum of x). kFused: as one rounding with the sum.
  template <bool kHasZeros, bool kFused = true>
  __device__ void finish(Sums<kMany>& sums, const float2* factors, uint32_t scale_bits, uint32_t zero_bits) const {
    const float2 scales = floats_of(scale_bits);
    const float2 zeros = kHasZeros ? floats_of(zero_bits) : float2{0, 0};
    const auto one = [](float& sum, float2 factor, int32_t product, float scale, float zero) {
      float value = factor.x * static_cast<float>(product);
      if constexpr (kHasZeros) value = fmaf(-zero, factor.y, value);
      sum = kFused ? fmaf(scale, value, sum) : sum + scale * value;
    };
    if constexpr (kMany) {
      const float4 both = *reinterpret_cast<const float4*>(factors);
      one(sums.of[0], {both.x, both.y}, high[0] * 256 + low[0], scales.x, zeros.x);
      one(sums.of[1], {both.x, both.y}, high[2] * 256 + low[2], scales.y, zeros.y);
      one(sums.of[2], {both.z, both.w}, high[1] * 256 + low[1], scales.x, zeros.x);
      one(sums.of[3], {both.z, both.w}, high[3] * 256 + low[3], scales.y, zeros.y);
    } else {
      const float2 factor = *factors;
      one(sums.of[0], factor, high[0] * 256 + high[1], scales.x, zeros.x);
      one(sums.of[1], factor, high[2] * 256 + high[3], scales.y, zeros.y);
    }
  }
};

__device__ inline uint32_t word_at(const uint8_t* memory) {
  return *reinterpret_cast<const uint32_t*>(memory);
}

// Rows 2 g and 2 g + 1 of 32 columns of nibbles.
template <bool kMany>
__device__ inline void multiply_nibbles(Products<kMany>& products, const Lane& lane, int32_t group,
                                        const uint8_t* weights) {
  constexpr uint32_t kLow = 0x0f0f0f0fu;
  const uint2 words = *reinterpret_cast<const uint2*>(weights + 64 * lane.t + 8 * lane.g);
  products.add(lane, group, words.x & kLow, words.y & kLow, (words.x >> 4) & kLow, (words.y >> 4) & kLow);
}

// Of each type:
//   kWarps        that multiply: a block has one more, which brings the weights
//   kSlotUnits    units of 128 columns that each takes of one slot of the ring
//   kUnitBytes    of a unit of a tile; row-major types: of a row of it
//   kSumColumns   columns that share a factor
//   multiply(sums, unit, lane)   adds one unit; `kWhole`: it has all its columns. Row-major: rows are `row_stride`
//   apart
template <Type kType>
struct Format;

template <>
struct Format<Type::int4_g128> {
  static constexpr int32_t kWarps = 16, kSlotUnits = 1, kUnitBytes = 1088, kSumColumns = 128;
  static constexpr bool kIsRowMajor = false, kIsQuads = false;
  template <bool kWhole, bool kMany>
  __device__ static void multiply(Sums<kMany>& sums, const uint8_t* unit, const Lane& lane) {
    const uint32_t scales = word_at(unit + 1024 + 4 * lane.g);
    const uint32_t zeros = word_at(unit + 1056 + 4 * lane.g);
    Products<kMany> products;
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) multiply_nibbles(products, lane, group, unit + 256 * group);
    // Not fused: in a stretch the products of two units are made in different lanes.
    products.template finish<true, false>(sums, lane.factors, scales, zeros);
  }
};

template <>
struct Format<Type::int4_g32> {
  static constexpr int32_t kWarps = 16, kSlotUnits = 1, kUnitBytes = 1280, kSumColumns = 32;
  static constexpr bool kIsRowMajor = false, kIsQuads = false;
  template <bool kWhole, bool kMany>
  __device__ static void multiply(Sums<kMany>& sums, const uint8_t* unit, const Lane& lane) {
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      if (!kWhole && 32 * group >= lane.num_columns) break;
      const uint8_t* record = unit + 320 * group;
      Products<kMany> products;
      multiply_nibbles(products, lane, group, record);
      products.template finish<true>(sums, lane.factors + 8 * group, word_at(record + 256 + 4 * lane.g),
                                     word_at(record + 288 + 4 * lane.g));
    }
  }
};

template <>
struct Format<Type::q8> {
  static constexpr int32_t kWarps = 8, kSlotUnits = 1, kUnitBytes = 2176, kSumColumns = 32;
  static constexpr bool kIsRowMajor = false, kIsQuads = true;
  template <bool kWhole, bool kMany>
  __device__ static void multiply(Sums<kMany>& sums, const uint8_t* unit, const Lane& lane) {
    constexpr uint32_t kSigns = 0x80808080u;
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      if (!kWhole && 32 * group >= lane.num_columns) break;
      const uint8_t* record = unit + 544 * group;
      const uint2 left = *reinterpret_cast<const uint2*>(record + 64 * lane.t + 8 * lane.g);
      const uint2 right = *reinterpret_cast<const uint2*>(record + 64 * lane.t + 256 + 8 * lane.g);
      Products<kMany> products;
      products.add(lane, group, left.x ^ kSigns, left.y ^ kSigns, right.x ^ kSigns, right.y ^ kSigns);
      products.template finish<false>(sums, lane.factors + 8 * group, word_at(record + 512 + 4 * lane.g), 0);
    }
  }
};

template <>
struct Format<Type::q4> {
  static constexpr int32_t kWarps = 16, kSlotUnits = 1, kUnitBytes = 1152, kSumColumns = 32;
  static constexpr bool kIsRowMajor = false, kIsQuads = false;
  // The int8 values of eight nibbles: low nibbles to `low`, high ones to `high`.
  __device__ static void look_up(uint32_t nibbles, const uint4& book, uint32_t& low, uint32_t& high) {
    const uint32_t index = nibbles & 0x77777777u;                        // inside a half of the book
    const uint32_t half = ((nibbles >> 1) & 0x44444444u) | 0x32103210u;  // which half, as a selector of bytes
    uint32_t pairs[2];                                                   // low, high, low, high
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
      const uint32_t lower = __byte_perm(book.x, book.y, index >> (16 * i));
      const uint32_t upper = __byte_perm(book.z, book.w, index >> (16 * i));
      pairs[i] = __byte_perm(lower, upper, half >> (16 * i));
    }
    low = __byte_perm(pairs[0], pairs[1], 0x6420);
    high = __byte_perm(pairs[0], pairs[1], 0x7531);
  }
  template <bool kWhole, bool kMany>
  __device__ static void multiply(Sums<kMany>& sums, const uint8_t* unit, const Lane& lane) {
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      if (!kWhole && 32 * group >= lane.num_columns) break;
      const uint8_t* record = unit + 288 * group;
      const uint2 words = *reinterpret_cast<const uint2*>(record + 64 * lane.t + 8 * lane.g);
      uint32_t low[2], high[2];
      look_up(words.x, lane.book, low[0], high[0]);
      look_up(words.y, lane.book, low[1], high[1]);
      Products<kMany> products;
      products.add(lane, group, low[0], low[1], high[0], high[1]);
      products.template finish<false>(sums, lane.factors + 8 * group, word_at(record + 256 + 4 * lane.g), 0);
    }
  }
};

// sums += x's scale * c, of tokens 2 t and 2 t + 1.
__device__ inline void finish_floats(Sums<true>& sums, const float2* factors, const float (&c)[4]) {
  const float4 both = *reinterpret_cast<const float4*>(factors);
  sums.of[0] = fmaf(both.x, c[0], sums.of[0]);
  sums.of[1] = fmaf(both.x, c[2], sums.of[1]);
  sums.of[2] = fmaf(both.z, c[1], sums.of[2]);
  sums.of[3] = fmaf(both.z, c[3], sums.of[3]);
}

// Lane t takes columns 8 t .. 8 t + 7 of 32. The instruction meets them in order: 0 1, 2 3 | 4 5, 6 7.
template <>
struct Format<Type::f16> {
  static constexpr int32_t kWarps = 8, kSlotUnits = 1, kUnitBytes = 256, kSumColumns = 128;
  static constexpr bool kIsRowMajor = true, kIsQuads = false;
  template <bool kWhole, bool kMany>
  __device__ static void multiply(Sums<true>& sums, const uint8_t* unit, int32_t row_stride, const Lane& lane) {
    float c[2][4] = {};
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      const uint8_t* at = unit + 2 * lane.g * row_stride + 64 * group + 16 * lane.t;
      uint4 even = *reinterpret_cast<const uint4*>(at);
      uint4 odd = *reinterpret_cast<const uint4*>(at + row_stride);
      if (!kWhole && 32 * group + 8 * lane.t >= lane.num_columns) even = odd = uint4{0, 0, 0, 0};
      const uint4 b = *reinterpret_cast<const uint4*>(lane.x + 64 * group);
      multiply_16(c[group % 2], even.x, odd.x, even.y, odd.y, b.x, b.y);
      multiply_16(c[group % 2], even.z, odd.z, even.w, odd.w, b.z, b.w);
    }
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) c[0][i] += c[1][i];
    finish_floats(sums, lane.factors, c[0]);
  }
};

template <>
struct Format<Type::f8> {
  static constexpr int32_t kWarps = 8, kSlotUnits = 2, kUnitBytes = 128, kSumColumns = 128;
  static constexpr bool kIsRowMajor = true, kIsQuads = false;
  // Bytes 0 and 1, or 2 and 3, as halves that are 256 times too small (with the row's scale that is put right).
  template <uint32_t kSelector>
  __device__ static uint32_t halves(uint32_t word) {
    const uint32_t wide = __byte_perm(word, 0, kSelector);
    return (wide & 0x80008000u) | ((wide & 0x7f007f00u) >> 1);
  }
  template <bool kWhole, bool kMany>
  __device__ static void multiply(Sums<true>& sums, const uint8_t* unit, int32_t row_stride, const Lane& lane) {
    float c[2][4] = {};
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      const uint8_t* at = unit + 2 * lane.g * row_stride + 32 * group + 8 * lane.t;
      uint2 even = *reinterpret_cast<const uint2*>(at);
      uint2 odd = *reinterpret_cast<const uint2*>(at + row_stride);
      if (!kWhole && 32 * group + 8 * lane.t >= lane.num_columns) even = odd = uint2{0, 0};
      const uint4 b = *reinterpret_cast<const uint4*>(lane.x + 64 * group);
      multiply_16(c[group % 2], halves<0x1404>(even.x), halves<0x1404>(odd.x), halves<0x3424>(even.x),
                  halves<0x3424>(odd.x), b.x, b.y);
      multiply_16(c[group % 2], halves<0x1404>(even.y), halves<0x1404>(odd.y), halves<0x3424>(even.y),
                  halves<0x3424>(odd.y), b.z, b.w);
    }
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) c[0][i] += c[1][i];
    finish_floats(sums, lane.factors, c[0]);
  }
};

}  // namespace quoth::cuda
