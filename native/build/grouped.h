// Linears that the hub publishes in groups: whole numbers of 4 or 8 bits, and for each group of columns of a row a
// scale and a zero point. weight = (code - zero) * scale. AutoAWQ's, GPTQ's and compressed-tensors' layouts.
//
// A linear is several tensors there; here they are one block of bytes, piece after piece, each row-major:
//
//   N rows (outputs)   K columns (inputs)   g columns of a group   G = ceil(K / g) groups   p = 32 / bits codes of a
//   word W words that hold the zeros of a row in gemv and gemv_fast: ceil(ceil(G / 8) / m) * m, m = 4, 2, 1 for g = 32,
//   64, more
//
//   layout                 pieces
//   awq_gemm               codes i32 [K, N/p], zeros i32 [G, N/p], scales [G, N]
//   awq_gemv               codes i32 [N, K/p], zeros i32 [N, W], scales [N, 8 W]
//   awq_gemv_fast          codes i16 [N/4, K], scaled zeros f16 [8 W, N], scales [8 W, N]
//   gptq, gptq_v2          codes i32 [K/p, N], zeros i32 [G, N/p], scales [G, N], group of each column i32 [K]
//   compressed             codes i32 [N, K/p], zeros i32 [ceil(N/p), G], scales [N, G], group of each column i32 [K]
//   compressed_symmetric   the same without zeros: a zero point is 2^(bits - 1)
//
// A word holds p codes, the first in its lowest bits: along N where the word lies across N (awq_gemm's codes, and zeros
// but gemv's), else along K. awq_gemm writes the columns 0 2 4 6 1 3 5 7 of eight, in codes and zeros alike. gptq
// stores a zero point less one (15 is 16), gptq_v2 the zero point. gemv_fast stores -zero * scale, and its codes four
// rows and 32 columns at a time in an order of their own: see `fast_nibble`.
#pragma once

#include <cstdint>
#include <string_view>

#include "../../kernels/error.h"
#include "../../kernels/tensor.h"

namespace quoth {

enum class GroupedLayout { awq_gemm, awq_gemv, awq_gemv_fast, gptq, gptq_v2, compressed, compressed_symmetric };
enum class ScaleType { f16, bf16, f32 };

struct GroupedFormat {
  GroupedLayout layout = GroupedLayout::awq_gemm;
  int32_t bits = 4;        // 4 or 8; AWQ: 4
  int32_t group_size = 0;  // g >= 1
  ScaleType scales = ScaleType::f16;
};

// Reads "layout-bits-groupSize-scaleType", as "gptq-4-128-f16": PackRequest.from. False for anything else.
bool parse_grouped_format(std::string_view name, GroupedFormat* format);

struct GroupedJob {
  const uint8_t* bytes = nullptr;  // the pieces, see above; no alignment asked for
  uint64_t size_bytes = 0;
  GroupedFormat format;
  Type to = Type::f32;
  int32_t num_rows = 0;                   // N of the result
  int32_t num_columns = 0;                // K
  int32_t checkpoint_rows = 0;            // N of the pieces; without an order of rows the same as num_rows
  const int32_t* row_order = nullptr;     // [N] row i of the result is this row of the pieces; null = as they are
  const int32_t* column_order = nullptr;  // [K] column i of the result is this column of the pieces; null = as they are
  const int8_t* codebook = nullptr;       // q4: int8 [16]
};

// Bytes of all pieces; 0 when the layout does not allow the shape, or past 2^53.
uint64_t grouped_bytes(const GroupedFormat& format, int64_t num_rows, int64_t num_columns);

// Whether the job's format, type, shape, bytes, groups and orders fit together. Reads the groups of the columns.
Status check_grouped_job(const GroupedJob& job);

// Writes packed_bytes(...) bytes to `out`. Checks everything in `job` first.
//
// int4_g32 and int4_g128 keep every code and zero point; a scale is kept where f16 holds it (always when it is f16),
// else rounded to nearest; the columns of a record must be of one group. q8 keeps every code too where code - zero fits
// 8 bits and 32 columns are of one group; else, and for the other types, the weights are computed in float32 (exactly)
// and packed as any. A scale that is not finite, or too large for f16, fails.
Status pack_grouped(const GroupedJob& job, uint8_t* out);

// The weights as f32 [N, K]: exact. `to` is not looked at.
Status grouped_to_float32(const GroupedJob& job, float* out);

}  // namespace quoth
