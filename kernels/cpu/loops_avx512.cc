// The loops of processors with AVX-512 VNNI and VBMI (Ice Lake, Zen 4 and later). This file alone is compiled for them.
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
#include "vector_avx512.h"
#include "vector_loops.h"
#include "vector_attention.h"
#include "int4_avx512.h"
// clang-format on

// x rounded to 16 bits as plain_pack_row does it, to the bit.
void pack_row(const float* x, int32_t num_columns, int32_t height, int8_t* values, float* scales, int32_t* corrections,
              float* sums) {
  const __m512i without_sign = _mm512_set1_epi32(0x7fffffff);
  const int64_t step = 4 * static_cast<int64_t>(height);
  for (int32_t group = 0; group < num_columns / kQuantGroup; ++group, x += kQuantGroup) {
    const __m512 left = _mm512_loadu_ps(x);
    const __m512 right = _mm512_loadu_ps(x + 16);
    const __m512i bits = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(left), without_sign),
                                          _mm512_and_si512(_mm512_castps_si512(right), without_sign));
    const uint32_t largest_bits = _mm512_reduce_max_epu32(bits);
    float maximum_magnitude = 0;
    std::memcpy(&maximum_magnitude, &largest_bits, sizeof maximum_magnitude);
    const bool is_finite = largest_bits < 0x7f800000u;
    const bool is_zero = maximum_magnitude < kQuantLeast;
    const __m512 inverse = _mm512_set1_ps(is_finite && !is_zero ? kQuantLargest / maximum_magnitude : 0.0f);
    __m512i left_values = _mm512_cvtps_epi32(_mm512_mul_ps(left, inverse));
    __m512i right_values = _mm512_cvtps_epi32(_mm512_mul_ps(right, inverse));
    if (!is_finite) left_values = right_values = _mm512_setzero_si512();
    alignas(32) int8_t bytes[2][32];  // the high bytes, rounded to nearest; what is left of each value
    const auto store = [&bytes](int32_t at, __m512i whole) {
      const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(128)), 8);
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes[0] + at), _mm512_cvtepi32_epi8(high));
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes[1] + at), _mm512_cvtepi32_epi8(whole));
    };
    store(0, left_values);
    store(16, right_values);
    for (int32_t i = 0; i < 16; ++i, values += step) std::memcpy(values, bytes[i / 8] + i % 8 * 4, 4);
    const float scale = is_finite && is_zero ? 0.0f : maximum_magnitude / kQuantLargest;
    const int32_t sum = _mm512_reduce_add_epi32(_mm512_add_epi32(left_values, right_values));
    scales[static_cast<int64_t>(group) * height] = scale;
    corrections[static_cast<int64_t>(group) * height] = -128 * sum;
    if (sums != nullptr) sums[static_cast<int64_t>(group) * height] = scale * static_cast<float>(sum);
  }
}

// Where a sweep gets the eight vectors of a record from (16 rows x 4 columns each, as bytes value + 128).
struct RecordsQ8 {
  const uint8_t* records;
  static constexpr int64_t kBytes = 544;
  __m512i vector(int64_t group, int32_t i) const { return _mm512_loadu_si512(records + group * kBytes + i * 64); }
  __m512 scales(int64_t group) const {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(records + group * kBytes + 512)));
  }
  void prefetch(int64_t group) const {
    for (int32_t line = 0; line < 9; ++line) {
      _mm_prefetch(reinterpret_cast<const char*>(records + (group + 12) * kBytes + line * 64), _MM_HINT_T0);
    }
  }
};

struct RecordsQ4 {
  const uint8_t* records;
  __m512i codebook;  // 16 bytes value + 128, four times: vpermb reads six bits of an index, of which two do not matter
  static constexpr int64_t kBytes = 288;
  __m512i vector(int64_t group, int32_t i) const {
    const __m512i bytes = _mm512_loadu_si512(records + group * kBytes + i / 2 * 64);
    return _mm512_permutexvar_epi8(i % 2 == 0 ? bytes : _mm512_srli_epi16(bytes, 4), codebook);
  }
  __m512 scales(int64_t group) const {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(records + group * kBytes + 256)));
  }
  void prefetch(int64_t group) const {
    for (int32_t line = 0; line < 5; ++line) {
      _mm_prefetch(reinterpret_cast<const char*>(records + (group + 24) * kBytes + line * 64), _MM_HINT_T0);
    }
  }
};

struct Unpacked {
  const uint8_t* values;    // [groups, 8, 64]
  const float* row_scales;  // [groups, 16]
  __m512i vector(int64_t group, int32_t i) const { return _mm512_load_si512(values + group * 512 + i * 64); }
  __m512 scales(int64_t group) const { return _mm512_load_ps(row_scales + group * 16); }
  void prefetch(int64_t) const {}
};

// 16 weight rows x kWidth rows of x along all of K. Per group: exact integer sums, then one fused addition each.
template <int32_t kWidth, typename Source>
void sweep(const Source& source, const LinearTask& task, int32_t tile, int32_t first) {
  const int64_t num_groups = task.weight->num_columns / kQuantGroup;
  const int8_t* values = task.packed.values + 2 * static_cast<int64_t>(first) * task.weight->num_columns;
  const float* scales = task.packed.scales + first * num_groups;
  const int32_t* corrections = task.packed.corrections + first * num_groups;
  __m512 totals[kWidth];
  for (int32_t t = 0; t < kWidth; ++t) totals[t] = _mm512_setzero_ps();
  for (int64_t group = 0; group < num_groups; ++group) {
    source.prefetch(group);
    __m512i sums[kWidth];
    for (int32_t t = 0; t < kWidth; ++t) sums[t] = _mm512_setzero_si512();
      // The high bytes of x, then 256 times their sums plus the low bytes: one exact sum in one register. Not a
      // function of its own: where a compiler does not take that in, the sums go through memory.
#if defined(__GNUC__)
#pragma GCC unroll 16
#endif
    for (int32_t i = 0; i < 16; ++i) {
      if (i == 8) {
        for (int32_t t = 0; t < kWidth; ++t) {
          sums[t] = _mm512_add_epi32(_mm512_slli_epi32(sums[t], 8), _mm512_set1_epi32(corrections[t]));
        }
      }
      const __m512i weights = source.vector(group, i % 8);
      for (int32_t t = 0; t < kWidth; ++t) {
        int32_t four = 0;
        std::memcpy(&four, values + (i * kWidth + t) * 4, 4);
        sums[t] = _mm512_dpbusd_epi32(sums[t], weights, _mm512_set1_epi32(four));
      }
    }
    const __m512 row_scales = source.scales(group);
    for (int32_t t = 0; t < kWidth; ++t) {
      totals[t] =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[t]), _mm512_mul_ps(row_scales, _mm512_set1_ps(scales[t])), totals[t]);
    }
    values += 64 * kWidth;
    scales += kWidth;
    corrections += kWidth;
  }
  const int32_t row = tile * kQuantRows;
  const int32_t count = task.weight->num_rows - row < kQuantRows ? task.weight->num_rows - row : kQuantRows;
  for (int32_t t = 0; t < kWidth; ++t) {
    __m512 total = totals[t];
    if (task.bias != nullptr) total = _mm512_add_ps(total, load_first(task.bias + row, count));
    float* out = task.out.data + static_cast<int64_t>(first + t) * task.out.stride + row;
    store_first(out, activated(total, task.activation), count);
  }
}

template <typename Source>
void sweep_block(const Source& source, const LinearTask& task, int32_t tile, int32_t first, int32_t height) {
  const int32_t rest = task.x.num_rows - first;
  switch (rest < height ? rest : height) {
    case 1:
      return sweep<1>(source, task, tile, first);
    case 2:
      return sweep<2>(source, task, tile, first);
    case 3:
      return sweep<3>(source, task, tile, first);
    case 4:
      return sweep<4>(source, task, tile, first);
    case 5:
      return sweep<5>(source, task, tile, first);
    case 6:
      return sweep<6>(source, task, tile, first);
    case 7:
      return sweep<7>(source, task, tile, first);
    case 8:
      return sweep<8>(source, task, tile, first);
    case 9:
      return sweep<9>(source, task, tile, first);
    case 10:
      return sweep<10>(source, task, tile, first);
    case 11:
      return sweep<11>(source, task, tile, first);
    default:
      return sweep<12>(source, task, tile, first);
  }
}

void unpack(const RecordsQ4& source, int64_t num_groups, uint8_t* values, float* row_scales) {
  for (int64_t group = 0; group < num_groups; ++group) {
    source.prefetch(group);
    for (int32_t i = 0; i < 8; ++i) _mm512_store_si512(values + group * 512 + i * 64, source.vector(group, i));
    _mm512_store_ps(row_scales + group * 16, source.scales(group));
  }
}

void linear_quantized(const LinearTask& task, int32_t first_tile, int32_t end_tile, void* scratch) {
  const uint8_t* records = static_cast<const uint8_t*>(task.weight->data);
  const int64_t num_groups = task.weight->num_columns / kQuantGroup;
  const int32_t height = block_rows(task.x.num_rows);
  if (task.weight->type == Type::q8) {
    for (int32_t first = 0; first < task.x.num_rows; first += height) {
      for (int32_t tile = first_tile; tile < end_tile; ++tile) {
        sweep_block(RecordsQ8{records + tile * num_groups * RecordsQ8::kBytes}, task, tile, first, height);
      }
    }
    return;
  }
  const __m512i codebook =
      _mm512_xor_si512(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(task.weight->codebook))),
                       _mm512_set1_epi8(static_cast<char>(0x80)));
  if (task.x.num_rows <= 3 * kBlockRows) {  // looking a tile up three times costs less than writing it out
    for (int32_t tile = first_tile; tile < end_tile; ++tile) {
      for (int32_t first = 0; first < task.x.num_rows; first += height) {
        sweep_block(RecordsQ4{records + tile * num_groups * RecordsQ4::kBytes, codebook}, task, tile, first, height);
      }
    }
    return;
  }
  // Many rows: the tiles are unpacked once, and stay in the second-level cache while blocks of x pass through the
  // first.
  const int64_t tile_bytes = num_groups * 512;
  uint8_t* values = static_cast<uint8_t*>(scratch);
  float* row_scales = reinterpret_cast<float*>(values + tile_bytes * (end_tile - first_tile));
  for (int32_t tile = first_tile; tile < end_tile; ++tile) {
    const int64_t index = tile - first_tile;
    unpack(RecordsQ4{records + tile * num_groups * RecordsQ4::kBytes, codebook}, num_groups,
           values + index * tile_bytes, row_scales + index * num_groups * 16);
  }
  for (int32_t first = 0; first < task.x.num_rows; first += height) {
    for (int32_t tile = first_tile; tile < end_tile; ++tile) {
      const int64_t index = tile - first_tile;
      sweep_block(Unpacked{values + index * tile_bytes, row_scales + index * num_groups * 16}, task, tile, first,
                  height);
    }
  }
}

}  // namespace

void set_avx512(Loops* loops) {
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
