// A linear in a stretch: x on its way from the exchange to digits in shared memory, records times digits, and sums on
// their way out. The arithmetic, and so the bits, are those of linear_decode.cu.
#pragma once

#include "async_copy.h"
#include "decode_formats.h"
#include "stretch.h"

namespace quoth::cuda::stretch {

constexpr int32_t kWarps = 16;  // that multiply; one more brings the weights
constexpr int32_t kRecordBytes = 1088;
constexpr int32_t kLineBytes = 144;  // a digit of a token in a record, so that two lines do not meet in a bank
constexpr int32_t kLines = 2 * kStretchTokens;
constexpr int32_t kOperationsAhead = 4;

__device__ inline void sync_multipliers() {
  asm volatile("bar.sync 1, %0;" ::"n"(kWarps * kWarp) : "memory");
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
__device__ inline float4 without_tags(const uint4& v) {
  constexpr uint32_t kKept = 0xffffff00u;
  return {__uint_as_float(v.x & kKept), __uint_as_float(v.y & kKept), __uint_as_float(v.z & kKept),
          __uint_as_float(v.w & kKept)};
}

// Of shared memory.
struct Places {
  uint8_t* x;       // [records, 2 T, kLineBytes]: lane t of the tensor cores' columns has its 32 bytes together
  float2* factors;  // [records, kStretchTokens]: {scale / 16, scale * sum}
  float* sums;      // [group_tiles, kWarps, T, 16], a tile 16 floats further apart
  float* squares;   // [kWarps, kStretchTokens]
};

// Four columns of x in each of 32 lanes, as two digits of 8 bits each.
__device__ inline void put_record(const Places& to, int32_t num_tokens, int32_t record, int32_t token, int32_t lane,
                                  float4 v) {
  constexpr float kLargest = 127.0f * 256.0f;
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: see decode_rows.h
  constexpr uint32_t kShiftBits = 0x4b400000u;
  constexpr uint32_t kSize = 0x7fffffffu;
  const uint32_t largest = __reduce_max_sync(
      0xffffffffu, max(max(__float_as_uint(v.x) & kSize, __float_as_uint(v.y) & kSize),
                       max(__float_as_uint(v.z) & kSize, __float_as_uint(v.w) & kSize)));
  const float maximum = __uint_as_float(largest);
  const float inverse = maximum < 1e-31f ? 0.0f : __fdividef(kLargest, maximum);
  const float a = fmaf(v.x, inverse, kShift), b = fmaf(v.y, inverse, kShift);
  const float c = fmaf(v.z, inverse, kShift), d = fmaf(v.w, inverse, kShift);
  const uint32_t low = __byte_perm(__byte_perm(__float_as_uint(a), __float_as_uint(b), 0x0040),
                                   __byte_perm(__float_as_uint(c), __float_as_uint(d), 0x0040), 0x5410);
  const uint32_t high = __byte_perm(__byte_perm(__float_as_uint(a + 128.0f), __float_as_uint(b + 128.0f), 0x0051),
                                    __byte_perm(__float_as_uint(c + 128.0f), __float_as_uint(d + 128.0f), 0x0051), 0x5410);
  uint8_t* at = to.x + (record * 2 * num_tokens + 2 * token) * kLineBytes + lane % 8 / 2 * 32 + lane / 8 * 8 + lane % 2 * 4;
  *reinterpret_cast<uint32_t*>(at) = high;
  *reinterpret_cast<uint32_t*>(at + kLineBytes) = low;
  const uint32_t bits = __float_as_uint(a) + __float_as_uint(b) + __float_as_uint(c) + __float_as_uint(d);
  const int32_t sum = __reduce_add_sync(0xffffffffu, static_cast<int32_t>(bits - 4 * kShiftBits));
  const float scale = maximum > 1e37f ? __uint_as_float(0x7f800000u) : maximum * (1.0f / kLargest);
  if (lane == 0) to.factors[record * kStretchTokens + token] = {scale * 0.0625f, scale * static_cast<float>(sum)};
}

// `kAtOnce` records of this warp from (`index`, `token`) on; with fewer `left` the last one is done again.
template <bool kNorm, int32_t kAtOnce>
__device__ inline void stage_some(const Stretch& p, const StretchOperation& operation, const Places& places,
                                  int32_t warp, int32_t lane, int32_t records, int32_t left, int32_t& index,
                                  int32_t& token, float& sum) {
  uint4 v[kAtOnce];
  float4 weights[kNorm ? kAtOnce : 1];
  int32_t at_index[kAtOnce], at_token[kAtOnce];
  const uint32_t tag = operation.x_tag;
#pragma unroll
  for (int32_t a = 0; a < kAtOnce; ++a) {
    at_index[a] = index;
    at_token[a] = token;
    if (a + 1 < left && ++index == records) {
      index = 0;
      ++token;
    }
  }
  const auto column_of = [&](int32_t a) { return (at_index[a] * kWarps + warp) * kUnitColumns + 4 * lane; };
  if constexpr (kNorm) {
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) {
      weights[a] = __ldg(reinterpret_cast<const float4*>(operation.norm_weight + column_of(a)));
    }
  }
  if (tag == 0) {
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) {
      const float4 f = __ldcg(reinterpret_cast<const float4*>(
          operation.x + static_cast<int64_t>(at_token[a]) * operation.x_stride + column_of(a)));
      v[a] = {__float_as_uint(shortened(f.x)), __float_as_uint(shortened(f.y)), __float_as_uint(shortened(f.z)),
              __float_as_uint(shortened(f.w))};
    }
  } else {
    const uint32_t* from = p.exchange + operation.x_exchange;
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) v[a] = look_at(from + at_token[a] * operation.x_exchange_stride + column_of(a));
#ifdef QUOTH_STRETCH_PROBE
    if (!(p.probe & 1))
#endif
      for (;;) {
        bool again = false;
#pragma unroll
        for (int32_t a = 0; a < kAtOnce; ++a) {
          if (!has_tag(v[a], tag)) {
            again = true;
            v[a] = look_at(from + at_token[a] * operation.x_exchange_stride + column_of(a));
          }
        }
        if (!__any_sync(0xffffffffu, again)) break;
      }
  }
#pragma unroll
  for (int32_t a = 0; a < kAtOnce; ++a) {
    float4 x = without_tags(v[a]);
    if constexpr (kNorm) {
      const float square = fmaf(x.x, x.x, fmaf(x.y, x.y, fmaf(x.z, x.z, x.w * x.w)));
      if (a < left) sum += square;
      if (a < left && at_index[a] == records - 1) {  // the same for the whole warp
        const float total = warp_sum(sum);
        if (lane == 0) places.squares[warp * kStretchTokens + at_token[a]] = total;
        sum = 0;
      }
      const float4 weight = weights[a];
      x = {x.x * weight.x, x.y * weight.y, x.z * weight.z, x.w * weight.w};
    }
    put_record(places, p.num_tokens, at_index[a] * kWarps + warp, at_token[a], lane, x);
  }
}

// This warp's records of x. Others read them after a barrier.
template <bool kNorm>
__device__ inline void stage_x(const Stretch& p, const StretchOperation& operation, const Places& places, int32_t warp,
                               int32_t lane) {
  const int32_t records = max(0, ceil_div(operation.num_records - warp, kWarps));
  int32_t index = 0, token = 0, left = records * p.num_tokens;
  float sum = 0;
  if (kNorm && records == 0 && lane < kStretchTokens) places.squares[warp * kStretchTokens + lane] = 0;
  while (left > 0) {
    if (!kNorm && left > 4) {
      stage_some<kNorm, kNorm ? 4 : 8>(p, operation, places, warp, lane, records, left, index, token, sum);
      left -= kNorm ? 4 : 8;
    } else if (left > 2) {
      stage_some<kNorm, 4>(p, operation, places, warp, lane, records, left, index, token, sum);
      left -= 4;
    } else {
      stage_some<kNorm, 2>(p, operation, places, warp, lane, records, left, index, token, sum);
      left -= 2;
    }
  }
}

// A record in registers: rows 2 g and 2 g + 1, octet t of each group.
struct Record {
  uint2 words[4];
  uint32_t scales, zeros;

  __device__ void load(const uint8_t* record, int32_t g, int32_t t) {
#pragma unroll
    for (int32_t group = 0; group < 4; ++group) {
      words[group] = *reinterpret_cast<const uint2*>(record + 256 * group + 64 * t + 8 * g);
    }
    scales = word_at(record + 1024 + 4 * g);
    zeros = word_at(record + 1056 + 4 * g);
  }
  // sums += the record times x: rows 2 g and 2 g + 1 of token t.
  __device__ void multiply(float2& sums, const uint8_t* x, const float2* factors) const {
    const uint4 left = *reinterpret_cast<const uint4*>(x), right = *reinterpret_cast<const uint4*>(x + 16);
    const float2 factor = *factors;
    int32_t low[4] = {}, high[4] = {};
    multiply_nibbles_of_two(low, high, words[0], words[1], left);
    multiply_nibbles_of_two(low, high, words[2], words[3], right);
    const float2 scale = floats_of(scales), zero = floats_of(zeros);
    const auto one = [&](float& sum, int32_t product, float row_scale, float row_zero) {
      float value = factor.x * static_cast<float>(product);
      value = fmaf(-row_zero, factor.y, value);
      sum = fmaf(row_scale, value, sum);
    };
    one(sums.x, (low[0] * 16 + high[0]) * 256 + (low[1] * 16 + high[1]), scale.x, zero.x);
    one(sums.y, (low[2] * 16 + high[2]) * 256 + (low[3] * 16 + high[3]), scale.y, zero.y);
  }
};

// Adds up the warps' sums of the tiles [first_tile, end_tile) and writes their columns. All warps have put them.
// `residual`: what out held, of the first tiles.
__device__ inline void finish_group(const Stretch& p, const StretchOperation& operation, const Places& places,
                                    int32_t first_tile, int32_t end_tile, float residual) {
  const int32_t num_tokens = p.num_tokens;
  const int32_t num_pairs = (end_tile - first_tile) >> (operation.pair_tiles - 1);
  const int32_t tile_floats = kWarps * num_tokens * kQuantRows + kQuantRows;
  for (int32_t i = threadIdx.x; i < num_pairs * num_tokens * kQuantRows; i += kWarps * kWarp) {
    const int32_t row = i % kQuantRows;
    const int32_t line = i / kQuantRows;
    const int32_t pair = num_tokens == 1 ? line : line / num_tokens;
    const int32_t token = line - pair * num_tokens;
    const int32_t pair_index = static_cast<int32_t>(blockIdx.x) +
                               ((first_tile >> (operation.pair_tiles - 1)) + pair) * static_cast<int32_t>(gridDim.x);
    const int32_t column = pair_index * kQuantRows + row;
    if (column >= operation.num_outputs) continue;
    float factor = 1;
    if (operation.norm_weight != nullptr) {
      float sum = 0;
#pragma unroll
      for (int32_t warp = 0; warp < kWarps; ++warp) sum += places.squares[warp * kStretchTokens + token];
      factor = rsqrtf(sum * operation.inverse_columns + operation.epsilon);
    }
    const auto total_of = [&](int32_t second) {
      const float* at =
          places.sums + (pair * operation.pair_tiles + second) * tile_floats + token * kQuantRows + row;
      float total = 0;
#pragma unroll
      for (int32_t warp = 0; warp < kWarps; ++warp) total += at[warp * num_tokens * kQuantRows];
      total *= factor;
      if (operation.bias != nullptr) total += operation.bias[column + second * operation.num_outputs];
      return total;
    };
    float result = activation_of(total_of(0), static_cast<Activation>(operation.activation));
    if (operation.is_gated) result *= total_of(1);
    float* to = operation.out + static_cast<int64_t>(token) * operation.out_stride + column;
    if (operation.adds) result += first_tile == 0 && i < kWarps * kWarp ? residual : __ldcg(to);
    put_in_exchange(p.exchange + operation.out_exchange + token * operation.out_exchange_stride + column, result,
                    operation.out_tag);
    *to = result;
  }
}

}  // namespace quoth::cuda::stretch
