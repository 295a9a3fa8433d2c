// How each type of weight becomes operand A of the tensor cores' m16n8k16 (f16 in, f32 sums), for few rows of x.
//
// A warp multiplies blocks of 16 weight rows. Lane 4 g + t feeds rows 2 g and 2 g + 1 of the block (the instruction's
// rows g and g + 8), and of each 32 columns eight of its own; operand B holds x of token g in the same order, so the
// order of columns inside the 32 is free:
//
//   `rows` below: what x's four registers of two halves hold of the lane's columns 8 t .. 8 t + 7
//     natural   (0 1) (2 3) (4 5) (6 7)
//     nibbles   (0 2) (4 6) (1 3) (5 7)        the order in which masks and shifts by 8 meet the nibbles of a word
//     quads     natural, but the lane's columns are 4 t .. 4 t + 3 and 16 + 4 t .. (no conflicts of shared memory's banks)
//
// A nibble becomes a half without a conversion: under the exponent of 1024 it is 1024 + q, in the next four bits under
// that of 64 it is 64 + q. From the first 1088 is taken, so the product's sum holds 64 (high - low) of the columns' x
// too much, which for any x of steady sign nearly cancels: sums keep their low bits. The instruction starts from minus
// that. The zero point goes last: s (c - z sum(x)). A byte of q8 becomes 1024 + byte, less 1152.
#pragma once

#include "device.h"

namespace quoth::cuda {

enum class XOrder : int32_t { natural, nibbles, quads };

// c += a b: f16 [16, 16] times f16 [16, 8] in f32.
__device__ inline void multiply_16(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                   uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Two halves plus the same constant, given by its bits.
__device__ inline uint32_t add_halves(uint32_t halves, uint32_t both) {
  __half2 a, b;
  memcpy(&a, &halves, 4);
  memcpy(&b, &both, 4);
  const __half2 sum = __hadd2(a, b);
  uint32_t bits = 0;
  memcpy(&bits, &sum, 4);
  return bits;
}

// What a lane knows of its place: pointers into shared memory step by record.
struct Lane {
  int32_t g, t;
  bool has_x;  // g is a token; else its x is zero
  __device__ uint4 x_at(const uint8_t* x, int32_t group) const {
    return has_x ? *reinterpret_cast<const uint4*>(x + 64 * group) : uint4{0, 0, 0, 0};
  }
};

template <uint32_t kMask, uint32_t kExponent>
__device__ inline uint32_t masked(uint32_t word) {
  uint32_t halves = 0;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(halves) : "r"(word), "n"(kMask), "n"(kExponent));
  return halves;
}
__device__ inline uint32_t low_nibbles(uint32_t word) {  // q - 64
  return add_halves(masked<0x000f000fu, 0x64006400u>(word), 0xe440e440u);
}
__device__ inline uint32_t high_nibbles(uint32_t word) {  // q + 64
  return masked<0x00f000f0u, 0x54005400u>(word);
}

// 32 columns of nibbles: `words` are those of rows 2 g and 2 g + 1.
__device__ inline void multiply_nibbles(float (&c)[4], uint2 words, uint4 x) {
  multiply_16(c, low_nibbles(words.x), low_nibbles(words.y), high_nibbles(words.x), high_nibbles(words.y), x.x, x.y);
  words.x >>= 8;
  words.y >>= 8;
  multiply_16(c, low_nibbles(words.x), low_nibbles(words.y), high_nibbles(words.x), high_nibbles(words.y), x.z, x.w);
}

// sum += scale (c - zero * sum of x), for two rows and two tokens.
__device__ inline void add_scaled(float (&sums)[4], const float (&c)[4], uint32_t scale_bits, uint32_t zero_bits,
                                  float sum_0, float sum_1) {
  const float2 scales = floats_of(scale_bits);
  const float2 zeros = floats_of(zero_bits);
  sums[0] = fmaf(scales.x, fmaf(-zeros.x, sum_0, c[0]), sums[0]);
  sums[1] = fmaf(scales.x, fmaf(-zeros.x, sum_1, c[1]), sums[1]);
  sums[2] = fmaf(scales.y, fmaf(-zeros.y, sum_0, c[2]), sums[2]);
  sums[3] = fmaf(scales.y, fmaf(-zeros.y, sum_1, c[3]), sums[3]);
}
__device__ inline void add_scaled(float (&sums)[4], const float (&c)[4], uint32_t scale_bits) {
  const float2 scales = floats_of(scale_bits);
  sums[0] = fmaf(scales.x, c[0], sums[0]);
  sums[1] = fmaf(scales.x, c[1], sums[1]);
  sums[2] = fmaf(scales.y, c[2], sums[2]);
  sums[3] = fmaf(scales.y, c[3], sums[3]);
}

// Of each type:
//   kColumns, kBytes   of a record in shared memory; kChunk: records that one copy brings
//   kOrder             of x;   kSumColumns: columns whose sum of x is wanted, 0 = none
//   multiply(sums, record, x, offsets, lane)   adds one record: x points at the lane's piece of its first 32 columns,
//                      offsets at {-64 (high - low) of tokens 2t, 2t + 1; sum of the same}, one per record
template <Type kType>
struct Format;

template <>
struct Format<Type::int4_g128> {
  static constexpr int32_t kColumns = 128, kBytes = 1088, kChunk = 2, kSumColumns = 128;
  static constexpr XOrder kOrder = XOrder::nibbles;
  static constexpr bool kIsRowMajor = false;
  __device__ static void multiply(float (&sums)[4], const uint8_t* record, const uint8_t* x, const float4* offsets,
                                  const uint4 (&)[1], const Lane& lane) {
    const uint8_t* weights = record + 64 * lane.t + 8 * lane.g;
    const uint32_t scale = *reinterpret_cast<const uint32_t*>(record + 1024 + 4 * lane.g);
    const uint32_t zero = *reinterpret_cast<const uint32_t*>(record + 1056 + 4 * lane.g);
    const float4 offset = *offsets;
    float c[2][4] = {{offset.x, offset.y, offset.x, offset.y}, {}};
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      multiply_nibbles(c[group % 2], *reinterpret_cast<const uint2*>(weights + 256 * group), lane.x_at(x, group));
    }
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) c[0][i] += c[1][i];
    add_scaled(sums, c[0], scale, zero, offset.z, offset.w);
  }
};

template <>
struct Format<Type::int4_g32> {
  static constexpr int32_t kColumns = 32, kBytes = 320, kChunk = 8, kSumColumns = 32;
  static constexpr XOrder kOrder = XOrder::nibbles;
  static constexpr bool kIsRowMajor = false;
  __device__ static void multiply(float (&sums)[4], const uint8_t* record, const uint8_t* x, const float4* offsets,
                                  const uint4 (&)[1], const Lane& lane) {
    const uint32_t scale = *reinterpret_cast<const uint32_t*>(record + 256 + 4 * lane.g);
    const uint32_t zero = *reinterpret_cast<const uint32_t*>(record + 288 + 4 * lane.g);
    const float4 offset = *offsets;
    float c[4] = {offset.x, offset.y, offset.x, offset.y};
    multiply_nibbles(c, *reinterpret_cast<const uint2*>(record + 64 * lane.t + 8 * lane.g), lane.x_at(x, 0));
    add_scaled(sums, c, scale, zero, offset.z, offset.w);
  }
};

// Bytes `kFirst` and `kSecond` of a word, unsigned with 128 for zero, as two halves of what they stand for.
template <uint32_t kFirst, uint32_t kSecond>
__device__ inline uint32_t halves_of_bytes(uint32_t word) {
  return add_halves(__byte_perm(word, 0x64646464u, 0x4040u | kSecond << 8 | kFirst), 0xe480e480u);
}

template <>
struct Format<Type::q8> {
  static constexpr int32_t kColumns = 32, kBytes = 544, kChunk = 4, kSumColumns = 0;
  static constexpr XOrder kOrder = XOrder::quads;
  static constexpr bool kIsRowMajor = false;
  __device__ static void multiply(float (&sums)[4], const uint8_t* record, const uint8_t* x, const float4*,
                                  const uint4 (&)[1], const Lane& lane) {
    const uint8_t* weights = record + 64 * lane.t + 8 * lane.g;
    const uint4 b = lane.x_at(x, 0);
    const uint32_t scale = *reinterpret_cast<const uint32_t*>(record + 512 + 4 * lane.g);
    float c[4] = {};
#pragma unroll
    for (int32_t half = 0; half < 2; ++half) {
      const uint2 words = *reinterpret_cast<const uint2*>(weights + 256 * half);
      multiply_16(c, halves_of_bytes<0, 1>(words.x), halves_of_bytes<0, 1>(words.y), halves_of_bytes<2, 3>(words.x),
                  halves_of_bytes<2, 3>(words.y), half == 0 ? b.x : b.z, half == 0 ? b.y : b.w);
    }
    add_scaled(sums, c, scale);
  }
};

template <>
struct Format<Type::q4> {
  static constexpr int32_t kColumns = 32, kBytes = 288, kChunk = 8, kSumColumns = 0;
  static constexpr XOrder kOrder = XOrder::nibbles;
  static constexpr bool kIsRowMajor = false;
  // The bytes of eight nibbles by the codebook (its values + 128): low nibbles to `low`, high ones to `high`.
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
  __device__ static void multiply(float (&sums)[4], const uint8_t* record, const uint8_t* x, const float4*,
                                  const uint4 (&book)[1], const Lane& lane) {
    const uint2 words = *reinterpret_cast<const uint2*>(record + 64 * lane.t + 8 * lane.g);
    const uint32_t scale = *reinterpret_cast<const uint32_t*>(record + 256 + 4 * lane.g);
    const uint4 b = lane.x_at(x, 0);
    uint32_t low[2], high[2];
    look_up(words.x, book[0], low[0], high[0]);
    look_up(words.y, book[0], low[1], high[1]);
    float c[4] = {};
    multiply_16(c, halves_of_bytes<0, 2>(low[0]), halves_of_bytes<0, 2>(low[1]), halves_of_bytes<0, 2>(high[0]),
                halves_of_bytes<0, 2>(high[1]), b.x, b.y);
    multiply_16(c, halves_of_bytes<1, 3>(low[0]), halves_of_bytes<1, 3>(low[1]), halves_of_bytes<1, 3>(high[0]),
                halves_of_bytes<1, 3>(high[1]), b.z, b.w);
    add_scaled(sums, c, scale);
  }
};

// Row-major: a record is 16 rows of 128 bytes, whose 16-byte pieces are put where the lanes of `multiply` meet no
// conflict of banks.
template <>
struct Format<Type::f16> {
  static constexpr int32_t kColumns = 64, kBytes = 2048, kChunk = 2, kSumColumns = 0;
  static constexpr XOrder kOrder = XOrder::natural;
  static constexpr bool kIsRowMajor = true;
  __device__ static int32_t place_of(int32_t row, int32_t piece) {
    return 128 * row + 16 * (piece ^ (row / 2 % 2 * 4));
  }
  __device__ static void multiply(float (&sums)[4], const uint8_t* record, const uint8_t* x, const float4*,
                                  const uint4 (&)[1], const Lane& lane) {
#pragma unroll
    for (int32_t group = 0; group < 2; ++group) {
      const int32_t piece = 4 * group + lane.t;
      const uint4 even = *reinterpret_cast<const uint4*>(record + place_of(2 * lane.g, piece));
      const uint4 odd = *reinterpret_cast<const uint4*>(record + place_of(2 * lane.g + 1, piece));
      const uint4 b = lane.x_at(x, group);
      multiply_16(sums, even.x, odd.x, even.y, odd.y, b.x, b.y);
      multiply_16(sums, even.z, odd.z, even.w, odd.w, b.z, b.w);
    }
  }
};

template <>
struct Format<Type::f8> {
  static constexpr int32_t kColumns = 128, kBytes = 2048, kChunk = 2, kSumColumns = 0;
  static constexpr XOrder kOrder = XOrder::natural;
  static constexpr bool kIsRowMajor = true;
  __device__ static int32_t place_of(int32_t row, int32_t piece) {
    return 128 * row + 16 * (piece ^ (row / 2 % 4 * 2));
  }
  // Bytes 0 and 1, or 2 and 3, as halves that are 256 times too small (with the row's scale that is put right).
  template <uint32_t kSelector>
  __device__ static uint32_t halves(uint32_t word) {
    const uint32_t wide = __byte_perm(word, 0, kSelector);
    return (wide & 0x80008000u) | ((wide & 0x7f007f00u) >> 1);
  }
  __device__ static void multiply(float (&sums)[4], const uint8_t* record, const uint8_t* x, const float4*,
                                  const uint4 (&)[1], const Lane& lane) {
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      const int32_t piece = 2 * group + lane.t / 2;
      const int32_t inside = lane.t % 2 * 8;
      const uint2 even = *reinterpret_cast<const uint2*>(record + place_of(2 * lane.g, piece) + inside);
      const uint2 odd = *reinterpret_cast<const uint2*>(record + place_of(2 * lane.g + 1, piece) + inside);
      const uint4 b = lane.x_at(x, group);
      multiply_16(sums, halves<0x1404>(even.x), halves<0x1404>(odd.x), halves<0x3424>(even.x), halves<0x3424>(odd.x),
                  b.x, b.y);
      multiply_16(sums, halves<0x1404>(even.y), halves<0x1404>(odd.y), halves<0x3424>(even.y), halves<0x3424>(odd.y),
                  b.z, b.w);
    }
  }
};

}  // namespace quoth::cuda
