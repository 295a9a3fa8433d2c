// The parts of linear_decode.cu around its loop: what a launch is told, x on its way into shared memory, and sums on
// their way out.
#pragma once

#include "async_copy.h"
#include "decode_formats.h"
#include "linear_decode.h"

namespace quoth::cuda {

// A block takes tiles of 16 weight rows. K is cut into units of 128 columns, of which warp w takes w, w + kWarps, …;
// at the end of a group of tiles the block adds the warps' sums up, ascending.
struct DecodeLinear {
  const uint8_t* weight;
  const int8_t* codebook;   // q4
  const float* row_scales;  // f8
  const float* bias;
  Rows x, out;
  Activation activation;
  LinearFusion fusion;
  int32_t num_columns;
  float inverse_columns;
  int32_t num_outputs;  // columns of out
  int32_t num_tiles;    // of 16 columns of out
  int32_t pair_tiles;   // weight tiles of each: 1; gated: 2
  int32_t weight_rows;  // N
  int32_t row_bytes;    // of a weight row; types in records: of a tile
  int32_t group_tiles;  // weight tiles whose sums are kept until they are added up; a multiple of pair_tiles
  int32_t tile_slots;   // slots of the ring that a weight tile takes
  // Of them, those whose x is in shared memory at once: all, or some, and then each group of tiles goes through them.
  int32_t held_slots;
  int32_t num_stages;    // slots of the ring
  int32_t num_ahead;     // of them that may be on their way at once
  bool is_x_aligned;     // rows of x at multiples of 16 bytes
  bool is_norm_aligned;  // the norm's weight and bias too
  // Offsets into shared memory, and sizes in bytes.
  int32_t slot_bytes;
  int32_t x_at, x_bytes, x_stride;    // of a warp; of a digit of a token (halves: of a token)
  int32_t factors_at, factors_bytes;  // of a warp
  int32_t sums_at, sums_bytes;        // of one of the two groups
  int32_t squares_at, moments_at, residual_at, barriers_at;
  int32_t residual_count;  // floats that fit
};

__device__ inline float4 load_four(const float* from, bool is_aligned) {
  if (is_aligned) return __ldcg(reinterpret_cast<const float4*>(from));
  return {__ldcg(from), __ldcg(from + 1), __ldcg(from + 2), __ldcg(from + 3)};
}
// The same of what never changes.
__device__ inline float4 load_four_constant(const float* from, bool is_aligned) {
  if (is_aligned) return __ldg(reinterpret_cast<const float4*>(from));
  return {__ldg(from), __ldg(from + 1), __ldg(from + 2), __ldg(from + 3)};
}

// The largest of `kLanes` lanes beside each other (of numbers' bits without their signs: NaN above all), and their sum.
template <int32_t kLanes>
__device__ inline uint32_t group_max(uint32_t value) {
  if constexpr (kLanes == kWarp) {
    value = __reduce_max_sync(0xffffffffu, value);
  } else {
#pragma unroll
    for (int32_t step = kLanes / 2; step > 0; step /= 2) value = max(value, __shfl_xor_sync(0xffffffffu, value, step));
  }
  return value;
}
template <int32_t kLanes>
__device__ inline int32_t group_sum(int32_t value) {
  if constexpr (kLanes == kWarp) {
    value = __reduce_add_sync(0xffffffffu, value);
  } else {
#pragma unroll
    for (int32_t step = kLanes / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  }
  return value;
}

__device__ inline uint32_t halves_of(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  uint32_t bits = 0;
  memcpy(&bits, &pair, 4);
  return bits;
}

// Where a warp's x goes.
struct Staging {
  uint8_t* x;
  float2* factors;
  int32_t lane, place;  // `place`: of the lane's digits in a unit
};

// Four columns of x in each of 32 lanes, rounded as the type wants them. A group with an infinity or a NaN gets a
// factor that is one, so that the row's results say so.
template <Type kType>
__device__ inline void put_unit(const Staging& to, int32_t x_stride, int32_t index, int32_t token, float4 v) {
  using F = Format<kType>;
  constexpr int32_t kLanes = F::kSumColumns / 4;
  constexpr uint32_t kSize = 0x7fffffffu;
  const uint32_t largest = group_max<kLanes>(max(max(__float_as_uint(v.x) & kSize, __float_as_uint(v.y) & kSize),
                                                 max(__float_as_uint(v.z) & kSize, __float_as_uint(v.w) & kSize)));
  float2* factor = to.factors + (index * (kUnitColumns / F::kSumColumns) + to.lane / kLanes) * kDecodeTokens + token;
  if constexpr (F::kIsRowMajor) {
    // By a power of two to 2^14 .. 2^15; zeros, infinities and NaN as they are.
    const uint32_t exponent = largest == 0 || largest >= 0x7f800000u ? 127u : min(268u - (largest >> 23), 253u);
    const float scale = __uint_as_float(exponent << 23);
    *reinterpret_cast<uint2*>(to.x + token * x_stride + index * (2 * kUnitColumns) + 8 * to.lane) =
        uint2{halves_of(v.x * scale, v.y * scale), halves_of(v.z * scale, v.w * scale)};
    if (to.lane == 0) *factor = {__uint_as_float((254 - exponent) << 23), 0};
  } else {
    // A float of 2^23 .. 2^24 has its integer in its low bits: adding 1.5 * 2^23 rounds, and 128 more rounds the high
    // digit.
    constexpr float kShift = 12582912.0f;
    constexpr uint32_t kShiftBits = 0x4b400000u;
    const float maximum = __uint_as_float(largest);
    const float inverse = digits_scale(maximum);
    const float a = fmaf(v.x, inverse, kShift), b = fmaf(v.y, inverse, kShift);
    const float c = fmaf(v.z, inverse, kShift), d = fmaf(v.w, inverse, kShift);
    const uint32_t low = __byte_perm(__byte_perm(__float_as_uint(a), __float_as_uint(b), 0x0040),
                                     __byte_perm(__float_as_uint(c), __float_as_uint(d), 0x0040), 0x5410);
    const uint32_t high =
        __byte_perm(__byte_perm(__float_as_uint(a + 128.0f), __float_as_uint(b + 128.0f), 0x0051),
                    __byte_perm(__float_as_uint(c + 128.0f), __float_as_uint(d + 128.0f), 0x0051), 0x5410);
    uint8_t* at = to.x + 2 * token * x_stride + index * kUnitColumns + to.place;
    *reinterpret_cast<uint32_t*>(at) = high;
    *reinterpret_cast<uint32_t*>(at + x_stride) = low;
    const uint32_t bits = __float_as_uint(a) + __float_as_uint(b) + __float_as_uint(c) + __float_as_uint(d);
    const int32_t sum = group_sum<kLanes>(static_cast<int32_t>(bits - 4 * kShiftBits));
    const float scale =
        maximum > 1e37f ? __uint_as_float(0x7f800000u) : maximum * (1.0f / kLargestDigits);  // too large: infinite
    if (to.lane % kLanes == 0) *factor = {scale, scale * static_cast<float>(sum)};
  }
}

// `kAtOnce` units of this warp's x from (`index`, `token`) on, units of a token after each other; with fewer `left` the
// last one is done again, which keeps the code free of branches. Normed, rounded, put. `sum`: of the squares of the
// token, in this lane's columns.
template <Type kType, bool kNorm, int32_t kAtOnce>
__device__ inline void stage_some(const DecodeLinear& p, const Staging& to, const float* moments, int32_t first_column,
                                  int32_t units, int32_t left, int32_t& index, int32_t& token, float& sum,
                                  float* squares) {
  constexpr int32_t kStep = Format<kType>::kWarps * kUnitColumns;
  float4 v[kAtOnce], weights[kNorm ? kAtOnce : 1];
  int32_t at_index[kAtOnce], at_token[kAtOnce];
#pragma unroll
  for (int32_t a = 0; a < kAtOnce; ++a) {
    at_index[a] = index;
    at_token[a] = token;
    const int32_t column = first_column + index * kStep;
    v[a] = {0, 0, 0, 0};
    if (column < p.num_columns) v[a] = load_four(row_of(p.x, token) + column, p.is_x_aligned);
    v[a] = {shortened(v[a].x), shortened(v[a].y), shortened(v[a].z), shortened(v[a].w)};
    if constexpr (kNorm) {  // asked for now, so that both are waited for once
      weights[a] = {0, 0, 0, 0};
      if (column < p.num_columns) {
        weights[a] = load_four_constant(p.fusion.norm_weight + column, p.is_norm_aligned);
      }
    }
    if (a + 1 < left && ++index == units) {
      index = 0;
      ++token;
    }
  }
  if constexpr (kNorm) {
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) {
      const float square = fmaf(v[a].x, v[a].x, fmaf(v[a].y, v[a].y, fmaf(v[a].z, v[a].z, v[a].w * v[a].w)));
      if (a < left) sum += square;
      if (a < left && at_index[a] == units - 1) {  // the same for the whole warp
        const float total = warp_sum(sum);
        if (squares != nullptr && to.lane == 0) squares[at_token[a]] += total;
        sum = 0;
      }
      const int32_t column = first_column + at_index[a] * kStep;
      const float4 weight = weights[a];
      if (p.fusion.norm == LinearFusion::Norm::layer) {
        const float mean = moments[2 * at_token[a]], factor = moments[2 * at_token[a] + 1];
        float4 bias = {0, 0, 0, 0};
        if (p.fusion.norm_bias != nullptr && column < p.num_columns) {
          bias = load_four_constant(p.fusion.norm_bias + column, p.is_norm_aligned);
        }
        v[a] = {(v[a].x - mean) * factor * weight.x + bias.x, (v[a].y - mean) * factor * weight.y + bias.y,
                (v[a].z - mean) * factor * weight.z + bias.z, (v[a].w - mean) * factor * weight.w + bias.w};
      } else {
        v[a] = {v[a].x * weight.x, v[a].y * weight.y, v[a].z * weight.z, v[a].w * weight.w};
      }
    }
  }
#pragma unroll
  for (int32_t a = 0; a < kAtOnce; ++a) put_unit<kType>(to, p.x_stride, at_index[a], at_token[a], v[a]);
}

// This warp's units of the slots from `first_slot`. A warp does it for itself: no other reads what it writes, but for
// `squares` (rms: of its columns).
template <Type kType, bool kNorm>
__device__ inline void stage_units(const DecodeLinear& p, uint8_t* shared, int32_t warp, int32_t lane,
                                   int32_t first_slot, bool adds_squares) {
  using F = Format<kType>;
  const Staging to{shared + p.x_at + warp * p.x_bytes,
                   reinterpret_cast<float2*>(shared + p.factors_at + warp * p.factors_bytes), lane,
                   F::kIsQuads ? lane / 8 * 32 + lane % 4 * 8 + lane % 8 / 4 * 4 : 4 * lane};
  float* squares = adds_squares ? reinterpret_cast<float*>(shared + p.squares_at) + warp * kDecodeTokens : nullptr;
  const float* moments = reinterpret_cast<const float*>(shared + p.moments_at);
  const int32_t first_unit = first_slot * F::kSlotUnits * F::kWarps + warp;
  const int32_t wanted = min(p.held_slots, p.tile_slots - first_slot) * F::kSlotUnits;
  const int32_t units =
      min(wanted, max(0, ceil_div(p.num_columns - first_unit * kUnitColumns, F::kWarps * kUnitColumns)));
  const int32_t first_column = first_unit * kUnitColumns + 4 * lane;
  int32_t index = 0, token = 0, left = units * p.x.num_rows;
  float sum = 0;
  while (left > 0) {
    if (!kNorm && left > 4) {
      stage_some<kType, kNorm, kNorm ? 4 : 8>(p, to, moments, first_column, units, left, index, token, sum, squares);
      left -= kNorm ? 4 : 8;
    } else if (left > 2) {
      stage_some<kType, kNorm, 4>(p, to, moments, first_column, units, left, index, token, sum, squares);
      left -= 4;
    } else {
      stage_some<kType, kNorm, 2>(p, to, moments, first_column, units, left, index, token, sum, squares);
      left -= 2;
    }
  }
  __syncwarp();
}

// The `kWarps` warps that multiply, among themselves.
template <int32_t kWarps>
__device__ inline void sync_multipliers() {
  asm volatile("bar.sync 1, %0;" ::"n"(kWarps * kWarp) : "memory");
}

// Mean and 1 / deviation of each row of x, for the layer norm: all warps' work, every thread the same columns in both
// passes. `parts`: a float for each warp.
template <int32_t kWarps>
__device__ inline void find_moments(const DecodeLinear& p, float* moments, float* parts, int32_t warp, int32_t lane) {
  const float width = static_cast<float>(p.num_columns);
  const auto total_of = [&](float value) {
    value = warp_sum(value);
    sync_multipliers<kWarps>();
    if (lane == 0) parts[warp] = value;
    sync_multipliers<kWarps>();
    float total = 0;
    for (int32_t i = 0; i < kWarps; ++i) total += parts[i];
    return total;
  };
  for (int32_t t = 0; t < p.x.num_rows; ++t) {
    const float* row = row_of(p.x, t);
    float sum = 0, squares = 0;
    for (int32_t k = threadIdx.x; k < p.num_columns; k += kWarps * kWarp) sum += __ldcg(row + k);
    const float mean = total_of(sum) / width;
    for (int32_t k = threadIdx.x; k < p.num_columns; k += kWarps * kWarp) {
      const float distance = __ldcg(row + k) - mean;
      squares = fmaf(distance, distance, squares);
    }
    const float total = total_of(squares);
    if (threadIdx.x == 0) {
      moments[2 * t] = mean;
      moments[2 * t + 1] = 1.0f / sqrtf(total / width + p.fusion.epsilon);
    }
  }
  sync_multipliers<kWarps>();
}

// First weight row of tile `tile` of this block's list.
__device__ inline int32_t first_row_of(const DecodeLinear& p, int32_t tile) {
  const int32_t pair =
      static_cast<int32_t>(blockIdx.x) + (tile >> (p.pair_tiles - 1)) * static_cast<int32_t>(gridDim.x);
  return pair * kQuantRows + (tile & (p.pair_tiles - 1)) * p.num_outputs;
}

// Asks for what out holds, for the first tiles of the block.
template <int32_t kWarps>
__device__ inline void fetch_residual(const DecodeLinear& p, uint8_t* shared, int32_t num_pairs) {
  const int32_t num_tokens = p.x.num_rows;
  const int32_t count = min(num_pairs * num_tokens * kQuantRows, p.residual_count);
  const uint32_t to = shared_address(shared + p.residual_at);
  for (int32_t i = threadIdx.x; i < count; i += kWarps * kWarp) {
    const int32_t row = i / kQuantRows;
    const int32_t pair = num_tokens == 1 ? row : row / num_tokens;
    const int32_t token = row - pair * num_tokens;
    const int32_t column = first_row_of(p, pair * p.pair_tiles) + i % kQuantRows;
    if (column < p.num_outputs) copy_4(to + 4 * static_cast<uint32_t>(i), row_of(p.out, token) + column);
  }
}

// Adds up the warps' sums of the tiles [first_tile, end_tile) and writes their columns of out. All warps have put them.
template <int32_t kWarps>
__device__ inline void finish_group(const DecodeLinear& p, const uint8_t* shared, const float* sums, int32_t first_tile,
                                    int32_t end_tile) {
  const int32_t num_tokens = p.x.num_rows;
  const int32_t num_pairs = (end_tile - first_tile) >> (p.pair_tiles - 1);
  const float* squares = reinterpret_cast<const float*>(shared + p.squares_at);
  const float* residual = reinterpret_cast<const float*>(shared + p.residual_at);
  const int32_t tile_floats = kWarps * num_tokens * kQuantRows;
  for (int32_t i = threadIdx.x; i < num_pairs * num_tokens * kQuantRows; i += kWarps * kWarp) {
    const int32_t row = i % kQuantRows;
    const int32_t line = i / kQuantRows;
    const int32_t pair = num_tokens == 1 ? line : line / num_tokens;
    const int32_t token = line - pair * num_tokens;
    const int32_t column = first_row_of(p, first_tile + pair * p.pair_tiles) + row;
    if (column >= p.num_outputs) continue;
    float factor = 1;
    if (p.fusion.norm == LinearFusion::Norm::rms) {
      float sum = 0;
#pragma unroll
      for (int32_t warp = 0; warp < kWarps; ++warp) sum += squares[warp * kDecodeTokens + token];
      factor = rsqrtf(sum * p.inverse_columns + p.fusion.epsilon);
    }
    const auto total_of = [&](int32_t second) {
      const float* at = sums + (pair * p.pair_tiles + second) * tile_floats + token * kQuantRows + row;
      float total = 0;
#pragma unroll
      for (int32_t warp = 0; warp < kWarps; ++warp) total += at[warp * num_tokens * kQuantRows];
      total *= factor;
      const int32_t weight_row = column + second * p.num_outputs;
      if (p.row_scales != nullptr) total *= p.row_scales[weight_row] * 256.0f;
      if (p.bias != nullptr) total += p.bias[weight_row];
      return total;
    };
    float result = activation_of(total_of(0), p.activation);
    if (p.fusion.is_gated) result *= total_of(1);
    float* to = row_of(p.out, token) + column;
    if (p.fusion.adds) result += first_tile == 0 && i < p.residual_count ? residual[i] : __ldcg(to);
    *to = result;
  }
}

}  // namespace quoth::cuda
