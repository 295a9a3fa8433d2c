// linear with q8, q4 and int4 weights over vectors of 32 bytes; included in loops_avx2.cc and loops_avx_vnni.cc, after
// vector_loops.h, in the same unnamed namespace.

// sum + a * b of both 16-bit values in each place, exact.
inline __m256i add_products(__m256i sum, __m256i a, __m256i b) {
#if defined(QUOTH_AVX_VNNI)
  return _mm256_dpwssd_avx_epi32(sum, a, b);
#else
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
}

// x rounded to 16 bits as plain_pack_row does it, to the bit. The four columns 4 i .. 4 i + 3 become two places of a
// block, of two 16-bit values each: columns 4 i and 4 i + 2, then 4 i + 1 and 4 i + 3, as add_record takes the weights.
void pack_row(const float* x, int32_t num_columns, int32_t height, int8_t* values, float* scales, int32_t*,
              float* sums) {
  const __m256i without_sign = _mm256_set1_epi32(0x7fffffff);
  const int64_t step = 4 * static_cast<int64_t>(height);
  for (int32_t group = 0; group < num_columns / kQuantGroup; ++group, x += kQuantGroup) {
    __m256i most = _mm256_setzero_si256();
    for (int32_t k = 0; k < kQuantGroup; k += 8) {
      most = _mm256_max_epu32(most, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + k)), without_sign));
    }
    uint32_t places[8];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(places), most);
    uint32_t largest_bits = places[0];
    for (int32_t i = 1; i < 8; ++i) largest_bits = places[i] > largest_bits ? places[i] : largest_bits;
    float maximum_magnitude = 0;
    std::memcpy(&maximum_magnitude, &largest_bits, sizeof maximum_magnitude);
    const bool is_finite = largest_bits < 0x7f800000u;
    const bool is_zero = maximum_magnitude < kQuantLeast;
    const __m256 inverse = _mm256_set1_ps(is_finite && !is_zero ? kQuantLargest / maximum_magnitude : 0.0f);
    __m256i sums_of_values = _mm256_setzero_si256();
    for (int32_t k = 0; k < kQuantGroup; k += 8) {
      int32_t rounded[8] = {};
      if (is_finite) {
        const __m256i eight = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + k), inverse));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(rounded), eight);
        sums_of_values = _mm256_add_epi32(sums_of_values, eight);
      }
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t first = i / 2 * 4 + i % 2;
        const int16_t pair[2] = {static_cast<int16_t>(rounded[first]), static_cast<int16_t>(rounded[first + 2])};
        std::memcpy(values, pair, sizeof pair);
        values += step;
      }
    }
    const float scale = is_finite && is_zero ? 0.0f : maximum_magnitude / kQuantLargest;
    scales[static_cast<int64_t>(group) * height] = scale;
    if (sums == nullptr) continue;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(places), sums_of_values);
    int32_t sum = 0;
    for (const uint32_t place : places) sum += static_cast<int32_t>(place);
    sums[static_cast<int64_t>(group) * height] = scale * static_cast<float>(sum);
  }
}

// One record, unpacked.
struct Record {
  const int8_t* weights;    // [8, 16, 4]
  const float* row_scales;  // [16]
};

// The rows of x beside each other in one block, from the record's group on.
struct BlockRows {
  const int8_t* values;
  const float* scales;
  int32_t height;
  BlockRows from(int32_t t) const { return {values + 4 * t, scales + t, height}; }
};

// The record times kTokens rows; totals [kTokens, 16] are added to.
template <int32_t kTokens>
void add_record(const Record& record, const BlockRows& x, float* totals) {
  const int64_t step = 4 * static_cast<int64_t>(x.height);
  for (int32_t half = 0; half < 2; ++half) {
    __m256i sums_of_group[kTokens];
    for (int32_t t = 0; t < kTokens; ++t) sums_of_group[t] = _mm256_setzero_si256();
    const int8_t* columns_of_block = x.values;
#if defined(__GNUC__)
#pragma GCC unroll 1  // unrolled, the addresses of 16 x kTokens places are worked out one by one
#endif
    for (int32_t i = 0; i < 8; ++i, columns_of_block += 2 * step) {
      // Four bytes of a row are two 16-bit lanes: shifted, the first and third, and the second and fourth column.
      const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(record.weights + i * 64 + half * 32));
      const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
      const __m256i odd = _mm256_srai_epi16(w, 8);
      for (int32_t t = 0; t < kTokens; ++t) {
        int32_t even_columns = 0, odd_columns = 0;
        std::memcpy(&even_columns, columns_of_block + 4 * t, 4);
        std::memcpy(&odd_columns, columns_of_block + step + 4 * t, 4);
        const __m256i sum = add_products(sums_of_group[t], even, _mm256_set1_epi32(even_columns));
        sums_of_group[t] = add_products(sum, odd, _mm256_set1_epi32(odd_columns));
      }
    }
    const __m256 scale = _mm256_load_ps(record.row_scales + half * 8);
    for (int32_t t = 0; t < kTokens; ++t) {
      float* total = totals + t * 16 + half * 8;
      const __m256 factor = _mm256_mul_ps(scale, _mm256_set1_ps(x.scales[t]));
      _mm256_store_ps(total, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums_of_group[t]), factor, _mm256_load_ps(total)));
    }
  }
}

void add_record_to_block(const Record& record, const BlockRows& x, float* totals) {
  int32_t t = 0;
  for (; t + 6 <= x.height; t += 6) add_record<6>(record, x.from(t), totals + 16 * t);
  for (; t + 4 <= x.height; t += 4) add_record<4>(record, x.from(t), totals + 16 * t);
  if (x.height - t >= 2) {
    add_record<2>(record, x.from(t), totals + 16 * t);
    t += 2;
  }
  if (t < x.height) add_record<1>(record, x.from(t), totals + 16 * t);
}

// How one weight's records are unpacked: q8 by its offset, q4 by the 16 values that its nibbles stand for.
struct Unpacker {
  bool is_q8 = false;
  __m256i values{};  // q4: the codebook, in both halves

  explicit Unpacker(const Weight& weight) : is_q8(weight.type == Type::q8) {
    if (is_q8) return;
    values = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weight.codebook)));
  }

  void unpack(const uint8_t* record, int8_t* out, float* row_scales) const {
    if (is_q8) {
      const __m256i offset = _mm256_set1_epi8(static_cast<char>(0x80));
      for (int32_t i = 0; i < 512; i += 32) {
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(record + i));
        _mm256_store_si256(reinterpret_cast<__m256i*>(out + i), _mm256_xor_si256(bytes, offset));
      }
    } else {
      const __m256i low = _mm256_set1_epi8(15);
      for (int32_t i = 0; i < 8; ++i) {  // half a vector of the record: 8 rows
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(record + i * 32));
        __m256i* to = reinterpret_cast<__m256i*>(out + i / 2 * 128 + i % 2 * 32);
        _mm256_store_si256(to, _mm256_shuffle_epi8(values, _mm256_and_si256(bytes, low)));
        _mm256_store_si256(to + 2, _mm256_shuffle_epi8(values, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low)));
      }
    }
    const __m128i* halves = reinterpret_cast<const __m128i*>(record + (is_q8 ? 512 : 256));
    _mm256_store_ps(row_scales, _mm256_cvtph_ps(_mm_loadu_si128(halves)));
    _mm256_store_ps(row_scales + 8, _mm256_cvtph_ps(_mm_loadu_si128(halves + 1)));
  }
};

void finish_block(const LinearTask& task, int32_t tile, int32_t first, int32_t height, const float* totals) {
  const int32_t row = tile * kQuantRows;
  const int32_t count = task.weight->num_rows - row < kQuantRows ? task.weight->num_rows - row : kQuantRows;
  for (int32_t t = 0; t < height; ++t) {
    for (int32_t half = 0; half < count; half += 8) {
      const int32_t width = count - half < 8 ? count - half : 8;
      Vector total = _mm256_load_ps(totals + 16 * t + half);
      if (task.bias != nullptr) total = add(total, load_first(task.bias + row + half, width));
      float* out = task.out.data + static_cast<int64_t>(first + t) * task.out.stride + row + half;
      store_first(out, activated(total, task.activation), width);
    }
  }
}

void linear_quantized(const LinearTask& task, int32_t first_tile, int32_t end_tile, void* scratch) {
  const Weight& weight = *task.weight;
  const int64_t record_bytes = weight.type == Type::q8 ? 544 : 288;
  const int64_t num_groups = weight.num_columns / kQuantGroup;
  const bool is_many = task.x.num_rows > kBlockRows;  // then a tile is unpacked once; else record by record
  const int32_t most_rows = block_rows(task.x.num_rows);
  int8_t* unpacked = static_cast<int8_t*>(scratch);
  float* unpacked_scales = reinterpret_cast<float*>(unpacked + num_groups * 512);
  alignas(64) int8_t one_record[512];
  alignas(64) float one_scales[16];
  alignas(64) float totals[kBlockRows * 16];
  const Unpacker unpacker(weight);
  for (int32_t tile = first_tile; tile < end_tile; ++tile) {
    const uint8_t* records = static_cast<const uint8_t*>(weight.data) + tile * num_groups * record_bytes;
    for (int64_t group = 0; is_many && group < num_groups; ++group) {
      unpacker.unpack(records + group * record_bytes, unpacked + group * 512, unpacked_scales + group * 16);
    }
    for (int32_t first = 0; first < task.x.num_rows; first += most_rows) {
      const int32_t height = task.x.num_rows - first < most_rows ? task.x.num_rows - first : most_rows;
      std::memset(totals, 0, sizeof totals);
      for (int64_t group = 0; group < num_groups; ++group) {
        Record record{one_record, one_scales};
        if (is_many) {
          record.weights = unpacked + group * 512;
          record.row_scales = unpacked_scales + group * 16;
        } else {
          const uint8_t* packed = records + group * record_bytes;
          for (int64_t line = 0; line < record_bytes; line += 64) {
            _mm_prefetch(reinterpret_cast<const char*>(packed + 16 * record_bytes + line), _MM_HINT_T0);
          }
          unpacker.unpack(packed, one_record, one_scales);
        }
        const int64_t at = first * num_groups + group * height;
        add_record_to_block(record, {task.packed.values + at * 64, task.packed.scales + at, height}, totals);
      }
      finish_block(task, tile, first, height, totals);
    }
  }
}

// Rows of x at once for int4: their sums of a group and of a record, and a product where it is one by itself.
#if defined(QUOTH_AVX_VNNI)
constexpr int32_t kMostTokens = 6;
#else
constexpr int32_t kMostTokens = 4;
#endif

// A record of int4 weights times kTokens rows; totals [kTokens, 16] are added to. kParts: groups of 32 columns in it.
template <int32_t kParts, int32_t kTokens>
void add_int4_record(const uint8_t* record, const BlockRows& x, const float* sums, float* totals) {
  const int64_t step = 4 * static_cast<int64_t>(x.height);
  const __m256i low_bits = _mm256_set1_epi16(15);
  for (int32_t half = 0; half < 2; ++half) {  // 8 rows
    __m256 group_sums[kTokens];
    for (int32_t t = 0; t < kTokens; ++t) group_sums[t] = _mm256_setzero_ps();
    const int8_t* columns_of_block = x.values;
    const float* scales = x.scales;
#if defined(__GNUC__)
#pragma GCC unroll 1
#endif
    for (int32_t part = 0; part < kParts; ++part, scales += x.height) {
      __m256i sums_of_group[kTokens];
      for (int32_t t = 0; t < kTokens; ++t) sums_of_group[t] = _mm256_setzero_si256();
#if defined(__GNUC__)
#pragma GCC unroll 1
#endif
      for (int32_t i = 0; i < 4; ++i) {
        // Four bytes of a row are two 16-bit places, so a nibble of each is columns 0 and 2, or 1 and 3.
        const __m256i w =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(record + part * 256 + i * 64 + half * 32));
        const __m256i nibbles[4] = {_mm256_and_si256(w, low_bits), _mm256_and_si256(_mm256_srli_epi16(w, 8), low_bits),
                                    _mm256_and_si256(_mm256_srli_epi16(w, 4), low_bits), _mm256_srli_epi16(w, 12)};
        for (const __m256i& weights : nibbles) {
          for (int32_t t = 0; t < kTokens; ++t) {
            int32_t two = 0;
            std::memcpy(&two, columns_of_block + 4 * t, 4);
            sums_of_group[t] = add_products(sums_of_group[t], weights, _mm256_set1_epi32(two));
          }
          columns_of_block += step;
        }
      }
      for (int32_t t = 0; t < kTokens; ++t) {
        group_sums[t] = _mm256_fmadd_ps(_mm256_set1_ps(scales[t]), _mm256_cvtepi32_ps(sums_of_group[t]), group_sums[t]);
      }
    }
    const __m128i* halves = reinterpret_cast<const __m128i*>(record + kParts * 256) + half;
    const __m256 row_scales = _mm256_cvtph_ps(_mm_loadu_si128(halves));
    const __m256 zeros = _mm256_cvtph_ps(_mm_loadu_si128(halves + 2));
    for (int32_t t = 0; t < kTokens; ++t) {
      float* total = totals + t * 16 + half * 8;
      const __m256 less_zero = _mm256_fnmadd_ps(zeros, _mm256_set1_ps(sums[t]), group_sums[t]);
      _mm256_store_ps(total, _mm256_fmadd_ps(row_scales, less_zero, _mm256_load_ps(total)));
    }
  }
}

template <int32_t kParts>
void linear_int4_of(const LinearTask& task, int32_t first_tile, int32_t end_tile) {
  constexpr int64_t kBytes = kParts * 256 + 64;
  constexpr int64_t kAhead = kParts == 4 ? 8 : 24;  // records between a prefetch and its use
  const int64_t num_records = task.weight->num_columns / (32 * kParts);
  const int64_t num_groups = num_records * kParts;
  const int32_t most_rows = block_rows(task.x.num_rows);
  alignas(64) float totals[kBlockRows * 16];
  for (int32_t first = 0; first < task.x.num_rows; first += most_rows) {
    const int32_t height = task.x.num_rows - first < most_rows ? task.x.num_rows - first : most_rows;
    for (int32_t tile = first_tile; tile < end_tile; ++tile) {
      const uint8_t* record = static_cast<const uint8_t*>(task.weight->data) + tile * num_records * kBytes;
      const float* sums = task.packed.sums + first * num_groups;
      std::memset(totals, 0, sizeof totals);
      for (int64_t i = 0; i < num_records; ++i, record += kBytes, sums += height) {
        for (int64_t line = 0; line < kBytes; line += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(record + kAhead * kBytes + line), _MM_HINT_T0);
        }
        const int64_t at = first * num_groups + i * kParts * height;
        const BlockRows x{task.packed.values + at * 64, task.packed.scales + at, height};
        int32_t t = 0;
        for (; kMostTokens == 6 && t + 6 <= height; t += 6) {
          add_int4_record<kParts, 6>(record, x.from(t), sums + t, totals + 16 * t);
        }
        for (; t + 4 <= height; t += 4) add_int4_record<kParts, 4>(record, x.from(t), sums + t, totals + 16 * t);
        for (; t + 2 <= height; t += 2) add_int4_record<kParts, 2>(record, x.from(t), sums + t, totals + 16 * t);
        if (t < height) add_int4_record<kParts, 1>(record, x.from(t), sums + t, totals + 16 * t);
      }
      finish_block(task, tile, first, height, totals);
    }
  }
}

void linear_int4(const LinearTask& task, int32_t first_tile, int32_t end_tile, void*) {
  if (task.weight->type == Type::int4_g128) return linear_int4_of<4>(task, first_tile, end_tile);
  linear_int4_of<1>(task, first_tile, end_tile);
}
