// Weights of the records as f16 operands of a matrix instruction (operand A of m16n8k16, and of a warp's quarter of
// wgmma m64nNk16), in registers.
//
// A warp takes the 16 rows of a record; lane 4 g + t holds rows 2 g and 2 g + 1 of it, which stand for rows g and g + 8
// of the instruction, and of each 32 columns the eight from 8 t on. Two instructions of 16 columns take them:
//   step s (0, 1):  k = 2 t, 2 t + 1 are columns 8 t + s, 8 t + 2 + s;  k = 2 t + 8, 2 t + 9 are 8 t + 4 + s, 8 t + 6 +
//   s
// so that two nibbles 16 bits apart become a pair of halves by one `and`. x lies in the same order.
#pragma once

#include "device.h"

namespace quoth::cuda {

// 32 kCount columns of 16 rows, as they lie in the records of a type, or, where kCount groups are a part of a record,
// those groups and after them the record's scales. `group(j)` is where 32 columns begin, `scales(j)` where theirs do.
template <Type kType, int32_t kCount>
struct RecordBlock {
  static constexpr int32_t kColumns = record_columns(kType);
  static constexpr int32_t kRecordBytes = record_bytes(kType);
  static constexpr bool kHasZeros = kType == Type::int4_g32 || kType == Type::int4_g128;
  static constexpr int32_t kGroupBytes = kType == Type::q8 ? 512 : 256;
  static constexpr int32_t kFactorBytes = kHasZeros ? 64 : 32;
  static constexpr int32_t kBytes = kColumns == 128 ? kGroupBytes * kCount + kFactorBytes : kRecordBytes * kCount;
  __host__ __device__ static constexpr int32_t group(int32_t j) {
    return kColumns == 128 ? kGroupBytes * j : kRecordBytes * j;
  }
  __host__ __device__ static constexpr int32_t scales(int32_t j) {
    return kColumns == 128 ? kGroupBytes * kCount : kRecordBytes * j + kGroupBytes;
  }
};

__device__ inline uint32_t bits_of(__half2 pair) {
  uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}
__device__ inline __half2 halves_of(uint32_t bits) {
  __half2 pair;
  memcpy(&pair, &bits, sizeof pair);
  return pair;
}

// Scales (and zero points) of a lane's two rows, each doubled for both halves of a register.
// A nibble in the low four bits of a half is the subnormal number nibble * 2^-24, in the next four nibble * 2^-20. One
// fused step makes (nibble - zero) * 2^-9 or * 2^-5 of it: exact for whole zero points, rounded once for others. The
// scale takes the power of two back, so that scales of magnitude 128 and more (weights of thousands) become infinite.
template <Type kType>
struct RowFactors {
  __half2 low[2];        // scale * 2^9; q8 and q4: the scale
  __half2 high[2];       // scale * 2^5; int4 alone
  __half2 low_zero[2];   // -zero * 2^-9
  __half2 high_zero[2];  // -zero * 2^-5
};

// What a lane reads of 32 columns, before it is unpacked: 16 weights, and its rows' scales and zero points.
template <Type kType>
struct RawWeights {
  uint2 words[kType == Type::q8 ? 2 : 1];
};
struct RawFactors {
  __half2 scale, zero;
};
template <Type kType, int32_t kCount>
__device__ inline RawWeights<kType> load_weights(const uint8_t* block, int32_t group, int32_t g, int32_t t) {
  const uint8_t* columns = block + RecordBlock<kType, kCount>::group(group) + 8 * g;
  RawWeights<kType> raw;
  if constexpr (kType == Type::q8) {
    raw.words[0] = *reinterpret_cast<const uint2*>(columns + 128 * t);
    raw.words[1] = *reinterpret_cast<const uint2*>(columns + 128 * t + 64);
  } else {
    raw.words[0] = *reinterpret_cast<const uint2*>(columns + 64 * t);
  }
  return raw;
}
template <Type kType, int32_t kCount>
__device__ inline RawFactors load_factors(const uint8_t* block, int32_t group, int32_t g) {
  const uint8_t* scales = block + RecordBlock<kType, kCount>::scales(group) + 4 * g;
  RawFactors raw;
  raw.scale = *reinterpret_cast<const __half2*>(scales);
  raw.zero = raw.scale;
  if constexpr (RecordBlock<kType, kCount>::kHasZeros) {
    raw.zero = *reinterpret_cast<const __half2*>(scales + 2 * kQuantRows);
  }
  return raw;
}

template <Type kType>
__device__ inline RowFactors<kType> factors_of(const RawFactors& raw) {
  RowFactors<kType> made;
  if constexpr (RecordBlock<kType, 1>::kHasZeros) {
    const __half2 low = __hmul2(raw.scale, __float2half2_rn(512.0f));
    const __half2 high = __hmul2(raw.scale, __float2half2_rn(32.0f));
    const __half2 low_zero = __hmul2(raw.zero, __float2half2_rn(-1.0f / 512.0f));
    const __half2 high_zero = __hmul2(raw.zero, __float2half2_rn(-1.0f / 32.0f));
    made.low[0] = __low2half2(low), made.low[1] = __high2half2(low);
    made.high[0] = __low2half2(high), made.high[1] = __high2half2(high);
    made.low_zero[0] = __low2half2(low_zero), made.low_zero[1] = __high2half2(low_zero);
    made.high_zero[0] = __low2half2(high_zero), made.high_zero[1] = __high2half2(high_zero);
  } else {
    made.low[0] = __low2half2(raw.scale), made.low[1] = __high2half2(raw.scale);
  }
  return made;
}

// The int8 values of eight nibbles + 128, byte by byte: low nibbles to `low`, high ones to `high`. `book` holds the
// codebook, each value + 128.
__device__ inline void look_up_bytes(uint32_t nibbles, const uint32_t (&book)[4], uint32_t& low, uint32_t& high) {
  const uint32_t index = nibbles & 0x77777777u;                        // inside a half of the book
  const uint32_t half = ((nibbles >> 1) & 0x44444444u) | 0x32103210u;  // which half, as a selector of bytes
  uint32_t pairs[2];                                                   // low, high, low, high
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    const uint32_t lower = __byte_perm(book[0], book[1], index >> (16 * i));
    const uint32_t upper = __byte_perm(book[2], book[3], index >> (16 * i));
    pairs[i] = __byte_perm(lower, upper, half >> (16 * i));
  }
  low = __byte_perm(pairs[0], pairs[1], 0x6420);
  high = __byte_perm(pairs[0], pairs[1], 0x7531);
}

__device__ inline void load_book(const int8_t* codebook, uint32_t (&book)[4]) {
#pragma unroll
  for (int32_t i = 0; i < 4; ++i) book[i] = __ldg(reinterpret_cast<const uint32_t*>(codebook) + i) ^ 0x80808080u;
}

// Bytes s and s + 2 of a word that holds value + 128 in each, as halves times their scale.
__device__ inline uint32_t halves_of_bytes(uint32_t word, int32_t s, __half2 scale) {
  // 1024 + byte, by its bits.
  const __half2 offset = halves_of(__byte_perm(word, 0x64646464u, s == 0 ? 0x4240 : 0x4341));
  return bits_of(__hmul2(__hsub2(offset, __float2half2_rn(1152.0f)), scale));
}

// a[s]: the fragment of step s of the 32 columns.
template <Type kType>
__device__ inline void unpack(const RawWeights<kType>& raw, const RowFactors<kType>& factors, const uint32_t (&book)[4],
                              uint32_t (&a)[2][4]) {
  const uint2 words = raw.words[0];
  if constexpr (RecordBlock<kType, 1>::kHasZeros) {
    const __half2 shift = __float2half2_rn(32768.0f);
#pragma unroll
    for (int32_t r = 0; r < 2; ++r) {
      uint32_t word = r == 0 ? words.x : words.y;
#pragma unroll
      for (int32_t s = 0; s < 2; ++s) {
        const __half2 low = __hfma2(halves_of(word & 0x000f000fu), shift, factors.low_zero[r]);
        const __half2 high = __hfma2(halves_of(word & 0x00f000f0u), shift, factors.high_zero[r]);
        a[s][r] = bits_of(__hmul2(low, factors.low[r]));
        a[s][2 + r] = bits_of(__hmul2(high, factors.high[r]));
        word >>= 8;
      }
    }
  } else if constexpr (kType == Type::q8) {
    const uint2 second = raw.words[1];
#pragma unroll
    for (int32_t s = 0; s < 2; ++s) {
      a[s][0] = halves_of_bytes(words.x, s, factors.low[0]);
      a[s][1] = halves_of_bytes(words.y, s, factors.low[1]);
      a[s][2] = halves_of_bytes(second.x, s, factors.low[0]);
      a[s][3] = halves_of_bytes(second.y, s, factors.low[1]);
    }
  } else {
#pragma unroll
    for (int32_t r = 0; r < 2; ++r) {
      uint32_t low, high;
      look_up_bytes(r == 0 ? words.x : words.y, book, low, high);
#pragma unroll
      for (int32_t s = 0; s < 2; ++s) {
        a[s][r] = halves_of_bytes(low, s, factors.low[r]);
        a[s][2 + r] = halves_of_bytes(high, s, factors.low[r]);
      }
    }
  }
}

}  // namespace quoth::cuda
