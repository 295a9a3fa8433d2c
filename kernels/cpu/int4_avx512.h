// int4_g32 and int4_g128 with AVX-512 VNNI; included in loops_avx512.cc, after vector_loops.h, in the same unnamed
// namespace. A nibble is a byte of 0 to 15, so vpdpbusd needs no offset and no correction.

// 16 weight rows x kWidth rows of x along all of K. kParts: groups of 32 columns in a record.
template <int32_t kParts, int32_t kWidth>
void sweep_int4(const LinearTask& task, int32_t tile, int32_t first) {
  constexpr int64_t kWeightBytes = kParts * 256;
  constexpr int64_t kBytes = kWeightBytes + 64;
  constexpr int64_t kAhead = kParts == 4 ? 8 : 24;  // records between a prefetch and its use
  const int64_t num_columns = task.weight->num_columns;
  const int64_t num_records = num_columns / (32 * kParts);
  const int64_t groups_before = first * (num_columns / kQuantGroup);
  const int8_t* values = task.packed.values + 64 * groups_before;
  const float* scales = task.packed.scales + groups_before;
  const float* sums = task.packed.sums + groups_before;
  const uint8_t* record = static_cast<const uint8_t*>(task.weight->data) + tile * num_records * kBytes;
  const uint8_t* end = record + num_records * kBytes;
  const __m512i low_bits = _mm512_set1_epi8(15);

  __m512 totals[kWidth];
  for (int32_t t = 0; t < kWidth; ++t) totals[t] = _mm512_setzero_ps();
  for (; record < end; record += kBytes) {
    for (int64_t line = 0; line < kBytes; line += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(record + kAhead * kBytes + line), _MM_HINT_T0);
    }
    __m512 group_sums[kWidth];
    for (int32_t t = 0; t < kWidth; ++t) group_sums[t] = _mm512_setzero_ps();
#if defined(__GNUC__)
#pragma GCC unroll 1
#endif
    for (int32_t part = 0; part < kParts; ++part) {
      const auto weights = [&](int32_t i) {
        const __m512i bytes = _mm512_loadu_si512(record + part * 256 + i / 2 * 64);
        return _mm512_and_si512(i % 2 == 0 ? bytes : _mm512_srli_epi16(bytes, 4), low_bits);
      };
      // The high bytes of x, then 256 times their sums plus the low bytes. Few rows have a second sum for those, so
      // that they do not wait for each other.
      constexpr bool kTwoSums = kWidth <= 2;
      __m512i whole[kWidth], low[kWidth];
      for (int32_t t = 0; t < kWidth; ++t) whole[t] = low[t] = _mm512_setzero_si512();
#if defined(__GNUC__)
#pragma GCC unroll 16
#endif
      for (int32_t i = 0; i < 16; ++i) {
        if (i == 8 && !kTwoSums) {
          for (int32_t t = 0; t < kWidth; ++t) whole[t] = _mm512_slli_epi32(whole[t], 8);
        }
        const __m512i w = weights(i % 8);
        for (int32_t t = 0; t < kWidth; ++t) {
          int32_t four = 0;
          std::memcpy(&four, values + (i * kWidth + t) * 4, 4);
          __m512i& sum = kTwoSums && i >= 8 ? low[t] : whole[t];
          sum = _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi32(four));
        }
      }
      for (int32_t t = 0; t < kWidth; ++t) {
        if (kTwoSums) whole[t] = _mm512_add_epi32(_mm512_slli_epi32(whole[t], 8), low[t]);
        const __m512 scale = _mm512_set1_ps(scales[t]);
        const __m512 sum = _mm512_cvtepi32_ps(whole[t]);
        group_sums[t] = _mm512_fmadd_ps(scale, sum, group_sums[t]);
      }
      values += 64 * kWidth;
      scales += kWidth;
    }
    const __m256i* halves = reinterpret_cast<const __m256i*>(record + kWeightBytes);
    const __m512 row_scales = _mm512_cvtph_ps(_mm256_loadu_si256(halves));
    const __m512 zeros = _mm512_cvtph_ps(_mm256_loadu_si256(halves + 1));
    for (int32_t t = 0; t < kWidth; ++t) {
      const __m512 less_zero = _mm512_fnmadd_ps(zeros, _mm512_set1_ps(sums[t]), group_sums[t]);
      totals[t] = _mm512_fmadd_ps(row_scales, less_zero, totals[t]);
    }
    sums += kWidth;
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

template <int32_t kParts>
void sweep_int4_block(const LinearTask& task, int32_t tile, int32_t first, int32_t height) {
  switch (height) {
    case 1:
      return sweep_int4<kParts, 1>(task, tile, first);
    case 2:
      return sweep_int4<kParts, 2>(task, tile, first);
    case 3:
      return sweep_int4<kParts, 3>(task, tile, first);
    case 4:
      return sweep_int4<kParts, 4>(task, tile, first);
    case 5:
      return sweep_int4<kParts, 5>(task, tile, first);
    case 6:
      return sweep_int4<kParts, 6>(task, tile, first);
    case 7:
      return sweep_int4<kParts, 7>(task, tile, first);
    case 8:
      return sweep_int4<kParts, 8>(task, tile, first);
    case 9:
      return sweep_int4<kParts, 9>(task, tile, first);
    case 10:
      return sweep_int4<kParts, 10>(task, tile, first);
    case 11:
      return sweep_int4<kParts, 11>(task, tile, first);
    default:
      return sweep_int4<kParts, 12>(task, tile, first);
  }
}

void linear_int4(const LinearTask& task, int32_t first_tile, int32_t end_tile, void*) {
  const int32_t num_rows = task.x.num_rows;
  const int32_t most_rows = block_rows(num_rows);
  const auto sweep_block = task.weight->type == Type::int4_g128 ? sweep_int4_block<4> : sweep_int4_block<1>;
  for (int32_t first = 0; first < num_rows; first += most_rows) {
    const int32_t height = num_rows - first < most_rows ? num_rows - first : most_rows;
    for (int32_t tile = first_tile; tile < end_tile; ++tile) sweep_block(task, tile, first, height);
  }
}
