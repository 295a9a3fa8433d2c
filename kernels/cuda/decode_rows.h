// The parts of linear_decode.cu around its loop: what a launch is told, x on its way into shared memory, and sums on
// their way out.
#pragma once

#include "async_copy.h"
#include "decode_formats.h"
#include "linear_decode.h"

namespace quoth::cuda {

inline constexpr int32_t kDecodeWarps = 8;
inline constexpr int32_t kDecodeThreads = kDecodeWarps * kWarp;
inline constexpr int32_t kPieceColumns = 8 * kWarp;  // of x that a warp loads at once, eight a lane
inline constexpr int32_t kMaxPieces = 8;             // that it can hold

// K is cut into as many slices as a block has warps, in whole records; each warp multiplies its slice of all of the
// block's tiles (16 weight rows each), and at the end of a group of tiles the block adds the slices up, ascending.
struct DecodeLinear {
  const uint8_t* weight;
  const int8_t* codebook;   // q4
  const float* row_scales;  // f8
  const float* bias;
  Rows x, out;
  Activation activation;
  LinearFusion fusion;
  int32_t num_columns;
  int32_t num_records;    // of a tile
  int32_t num_outputs;    // columns of out
  int32_t num_units;      // tiles of 16 columns of out
  int32_t unit_tiles;     // weight tiles of each: 1; gated: 2
  int32_t weight_rows;    // N
  int32_t group_tiles;    // whose sums are kept until the block adds them up; a multiple of unit_tiles
  int32_t num_passes;     // parts of a slice: x of one part is in shared memory
  int32_t slice_records;  // of a part, at most
  int32_t num_stages;
  int32_t trigger_ahead;
  int32_t num_prefetched;
  bool is_x_aligned;  // rows of x at multiples of 16 bytes
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
// Records of part `pass` of the slice of `warp`.
__device__ inline Range part_of(const DecodeLinear& p, int32_t warp, int32_t pass) {
  const int32_t first = p.num_records * warp / kDecodeWarps;
  const int32_t count = p.num_records * (warp + 1) / kDecodeWarps - first;
  return {first + count * pass / p.num_passes, first + count * (pass + 1) / p.num_passes};
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

// The power of two that brings a slice's largest magnitude to 2^14 .. 2^15, as the exponent's field; 127 (no change)
// for a slice of zeros, and for one with an infinity or a NaN, which then stays one.
__device__ inline uint32_t range_exponent(uint32_t largest_bits) {
  const uint32_t exponent = largest_bits >> 23;
  if (largest_bits == 0 || exponent == 255) return 127;
  return min(268u - exponent, 253u);
}

// This warp's part of x: normed, brought into f16's range by a power of two of its own, rounded, and put as operand B
// wants it; with the sums that the type's offsets need. A warp does this for itself: no other reads what it writes.
// `squares` (rms): x's squares of the part, added.
template <Type kType, int32_t kPieces>
__device__ inline void stage_part(const DecodeLinear& p, uint8_t* shared, int32_t warp, int32_t lane, Range part,
                                  bool adds_squares) {
  using F = Format<kType>;
  constexpr int32_t kAtOnce = kPieces >= 4 ? 1 : 4 / kPieces;  // tokens
  const int32_t num_tokens = p.x.num_rows;
  const int32_t first_column = part.begin * F::kColumns;
  const int32_t part_columns = (part.end - part.begin) * F::kColumns;
  uint8_t* x = shared + p.x_at + warp * num_tokens * p.x_stride;
  float* offsets = reinterpret_cast<float*>(shared + p.offsets_at + warp * p.offsets_bytes);
  float* squares = reinterpret_cast<float*>(shared + p.squares_at) + warp * kDecodeTokens;
  float* inverse = reinterpret_cast<float*>(shared + p.inverse_at) + warp * kDecodeTokens;
  const float* moments = reinterpret_cast<const float*>(shared + p.moments_at);
  const bool is_rms = p.fusion.norm == LinearFusion::Norm::rms;
  const bool is_layer = p.fusion.norm == LinearFusion::Norm::layer;
  for (int32_t first = 0; first < num_tokens; first += kAtOnce) {
    float v[kAtOnce][kPieces][8];
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) {
#pragma unroll
      for (int32_t i = 0; i < kPieces; ++i) {
        const int32_t inside = i * kPieceColumns + lane * 8;
        const int32_t column = first_column + inside;
#pragma unroll
        for (int32_t j = 0; j < 8; ++j) v[a][i][j] = 0;
        if (first + a < num_tokens && inside < part_columns && column < p.num_columns) {
          load_eight(row_of(p.x, first + a) + column, p.is_x_aligned, v[a][i]);
        }
      }
    }
    if (is_rms || is_layer) {
      float sums[kAtOnce] = {};
#pragma unroll
      for (int32_t i = 0; i < kPieces; ++i) {
        const int32_t inside = i * kPieceColumns + lane * 8;
        const int32_t column = first_column + inside;
        if (inside >= part_columns || column >= p.num_columns) continue;
        float weight[8], bias[8] = {};
#pragma unroll
        for (int32_t j = 0; j < 8; ++j) weight[j] = __ldg(p.fusion.norm_weight + column + j);
        if (is_layer && p.fusion.norm_bias != nullptr) {
#pragma unroll
          for (int32_t j = 0; j < 8; ++j) bias[j] = __ldg(p.fusion.norm_bias + column + j);
        }
#pragma unroll
        for (int32_t a = 0; a < kAtOnce; ++a) {
          if (first + a >= num_tokens) continue;
#pragma unroll
          for (int32_t j = 0; j < 8; ++j) {
            const float value = v[a][i][j];
            if (is_rms) {
              sums[a] = fmaf(value, value, sums[a]);
              v[a][i][j] = value * weight[j];
            } else {
              v[a][i][j] = (value - moments[2 * (first + a)]) * moments[2 * (first + a) + 1] * weight[j] + bias[j];
            }
          }
        }
      }
      if (is_rms && adds_squares) {
#pragma unroll
        for (int32_t a = 0; a < kAtOnce; ++a) {
          const float sum = warp_sum(sums[a]);
          if (lane == 0 && first + a < num_tokens) squares[first + a] += sum;
        }
      }
    }
#pragma unroll
    for (int32_t a = 0; a < kAtOnce; ++a) {
      if (first + a >= num_tokens) break;
      const int32_t token = first + a;
      uint32_t largest = 0;
#pragma unroll
      for (int32_t i = 0; i < kPieces; ++i) {
#pragma unroll
        for (int32_t j = 0; j < 8; ++j) largest = max(largest, __float_as_uint(v[a][i][j]) & 0x7fffffffu);
      }
      const uint32_t exponent = range_exponent(__reduce_max_sync(0xffffffffu, largest));
      const float scale = __uint_as_float(exponent << 23);
      if (lane == 0) inverse[token] = __uint_as_float((254 - exponent) << 23);
#pragma unroll
      for (int32_t i = 0; i < kPieces; ++i) {
        const int32_t piece = i * kWarp + lane;
        __half halves[8];
#pragma unroll
        for (int32_t j = 0; j < 8; ++j) halves[j] = __float2half_rn(v[a][i][j] * scale);
        if (piece * 8 < part_columns) put_piece<F::kOrder>(x + token * p.x_stride, piece, halves);
        if constexpr (F::kSumColumns > 0) {
          float low = 0, high = 0;
#pragma unroll
          for (int32_t j = 0; j < 4; ++j) {
            low += __half2float(halves[j]);
            high += __half2float(halves[4 + j]);
          }
#pragma unroll
          for (int32_t step = F::kSumColumns / 16; step > 0; step /= 2) {
            low += __shfl_xor_sync(0xffffffffu, low, step);
            high += __shfl_xor_sync(0xffffffffu, high, step);
          }
          constexpr int32_t kLanes = F::kSumColumns / 8;
          if (lane % kLanes == 0 && piece * 8 < part_columns) {
            float* at = offsets + piece / kLanes * 16 + token / 2 * 4 + token % 2;
            at[0] = 64.0f * (low - high);
            at[2] = low + high;
          }
        }
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
  const int32_t unit = static_cast<int32_t>(blockIdx.x) + tile / p.unit_tiles * static_cast<int32_t>(gridDim.x);
  return unit * kQuantRows + tile % p.unit_tiles * p.num_outputs;
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
