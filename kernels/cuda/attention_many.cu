// Attention of sequences with many rows in the step (prefill, in chunks or whole) over their pages, and of encoders
// over a step's own rows: FlashAttention-2's order of work (arXiv 2307.08691) on the tensor cores.
//
// A block of 4 warps takes 64 or 128 rows of one head and walks the keys 64 at a time (a page), ascending, with the
// softmax in f32; each warp has 16 or 32 of the rows. Queries, keys and values lie in shared memory as f16, in parts of
// 8 columns that are permuted so that 8 rows of one column meet 8 different banks. Pages arrive by cp.async while the
// tile before them is multiplied; an encoder's f32 rows are rounded on their way.
//
// Tiles of keys begin at multiples of 64 and a key that a row does not see changes none of its sums: a row's bits
// depend on its own sequence alone, not on the chunks in which it came.
#include <algorithm>
#include <type_traits>

#include "attention_tiles.h"

namespace quoth::cuda {
namespace {

// Where keys and values come from.
enum class Source { halves, bytes, rows };

template <Source kSource, int32_t kColumns, int32_t kWarps, int32_t kRowTiles>
struct Shared {
  static constexpr int32_t kRows = kWarps * kRowTiles * 16;
  static constexpr int32_t kStages = kSource == Source::halves && kColumns < 256 ? 2 : 1;  // RTX: 99 KB for a block
  alignas(128) __half queries[kRows * kColumns];
  alignas(128) __half keys[kStages][kPageTokens * kColumns];
  alignas(128) __half values[kStages][kPageTokens * kColumns];
};

// Where the part of 8 columns lies in a tile of rows.
template <int32_t kColumns>
__device__ inline int32_t place_of(int32_t row, int32_t part) {
  if constexpr (kColumns >= 64) return row * kColumns + (part ^ (row & 7)) * 8;
  return row * kColumns + (part ^ (row >> 1 & 3)) * 8;
}

// Rows 0 .. num_valid - 1 of a page of bytes to f16; the others are zero.
template <int32_t kColumns, int32_t kThreads>
__device__ inline void widen_rows(const uint8_t* block, Type type, int32_t num_valid, int32_t head_size, __half* to) {
  const auto* scales = reinterpret_cast<const unsigned short*>(block + kPageTokens * head_size);
#pragma unroll 4
  for (int32_t index = threadIdx.x; index < kPageTokens * (kColumns / 8); index += kThreads) {
    const int32_t row = index / (kColumns / 8);
    const int32_t part = index % (kColumns / 8);
    uint32_t words[4] = {};
    if (row < num_valid && part * 8 < head_size) {
      const uint2 bytes = __ldg(reinterpret_cast<const uint2*>(block + row * head_size + part * 8));
      const uint32_t scale = __ldg(scales + row) * 0x10001u;
      halves_of_bytes(bytes.x, type, words[0], words[1]);
      halves_of_bytes(bytes.y, type, words[2], words[3]);
#pragma unroll
      for (uint32_t& word : words) word = scaled_halves(word, scale);
    }
    *reinterpret_cast<uint4*>(to + place_of<kColumns>(row, part)) = make_uint4(words[0], words[1], words[2], words[3]);
  }
}

// Of an encoder: what a thread brings of 64 keys and their values, before it is rounded. All of its loads are on their
// way at once; where registers are left, while the tile before is multiplied.
template <int32_t kColumns, int32_t kThreads>
struct Incoming {
  static constexpr int32_t kParts = kPageTokens * (kColumns / 8) / kThreads;
  float columns[2][kParts][8];

  __device__ void load(const ManyTask& task, int32_t first_row, int32_t num_rows, int32_t head, int32_t first_key) {
    const int32_t head_size = task.base.head_size;
#pragma unroll
    for (int32_t i = 0; i < kParts; ++i) {
      const int32_t index = static_cast<int32_t>(threadIdx.x) + i * kThreads;
      const int32_t key = first_key + index / (kColumns / 8);
      const int64_t place =
          static_cast<int64_t>(first_row + key) * task.keys.stride + static_cast<int64_t>(head) * head_size;
      const int32_t part = index % (kColumns / 8);
      load_part(task.keys.data + place, part, key < num_rows, head_size, task.rows_aligned, columns[0][i]);
      load_part(task.values.data + place, part, key < num_rows, head_size, task.rows_aligned, columns[1][i]);
    }
  }
  __device__ void put(__half* keys, __half* values) const {
#pragma unroll
    for (int32_t i = 0; i < kParts; ++i) {
      const int32_t index = static_cast<int32_t>(threadIdx.x) + i * kThreads;
      const int32_t place = place_of<kColumns>(index / (kColumns / 8), index % (kColumns / 8));
      put_part(columns[0][i], 1, keys + place);
      put_part(columns[1][i], 1, values + place);
    }
  }
};

template <Source kSource, int32_t kColumns, int32_t kWarps, int32_t kRowTiles>
__global__ void __launch_bounds__(kWarps* kWarp, 2) many_kernel(const __grid_constant__ ManyTask task) {
  using Memory = Shared<kSource, kColumns, kWarps, kRowTiles>;
  constexpr int32_t kThreads = kWarps * kWarp;
  constexpr bool kPaged = kSource != Source::rows;
  extern __shared__ __align__(128) uint8_t shared_bytes[];
  Memory& shared = *reinterpret_cast<Memory*>(shared_bytes);
  let_next_start();
  wait_for_previous();
  const PagedTask& base = task.base;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t thread = threadIdx.x % kWarp;
  const int32_t g = thread / 4;
  const int32_t t = thread % 4;
  const int32_t head = blockIdx.x;
  const int32_t kv_head = head / base.group_size;
  const int32_t head_size = base.head_size;
  // Late tiles see the most keys: they begin first.
  const int2 found = tile_of<kPaged>(task, static_cast<int32_t>(gridDim.y - 1 - blockIdx.y), Memory::kRows);
  if (found.x < 0) return;
  const int32_t sequence = found.x;
  const int32_t first_row = base.batch.first_row[sequence];
  const int32_t num_rows = base.batch.first_row[sequence + 1] - first_row;
  const int32_t low_row = found.y * Memory::kRows;
  const int32_t block_rows = min(Memory::kRows, num_rows - low_row);
  const int32_t position = kPaged ? base.batch.positions[first_row] + low_row : 0;  // of the block's first row
  const int32_t window = kPaged ? base.window : 0;
  const int32_t end_key = kPaged ? position + block_rows : num_rows;
  const int32_t first_tile = window > 0 ? max(0, position + 1 - window) / kPageTokens : 0;
  const int32_t end_tile = ceil_div(end_key, kPageTokens);
  const int32_t* table = base.batch.page_table + static_cast<int64_t>(sequence) * base.page_table_stride;

  const auto bring_pages = [&](int32_t tile) {
    bring_page<kColumns, kThreads>(base, table[tile], kv_head, end_key - tile * kPageTokens,
                                   address_of(shared.keys[tile % Memory::kStages]),
                                   address_of(shared.values[tile % Memory::kStages]), place_of<kColumns>);
  };
  if constexpr (Memory::kStages == 2) bring_pages(first_tile);
  constexpr bool kBringsEarly = kSource == Source::rows && kColumns <= 32;
  constexpr bool kBringsAtOnce = kSource == Source::rows && kColumns <= 64;
  Incoming<kBringsAtOnce ? kColumns : kThreads / 8, kThreads> incoming;
  if constexpr (kBringsEarly) incoming.load(task, first_row, num_rows, head, 0);
  round_rows<kColumns, kThreads>(row_of(base.queries, first_row + low_row) + static_cast<int64_t>(head) * head_size,
                                 base.queries.stride, block_rows, Memory::kRows, head_size, task.rows_aligned,
                                 kQueryPart, shared.queries, place_of<kColumns>);

  const int32_t warp_row = warp * kRowTiles * 16;  // of the block
  const bool is_bent = base.soft_cap > 0 || base.slopes != nullptr;
  const float slope = base.slopes != nullptr ? base.slopes[head] : 0;
  const float factor = is_bent ? 1.0f : __fmul_rn(base.scale, kLog2E);
  float sums[kRowTiles][kColumns / 8][4];
  float maxima[kRowTiles][2], totals[kRowTiles][2];
#pragma unroll
  for (int32_t r = 0; r < kRowTiles; ++r) {
#pragma unroll
    for (int32_t e = 0; e < 2; ++e) maxima[r][e] = -INFINITY, totals[r][e] = 0;
#pragma unroll
    for (int32_t n = 0; n < kColumns / 8; ++n) {
#pragma unroll
      for (float& sum : sums[r][n]) sum = 0;
    }
  }
  // Of the warp's row 16 r + g + 8 e.
  const auto end_of = [&](int32_t r, int32_t e) {
    return kPaged ? position + warp_row + r * 16 + g + 8 * e + 1 : num_rows;
  };

  const auto step = [&](int32_t tile, const auto is_masked, bool is_poisoned) {
    constexpr bool kMasked = decltype(is_masked)::value;
    const int32_t first_key = tile * kPageTokens;
    const uint32_t keys = address_of(shared.keys[tile % Memory::kStages]);
    const uint32_t values = address_of(shared.values[tile % Memory::kStages]);
    const uint32_t queries = address_of(shared.queries);
    float scores[kRowTiles][8][4];
#pragma unroll
    for (int32_t r = 0; r < kRowTiles; ++r) {
#pragma unroll
      for (int32_t n = 0; n < 8; ++n) {
#pragma unroll
        for (float& score : scores[r][n]) score = 0;
      }
    }
#pragma unroll
    for (int32_t k = 0; k < kColumns / 16; ++k) {
      uint32_t a[kRowTiles][4];
#pragma unroll
      for (int32_t r = 0; r < kRowTiles; ++r) {
        const int32_t row = warp_row + r * 16 + thread % 16;
        load_matrices(queries + static_cast<uint32_t>(place_of<kColumns>(row, 2 * k + thread / 16)) * 2, a[r]);
      }
#pragma unroll
      for (int32_t n = 0; n < 4; ++n) {
        uint32_t b[4];
        const int32_t key = n * 16 + thread / 16 * 8 + thread % 8;
        load_matrices(keys + static_cast<uint32_t>(place_of<kColumns>(key, 2 * k + thread / 8 % 2)) * 2, b);
#pragma unroll
        for (int32_t r = 0; r < kRowTiles; ++r) {
          multiply_add(scores[r][2 * n], a[r][0], a[r][1], a[r][2], a[r][3], b[0], b[1]);
          multiply_add(scores[r][2 * n + 1], a[r][0], a[r][1], a[r][2], a[r][3], b[2], b[3]);
        }
      }
    }
    const auto sees = [&](int32_t r, int32_t n, int32_t e) {
      const int32_t key = first_key + n * 8 + 2 * t + (e & 1);
      const int32_t end = end_of(r, e / 2);
      return key < end && (window <= 0 || key >= end - window);
    };
#pragma unroll
    for (int32_t r = 0; r < kRowTiles; ++r) {
      if (is_bent) {
#pragma unroll
        for (int32_t n = 0; n < 8; ++n) {
#pragma unroll
          for (int32_t e = 0; e < 4; ++e) {
            const int32_t distance = first_key + n * 8 + 2 * t + (e & 1) - end_of(r, e / 2) + 1;
            scores[r][n][e] = score_of(base, scores[r][n][e], slope, distance);
          }
        }
      }
      if constexpr (kMasked) {
#pragma unroll
        for (int32_t n = 0; n < 8; ++n) {
#pragma unroll
          for (int32_t e = 0; e < 4; ++e) {
            if (!sees(r, n, e)) scores[r][n][e] = -INFINITY;
          }
        }
      }
#pragma unroll
      for (int32_t e = 0; e < 2; ++e) {
        float maximum = fmaxf(scores[r][0][2 * e], scores[r][0][2 * e + 1]);
#pragma unroll
        for (int32_t n = 1; n < 8; ++n) {
          maximum = fmaxf(maximum, fmaxf(scores[r][n][2 * e], scores[r][n][2 * e + 1]));
        }
        maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, 1));
        maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, 2));
        maximum = fmaxf(maxima[r][e], __fmul_rn(maximum, factor));
        const float from = base_of(maximum);
        const float old_part = power_of_two(__fsub_rn(maxima[r][e], from));
        maxima[r][e] = maximum;
        float total = 0;
#pragma unroll
        for (int32_t n = 0; n < 8; ++n) {
#pragma unroll
          for (int32_t i = 0; i < 2; ++i) {
            float& score = scores[r][n][2 * e + i];
            score = power_of_two(fmaf(score, factor, -from));
            total = __fadd_rn(total, score);
          }
        }
        totals[r][e] = fmaf(totals[r][e], old_part, total);
        if (__any_sync(kAll, old_part != 1.0f)) {  // mostly none after the first tiles
#pragma unroll
          for (int32_t n = 0; n < kColumns / 8; ++n) {
            sums[r][n][2 * e] = __fmul_rn(sums[r][n][2 * e], old_part);
            sums[r][n][2 * e + 1] = __fmul_rn(sums[r][n][2 * e + 1], old_part);
          }
        }
      }
    }
#pragma unroll
    for (int32_t k = 0; k < kPageTokens / 16; ++k) {
      uint32_t a[kRowTiles][4];
#pragma unroll
      for (int32_t r = 0; r < kRowTiles; ++r) {
        a[r][0] = halves_of(scores[r][2 * k][0], scores[r][2 * k][1]);
        a[r][1] = halves_of(scores[r][2 * k][2], scores[r][2 * k][3]);
        a[r][2] = halves_of(scores[r][2 * k + 1][0], scores[r][2 * k + 1][1]);
        a[r][3] = halves_of(scores[r][2 * k + 1][2], scores[r][2 * k + 1][3]);
      }
#pragma unroll
      for (int32_t n = 0; n < kColumns / 16; ++n) {
        uint32_t b[4];
        const int32_t key = k * 16 + thread / 8 % 2 * 8 + thread % 8;
        load_transposed(values + static_cast<uint32_t>(place_of<kColumns>(key, 2 * n + thread / 16)) * 2, b);
        if constexpr (kMasked) {
          if (is_poisoned) {  // rare: count what is not finite among the keys that a row sees
            uint32_t ones[4];
#pragma unroll
            for (int32_t i = 0; i < 4; ++i) {
              ones[i] = not_finite(b[i]);
              b[i] &= ~ones[i];
              ones[i] = ones_of(ones[i]);
            }
#pragma unroll
            for (int32_t r = 0; r < kRowTiles; ++r) {
              uint32_t sights[4];
#pragma unroll
              for (int32_t i = 0; i < 4; ++i) {
                sights[i] = halves_of(sees(r, 2 * k + i / 2, i % 2 * 2) ? 1.0f : 0.0f,
                                      sees(r, 2 * k + i / 2, i % 2 * 2 + 1) ? 1.0f : 0.0f);
              }
#pragma unroll
              for (int32_t i = 0; i < 2; ++i) {
                float count[4] = {};
                multiply_add(count, sights[0], sights[1], sights[2], sights[3], ones[2 * i], ones[2 * i + 1]);
#pragma unroll
                for (int32_t e = 0; e < 4; ++e) {
                  if (count[e] > 0) sums[r][2 * n + i][e] = NAN;
                }
              }
            }
          }
        }
#pragma unroll
        for (int32_t r = 0; r < kRowTiles; ++r) {
          multiply_add(sums[r][2 * n], a[r][0], a[r][1], a[r][2], a[r][3], b[0], b[1]);
          multiply_add(sums[r][2 * n + 1], a[r][0], a[r][1], a[r][2], a[r][3], b[2], b[3]);
        }
      }
    }
  };

  // A warp's rows see all of a tile, or are told key by key what they see, or see none of it.
  const int32_t low_end = kPaged ? position + warp_row + 1 : num_rows;
  const int32_t high_end = kPaged ? position + warp_row + kRowTiles * 16 : num_rows;
  const bool has_rows = warp_row < block_rows;
  for (int32_t tile = first_tile; tile < end_tile; ++tile) {
    const int32_t first_key = tile * kPageTokens;
    if constexpr (Memory::kStages == 2) {
      wait_for_groups();
      __syncthreads();  // the tile is there, and the one before it has been read by all
      if (tile + 1 < end_tile) bring_pages(tile + 1);
    } else if constexpr (kSource == Source::halves) {
      __syncthreads();
      bring_pages(tile);
      wait_for_groups();
      __syncthreads();
    } else if constexpr (kSource == Source::bytes) {
      __syncthreads();
      const int64_t block = (static_cast<int64_t>(table[tile]) * base.pages.num_heads + kv_head) *
                            block_bytes_of(base.pages.type, head_size);
      const int32_t num_valid = end_key - first_key;
      widen_rows<kColumns, kThreads>(static_cast<const uint8_t*>(base.pages.keys) + block, base.pages.type, num_valid,
                                     head_size, shared.keys[0]);
      widen_rows<kColumns, kThreads>(static_cast<const uint8_t*>(base.pages.values) + block, base.pages.type, num_valid,
                                     head_size, shared.values[0]);
      __syncthreads();
    } else if constexpr (kBringsAtOnce) {
      if constexpr (!kBringsEarly) incoming.load(task, first_row, num_rows, head, first_key);
      __syncthreads();
      incoming.put(shared.keys[0], shared.values[0]);
      __syncthreads();
      if constexpr (kBringsEarly) {
        if (tile + 1 < end_tile) incoming.load(task, first_row, num_rows, head, first_key + kPageTokens);
      }
    } else {
      __syncthreads();
      const int64_t offset = static_cast<int64_t>(head) * head_size;
      const int32_t num_valid = num_rows - first_key;
      round_rows<kColumns, kThreads>(row_of(task.keys, first_row + first_key) + offset, task.keys.stride, num_valid,
                                     kPageTokens, head_size, task.rows_aligned, 1, shared.keys[0], place_of<kColumns>);
      round_rows<kColumns, kThreads>(row_of(task.values, first_row + first_key) + offset, task.values.stride, num_valid,
                                     kPageTokens, head_size, task.rows_aligned, 1, shared.values[0],
                                     place_of<kColumns>);
      __syncthreads();
    }
    // A key that some rows of the block see and others do not may hold values that the others must not notice.
    bool is_poisoned = false;
    if (kPaged && (first_key + kPageTokens > position + 1 || (window > 0 && first_key < end_key - window))) {
      __half2 zeros = __floats2half2_rn(0, 0);  // of products with zero: a NaN if anything is not finite
      const __half* values = shared.values[tile % Memory::kStages];
#pragma unroll
      for (int32_t i = 0; i < kPageTokens * (kColumns / 8) / kThreads; ++i) {
        const uint4 words =
            *reinterpret_cast<const uint4*>(values + (static_cast<int32_t>(threadIdx.x) + i * kThreads) * 8);
        for (const uint32_t word : {words.x, words.y, words.z, words.w}) {
          __half2 pair;
          memcpy(&pair, &word, sizeof pair);
          zeros = __hfma2(pair, __floats2half2_rn(0, 0), zeros);
        }
      }
      is_poisoned = __syncthreads_or(__hisnan(zeros.x) || __hisnan(zeros.y));
    }
    if (!has_rows || first_key >= high_end || (window > 0 && first_key + kPageTokens <= low_end - window)) continue;
    if (first_key + kPageTokens > low_end || (window > 0 && first_key < high_end - window)) {
      step(tile, std::true_type{}, is_poisoned);
    } else {
      step(tile, std::false_type{}, false);
    }
  }

#pragma unroll
  for (int32_t r = 0; r < kRowTiles; ++r) {
#pragma unroll
    for (int32_t e = 0; e < 2; ++e) {
      float total = totals[r][e];
      total = __fadd_rn(total, __shfl_xor_sync(kAll, total, 1));
      total = __fadd_rn(total, __shfl_xor_sync(kAll, total, 2));
      const int32_t row = warp_row + r * 16 + g + 8 * e;
      if (row >= block_rows) continue;
      float* to = row_of(base.out, first_row + low_row + row) + static_cast<int64_t>(head) * head_size;
#pragma unroll
      for (int32_t n = 0; n < kColumns / 8; ++n) {
        const int32_t column = n * 8 + 2 * t;
        if (column >= head_size) continue;
        const float2 pair = make_float2(sums[r][n][2 * e] / total, sums[r][n][2 * e + 1] / total);
        if (task.out_aligned) {
          *reinterpret_cast<float2*>(to + column) = pair;
        } else {
          to[column] = pair.x, to[column + 1] = pair.y;
        }
      }
    }
  }
}

template <Source kSource, int32_t kColumns, int32_t kWarps, int32_t kRowTiles>
Status launch(Device* device, const ManyTask& task) {
  using Memory = Shared<kSource, kColumns, kWarps, kRowTiles>;
  constexpr int32_t kSharedBytes = static_cast<int32_t>(sizeof(Memory));
  const auto kernel = many_kernel<kSource, kColumns, kWarps, kRowTiles>;
  if (kSharedBytes > 48 << 10) {
    if (kSharedBytes > device->shared_bytes)
      return {Code::unsupported, "attention: the heads are too wide for this GPU"};
    const Status status =
        status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
    if (!status.ok()) return status;
  }
  const int32_t tiles = task.base.queries.num_rows / Memory::kRows + task.num_tiled;  // at least
  const dim3 grid(static_cast<unsigned>(task.base.num_heads), static_cast<unsigned>(tiles));
  return launch_overlapped(device, kernel, grid, dim3(kWarps * kWarp), kSharedBytes, task);
}

}  // namespace

Status attention_many(Device* device, const PagedTask& base, const StepShape& step, int32_t num_sequences) {
  ManyTask task{};
  task.base = base;
  task.num_sequences = num_sequences;
  task.num_tiled = step.num_many;
  task.rows_aligned = is_aligned(base.queries, 4);
  task.out_aligned = is_aligned(base.out, 2);
  if (has_wgmma(device, base)) return attention_wgmma(device, task);
  if (base.pages.type == Type::f16) {
    if (base.head_size <= 64) return launch<Source::halves, 64, 8, 1>(device, task);
    if (base.head_size <= 128) return launch<Source::halves, 128, 8, 1>(device, task);
    return launch<Source::halves, 256, 4, 1>(device, task);
  }
  if (base.head_size <= 64) return launch<Source::bytes, 64, 8, 1>(device, task);
  if (base.head_size <= 128) return launch<Source::bytes, 128, 8, 1>(device, task);
  return launch<Source::bytes, 256, 4, 1>(device, task);
}

Status encoder_attention(Device* device, Rows queries, Rows keys, Rows values, const Attention& shape,
                         const DeviceBatch& batch, int32_t num_sequences, Rows out) {
  ManyTask task{};
  task.base.queries = queries;
  task.base.out = out;
  task.base.num_heads = shape.num_heads;
  task.base.group_size = 1;
  task.base.head_size = shape.head_size;
  task.base.scale = shape.scale / kQueryPart;
  task.base.soft_cap = shape.soft_cap;
  task.base.batch = batch;
  task.keys = keys;
  task.values = values;
  task.num_sequences = task.num_tiled = num_sequences;
  task.rows_aligned = is_aligned(queries, 4) && is_aligned(keys, 4) && is_aligned(values, 4);
  task.out_aligned = is_aligned(out, 2);
  if (shape.head_size <= 32) return launch<Source::rows, 32, 8, 1>(device, task);
  if (shape.head_size <= 64) return launch<Source::rows, 64, 8, 1>(device, task);
  if (shape.head_size <= 128) return launch<Source::rows, 128, 8, 1>(device, task);
  return launch<Source::rows, 256, 4, 1>(device, task);
}

}  // namespace quoth::cuda
