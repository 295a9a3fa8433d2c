// Lays a checkpoint's tensor out as the kernels read it: engines/plan/format.md, "Tensor types".
#pragma once

#include <cstdint>
#include <vector>

#include "../../kernels/error.h"
#include "../../kernels/tensor.h"
#include "dequantize.h"

namespace quoth {

struct PackJob {
  const uint8_t* bytes = nullptr;  // the tensor as the checkpoint has it, row-major
  uint64_t size_bytes = 0;
  const BlockFormat* from = nullptr;
  Type to = Type::f32;
  int32_t num_rows = 0;                // N of the result
  int32_t num_columns = 0;             // K
  const int32_t* row_order = nullptr;  // [N] row i of the result is this row of the checkpoint; null = as they are
  const int8_t* codebook = nullptr;    // q4: int8 [16]
};

// Bytes of a checkpoint's tensor; 0 when the columns are no multiple of the format's block, or past 2^53.
uint64_t checkpoint_bytes(const BlockFormat& format, int64_t num_rows, int64_t num_columns);

// Bytes of a plan's tensor; 0 when the type does not allow the shape.
uint64_t packed_bytes(Type type, int64_t num_rows, int64_t num_columns);

// Whether the job's type, shape, bytes, order and codebook fit together.
Status check_job(const PackJob& job);

// Writes packed_bytes(...) bytes to `out`. Checks everything in `job` first; a value that is no finite number fails.
//
// q8 and q4 choose each group's scale so that the squared error is least among those that put the group's largest value
// on one code; where the checkpoint's own codes fit, that scale is found and nothing is lost but the rounding of the
// scale to f16. int4_g32 takes the checkpoint's own 4-bit codes where it has such (Q4_0, Q4_1, Q4_K) and else rounds to
// nearest, as int4_g128 and f8 do; i32 is carried from i32.
Status pack(const PackJob& job, uint8_t* out);

// The checkpoint's numbers as f32 [N, K].
Status to_float32(const PackJob& job, float* out);

}  // namespace quoth
