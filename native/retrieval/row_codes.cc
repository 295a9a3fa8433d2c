#include "row_codes.h"

#include <algorithm>
#include <cmath>

#include "index_bytes.h"

#if defined(__x86_64__) || defined(_M_X64)
#define QUOTH_X64
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#define QUOTH_AVX2
#else
#define QUOTH_AVX2 __attribute__((target("avx2")))
#endif
#endif

namespace quoth {
namespace {

constexpr size_t kHalfGroup = kCodeGroup / 2;

void plain_products(const uint8_t* codes, const uint32_t* places, size_t count, const CodedQuery& query,
                    int32_t* sums) {
  const size_t row_bytes = query.numbers.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* row = codes + (places == nullptr ? i : places[i]) * row_bytes;
    int32_t sum = 0;
    for (size_t first = 0; first < row_bytes; first += kHalfGroup) {
      const int8_t* low = query.numbers.data() + 2 * first;
      const int8_t* high = low + kHalfGroup;
      for (size_t k = 0; k < kHalfGroup; ++k) {
        sum += (row[first + k] & 15) * low[k] + (row[first + k] >> 4) * high[k];
      }
    }
    sums[i] = sum;
  }
}

#ifdef QUOTH_X64

bool has_avx2() {
#ifdef _MSC_VER
  int leaf1[4], leaf7[4];
  __cpuidex(leaf1, 1, 0);
  __cpuidex(leaf7, 7, 0);
  const bool saves_registers = (leaf1[2] & 1 << 27) != 0 && (_xgetbv(0) & 6) == 6;
  return saves_registers && (leaf7[1] & 1 << 5) != 0;
#else
  return __builtin_cpu_supports("avx2");
#endif
}

// A group is two products of bytes with pairs added up in 16 bits: at most 2 * 2 * 15 * 127 each. Four groups stay
// below 2^15; then the 16 bits are added up in 32.
QUOTH_AVX2 void avx2_products(const uint8_t* codes, const uint32_t* places, size_t count, const CodedQuery& query,
                              int32_t* sums) {
  const size_t row_bytes = query.numbers.size() / 2;
  const __m256i fifteen = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* row = codes + (places == nullptr ? i : places[i]) * row_bytes;
    __m256i wide = _mm256_setzero_si256(), narrow = _mm256_setzero_si256();
    size_t num_groups = 0;
    for (size_t first = 0; first < row_bytes; first += kHalfGroup) {
      const int8_t* numbers = query.numbers.data() + 2 * first;
      const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + first));
      const __m256i low = _mm256_and_si256(both, fifteen);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), fifteen);
      const __m256i with_low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers));
      const __m256i with_high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers + kHalfGroup));
      narrow = _mm256_add_epi16(narrow, _mm256_maddubs_epi16(low, with_low));
      narrow = _mm256_add_epi16(narrow, _mm256_maddubs_epi16(high, with_high));
      if (++num_groups % 4 != 0) continue;
      wide = _mm256_add_epi32(wide, _mm256_madd_epi16(narrow, ones));
      narrow = _mm256_setzero_si256();
    }
    wide = _mm256_add_epi32(wide, _mm256_madd_epi16(narrow, ones));
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    sums[i] = _mm_cvtsi128_si32(sum);
  }
}

#endif

}  // namespace

// Plain loops of one kind each, which become vector instructions.
#if defined(__GNUC__) && defined(__x86_64__) && defined(__linux__)
__attribute__((target_clones("avx2", "default")))
#endif
CodeScale
encode_row(const uint16_t* row, size_t width, uint8_t* codes) {
  float lows[kHalfGroup], highs[kHalfGroup];
  std::fill_n(lows, kHalfGroup, to_float(row[0]));
  std::fill_n(highs, kHalfGroup, to_float(row[0]));
  size_t j = 0;
  for (; j + kHalfGroup <= width; j += kHalfGroup) {
    for (size_t k = 0; k < kHalfGroup; ++k) {
      const float value = to_float(row[j + k]);
      lows[k] = value < lows[k] ? value : lows[k];
      highs[k] = value > highs[k] ? value : highs[k];
    }
  }
  float low = *std::min_element(lows, lows + kHalfGroup), high = *std::max_element(highs, highs + kHalfGroup);
  for (; j < width; ++j) {
    low = std::min(low, to_float(row[j]));
    high = std::max(high, to_float(row[j]));
  }
  const float step = (high - low) / 15, per_step = step > 0 ? 1 / step : 0;
  int32_t numbers[kCodeGroup];
  for (size_t first = 0; first < width; first += kCodeGroup) {
    const size_t count = std::min(kCodeGroup, width - first);
    std::fill_n(numbers, kCodeGroup, 0);
    for (size_t k = 0; k < count; ++k) {
      const float code = (to_float(row[first + k]) - low) * per_step + 0.5f;
      numbers[k] = static_cast<int32_t>(code < 15.0f ? code : 15.0f);
    }
    uint8_t* bytes = codes + first / 2;
    for (size_t k = 0; k < kHalfGroup; ++k) {
      bytes[k] = static_cast<uint8_t>(numbers[k] | numbers[k + kHalfGroup] << 4);
    }
  }
  return {low, step};
}

CodedQuery encode_query(std::span<const float> query) {
  CodedQuery coded;
  coded.numbers.resize(2 * code_bytes(query.size()));
  float largest = 0;
  for (float value : query) largest = std::max(largest, std::fabs(value));
  for (size_t j = 0; j < query.size(); ++j) {
    // Divided first: the largest may be near the end of what a float holds.
    const float number = largest > 0 ? std::nearbyint(query[j] / largest * 127) : 0;
    coded.numbers[j] = static_cast<int8_t>(number);
    coded.sum += number;
  }
  return coded;
}

void code_products(const uint8_t* codes, const uint32_t* places, size_t count, const CodedQuery& query, int32_t* sums) {
#ifdef QUOTH_X64
  static const bool fast = has_avx2();
  if (fast) return avx2_products(codes, places, count, query, sums);
#endif
  plain_products(codes, places, count, query, sums);
}

}  // namespace quoth
