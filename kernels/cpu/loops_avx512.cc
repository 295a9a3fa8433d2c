// Loops for avx512.
#include <immintrin.h>

#include "float16.h"
#include "loops.h"

namespace quoth::cpu {
namespace {

void half_row(const float* x, int32_t width, uint16_t* out) {
  int32_t k = 0;
  for (; k + 8 <= width; k += 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + k),
                     _mm256_cvtps_ph(_mm256_loadu_ps(x + k), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  for (; k < width; ++k) out[k] = half_from_float(x[k]);
}

}  // namespace

void set_avx512(Loops* loops) {
  loops->half_row = half_row;
}

}  // namespace quoth::cpu
