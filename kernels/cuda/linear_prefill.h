// linear for more than 8 rows: what its files share.
//
// out [T, N] = x [T, K] W^T is computed as its transpose: rows of the weight are the rows of a matrix instruction, rows
// of x (tokens) its columns. Three steps: `round_rows` (linear_prefill_round.cu) brings x to f16, normed where that is
// wanted, in the order in which the multiplication reads it; the multiplication (linear_prefill_wgmma.h on sm_90a,
// linear_prefill_mma.h elsewhere) turns weights into f16 in registers and sums in f32 over K ascending, 16 columns to
// an instruction; its end adds the bias, applies activation, gate and residual.
//
// A row of x is scaled by a power of two before it is rounded, so that its largest magnitude is in [2^14, 2^15), and
// its results are scaled back: no row leaves the range of f16, and what is 2^-28 of its largest value is still there.
// A weight is rounded to f16 once: (nibble - zero point) and (byte - 128) are exact before they meet their scale.
//
// The order of every sum depends on K alone, not on the tile that was chosen: a row of x gives the same bits among 9
// rows and among thousands.
#pragma once

#include "device.h"

namespace quoth::cuda {

inline constexpr int32_t kFewRows = 8;                // up to here another family of kernels (linear.cu)
inline constexpr int32_t kMostNormedColumns = 16384;  // of a row that is normed while it is rounded
inline constexpr int32_t kChunkColumns = 64;          // columns of x that lie together: 128 bytes, one swizzled row

// x in f16: [K / 64, T rounded up to 8, 64], zero where there is no row and no column.
// The 16-byte piece p (0 .. 7) of 64 columns of row t stands at place p ^ (t % 8), which shared memory without bank
// conflicts and the matrix instructions want. `is_permuted`: in each 32 columns, position 16 s + 8 h + 2 t + i holds
// column 8 t + 4 h + 2 i + s, which is how a lane meets the columns of a record (linear_prefill_weights.h).
struct RoundedRows {
  const __half* values = nullptr;
  const float* inverse_scales = nullptr;  // f32 [T rounded up to 8]: what a row's results are multiplied by
  int32_t num_rows = 0;                   // T
  int32_t padded_rows = 0;
  int32_t num_chunks = 0;  // of 64 columns
};

// What is multiplied, and what becomes of it.
struct PrefillProblem {
  const uint8_t* weights = nullptr;
  const int8_t* codebook = nullptr;   // q4
  const float* row_scales = nullptr;  // f8: f32 [N]
  RoundedRows x;
  int32_t num_rows = 0;     // N
  int32_t num_columns = 0;  // K
  int32_t gate_rows = 0;    // F where the first half of the weight gates the second; else 0
  const float* bias = nullptr;
  Activation activation = Activation::none;
  bool adds = false;       // to what out holds
  bool is_paired = false;  // out may be written two floats at a time, and four
  Rows out;
};

// Scratch for T rows and K columns.
constexpr int64_t rounded_bytes(int64_t num_rows, int64_t num_columns) {
  return (num_rows + 7) / 8 * 8 * ((num_columns + 127) / 128 * 128) * 2;
}

// Norms where the fusion says so, scales and rounds x into the device's scratch.
Status round_rows(Device* device, const Rows& x, const LinearFusion& fusion, bool is_permuted, RoundedRows* rounded);

// One multiplication with tiles of a given shape; -1 chooses. Tests and benchmarks alone choose themselves.
struct PrefillShape {
  int32_t groups;  // warpgroups that multiply
  int32_t tiles;   // times 64 weight rows, each
  int32_t tokens;  // of a block
  int32_t wide;    // groups of 32 columns that a warp unpacks before it multiplies
};
bool has_wgmma(Type type, int32_t num_columns);
int32_t num_wgmma_shapes();
bool has_wgmma_shape(Type type, int32_t index);
PrefillShape wgmma_shape(Type type, int32_t index);
Status multiply_wgmma(Device* device, Type type, const PrefillProblem& problem, int32_t shape);
inline constexpr int32_t kNumMmaShapes = 2;  // blocks of 128 tokens, and of 32
Status multiply_mma(Device* device, Type type, const PrefillProblem& problem, int32_t shape);

// act(x W^T + bias) with what the fusion puts around it, for any number of rows; T > kFewRows is what it is made for.
// `unsupported` where the weight is f32, or its K not whole 16-byte pieces.
Status linear_prefill(Device* device, const Rows& x, const Weight& weight, const float* bias, Activation activation,
                      const LinearFusion& fusion, const Rows& out, int32_t shape = -1);
// How many shapes there are to choose from for this weight, and whether it has one of them: tuning.cu asks.
int32_t num_prefill_shapes(const Device* device, const Weight& weight);
bool has_prefill_shape(const Device* device, const Weight& weight, const LinearFusion& fusion, int32_t shape);
bool can_prefill(const Weight& weight, const LinearFusion& fusion);  // false too where K is too large for the norm

}  // namespace quoth::cuda
