// Reads a plan's matrix back as numbers, and as AutoAWQ writes it: what was packed is what is measured and exported.
#pragma once

#include <cstdint>

#include "../../kernels/error.h"
#include "../../kernels/tensor.h"
#include "pack.h"

namespace quoth {

// What the packed matrix means, as f32 [N, K]. f32, f16, q8, f8 and the int4 types.
Status unpack(Type type, const uint8_t* packed, int32_t num_rows, int32_t num_columns, float* out);

struct PackLoss {
  double lost = 0;    // |packed - checkpoint|^2
  double energy = 0;  // |checkpoint|^2
};

// What packing lost, row after row, so that no whole matrix of f32 is made.
Status measure_packed(const PackJob& job, const uint8_t* packed, PackLoss* loss);

// A matrix of type int4_g128 in AutoAWQ's "gemm" form. N % 8 == 0; whole zero points.
//   qweight  int32 [K, N / 8]        nibble i of word c: row 8 c + (0 2 4 6 1 3 5 7)[i] of the weight, column k
//   qzeros   int32 [K / 128, N / 8]  in the same order
//   scales   f16   [K / 128, N]
Status to_awq_gemm(const uint8_t* packed, int32_t num_rows, int32_t num_columns, uint32_t* qweight, uint32_t* qzeros,
                   uint16_t* scales);

}  // namespace quoth
