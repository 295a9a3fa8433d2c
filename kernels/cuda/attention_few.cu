// Attention of sequences with 1 to 8 rows in the step (decode, drafts): each context is cut into splits, a block a split.
//
// A lane is one query row of one head; the lanes of a sequence that share a kv head are columns of the tensor cores'
// sums: 8 to a tile, 1 or 2 tiles to a block. A warp takes 16 keys of a page, their keys and values go from memory
// straight to registers, in the order in which the tensor cores want them (thread 4 g + t of a warp):
//
//   scores [16 keys, 8 lanes] = K Q^T     keys g and g + 8, columns 32 j + 8 t .. + 7: two steps of 16 columns
//   sums [16 columns, 8 lanes] = V^T P^T  keys 2 t, 2 t + 1, 2 t + 8, 2 t + 9, columns 64 c + 8 g .. + 7: pairs of keys
//
// so nothing waits in shared memory, and all of a split's keys and values are on their way before the kernel before this
// one has ended. Where splits begin is fixed (`start_of`); within one the warps' results are added in order, and the
// block that ends last folds the splits in order: a row's bits depend on its own position alone.
#include <algorithm>

#include "attention.h"

#ifdef QUOTH_CLOCK
__device__ long long quoth_stamps[4096][16];
#define STAMP(i) \
  if (threadIdx.x == 0) quoth_stamps[(blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z)) % 4096][i] = clock64();
extern "C" __attribute__((visibility("default"))) void quoth_read_stamps(long long* to) {
  cudaMemcpyFromSymbol(to, quoth_stamps, sizeof quoth_stamps);
}
#else
#define STAMP(i)
#endif

namespace quoth::cuda {
namespace {

constexpr int32_t kWarps = 8;
constexpr int32_t kThreads = kWarps * kWarp;
constexpr int32_t kWarpKeys = 16;
constexpr int32_t kPagesAtOnce = kWarps * kWarpKeys / kPageTokens;
constexpr int32_t kTileLanes = 8;
constexpr int32_t kManyTiles = 2;  // of a block, where lanes are more than a tile
constexpr uint32_t kAll = 0xffffffffu;

// Splits of a context in pages: 16 of 2, 24 of 4, then 16 of each power of two.
__host__ __device__ constexpr int32_t log_of(uint32_t number) {
  int32_t log = 0;
  while (number >>= 1) ++log;
  return log;
}
__host__ __device__ constexpr int32_t start_of(int32_t split) {
  if (split < 16) return 2 * split;
  if (split < 40) return 32 + 4 * (split - 16);
  const int32_t doubling = (split - 40) / 16;
  return (128 << doubling) + (split - 40) % 16 * (8 << doubling);
}
__host__ __device__ constexpr int32_t split_of(int32_t page) {
  if (page < 32) return page / 2;
  if (page < 128) return 16 + (page - 32) / 4;
  const int32_t doubling = log_of(static_cast<uint32_t>(page)) - 7;
  return 40 + 16 * doubling + (page - (128 << doubling)) / (8 << doubling);
}
static_assert(start_of(16) == 32 && start_of(40) == 128 && start_of(56) == 256 && split_of(255) == 55);
static_assert(start_of(split_of(4095)) == 4096 - 128 && split_of(4095) == 119);
constexpr int32_t kMaxSplits = 136;  // 8192 pages

struct FewTask {
  PagedTask base;
  Rope rope;
  bool is_fused;       // queries are a qkv buffer: turn, write keys and values
  bool is_one_row;     // every sequence has one row
  bool is_walking;     // a block takes all splits of its lanes
  bool is_aligned;     // 16-byte stores to out
  int32_t tiles;       // blocks' worth of lanes per kv head
  int32_t max_splits;  // the room of a lane in `partials`
  float* partials;     // f32 [T, H, max_splits, d]
  float2* ends;        // [T, H, max_splits] maximum and total
  int32_t* arrivals;   // [B, tiles, G], zero
};

template <int32_t kBytes, int32_t kColumns, int32_t kTiles>
struct Shared {
  static constexpr int32_t kLanes = kTiles * kTileLanes;
  __half queries[kLanes][kColumns + 8];
  alignas(16) uint8_t rows[2][kFewRows][kColumns * kBytes];  // keys and values of this step as pages hold them
  float2 turns[kFewRows][kColumns / 2];
  float maxima[kWarps][kLanes], totals[kWarps][kLanes];
  alignas(16) float sums[kWarps][kTileLanes][kColumns + 8];  // later: factors of the splits
  bool is_last;
};

__device__ inline void load_words(const void* from, uint32_t (&to)[4]) {
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "l"(from));
}

// A thread's part of 16 keys and their values.
template <int32_t kColumns>
struct Part {
  uint32_t keys[2][kColumns / 32][4];
  uint32_t values[4][kColumns / 64][4];
};
// The key, of a warp's 16, that value row `i` of thread t belongs to.
__device__ inline int32_t value_key(int32_t i, int32_t t) {
  return 2 * t + (i & 1) + (i & 2) * 4;
}

// Brings keys from `first` on (16) that are below `end`, of page `id`; the rest is zero.
template <int32_t kColumns>
__device__ inline void bring_keys(const PagedTask& base, int32_t id, int32_t kv_head, int32_t first, int32_t end,
                                  int32_t g, int32_t t, Part<kColumns>& part) {
  const int32_t head_size = base.head_size;
  const int64_t block = static_cast<int64_t>(id) * base.pages.num_heads + kv_head;
  const __half* keys = static_cast<const __half*>(base.pages.keys) +
                       (block * kPageTokens + first % kPageTokens + g) * head_size + 8 * t;
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    const bool is_there = first + g + 8 * i < end;
#pragma unroll
    for (int32_t j = 0; j < kColumns / 32; ++j) {
#pragma unroll
      for (uint32_t& word : part.keys[i][j]) word = 0;
      if (is_there && 32 * j + 8 * t < head_size) load_words(keys + 8 * i * head_size + 32 * j, part.keys[i][j]);
    }
  }
}
// The same of values; one that no lane sees may be anything and is zero here.
template <int32_t kColumns>
__device__ inline void bring_values(const PagedTask& base, int32_t id, int32_t kv_head, int32_t first, int32_t least,
                                    int32_t end, int32_t g, int32_t t, Part<kColumns>& part) {
  const int32_t head_size = base.head_size;
  const int64_t block = static_cast<int64_t>(id) * base.pages.num_heads + kv_head;
  const __half* values = static_cast<const __half*>(base.pages.values) +
                         (block * kPageTokens + first % kPageTokens) * head_size + 8 * g;
#pragma unroll
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t key = value_key(i, t);
    const bool is_there = first + key < end && first + key >= least;
#pragma unroll
    for (int32_t c = 0; c < kColumns / 64; ++c) {
#pragma unroll
      for (uint32_t& word : part.values[i][c]) word = 0;
      if (is_there && 64 * c + 8 * g < head_size) load_words(values + key * head_size + 64 * c, part.values[i][c]);
    }
  }
}

// Puts in the rows of this step, from shared memory.
template <int32_t kColumns>
__device__ inline void bring_new(const uint8_t* rows, int32_t head_size, int32_t first, int32_t first_new, int32_t end,
                                 int32_t g, int32_t t, Part<kColumns>& part) {
  const auto place = [&](int32_t which, int32_t row, int32_t column) {
    return reinterpret_cast<const uint4*>(rows + ((which * kFewRows + row) * kColumns + column) * 2);
  };
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    const int32_t row = first + g + 8 * i - first_new;
    if (row < 0 || row >= end - first_new) continue;
#pragma unroll
    for (int32_t j = 0; j < kColumns / 32; ++j) {
      if (32 * j + 8 * t < head_size) memcpy(part.keys[i][j], place(0, row, 32 * j + 8 * t), 16);
    }
  }
#pragma unroll
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t row = first + value_key(i, t) - first_new;
    if (row < 0 || row >= end - first_new) continue;
#pragma unroll
    for (int32_t c = 0; c < kColumns / 64; ++c) {
      if (64 * c + 8 * g < head_size) memcpy(part.values[i][c], place(1, row, 64 * c + 8 * g), 16);
    }
  }
}

__device__ inline uint32_t transposed(uint32_t word) {
  uint32_t other = 0;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(other) : "r"(word));
  return other;
}

template <int32_t kColumns, int32_t kTiles>
__global__ void __launch_bounds__(kThreads, kTiles == 1 && kColumns <= 128 ? 2 : 1)
    few_kernel(const __grid_constant__ FewTask task) {
  using Memory = Shared<2, kColumns, kTiles>;
  constexpr int32_t kLanes = Memory::kLanes;
  extern __shared__ __align__(16) uint8_t shared_bytes[];
  Memory& shared = *reinterpret_cast<Memory*>(shared_bytes);
  let_next_start();
  STAMP(0)
  const PagedTask& base = task.base;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t g = threadIdx.x % kWarp / 4;
  const int32_t t = threadIdx.x % 4;
  const int32_t head_size = base.head_size;
  const int32_t group = base.group_size;
  const int32_t sequence = blockIdx.z;
  const int32_t kv_head = static_cast<int32_t>(blockIdx.y) % base.pages.num_heads;
  const int32_t tile = static_cast<int32_t>(blockIdx.y) / base.pages.num_heads;
  const int32_t rank = blockIdx.x;
  const int32_t* table = base.batch.page_table + static_cast<int64_t>(sequence) * base.page_table_stride;
  int32_t page = start_of(rank) + warp / (kWarps / kPagesAtOnce);
  int32_t id = base.window <= 0 && page < base.page_table_stride ? table[page] : 0;  // early: less waits for it
  const int32_t first_row = task.is_one_row ? sequence : base.batch.first_row[sequence];
  const int32_t num_rows = task.is_one_row ? 1 : base.batch.first_row[sequence + 1] - first_row;
  const int32_t first_lane = tile * kLanes;
  const int32_t num_lanes = num_rows * group - first_lane;  // from this tile on
  if (num_rows > kFewRows || num_lanes <= 0) {
    wait_for_previous();
    return;
  }
  const int32_t position = base.batch.positions[first_row];
  const int32_t low_row = first_lane / group;
  const int32_t high_row = (first_lane + min(kLanes, num_lanes) - 1) / group;
  const int32_t window = base.window;
  // Keys that any lane of the block sees, and the splits that hold them.
  const int32_t least = window > 0 ? max(0, position + low_row + 1 - window) : 0;
  const int32_t most = position + high_row + 1;
  const int32_t first_split = split_of(least / kPageTokens);
  const int32_t num_splits = split_of((most - 1) / kPageTokens) + 1 - first_split;
  if (rank >= num_splits) {
    wait_for_previous();
    return;
  }
  const int32_t end_page = min(ceil_div(most, kPageTokens),
                               start_of(first_split + (task.is_walking ? num_splits : rank + 1)));
  const int32_t first_key = warp % (kWarps / kPagesAtOnce) * kWarpKeys;  // of a page
  page = start_of(first_split + rank) + warp / (kWarps / kPagesAtOnce);
  const auto is_seen = [&](int32_t of_page) {
    const int32_t key = of_page * kPageTokens + first_key;
    return of_page < end_page && key < most && key + kWarpKeys > least;
  };

  STAMP(1)
  while (page < end_page && page * kPageTokens + first_key + kWarpKeys <= least) page += kPagesAtOnce;
  // Before the kernel before this one has ended: what older steps left.
  if (!task.is_fused) wait_for_previous();
  const int32_t old_end = task.is_fused ? position : most;
  Part<kColumns> part;
  const int32_t loaded_end = min(old_end, most);
  if (is_seen(page)) {
    if (window > 0) id = table[page];
    bring_keys<kColumns>(base, id, kv_head, page * kPageTokens + first_key, loaded_end, g, t, part);
    bring_values<kColumns>(base, id, kv_head, page * kPageTokens + first_key, least, loaded_end, g, t, part);
  }
  if (is_seen(page + kPagesAtOnce)) id = table[page + kPagesAtOnce];
  STAMP(2)
  if (task.is_fused) {
    const int32_t half = task.rope.rotary_size / 2;
    for (int32_t index = threadIdx.x; index < (high_row + 1) * half; index += kThreads) {
      const int32_t row = index / half;
      shared.turns[row][index % half] = turn_of(task.rope, index % half, position + row);
    }
    __syncthreads();
  STAMP(3)
    wait_for_previous();
  }
  STAMP(4)
  // Queries, then the keys and values of this step that lie in this block's pages: a warp a row of a head.
  {
    const int32_t half = task.is_fused ? task.rope.rotary_size / 2 : 0;
    const int32_t lanes = min(kLanes, num_lanes);
    const int32_t first_new = max(position, start_of(first_split + rank) * kPageTokens) - position;
    const int32_t end_new = min(most, end_page * kPageTokens) - position;
    const int32_t new_rows = task.is_fused ? max(0, end_new - first_new) : 0;
    const int32_t thread = threadIdx.x % kWarp;
    for (int32_t job = warp; job < kLanes + 2 * new_rows; job += kWarps) {
      const bool is_query = job < kLanes;
      const bool is_key = !is_query && job < kLanes + new_rows;
      const int32_t lane = first_lane + job;
      const int32_t row = is_query ? lane / group : first_new + (job - kLanes) % new_rows;
      const int32_t head = is_query ? kv_head * group + lane % group
                           : is_key ? base.num_heads + kv_head
                                    : base.num_heads + base.pages.num_heads + kv_head;
      const bool is_there = !is_query || job < lanes;
      const float* from = row_of(base.queries, first_row + row) + static_cast<int64_t>(head) * head_size;
      const int32_t turning = is_query || is_key ? half : 0;
      __half* to_page = nullptr;
      if (!is_query && row * group >= first_lane && row * group < first_lane + kLanes) {  // one block writes it
        const int32_t place = position + row;
        void* array = is_key ? base.pages.keys : base.pages.values;
        to_page = static_cast<__half*>(array) +
                  ((static_cast<int64_t>(table[place / kPageTokens]) * base.pages.num_heads + kv_head) * kPageTokens +
                   place % kPageTokens) *
                      head_size;
      }
      __half* to = is_query ? shared.queries[job]
                            : reinterpret_cast<__half*>(shared.rows[is_key ? 0 : 1][row]);
      const auto put = [&](int32_t column, float value) {
        const __half stored = __float2half_rn(is_query ? __fmul_rn(value, kQueryPart) : value);
        to[column] = stored;
        if (to_page != nullptr) to_page[column] = stored;
      };
#pragma unroll
      for (int32_t k = 0; k < kColumns / kWarp; ++k) {
        const int32_t slot = thread + k * kWarp;
        if (!is_there) {
          if (slot < kColumns) to[slot] = __float2half_rn(0);
        } else if (slot < turning) {
          const Slot columns = slot_of(task.rope, slot);
          float a = from[columns.first], b = from[columns.second];
          turn(shared.turns[row][slot], a, b);
          put(columns.first, a);
          put(columns.second, b);
        } else if (slot + turning < kColumns) {
          const int32_t column = slot + turning;
          if (column < head_size) {
            put(column, from[column]);
          } else if (is_query) {
            to[column] = __float2half_rn(0);
          }
        }
      }
    }
  }
  __syncthreads();

  STAMP(5)
  // What each of the thread's lanes sees: lanes 2 t and 2 t + 1 of every tile.
  int32_t ends[kTiles][2];
  float slopes[kTiles][2];
#pragma unroll
  for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int32_t e = 0; e < 2; ++e) {
      const int32_t lane = i * kTileLanes + 2 * t + e;
      const bool is_there = lane < num_lanes;
      ends[i][e] = is_there ? position + (first_lane + lane) / group + 1 : -(1 << 30);
      slopes[i][e] = is_there && base.slopes != nullptr ? base.slopes[kv_head * group + (first_lane + lane) % group] : 0;
    }
  }

  constexpr int32_t kOwned = (kTileLanes * kColumns / 4 + kThreads - 1) / kThreads;  // float4s of a tile, per thread
  float4 folded[kTiles][kOwned];
  float folded_maximum[kTiles][kOwned], folded_total[kTiles][kOwned];
#pragma unroll
  for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int32_t k = 0; k < kOwned; ++k) {
      folded[i][k] = make_float4(0, 0, 0, 0);
      folded_maximum[i][k] = -INFINITY;
      folded_total[i][k] = 0;
    }
  }
  const auto fold = [](float4& sum, const float4& added, float old_part, float new_part) {
    sum.x = fmaf(added.x, new_part, __fmul_rn(sum.x, old_part));
    sum.y = fmaf(added.y, new_part, __fmul_rn(sum.y, old_part));
    sum.z = fmaf(added.z, new_part, __fmul_rn(sum.z, old_part));
    sum.w = fmaf(added.w, new_part, __fmul_rn(sum.w, old_part));
  };
  // The lane and column of float4 k of the thread; lane >= 8: none.
  const auto lane_of = [&](int32_t k) { return (static_cast<int32_t>(threadIdx.x) + k * kThreads) / (kColumns / 4); };
  const auto column_of = [&](int32_t k) {
    return (static_cast<int32_t>(threadIdx.x) + k * kThreads) % (kColumns / 4) * 4;
  };
  const auto finish = [&](int32_t lane, int32_t column, float4 sum, float total) {
    const int32_t index = first_lane + lane;
    if (column >= head_size) return;
    float* to = row_of(base.out, first_row + index / group) +
                static_cast<int64_t>(kv_head * group + index % group) * head_size + column;
    sum = make_float4(sum.x / total, sum.y / total, sum.z / total, sum.w / total);
    if (task.is_aligned) {
      *reinterpret_cast<float4*>(to) = sum;
    } else {
      to[0] = sum.x, to[1] = sum.y, to[2] = sum.z, to[3] = sum.w;
    }
  };
  const auto partial_of = [&](int32_t lane) {
    const int32_t index = first_lane + lane;
    return (static_cast<int64_t>(first_row + index / group) * base.num_heads + kv_head * group + index % group) *
           task.max_splits;
  };

  for (int32_t split = rank; split < num_splits; ++split) {
    const int32_t split_end = min(end_page, start_of(first_split + split + 1));
    float maxima[kTiles][2], totals[kTiles][2];
    float sums[kTiles][kColumns / 64][4][4];
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int32_t e = 0; e < 2; ++e) maxima[i][e] = -INFINITY, totals[i][e] = 0;
#pragma unroll
      for (int32_t c = 0; c < kColumns / 64; ++c) {
#pragma unroll
        for (int32_t j = 0; j < 4; ++j) {
#pragma unroll
          for (float& sum : sums[i][c][j]) sum = 0;
        }
      }
    }
    for (; page < split_end; page += kPagesAtOnce) {
      if (is_seen(page)) {
        const int32_t first = page * kPageTokens + first_key;
        if (task.is_fused && first + kWarpKeys > position) {
          bring_new<kColumns>(shared.rows[0][0], head_size, first, position, most, g, t, part);
        }
        float products[kTiles][4];
#pragma unroll
        for (int32_t i = 0; i < kTiles; ++i) {
          float other[4] = {};  // two chains: half the wait
#pragma unroll
          for (float& product : products[i]) product = 0;
#pragma unroll
          for (int32_t j = 0; j < kColumns / 32; ++j) {
            const uint4 query =
                *reinterpret_cast<const uint4*>(&shared.queries[i * kTileLanes + g][32 * j + 8 * t]);
            multiply_add(products[i], part.keys[0][j][0], part.keys[1][j][0], part.keys[0][j][1], part.keys[1][j][1],
                         query.x, query.y);
            multiply_add(other, part.keys[0][j][2], part.keys[1][j][2], part.keys[0][j][3], part.keys[1][j][3], query.z,
                         query.w);
          }
#pragma unroll
          for (int32_t e = 0; e < 4; ++e) products[i][e] = __fadd_rn(products[i][e], other[e]);
        }
  STAMP(6)
        const int32_t next = page + kPagesAtOnce;
        if (is_seen(next)) {
          bring_keys<kColumns>(base, id, kv_head, next * kPageTokens + first_key, loaded_end, g, t, part);
        }
        // Keys that some lanes of the block see and others do not may hold values that the others must not notice.
        const bool is_mixed =
            first + kWarpKeys > position + low_row + 1 || (window > 0 && first < position + high_row + 1 - window);
        bool is_poisoned = false;
        if (is_mixed) {
          uint32_t found = 0;
#pragma unroll
          for (int32_t k = 0; k < 4; ++k) {
#pragma unroll
            for (int32_t c = 0; c < kColumns / 64; ++c) {
#pragma unroll
              for (const uint32_t word : part.values[k][c]) found |= not_finite(word);
            }
          }
          is_poisoned = __any_sync(kAll, found != 0);
        }
        uint32_t weights[kTiles][2], sights[kTiles][2];
#pragma unroll
        for (int32_t i = 0; i < kTiles; ++i) {
          bool sees[4];
#pragma unroll
          for (int32_t e = 0; e < 4; ++e) {
            const int32_t key = first + g + e / 2 * 8;
            const int32_t end = ends[i][e % 2];
            sees[e] = key < end && (window <= 0 || key >= end - window);
            products[i][e] =
                sees[e] ? score_of(base, products[i][e], slopes[i][e % 2], key - end + 1) : -INFINITY;
          }
#pragma unroll
          for (int32_t e = 0; e < 2; ++e) {
            float maximum = fmaxf(products[i][e], products[i][e + 2]);
#pragma unroll
            for (int32_t step = 4; step < kWarp; step *= 2) {
              maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, step));
            }
            maximum = fmaxf(maximum, maxima[i][e]);
            const float from = base_of(maximum);
            const float old_part = power_of_two(__fsub_rn(maxima[i][e], from));
            maxima[i][e] = maximum;
            products[i][e] = sees[e] ? power_of_two(__fsub_rn(products[i][e], from)) : 0.0f;
            products[i][e + 2] = sees[e + 2] ? power_of_two(__fsub_rn(products[i][e + 2], from)) : 0.0f;
            totals[i][e] = fmaf(totals[i][e], old_part, __fadd_rn(products[i][e], products[i][e + 2]));
#pragma unroll
            for (int32_t c = 0; c < kColumns / 64; ++c) {
#pragma unroll
              for (int32_t j = 0; j < 4; ++j) {
                sums[i][c][j][e] = __fmul_rn(sums[i][c][j][e], old_part);
                sums[i][c][j][e + 2] = __fmul_rn(sums[i][c][j][e + 2], old_part);
              }
            }
          }
          weights[i][0] = transposed(halves_of(products[i][0], products[i][1]));
          weights[i][1] = transposed(halves_of(products[i][2], products[i][3]));
          if (is_poisoned) {
            sights[i][0] = transposed(halves_of(sees[0] ? 1.0f : 0.0f, sees[1] ? 1.0f : 0.0f));
            sights[i][1] = transposed(halves_of(sees[2] ? 1.0f : 0.0f, sees[3] ? 1.0f : 0.0f));
          }
        }
  STAMP(7)
#pragma unroll
        for (int32_t c = 0; c < kColumns / 64; ++c) {
#pragma unroll
          for (int32_t j = 0; j < 4; ++j) {
            uint32_t a[4];
            a[0] = __byte_perm(part.values[0][c][j], part.values[1][c][j], 0x5410);
            a[1] = __byte_perm(part.values[0][c][j], part.values[1][c][j], 0x7632);
            a[2] = __byte_perm(part.values[2][c][j], part.values[3][c][j], 0x5410);
            a[3] = __byte_perm(part.values[2][c][j], part.values[3][c][j], 0x7632);
            if (is_poisoned) {  // rare: count what is not finite among the keys that a lane sees
              uint32_t bad[4];
#pragma unroll
              for (int32_t k = 0; k < 4; ++k) {
                bad[k] = not_finite(a[k]);
                a[k] &= ~bad[k];
                bad[k] = ones_of(bad[k]);
              }
#pragma unroll
              for (int32_t i = 0; i < kTiles; ++i) {
                float count[4] = {};
                multiply_add(count, bad[0], bad[1], bad[2], bad[3], sights[i][0], sights[i][1]);
#pragma unroll
                for (int32_t e = 0; e < 4; ++e) {
                  if (count[e] > 0) sums[i][c][j][e] = NAN;
                }
              }
            }
#pragma unroll
            for (int32_t i = 0; i < kTiles; ++i) {
              multiply_add(sums[i][c][j], a[0], a[1], a[2], a[3], weights[i][0], weights[i][1]);
            }
          }
        }
      }
      const int32_t next = page + kPagesAtOnce;
      if (is_seen(next)) {
        bring_values<kColumns>(base, id, kv_head, next * kPageTokens + first_key, least, loaded_end, g, t, part);
        if (is_seen(next + kPagesAtOnce)) id = table[next + kPagesAtOnce];
      }
    }

  STAMP(8)
    // The warps' results to one.
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int32_t e = 0; e < 2; ++e) {
#pragma unroll
        for (int32_t step = 4; step < kWarp; step *= 2) {
          totals[i][e] = __fadd_rn(totals[i][e], __shfl_xor_sync(kAll, totals[i][e], step));
        }
        if (g == 0) {
          shared.maxima[warp][i * kTileLanes + 2 * t + e] = maxima[i][e];
          shared.totals[warp][i * kTileLanes + 2 * t + e] = totals[i][e];
        }
      }
    }
    __syncthreads();
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
      if (i * kTileLanes >= num_lanes) break;  // the same for the whole block
      if (i > 0) __syncthreads();              // the sums of the tile before have been read
#pragma unroll
      for (int32_t e = 0; e < 2; ++e) {
        const int32_t lane = 2 * t + e;
        float maximum = -INFINITY;
#pragma unroll
        for (int32_t w = 0; w < kWarps; ++w) maximum = fmaxf(maximum, shared.maxima[w][i * kTileLanes + lane]);
        const float factor = power_of_two(__fsub_rn(maxima[i][e], base_of(maximum)));
#pragma unroll
        for (int32_t c = 0; c < kColumns / 64; ++c) {
          float* to = &shared.sums[warp][lane][64 * c + 8 * g];
#pragma unroll
          for (int32_t j = 0; j < 2; ++j) {
            const auto scaled = [&](int32_t pair, int32_t which) {
              return __fmul_rn(sums[i][c][pair][e + 2 * which], factor);
            };
            *reinterpret_cast<float4*>(to + 4 * j) =
                make_float4(scaled(2 * j, 0), scaled(2 * j, 1), scaled(2 * j + 1, 0), scaled(2 * j + 1, 1));
          }
        }
      }
      __syncthreads();
  STAMP(9)
#pragma unroll
      for (int32_t k = 0; k < kOwned; ++k) {
        const int32_t lane = lane_of(k);
        const int32_t column = column_of(k);
        if (lane >= kTileLanes || i * kTileLanes + lane >= num_lanes) continue;
        float maximum = -INFINITY, total = 0;
#pragma unroll
        for (int32_t w = 0; w < kWarps; ++w) maximum = fmaxf(maximum, shared.maxima[w][i * kTileLanes + lane]);
        float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll
        for (int32_t w = 0; w < kWarps; ++w) {
          const float factor = power_of_two(__fsub_rn(shared.maxima[w][i * kTileLanes + lane], base_of(maximum)));
          total = fmaf(shared.totals[w][i * kTileLanes + lane], factor, total);
          const float4 part_sum = *reinterpret_cast<const float4*>(&shared.sums[w][lane][column]);
          sum.x = __fadd_rn(sum.x, part_sum.x), sum.y = __fadd_rn(sum.y, part_sum.y);
          sum.z = __fadd_rn(sum.z, part_sum.z), sum.w = __fadd_rn(sum.w, part_sum.w);
        }
        if (task.is_walking || num_splits == 1) {
          const float larger = fmaxf(folded_maximum[i][k], maximum);
          const float old_part = power_of_two(__fsub_rn(folded_maximum[i][k], base_of(larger)));
          const float new_part = power_of_two(__fsub_rn(maximum, base_of(larger)));
          fold(folded[i][k], sum, old_part, new_part);
          folded_total[i][k] = fmaf(total, new_part, __fmul_rn(folded_total[i][k], old_part));
          folded_maximum[i][k] = larger;
        } else {
          const int64_t at = partial_of(i * kTileLanes + lane) + rank;
          if (column < head_size) *reinterpret_cast<float4*>(task.partials + at * head_size + column) = sum;
          if (column == 0) task.ends[at] = make_float2(maximum, total);
        }
      }
    }
  STAMP(10)
    if (!task.is_walking) break;
    __syncthreads();  // the maxima and totals have been read
  }
  if (task.is_walking || num_splits == 1) {
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int32_t k = 0; k < kOwned; ++k) {
        const int32_t lane = lane_of(k);
        if (lane >= kTileLanes || i * kTileLanes + lane >= num_lanes) continue;
        finish(i * kTileLanes + lane, column_of(k), folded[i][k], folded_total[i][k]);
      }
    }
    return;
  }

  // The block that ends last folds the splits, in order.
  int32_t* arrivals = task.arrivals + (static_cast<int64_t>(sequence) * gridDim.y + blockIdx.y);
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    shared.is_last = atomicAdd(arrivals, 1) == num_splits - 1;
    __threadfence();
  }
  __syncthreads();
  STAMP(11)
  if (!shared.is_last) return;
  if (threadIdx.x == 0) *arrivals = 0;
  constexpr int32_t kAtOnce = 8;
  float* old_parts = &shared.sums[0][0][0];  // [8 lanes, kMaxSplits] each
  float* new_parts = old_parts + kTileLanes * kMaxSplits;
  float* split_totals = new_parts + kTileLanes * kMaxSplits;
  static_assert(sizeof shared.sums >= 3 * sizeof(float) * kTileLanes * kMaxSplits);
  for (int32_t i = 0; i < kTiles && i * kTileLanes < num_lanes; ++i) {
    // On their way while the factors are found.
    float4 added[kOwned][kAtOnce];
    const auto bring_partials = [&](int32_t split) {
#pragma unroll
      for (int32_t k = 0; k < kOwned; ++k) {
        const int32_t lane = i * kTileLanes + lane_of(k);
        const bool is_there = lane_of(k) < kTileLanes && lane < num_lanes && column_of(k) < head_size;
        const float* from = task.partials + (partial_of(lane) + split) * head_size + column_of(k);
#pragma unroll
        for (int32_t s = 0; s < kAtOnce; ++s) {
          if (is_there && split + s < num_splits) {
            added[k][s] = __ldcg(reinterpret_cast<const float4*>(from + static_cast<int64_t>(s) * head_size));
          }
        }
      }
    };
    bring_partials(0);
    if (i * kTileLanes + warp < num_lanes) {
      const float2* from = task.ends + partial_of(i * kTileLanes + warp);
      const int32_t thread = threadIdx.x % kWarp;
      float before = -INFINITY;  // the maximum of the splits before these 32
      for (int32_t split = thread; split - thread < num_splits; split += kWarp) {
        const float2 own = split < num_splits ? __ldcg(from + split) : make_float2(-INFINITY, 0);
        float maximum = fmaxf(own.x, before);
#pragma unroll
        for (int32_t step = 1; step < kWarp; step *= 2) {
          const float lower = __shfl_up_sync(kAll, maximum, step);
          if (thread >= step) maximum = fmaxf(maximum, lower);
        }
        const float up_to = __shfl_up_sync(kAll, maximum, 1);
        const float old_maximum = thread == 0 ? before : up_to;
        before = __shfl_sync(kAll, maximum, kWarp - 1);
        if (split < num_splits) {
          old_parts[warp * kMaxSplits + split] = power_of_two(__fsub_rn(old_maximum, base_of(maximum)));
          new_parts[warp * kMaxSplits + split] = power_of_two(__fsub_rn(own.x, base_of(maximum)));
          split_totals[warp * kMaxSplits + split] = own.y;
        }
      }
    }
    __syncthreads();
  STAMP(12)
    float4 sum[kOwned];
    float total[kOwned];
#pragma unroll
    for (int32_t k = 0; k < kOwned; ++k) sum[k] = make_float4(0, 0, 0, 0), total[k] = 0;
    for (int32_t split = 0; split < num_splits; split += kAtOnce) {
#pragma unroll
      for (int32_t k = 0; k < kOwned; ++k) {
        const int32_t lane = lane_of(k);
        if (lane >= kTileLanes || i * kTileLanes + lane >= num_lanes) continue;
#pragma unroll
        for (int32_t s = 0; s < kAtOnce; ++s) {
          if (split + s >= num_splits) break;
          const int32_t at = lane * kMaxSplits + split + s;
          fold(sum[k], added[k][s], old_parts[at], new_parts[at]);
          total[k] = fmaf(split_totals[at], new_parts[at], __fmul_rn(total[k], old_parts[at]));
        }
      }
      if (split + kAtOnce < num_splits) bring_partials(split + kAtOnce);
    }
#pragma unroll
    for (int32_t k = 0; k < kOwned; ++k) {
      const int32_t lane = lane_of(k);
      if (lane >= kTileLanes || i * kTileLanes + lane >= num_lanes) continue;
      finish(i * kTileLanes + lane, column_of(k), sum[k], total[k]);
    }
  STAMP(13)
    __syncthreads();  // the factors have been read
  }
}

template <int32_t kColumns, int32_t kTiles>
Status launch(Device* device, const FewTask& task, dim3 grid) {
  const auto kernel = few_kernel<kColumns, kTiles>;
  constexpr int32_t kSharedBytes = static_cast<int32_t>(sizeof(Shared<2, kColumns, kTiles>));
  if (kSharedBytes > 48 << 10) {
    if (kSharedBytes > device->shared_bytes) return {Code::unsupported, "attention: the heads are too wide for this GPU"};
    const Status status =
        status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
    if (!status.ok()) return status;
  }
  return launch_overlapped(device, kernel, grid, dim3(kThreads), kSharedBytes, task);
}

}  // namespace

Status attention_few(Device* device, const PagedTask& base, const Rope* rope, const StepShape& shape,
                     int32_t num_sequences) {
  const int32_t head_size = base.head_size;
  const int32_t num_lanes = shape.few_rows * base.group_size;
  const bool is_one_tile = num_lanes <= kTileLanes;
  const int32_t lanes_of_block = is_one_tile ? kTileLanes : kManyTiles * kTileLanes;
  const int32_t num_splits = split_of(shape.num_pages - 1) + 1;
  FewTask task{};
  task.base = base;
  if (rope != nullptr) task.rope = *rope;
  task.is_fused = rope != nullptr;
  task.is_one_row = shape.is_one_row;
  task.tiles = ceil_div(num_lanes, lanes_of_block);
  task.max_splits = num_splits;
  task.is_aligned = reinterpret_cast<uintptr_t>(base.out.data) % 16 == 0 && base.out.stride % 4 == 0;
  task.arrivals = device->arrivals;
  const int64_t partials = static_cast<int64_t>(base.queries.num_rows) * base.num_heads * num_splits;
  const int64_t blocks = static_cast<int64_t>(num_sequences) * task.tiles * base.pages.num_heads;
  task.ends = reinterpret_cast<float2*>(device->partials);
  task.partials = device->partials + ceil_div<int64_t>(2 * partials, 4) * 4;
  task.is_walking = num_splits > 1 && (blocks > kMaxArrivals || num_splits > kMaxSplits ||
                                       partials * (head_size + 2) + 4 > kMaxPartials ||
                                       blocks >= int64_t{4} * device->num_multiprocessors);
  const dim3 grid(static_cast<unsigned>(task.is_walking ? 1 : num_splits),
                  static_cast<unsigned>(task.tiles * base.pages.num_heads), static_cast<unsigned>(num_sequences));
  if (head_size <= 64) {
    return is_one_tile ? launch<64, 1>(device, task, grid) : launch<64, kManyTiles>(device, task, grid);
  }
  if (head_size <= 128) {
    return is_one_tile ? launch<128, 1>(device, task, grid) : launch<128, kManyTiles>(device, task, grid);
  }
  return is_one_tile ? launch<256, 1>(device, task, grid) : launch<256, kManyTiles>(device, task, grid);
}

}  // namespace quoth::cuda
