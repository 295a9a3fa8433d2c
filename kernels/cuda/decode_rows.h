// The parts of linear_decode.cu around its loop: what a launch is told, x on its way into shared memory, and sums on
// their way out.
#pragma once

#include "async_copy.h"
#include "decode_formats.h"
#include "linear_decode.h"

namespace quoth::cuda {

inline constexpr int32_t kDecodeWarps = 8;
inline constexpr int32_t kDecodeThreads = kDecodeWarps * kWarp;
inline constexpr int32_t kPartColumns = 512;
inline constexpr int32_t kPieces = kPartColumns / (8 * kWarp);  // of eight columns that a lane has in a part
template <typename F>
inline constexpr int32_t kPartRecords = kPartColumns / F::kColumns;

// K is cut into as many slices as a block has warps, in whole records, and each slice into parts of 512 columns. Each
// warp multiplies its slice of all of the block's tiles (16 weight rows each), part by part, and at the end of a group
// of tiles the block adds the slices up, ascending.
struct DecodeLinear {
  const uint8_t* weight;
  const int8_t* codebook;   // q4
  const float* row_scales;  // f8
  const float* bias;
  Rows x, out;
  Activation activation;
  LinearFusion fusion;
  int32_t num_columns;
  int32_t num_records;  // of a tile
  int32_t num_outputs;  // columns of out
  int32_t num_units;    // tiles of 16 columns of out
  int32_t unit_tiles;   // weight tiles of each: 1; gated: 2
  int32_t weight_rows;  // N
  int32_t group_tiles;  // whose sums are kept until the block adds them up; a multiple of unit_tiles
  int32_t num_slice_columns, num_parts;  // of the longest slice
  // Parts whose x is in shared memory at once: all of them, or one, and then each group of tiles goes through them.
  int32_t held_parts;
  int32_t num_stages;
  int32_t trigger_ahead;
  int32_t num_prefetched;
  bool is_x_aligned;     // rows of x at multiples of 16 bytes
  bool is_norm_aligned;  // the norm's weight and bias too
  // Offsets into shared memory, and sizes in bytes.
  int32_t x_at, x_stride;  // of a token of a warp
  int32_t offsets_at, offsets_bytes;
  int32_t sums_at, sums_bytes;  // of one of the two groups
  int32_t squares_at, inverse_at, moments_at, residual_at, barriers_at;
  int32_t residual_count;  // floats that fit
};

struct Range {
  int32_t begin, end;
};
// Records of the slice of `warp`.
__device__ inline Range slice_of(const DecodeLinear& p, int32_t warp) {
  return {p.num_records * warp / kDecodeWarps, p.num_records * (warp + 1) / kDecodeWarps};
}

__device__ inline uint32_t bits_of(__half low, __half high) {
  return static_cast<uint32_t>(__half_as_ushort(high)) << 16 | __half_as_ushort(low);
}

// Eight values as halves, in the type's order, into lane piece `piece` (columns 8 piece .. 8 piece + 7) of a token.
template <XOrder kOrder>
__device__ inline void put_piece(uint8_t* token, int32_t piece, const __half (&v)[8]) {
  if constexpr (kOrder == XOrder::nibbles) {
    *reinterpret_cast<uint4*>(token + 16 * piece) =
        uint4{bits_of(v[0], v[2]), bits_of(v[4], v[6]), bits_of(v[1], v[3]), bits_of(v[5], v[7])};
  } else if constexpr (kOrder == XOrder::natural) {
    *reinterpret_cast<uint4*>(token + 16 * piece) =
        uint4{bits_of(v[0], v[1]), bits_of(v[2], v[3]), bits_of(v[4], v[5]), bits_of(v[6], v[7])};
  } else {
    uint8_t* group = token + piece / 4 * 64 + piece % 4 / 2 * 8;
    const int32_t quad = piece % 2 * 2;
    *reinterpret_cast<uint2*>(group + 16 * quad) = uint2{bits_of(v[0], v[1]), bits_of(v[2], v[3])};
    *reinterpret_cast<uint2*>(group + 16 * (quad + 1)) = uint2{bits_of(v[4], v[5]), bits_of(v[6], v[7])};
  }
}

__device__ inline void load_eight(const float* from, bool is_aligned, float (&to)[8]) {
  if (is_aligned) {
    const float4 low = __ldcg(reinterpret_cast<const float4*>(from));
    const float4 high = __ldcg(reinterpret_cast<const float4*>(from) + 1);
    to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
    to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
  } else {
#pragma unroll
    for (int32_t i = 0; i < 8; ++i) to[i] = __ldcg(from + i);
  }
}

// The same of what never changes.
__device__ inline void load_eight_constant(const float* from, bool is_aligned, float (&to)[8]) {
  if (is_aligned) {
    const float4 low = __ldg(reinterpret_cast<const float4*>(from));
    const float4 high = __ldg(reinterpret_cast<const float4*>(from) + 1);
    to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
    to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
  } else {
#pragma unroll
    for (int32_t i = 0; i < 8; ++i) to[i] = __ldg(from + i);
  }
}

// The power of two that brings a slice's largest magnitude to 2^14 .. 2^15, as the exponent's field; 127 (no change)
// for a slice of zeros, and for one with an infinity or a NaN, which then stays one.
__device__ inline uint32_t range_exponent(uint32_t largest_bits) {
  const uint32_t exponent = largest_bits >> 23;
  if (largest_bits == 0 || exponent == 255) return 127;
  return min(268u - exponent, 253u);
}

// Of a warp's x: where it is put.
struct Staged {
  uint8_t* x;        // tokens of p.x_stride bytes
  float* offsets;    // of each sum of columns {-64 (high - low), sum} of two tokens, four times
  float* inverse;    // [held parts][8 tokens]: what undoes the power of two
  float* squares;    // [8 tokens]
  const float* moments;  // [8 tokens][2], of the layer norm
};
__device__ inline Staged staged_of(const DecodeLinear& p, uint8_t* shared, int32_t warp) {
  return {shared + p.x_at + warp * p.x.num_rows * p.x_stride,
          reinterpret_cast<float*>(shared + p.offsets_at + warp * p.offsets_bytes),
          reinterpret_cast<float*>(shared + p.inverse_at) + warp * p.held_parts * kDecodeTokens,
          reinterpret_cast<float*>(shared + p.squares_at) + warp * kDecodeTokens,
          reinterpret_cast<const float*>(shared + p.moments_at)};
}

// Parts `first_part` .. of this warp's slice: normed, brought into f16's range by a power of two for each part and
// token, rounded, and put as operand B wants it; with the sums that the type's offsets need. A warp does this for
// itself: no other reads what it writes. `adds_squares` (rms): x's squares are added to the warp's.
template <Type kType, bool kNorm>
__device__ inline void stage_parts(const DecodeLinear& p, const Staged& to, int32_t lane, Range slice,
                                   int32_t first_part, bool adds_squares) {
  using F = Format<kType>;
  constexpr int32_t kAtOnce = 4;  // parts of tokens whose loads are under way together
  const int32_t num_tokens = p.x.num_rows;
  const int32_t end_column = min(slice.end * F::kColumns, p.num_columns);
  const int32_t padded_end = slice.end * F::kColumns;
  const bool is_layer = kNorm && p.fusion.norm == LinearFusion::Norm::layer;
  int32_t token = 0, part = 0;
  const int32_t parts = min(p.held_parts, ceil_div(padded_end - slice.begin * F::kColumns, kPartColumns) - first_part);
  for (int32_t left = parts * num_tokens; left > 0; left -= kAtOnce) {
    float v[kAtOnce][kPieces][8];
    int32_t load_token = token, load_part = part;
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) {
#pragma unroll
      for (int32_t i = 0; i < kPieces; ++i) {
#pragma unroll
        for (int32_t j = 0; j < 8; ++j) v[a][i][j] = 0;
      }
      if (a < left) {
        const int32_t first = slice.begin * F::kColumns + (first_part + load_part) * kPartColumns + lane * 8;
        const float* row = row_of(p.x, load_token);
#pragma unroll
        for (int32_t i = 0; i < kPieces; ++i) {
          const int32_t column = first + i * 8 * kWarp;
          if (column < end_column) load_eight(row + column, p.is_x_aligned, v[a][i]);
        }
        if (++load_token == num_tokens) {
          load_token = 0;
          ++load_part;
        }
      }
    }
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) {
      if (a >= left) break;
      const int32_t first = slice.begin * F::kColumns + (first_part + part) * kPartColumns + lane * 8;
      if constexpr (kNorm) {
        float squares = 0;
#pragma unroll
        for (int32_t i = 0; i < kPieces; ++i) {
          const int32_t column = first + i * 8 * kWarp;
          if (column >= end_column) continue;
          float weight[8];
          load_eight_constant(p.fusion.norm_weight + column, p.is_norm_aligned, weight);
#pragma unroll
          for (int32_t j = 0; j < 8; ++j) {
            const float value = v[a][i][j];
            squares = fmaf(value, value, squares);
            v[a][i][j] = is_layer ? (value - to.moments[2 * token]) * to.moments[2 * token + 1] * weight[j]
                                  : value * weight[j];
          }
          if (is_layer && p.fusion.norm_bias != nullptr) {
            float bias[8];
            load_eight_constant(p.fusion.norm_bias + column, p.is_norm_aligned, bias);
#pragma unroll
            for (int32_t j = 0; j < 8; ++j) v[a][i][j] += bias[j];
          }
        }
        if (adds_squares) {
          squares = warp_sum(squares);
          if (lane == 0) to.squares[token] += squares;
        }
      }
      uint32_t largest = 0;
#pragma unroll
      for (int32_t i = 0; i < kPieces; ++i) {
#pragma unroll
        for (int32_t j = 0; j < 8; ++j) largest = max(largest, __float_as_uint(v[a][i][j]) & 0x7fffffffu);
      }
      const uint32_t exponent = range_exponent(__reduce_max_sync(0xffffffffu, largest));
      const float scale = __uint_as_float(exponent << 23);
      if (lane == 0) to.inverse[part * kDecodeTokens + token] = __uint_as_float((254 - exponent) << 23);
      float sums[kPieces][2];
#pragma unroll
      for (int32_t i = 0; i < kPieces; ++i) {
        __half halves[8];
#pragma unroll
        for (int32_t j = 0; j < 8; ++j) halves[j] = __float2half_rn(v[a][i][j] * scale);
        const int32_t piece = part * (kPieces * kWarp) + i * kWarp + lane;
        if (first + i * 8 * kWarp < padded_end) put_piece<F::kOrder>(to.x + token * p.x_stride, piece, halves);
        sums[i][0] = sums[i][1] = 0;
#pragma unroll
        for (int32_t j = 0; j < 4; ++j) {
          sums[i][0] += __half2float(halves[j]);
          sums[i][1] += __half2float(halves[4 + j]);
        }
      }
      if constexpr (F::kSumColumns > 0) {
        constexpr int32_t kLanes = F::kSumColumns / 8;
#pragma unroll
        for (int32_t step = kLanes / 2; step > 0; step /= 2) {
#pragma unroll
          for (int32_t i = 0; i < kPieces; ++i) {
            sums[i][0] += __shfl_xor_sync(0xffffffffu, sums[i][0], step);
            sums[i][1] += __shfl_xor_sync(0xffffffffu, sums[i][1], step);
          }
        }
#pragma unroll
        for (int32_t i = 0; i < kPieces; ++i) {
          if (lane % kLanes == 0 && first + i * 8 * kWarp < padded_end) {
            const int32_t sum = (part * (kPieces * kWarp) + i * kWarp + lane) / kLanes;
            float* at = to.offsets + sum * 16 + token / 2 * 4 + token % 2;
            at[0] = 64.0f * (sums[i][0] - sums[i][1]);
            at[2] = sums[i][0] + sums[i][1];
          }
        }
      }
      if (++token == num_tokens) {
        token = 0;
        ++part;
      }
    }
  }
  __syncwarp();
}

// Mean and 1 / deviation of each row of x, for the layer norm: the whole block's work, every thread the same columns
// in both passes.
__device__ inline void find_moments(const DecodeLinear& p, uint8_t* shared) {
  float* moments = reinterpret_cast<float*>(shared + p.moments_at);
  const float width = static_cast<float>(p.num_columns);
  for (int32_t t = 0; t < p.x.num_rows; ++t) {
    const float* row = row_of(p.x, t);
    float sum = 0;
    for (int32_t k = threadIdx.x; k < p.num_columns; k += kDecodeThreads) sum += __ldcg(row + k);
    const float mean = block_sum<kDecodeThreads>(sum) / width;
    float squares = 0;
    for (int32_t k = threadIdx.x; k < p.num_columns; k += kDecodeThreads) {
      const float distance = __ldcg(row + k) - mean;
      squares = fmaf(distance, distance, squares);
    }
    const float total = block_sum<kDecodeThreads>(squares);
    if (threadIdx.x == 0) {
      moments[2 * t] = mean;
      moments[2 * t + 1] = 1.0f / sqrtf(total / width + p.fusion.epsilon);
    }
  }
  __syncthreads();
}

// First weight row of tile `tile` of this block's list.
__device__ inline int32_t first_row_of(const DecodeLinear& p, int32_t tile) {
  const int32_t unit =
      static_cast<int32_t>(blockIdx.x) + (tile >> (p.unit_tiles - 1)) * static_cast<int32_t>(gridDim.x);
  return unit * kQuantRows + (tile & (p.unit_tiles - 1)) * p.num_outputs;
}

// Asks for what out holds, for the tiles of the first group.
__device__ inline void fetch_residual(const DecodeLinear& p, uint8_t* shared, int32_t num_units) {
  const int32_t num_tokens = p.x.num_rows;
  const int32_t count = min(num_units * num_tokens * kQuantRows, p.residual_count);
  const uint32_t to = shared_address(shared + p.residual_at);
  for (int32_t i = threadIdx.x; i < count; i += kDecodeThreads) {
    const int32_t pair = i / kQuantRows;
    const int32_t unit = num_tokens == 1 ? pair : pair / num_tokens;
    const int32_t token = pair - unit * num_tokens;
    const int32_t column = first_row_of(p, unit * p.unit_tiles) + i % kQuantRows;
    if (column < p.num_outputs) copy_4(to + 4 * static_cast<uint32_t>(i), row_of(p.out, token) + column);
  }
}

// Adds up the slices of the tiles [first_tile, end_tile) and writes their columns of out. The block has passed a
// barrier after the last of them was put.
__device__ inline void finish_group(const DecodeLinear& p, const uint8_t* shared, const float* sums,
                                    int32_t first_tile, int32_t end_tile) {
  const int32_t num_tokens = p.x.num_rows;
  const int32_t num_units = (end_tile - first_tile) / p.unit_tiles;
  const float* squares = reinterpret_cast<const float*>(shared + p.squares_at);
  const float* residual = reinterpret_cast<const float*>(shared + p.residual_at);
  const int32_t tile_floats = kDecodeWarps * num_tokens * kQuantRows;
  for (int32_t i = threadIdx.x; i < num_units * num_tokens * kQuantRows; i += kDecodeThreads) {
    const int32_t row = i % kQuantRows;
    const int32_t pair = i / kQuantRows;
    const int32_t unit = num_tokens == 1 ? pair : pair / num_tokens;
    const int32_t token = pair - unit * num_tokens;
    const int32_t column = first_row_of(p, first_tile + unit * p.unit_tiles) + row;
    if (column >= p.num_outputs) continue;
    float factor = 1;
    if (p.fusion.norm == LinearFusion::Norm::rms) {
      float sum = 0;
#pragma unroll
      for (int32_t warp = 0; warp < kDecodeWarps; ++warp) sum += squares[warp * kDecodeTokens + token];
      factor = 1.0f / sqrtf(sum / static_cast<float>(p.num_columns) + p.fusion.epsilon);
    }
    float totals[2] = {};
    for (int32_t k = 0; k < p.unit_tiles; ++k) {
      const float* at = sums + (unit * p.unit_tiles + k) * tile_floats + token * kQuantRows + row;
      float total = 0;
#pragma unroll
      for (int32_t warp = 0; warp < kDecodeWarps; ++warp) total += at[warp * num_tokens * kQuantRows];
      total *= factor;
      const int32_t weight_row = column + k * p.num_outputs;
      if (p.row_scales != nullptr) total *= p.row_scales[weight_row] * 256.0f;
      if (p.bias != nullptr) total += p.bias[weight_row];
      if (k == 0) totals[0] = total;
      if (k == 1) totals[1] = total;
    }
    float result = activation_of(totals[0], p.activation);
    if (p.fusion.is_gated) result *= totals[1];
    float* to = row_of(p.out, token) + column;
    if (p.fusion.adds) result += first_tile == 0 && i < p.residual_count ? residual[i] : __ldcg(to);
    *to = result;
  }
}

}  // namespace quoth::cuda
