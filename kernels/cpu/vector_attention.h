// Attention of some lanes over tiles of 64 keys, for both vector files; included as vector_loops.h is.
//
//   keys       [d, 64]      a tile's keys turned on their side: 64 scores are 64 / kLanes vectors, with no sum across
//   one values     [64, dp]     the tile's values as floats, dp = d rounded up to 16 weights    [lanes, 64]  scores,
//   then exp(score - maximum) totals     [lanes, dp]  sums of weight * value so far (online softmax, arXiv 1805.02867)

struct AttentionScratch {
  float* keys;
  float* values;
  float* weights;
  float* totals;
  float* maxima;
  float* weight_sums;
};

template <bool kHalf>
inline __m256 load_eight(const void* data, int64_t at) {
  if (!kHalf) return _mm256_loadu_ps(static_cast<const float*>(data) + at);
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const uint16_t*>(data) + at)));
}

template <bool kHalf>
inline __m256 load_some(const void* data, int64_t at, int32_t count) {
  if (count >= 8) return load_eight<kHalf>(data, at);
  constexpr int64_t kBytes = kHalf ? 2 : 4;
  float copied[8] = {};
  if (count > 0) std::memcpy(copied, static_cast<const char*>(data) + at * kBytes, static_cast<size_t>(count * kBytes));
  return load_eight<kHalf>(copied, 0);
}

// Eight rows of eight columns → eight columns of eight rows, each at out + column * 64.
inline void transpose(const __m256 (&rows)[8], float* out) {
  __m256 pairs[8];
  __m256 fours[8];
  for (int32_t i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int32_t i = 0; i < 8; i += 4) {
    fours[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    fours[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    fours[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    fours[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
  for (int32_t i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * kPageTokens, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * kPageTokens, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31));
  }
}

// Reads rows first .. end - 1 of a tile: no others, which may be unwritten or past the end.
template <bool kHalf>
void read_tile(const AttentionTask& task, int32_t tile, int32_t first, int32_t end, int32_t padded_size,
               const AttentionScratch& scratch) {
  const int64_t start = (task.pages == nullptr ? tile : task.pages[tile]) * task.tile_stride;
  const int64_t row_stride = task.row_stride;
  const int32_t size = task.head_size;
  for (int32_t key = first / 8 * 8; key < end; key += 8) {
    const bool is_whole = key >= first && key + 8 <= end;
    for (int32_t i = 0; i < size; i += 8) {
      __m256 rows[8];
      if (is_whole && size - i >= 8) {
        for (int32_t r = 0; r < 8; ++r) rows[r] = load_eight<kHalf>(task.keys, start + (key + r) * row_stride + i);
      } else {
        for (int32_t r = 0; r < 8; ++r) {
          const bool is_seen = key + r >= first && key + r < end;
          rows[r] = load_some<kHalf>(task.keys, start + (key + r) * row_stride + i, is_seen ? size - i : 0);
        }
      }
      transpose(rows, scratch.keys + static_cast<int64_t>(i) * kPageTokens + key);
    }
  }
  for (int32_t key = first; key < end; ++key) {
    float* out = scratch.values + static_cast<int64_t>(key) * padded_size;
    const int64_t from = start + key * row_stride;
    int32_t i = 0;
    for (; i + 8 <= size; i += 8) _mm256_storeu_ps(out + i, load_eight<kHalf>(task.values, from + i));
    for (; i < padded_size; i += 8) _mm256_storeu_ps(out + i, load_some<kHalf>(task.values, from + i, size - i));
  }
}

// The scores of kCount lanes against all 64 keys of a tile.
template <int32_t kCount>
void score_lanes(const float* const* queries, int32_t size, float scale, const float* keys, float* scores) {
  for (int32_t column = 0; column < kPageTokens; column += 4 * kLanes) {
    Vector total[kCount][4];
    for (int32_t lane = 0; lane < kCount; ++lane) {
      for (int32_t v = 0; v < 4; ++v) total[lane][v] = all(0.0f);
    }
    for (int32_t i = 0; i < size; ++i) {
      Vector key[4];
      for (int32_t v = 0; v < 4; ++v) key[v] = load(keys + i * kPageTokens + column + v * kLanes);
      for (int32_t lane = 0; lane < kCount; ++lane) {
        const Vector query = all(queries[lane][i]);
        for (int32_t v = 0; v < 4; ++v) total[lane][v] = multiply_add(query, key[v], total[lane][v]);
      }
    }
    for (int32_t lane = 0; lane < kCount; ++lane) {
      for (int32_t v = 0; v < 4; ++v) {
        store(scores + lane * kPageTokens + column + v * kLanes, multiply(total[lane][v], all(scale)));
      }
    }
  }
}

// 0 .. 63 as floats: the place of a tile's keys in it.
struct Places {
  float values[kPageTokens];
  Places() {
    for (int32_t i = 0; i < kPageTokens; ++i) values[i] = static_cast<float>(i);
  }
};

// Scores of one lane against a tile, capped if `cap` is above 0, then with `slope` for each key after the row's own
// (which is `distance` before the tile's first).
void bend_scores(float* scores, float cap, float slope, float distance, const Places& places) {
  for (int32_t k = 0; k < kPageTokens; k += kLanes) {
    Vector score = load(scores + k);
    if (cap > 0) score = multiply(all(cap), hyperbolic_tangent(divide(score, all(cap))));
    if (slope != 0) score = multiply_add(all(slope), add(load(places.values + k), all(distance)), score);
    store(scores + k, score);
  }
}

// totals[lane] += weight * value for keys first .. end - 1, ascending, of kCount neighbouring lanes.
template <int32_t kCount, int32_t kVectors>
void add_values(const float* weights, const float* values, int32_t padded_size, int32_t first, int32_t end,
                float* totals) {
  Vector total[kCount][kVectors];
  for (int32_t lane = 0; lane < kCount; ++lane) {
    for (int32_t v = 0; v < kVectors; ++v) total[lane][v] = load(totals + lane * padded_size + v * kLanes);
  }
  for (int32_t key = first; key < end; ++key) {
    Vector value[kVectors];
    for (int32_t v = 0; v < kVectors; ++v) value[v] = load(values + key * padded_size + v * kLanes);
    for (int32_t lane = 0; lane < kCount; ++lane) {
      const Vector weight = all(weights[lane * kPageTokens + key]);
      for (int32_t v = 0; v < kVectors; ++v) total[lane][v] = multiply_add(weight, value[v], total[lane][v]);
    }
  }
  for (int32_t lane = 0; lane < kCount; ++lane) {
    for (int32_t v = 0; v < kVectors; ++v) store(totals + lane * padded_size + v * kLanes, total[lane][v]);
  }
}

template <int32_t kCount>
void add_all_values(const AttentionScratch& scratch, int32_t lane, int32_t padded_size, int32_t first, int32_t end) {
  const float* weights = scratch.weights + lane * kPageTokens;
  float* totals = scratch.totals + lane * padded_size;
  int32_t i = 0;
  for (; i + 4 * kLanes <= padded_size; i += 4 * kLanes) {
    add_values<kCount, 4>(weights, scratch.values + i, padded_size, first, end, totals + i);
  }
  for (; i + 2 * kLanes <= padded_size; i += 2 * kLanes) {
    add_values<kCount, 2>(weights, scratch.values + i, padded_size, first, end, totals + i);
  }
  for (; i < padded_size; i += kLanes) {
    add_values<kCount, 1>(weights, scratch.values + i, padded_size, first, end, totals + i);
  }
}

// Scores of one lane → weights, with the running maximum, sum and totals brought up to date.
void weigh_lane(const AttentionScratch& scratch, int32_t lane, int32_t padded_size, int32_t first, int32_t end) {
  float* weights = scratch.weights + lane * kPageTokens;
  Vector most = all(-INFINITY);
  for (int32_t k = 0; k < kPageTokens; k += kLanes) {
    const Vector scores = within(load(weights + k), k, first, end, all(-INFINITY));
    most = maximum(most, scores);
  }
  const float before = scratch.maxima[lane];
  const float here = largest(most);
  const float now = here > before ? here : before;
  Vector total = all(0.0f);
  for (int32_t k = 0; k < kPageTokens; k += kLanes) {
    const Vector weight = within(exponential(subtract(load(weights + k), all(now))), k, first, end, all(0.0f));
    store(weights + k, weight);
    total = add(total, weight);
  }
  if (before != now) {
    float factor[kLanes];
    store(factor, exponential(all(before - now)));
    scratch.weight_sums[lane] *= factor[0];
    float* totals = scratch.totals + lane * padded_size;
    for (int32_t i = 0; i < padded_size; i += kLanes) store(totals + i, multiply(load(totals + i), all(factor[0])));
  }
  scratch.weight_sums[lane] += sum(total);
  scratch.maxima[lane] = now;
}

void attend_lanes(const AttentionTask& task, float* memory) {
  const int32_t num_lanes = task.end_lane - task.first_lane;
  const int32_t padded_size = (task.head_size + 15) / 16 * 16;
  AttentionScratch scratch;
  scratch.keys = memory;
  scratch.values = scratch.keys + kPageTokens * kMaxHeadSize;
  scratch.weights = scratch.values + kPageTokens * kMaxHeadSize;
  scratch.totals = scratch.weights + kPageTokens * kMaxLanes;
  scratch.maxima = scratch.totals + kMaxHeadSize * kMaxLanes;
  scratch.weight_sums = scratch.maxima + kMaxLanes;

  const float* queries[kMaxLanes];
  int32_t first_key[kMaxLanes];
  int32_t end_key[kMaxLanes];
  int32_t first_of_all = INT32_MAX;
  int32_t end_of_all = 0;
  for (int32_t lane = 0; lane < num_lanes; ++lane) {
    const int32_t row = (task.first_lane + lane) / task.group_size;
    const int32_t head = (task.first_lane + lane) % task.group_size;
    queries[lane] = task.queries + static_cast<int64_t>(row) * task.query_stride + head * task.head_size;
    end_key[lane] = task.positions == nullptr ? task.num_keys : task.positions[row] + 1;
    first_key[lane] = task.window > 0 && end_key[lane] > task.window ? end_key[lane] - task.window : 0;
    if (first_key[lane] < first_of_all) first_of_all = first_key[lane];
    if (end_key[lane] > end_of_all) end_of_all = end_key[lane];
    scratch.maxima[lane] = -INFINITY;
    scratch.weight_sums[lane] = 0;
  }
  std::memset(scratch.totals, 0, sizeof(float) * static_cast<size_t>(num_lanes * padded_size));

  const bool bends = task.soft_cap > 0 || task.slopes != nullptr;
  const Places places;
  for (int32_t tile = first_of_all / kPageTokens; tile * kPageTokens < end_of_all; ++tile) {
    const int32_t start = tile * kPageTokens;
    const auto in_tile = [start](int32_t key) {
      return key < start ? 0 : key - start > kPageTokens ? kPageTokens : key - start;
    };
    const auto read = task.type == Type::f16 ? read_tile<true> : read_tile<false>;
    read(task, tile, in_tile(first_of_all), in_tile(end_of_all), padded_size, scratch);
    for (int32_t lane = 0; lane < num_lanes;) {
      float* scores = scratch.weights + lane * kPageTokens;
      if (num_lanes - lane >= kLanesAtOnce) {
        score_lanes<kLanesAtOnce>(queries + lane, task.head_size, task.scale, scratch.keys, scores);
        lane += kLanesAtOnce;
      } else {
        score_lanes<1>(queries + lane, task.head_size, task.scale, scratch.keys, scores);
        lane += 1;
      }
    }
    for (int32_t lane = 0; bends && lane < num_lanes; ++lane) {
      const float slope = task.slopes == nullptr ? 0 : task.slopes[(task.first_lane + lane) % task.group_size];
      bend_scores(scratch.weights + lane * kPageTokens, task.soft_cap, slope,
                  static_cast<float>(start - end_key[lane] + 1), places);
    }
    for (int32_t lane = 0; lane < num_lanes; ++lane) {
      const int32_t first = in_tile(first_key[lane]);
      const int32_t end = in_tile(end_key[lane]);
      if (first < end) weigh_lane(scratch, lane, padded_size, first, end);
    }
    for (int32_t lane = 0; lane < num_lanes; lane += kLanesAtOnce) {
      const int32_t count = num_lanes - lane < kLanesAtOnce ? num_lanes - lane : kLanesAtOnce;
      // Keys that all these lanes see go together; what only some see is added to those alone, never as a zero to
      // others.
      int32_t common_first = 0;
      int32_t common_end = count == kLanesAtOnce ? kPageTokens : 0;
      for (int32_t l = lane; l < lane + count; ++l) {
        const int32_t first = in_tile(first_key[l]);
        const int32_t end = in_tile(end_key[l]);
        if (first > common_first) common_first = first;
        if (end < common_end) common_end = end;
      }
      const bool has_common = common_first < common_end;
      for (int32_t l = lane; l < lane + count; ++l) {
        const int32_t end = has_common ? common_first : in_tile(end_key[l]);
        if (in_tile(first_key[l]) < end) add_all_values<1>(scratch, l, padded_size, in_tile(first_key[l]), end);
      }
      if (!has_common) continue;
      add_all_values<kLanesAtOnce>(scratch, lane, padded_size, common_first, common_end);
      for (int32_t l = lane; l < lane + count; ++l) {
        const int32_t end = in_tile(end_key[l]);
        if (common_end < end) add_all_values<1>(scratch, l, padded_size, common_end, end);
      }
    }
  }
  for (int32_t lane = 0; lane < num_lanes; ++lane) {
    const int32_t row = (task.first_lane + lane) / task.group_size;
    const int32_t head = (task.first_lane + lane) % task.group_size;
    float* out = task.out + static_cast<int64_t>(row) * task.out_stride + head * task.head_size;
    const float* totals = scratch.totals + lane * padded_size;
    const Vector weight_sum = all(scratch.weight_sums[lane]);
    int32_t i = 0;
    for (; i + kLanes <= task.head_size; i += kLanes) store(out + i, divide(load(totals + i), weight_sum));
    if (i < task.head_size) store_first(out + i, divide(load(totals + i), weight_sum), task.head_size - i);
  }
}
