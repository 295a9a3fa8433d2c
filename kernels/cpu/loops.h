// The inner loops that exist once per instruction set: what one thread does with its share of an operation. The files
// of the operations split the work and hold the plain loops; loops_avx2.cc and loops_avx512.cc hold the others.
//
// Every sum's order depends on the row alone, never on the share, the number of threads or the rows beside it.
#pragma once

#include <cstdint>

#include "../ops.h"

namespace quoth::cpu {

// Rows of x rounded to 16 bits, in blocks of block_rows(T) rows (the last may be lower), as the loops sweep them.
// With w rows in a block that starts at row t0:
//   values       int8  [K/32, 16, w, 4]  at values + 2 t0 K         four bytes of each row side by side, then the next.
//                                        A value is 256 * high + low: 8 x 4 high bytes, then 8 x 4 low ones (AVX2:
//                                        whole values in its own order)
//   scales       f32   [K/32, w]         at scales + t0 K/32        x is about value * scale
//   corrections  int32 [K/32, w]         at corrections + t0 K/32   AVX-512 alone: -128 * sum of the 32 values, undoes
//                                                                   the weights' offset
//   sums         f32   [K/g, w]         at sums + t0 K/32           int4 of g columns a group alone: the sum of the
//                                                                   group's x as rounded; unused places follow
// At most so many rows: 12 integer and 12 float sums, a weight and its scale are 26 of 32 registers.
inline constexpr int32_t kBlockRows = 12;
constexpr int32_t block_rows(int32_t num_rows) {  // blocks of one height: 16 rows are 8 + 8, not 12 + 4
  const int32_t num_blocks = (num_rows + kBlockRows - 1) / kBlockRows;
  return (num_rows + num_blocks - 1) / num_blocks;
}
// A group's largest magnitude becomes this: 127 * 256, so that the high byte of no value passes 127.
inline constexpr float kQuantLargest = 32512;
inline constexpr float kQuantLeast = 1e-33f;  // a group below this is zero: kQuantLargest / magnitude would overflow

struct PackedRows {
  int8_t* values = nullptr;
  float* scales = nullptr;
  int32_t* corrections = nullptr;
  float* sums = nullptr;
};

struct LinearTask {
  Rows x;
  const Weight* weight = nullptr;
  const float* bias = nullptr;
  Activation activation = Activation::none;
  Rows out;
  PackedRows packed;  // q8, q4 and int4
};

// The rows of one step that attend together: heads of one kv head, over keys of one sequence.
// A lane is one query row of one head; lane l of the task is row l / group_size, head g * group_size + l % group_size.
struct AttentionTask {
  const float* queries = nullptr;  // first row of the sequence, first column of the kv head's first query head
  int32_t query_stride = 0;
  float* out = nullptr;
  int32_t out_stride = 0;
  int32_t group_size = 0;  // H / G
  int32_t head_size = 0;   // d <= kMaxHeadSize
  float scale = 0;
  float soft_cap = 0;             // as in Attention
  const float* slopes = nullptr;  // f32 [group_size], of the kv head's query heads; only with positions
  int32_t first_lane = 0;
  int32_t end_lane = 0;  // at most kMaxLanes after first_lane

  // Causal, over kv pages: row r sees keys positions[r] - window + 1 .. positions[r] (window 0: from 0).
  const int32_t* positions = nullptr;  // of the sequence's first row; null: every row sees keys 0 .. num_keys - 1
  int32_t window = 0;
  int32_t num_keys = 0;
  // Keys and values 64 at a time: tile j is at keys + (pages ? pages[j] : j) * tile_stride, row i of it row_stride
  // further.
  Type type = Type::f32;
  const void* keys = nullptr;
  const void* values = nullptr;
  const int32_t* pages = nullptr;
  int64_t tile_stride = 0;  // in elements
  int64_t row_stride = 0;
};

inline constexpr int32_t kMaxHeadSize = 256;
inline constexpr int32_t kMaxLanes = 32;
// Floats of scratch that attend_lanes uses: keys, values, probabilities, sums, and the running maximum and total.
inline constexpr int64_t kAttentionScratch =
    2 * kPageTokens * kMaxHeadSize + kMaxLanes * (kPageTokens + kMaxHeadSize + 2);

struct Loops {
  // x f32 [K] → its place in a block of `height` rows: values, scales, corrections and sums point at the row's first
  // element there. `sums` may be null; else it gets the sum of each 32 columns, scale * (sum of the values).
  void (*pack_row)(const float* x, int32_t num_columns, int32_t height, int8_t* values, float* scales,
                   int32_t* corrections, float* sums);
  // Tiles of 16 weight rows, all rows of x. `scratch` holds unpack_bytes(K) bytes, 64-byte aligned.
  void (*linear_quantized)(const LinearTask&, int32_t first_tile, int32_t end_tile, void* scratch);
  // The same for int4_g32 and int4_g128.
  void (*linear_int4)(const LinearTask&, int32_t first_tile, int32_t end_tile, void* scratch);
  // Weight rows first_row .. end_row - 1, all rows of x.
  void (*linear_float)(const LinearTask&, int32_t first_row, int32_t end_row);
  // y null: out = norm(x); else x += y first. mean: layer norm (with bias), else rms norm.
  void (*norm_row)(float* x, const float* y, const float* weight, const float* bias, bool subtract_mean, float epsilon,
                   int32_t width, float* out);
  void (*activate_row)(const float* x, Activation, int32_t width, float* out);
  void (*gated_row)(const float* gate, const float* up, Activation, int32_t width, float* out);
  void (*cap_row)(float* x, float cap, int32_t width);  // x = cap * tanh(x / cap)
  void (*half_row)(const float* x, int32_t width, uint16_t* out);
  void (*attend_lanes)(const AttentionTask&, float* scratch);
};

// How many tiles of unpacked weights a thread keeps in its second-level cache while it sweeps the rows of x.
inline constexpr int32_t kUnpackedBytes = 192 << 10;
constexpr int32_t unpack_tiles(int32_t num_columns) {
  const int32_t tiles = kUnpackedBytes / (16 * num_columns);
  return tiles < 1 ? 1 : tiles > 8 ? 8 : tiles;
}
// Enough for the tiles of any weight with at most so many columns: int8 values, and an eighth of that for f32 scales.
constexpr int64_t unpack_bytes(int32_t max_columns) {
  const int64_t values = 16 * static_cast<int64_t>(max_columns);
  return (values > kUnpackedBytes ? values : kUnpackedBytes) / 8 * 9;
}

void set_plain_linear(Loops*);
void set_plain_linear_int4(Loops*);
void set_plain_norm(Loops*);
void set_plain_elementwise(Loops*);
void set_plain_attention(Loops*);
#if defined(QUOTH_X86) && QUOTH_X86
void set_avx2(Loops*);
void set_avx_vnni(Loops*);
void set_avx512(Loops*);
#endif

// act(x) as the plain loops compute it.
float activation_of(float x, Activation activation);

}  // namespace quoth::cpu
