// The loops of processors with AVX2, FMA and F16C (Haswell, Zen and later). This file alone is compiled for them.
#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "float16.h"
#include "float8.h"
#include "loops.h"

namespace quoth::cpu {
namespace {

// Each needs the one before it.
// clang-format off
#include "vector_avx2.h"
#include "vector_loops.h"
#include "vector_attention.h"
#include "linear_avx2.h"
// clang-format on

}  // namespace

void set_avx2(Loops* loops) {
  loops->pack_row = pack_row;
  loops->linear_quantized = linear_quantized;
  loops->linear_int4 = linear_int4;
  loops->linear_float = linear_float;
  loops->norm_row = norm_row;
  loops->activate_row = activate_row;
  loops->gated_row = gated_row;
  loops->cap_row = cap_row;
  loops->half_row = half_row;
  loops->attend_lanes = attend_lanes;
}

}  // namespace quoth::cpu
