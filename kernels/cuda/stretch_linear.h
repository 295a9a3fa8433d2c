// A linear in a stretch: records times the digits of x, and sums on their way out. The arithmetic, and so the bits, are
// those of linear_decode.cu.
#pragma once

#include "async_copy.h"
#include "decode_formats.h"
#include "stretch.h"

#ifdef QUOTH_STRETCH_PROBE
#define QUOTH_TIME(i) \
  if (p.times != nullptr && blockIdx.x == 5 && threadIdx.x == 0) p.times[index * 8 + (i)] = clock64()
#else
#define QUOTH_TIME(i)
#endif

namespace quoth::cuda::stretch {

constexpr int32_t kWarps = 16;  // that multiply; one more brings the weights
// Whole groups of four warps, so that those that multiply get more registers than an even share.
constexpr int32_t kThreads = (kWarps + 4) * kWarp;
constexpr int32_t kRecordBytes = 1088;
constexpr int32_t kLineBytes = 144;  // a digit of a token in a record, so that two lines do not meet in a bank
constexpr int32_t kOperationsAhead = 4;

__device__ inline void sync_multipliers() {
  asm volatile("bar.sync 1, %0;" ::"n"(kWarps * kWarp) : "memory");
}

// The thread's index, of which the compiler knows nothing: what follows from it is found anew behind each of these, and
// does not take the registers of what comes between.
__device__ inline int32_t thread_index() {
  int32_t index = static_cast<int32_t>(threadIdx.x);
  asm volatile("" : "+r"(index));
  __builtin_assume(index >= 0 && index < kThreads);
  return index;
}

// Four floats of the exchange as they are now.
__device__ inline uint4 look_at(const uint32_t* from) {
  uint4 v;
  asm volatile("ld.relaxed.gpu.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v;
}
__device__ inline bool has_tag(const uint4& v, uint32_t tag) {
  return (((v.x ^ tag) | (v.y ^ tag) | (v.z ^ tag) | (v.w ^ tag)) & 0xffu) == 0;
}
__device__ inline void put_in_exchange(uint32_t* to, float value, uint32_t tag) {
  asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(__float_as_uint(shortened(value)) | tag)
               : "memory");
}
// A whole float beside its tag.
__device__ inline void put_beside_tag(uint64_t* to, float value, uint32_t tag) {
  asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(to),
               "l"(static_cast<uint64_t>(tag) << 32 | __float_as_uint(value))
               : "memory");
}
__device__ inline bool look_beside_tag(const uint64_t* from, uint32_t tag, float& value) {
  uint64_t v;
  asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(v) : "l"(from) : "memory");
  value = __uint_as_float(static_cast<uint32_t>(v));
  return static_cast<uint32_t>(v >> 32) == tag;
}
__device__ inline float4 without_tags(const uint4& v) {
  constexpr uint32_t kKept = 0xffffff00u;
  return {__uint_as_float(v.x & kKept), __uint_as_float(v.y & kKept), __uint_as_float(v.z & kKept),
          __uint_as_float(v.w & kKept)};
}

// Of shared memory.
struct Places {
  // Of all records; of one token: of a part of K, which goes before the next one comes.
  uint8_t* x;       // [records, 2 T, kLineBytes]: what a lane of the tensor cores' columns reads lies together
  float2* factors;  // [records, T]: {scale / 16, scale * sum}
  float* sums;      // [group_tiles, tile_sums, T, 16], a tile 16 floats further apart
  float* squares;   // [kWarps, T]
};
// Where this block comes in the order of the operation's blocks.
__device__ inline int32_t block_of(const LinearWork& work) {
  const int32_t block = static_cast<int32_t>(blockIdx.x) - work.first_block;
  return block < 0 ? block + static_cast<int32_t>(gridDim.x) : block;
}
__host__ __device__ inline int32_t tile_floats(const LinearWork& work, int32_t num_tokens) {
  return (work.tile_sums * num_tokens + 1) * kQuantRows;
}

// Lanes t and t + 2 would read their octets of the same rows from the same banks of shared memory. So lanes 2 and 3
// take the rows of lane g ^ 4; what octets 0 and 1 give and what 2 and 3 give is kept apart in two sets of the eight
// columns (x is zero in the other octets), and added up afterwards. Room for that is up to two tokens.
template <int32_t kTokens>
constexpr bool kHasTwoParts = kTokens <= 2;

// What a lane needs of a record of x: of its column's digits, and of its token.
struct RecordOfX {
  uint4 left, right;
  float2 factor;

  __device__ void load(const uint8_t* x, const float2* factors) {
    left = *reinterpret_cast<const uint4*>(x);
    right = *reinterpret_cast<const uint4*>(x + 16);
    factor = *factors;
  }
  __device__ void keep(bool is_kept) {
    if (is_kept) return;
    left = right = {0, 0, 0, 0};
  }
};

// A record of weights in registers: rows 2 g and 2 g + 1, octet t of each group.
struct Record {
  uint2 words[4];
  uint32_t scales, zeros;

  // `lane_at`: of the lane's octet and pair of rows; `row_at`: 4 g.
  __device__ void load(const uint8_t* record, int32_t lane_at, int32_t row_at) {
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      words[group] = *reinterpret_cast<const uint2*>(record + 256 * group + lane_at);
    }
    scales = word_at(record + 1024 + row_at);
    zeros = word_at(record + 1056 + row_at);
  }
  // The record times x: rows 2 g and 2 g + 1 of token t.
  template <bool kTwoParts>
  __device__ float2 times(const RecordOfX& x) const {
    int32_t low[4] = {}, high[4] = {};
    multiply_nibbles_of_two(low, high, words[0], words[1], x.left);
    multiply_nibbles_of_two(low, high, words[2], words[3], x.right);
    const float2 scale = floats_of(scales), zero = floats_of(zeros);
    const auto one = [&](int32_t product, float row_scale, float row_zero) {
      float value = x.factor.x * static_cast<float>(product);
      value = fmaf(-row_zero, x.factor.y, value);
      return row_scale * value;
    };
    int32_t even = (low[0] * 16 + high[0]) * 256 + (low[1] * 16 + high[1]);
    int32_t odd = (low[2] * 16 + high[2]) * 256 + (low[3] * 16 + high[3]);
    if constexpr (kTwoParts) {
      even += __shfl_xor_sync(0xffffffffu, even, 18);
      odd += __shfl_xor_sync(0xffffffffu, odd, 18);
    }
    return {one(even, scale.x, zero.x), one(odd, scale.y, zero.y)};
  }
};

// The two records of a warp in a slot, of several tokens.
template <int32_t kTokens>
struct Two {
  static constexpr bool kParts = kHasTwoParts<kTokens>;
  Record records[2];

  struct X {
    RecordOfX of[2];
    // `records`: where they are in x; none where it is negative.
    __device__ void load(const Places& places, const int32_t (&records)[2], int32_t g, int32_t t) {
      const int32_t column = g % (kParts ? 4 : 8);
#pragma unroll
      for (int32_t i = 0; i < 2; ++i) {
        const int32_t record = max(0, records[i]);
        of[i].load(places.x + (record * 2 * kTokens + (column < 2 * kTokens ? column : 0)) * kLineBytes + 32 * t,
                   places.factors + record * kTokens + (t < kTokens ? t : 0));
        of[i].keep((!kParts || g / 4 == t / 2) && records[i] >= 0);
        if (records[i] < 0) of[i].factor = {0, 0};
      }
    }
  };
  // `at`: of both in the slot.
  __device__ void load(const uint8_t* slot, const int32_t (&at)[2], int32_t g, int32_t t) {
    const int32_t lane_at = 64 * t + 8 * (kParts && t >= 2 ? g ^ 4 : g);
    records[0].load(slot + at[0], lane_at, 4 * g);
    records[1].load(slot + at[1], lane_at, 4 * g);
  }
};

// The same of one token. Both records share the products: of the eight columns, the first takes 0, 1, 4, 5, the second
// the others. So they are finished side by side, a number in each lane: the first record's where t is even; of row 2 g
// where t < 2, of row 2 (g ^ 4) + 1 in the others.
template <>
struct Two<1> {
  uint2 words[2][4];
  uint32_t scale, zero;

  static __device__ int32_t row_of(int32_t g, int32_t t) { return t < 2 ? 2 * g : 2 * (g ^ 4) + 1; }
  struct X {
    uint4 left[2], right[2];
    float2 factor;
    __device__ void load(const Places& places, const int32_t (&records)[2], int32_t g, int32_t t) {
      // A lane has digits of one of the two: whose they are decides where they go.
      const bool is_second = g / 2 % 2 == 1;
      const int32_t own = is_second ? records[1] : records[0];
      const uint8_t* line = places.x + (max(0, own) * 2 + g % 2) * kLineBytes + 32 * t;
      uint4 digits[2] = {*reinterpret_cast<const uint4*>(line), *reinterpret_cast<const uint4*>(line + 16)};
      if (own < 0 || g / 4 != t / 2) digits[0] = digits[1] = {0, 0, 0, 0};
      constexpr uint4 kNone{0, 0, 0, 0};
      left[0] = is_second ? kNone : digits[0], right[0] = is_second ? kNone : digits[1];
      left[1] = is_second ? digits[0] : kNone, right[1] = is_second ? digits[1] : kNone;
      const int32_t finished = t % 2 == 0 ? records[0] : records[1];
      factor = places.factors[max(0, finished)];
      if (finished < 0) factor = {0, 0};
    }
  };
  __device__ void load(const uint8_t* slot, const int32_t (&at)[2], int32_t g, int32_t t) {
    const int32_t lane_at = 64 * t + 8 * (t >= 2 ? g ^ 4 : g);
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
      for (int32_t group = 0; group < 4; ++group) {
        words[i][group] = *reinterpret_cast<const uint2*>(slot + at[i] + 256 * group + lane_at);
      }
    }
    const uint8_t* scales = slot + (t % 2 == 0 ? at[0] : at[1]) + 1024 + 2 * row_of(g, t);
    scale = *reinterpret_cast<const uint16_t*>(scales);
    zero = *reinterpret_cast<const uint16_t*>(scales + 32);
  }
  __device__ float times(const X& x, int32_t t) const {
    int32_t low[4] = {}, high[4] = {};
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
      multiply_nibbles_of_two(low, high, words[i][0], words[i][1], x.left[i]);
      multiply_nibbles_of_two(low, high, words[i][2], words[i][3], x.right[i]);
    }
    const int32_t even = (low[0] * 16 + high[0]) * 256 + (low[1] * 16 + high[1]);
    const int32_t odd = (low[2] * 16 + high[2]) * 256 + (low[3] * 16 + high[3]);
    int32_t product = t < 2 ? even : odd;
    product += __shfl_xor_sync(0xffffffffu, t < 2 ? odd : even, 18);
    float value = x.factor.x * static_cast<float>(product);
    value = fmaf(-floats_of(zero).x, x.factor.y, value);
    return floats_of(scale).x * value;
  }
};

// The column of out that thread `i` finishes, of the pairs from `first_pair` of this block's list on.
template <int32_t kTokens>
struct Finished {
  int32_t row, pair, token, column;

  __device__ Finished(const LinearWork& work, int32_t i, int32_t first_pair) {
    row = i % kQuantRows;
    pair = i / kQuantRows / kTokens;
    token = i / kQuantRows % kTokens;
    column = (block_of(work) + (first_pair + pair) * static_cast<int32_t>(gridDim.x)) * kQuantRows + row;
  }
};

// Adds up the warps' sums of `num_pairs` pairs of tiles and writes their columns. All warps have put them. `residual`:
// what out held, of the first pairs.
template <int32_t kTokens>
__device__ inline void finish_group(const Stretch& p, const StretchOperation& operation, const LinearWork& work,
                                    const Places& places, int32_t first_pair, int32_t num_pairs, float residual,
                                    uint32_t first_tag) {
  for (int32_t i = thread_index(); i < num_pairs * kTokens * kQuantRows; i += kWarps * kWarp) {
    const Finished<kTokens> is(work, i, first_pair);
    // One chain of sums beside the other: a multiprocessor has nothing else to do meanwhile.
    constexpr int32_t kLine = kTokens * kQuantRows;
    const int32_t tile_size = tile_floats(work, kTokens);
    const float* at = places.sums + is.pair * work.pair_tiles * tile_size + is.token * kQuantRows + is.row;
    const float* gated = work.is_gated ? at + tile_size : at;
    const float* square = places.squares + is.token;
    float total = 0, other = 0, squares = 0;
    if (work.tile_sums == kWarps) {
#pragma unroll
      for (int32_t warp = 0; warp < kWarps; ++warp) {
        total += at[warp * kLine];
        other += gated[warp * kLine];
        squares += square[warp * kTokens];
      }
    } else {
#pragma unroll
      for (int32_t warp = 0; warp < kWarps; ++warp) {
        float sum = at[warp * kLine], other_sum = gated[warp * kLine];
        if (kWarps + warp < work.tile_sums) {
          sum += at[(kWarps + warp) * kLine];
          other_sum += gated[(kWarps + warp) * kLine];
        }
        total += sum;
        other += other_sum;
        squares += square[warp * kTokens];
      }
    }
    const float factor = work.norm_weight != nullptr ? rsqrtf(squares * work.inverse_columns + work.epsilon) : 1.0f;
    total *= factor;
    if (work.bias != nullptr) total += work.bias[is.column];
    float result = work.has_silu ? activation_of(total, Activation::silu) : total;
    if (work.is_gated) {
      other *= factor;
      if (work.bias != nullptr) other += work.bias[is.column + work.num_outputs];
      result *= other;
    }
    float* to = operation.out + static_cast<int64_t>(is.token) * operation.out_stride + is.column;
    if (work.adds) result += first_pair == 0 && i < kWarps * kWarp ? residual : __ldcg(to);
    put_in_exchange(p.exchange + operation.out_exchange + is.token * p.exchange_stride + is.column, result,
                    operation.out_tag);
    if (work.is_exact) {
      put_beside_tag(p.exact + is.token * (p.exchange_stride / kExchangeRegions) + is.column, result,
                     first_tag | operation.out_tag);
    }
    *to = result;
  }
}

}  // namespace quoth::cuda::stretch
