// Attention over kv pages (causal, decode and prefill alike) and over a step's own rows (encoders), in f32 on ordinary
// units: for f32 pages and for heads whose size is not a multiple of 8.
//
// A lane is one query row of one head; the lanes of a sequence that share a kv head are cut into tiles of 16. A block
// of 4 warps takes one tile, 4 lanes a warp, and brings 64 keys (one page), then their values, to shared memory as f32:
//
//   scores    thread i of a warp: keys i and i + 32, its warp's 4 queries, columns ascending
//   values    thread i of a warp: columns i, i + 32, …, its warp's 4 queries, keys ascending
//
// Each page gives a maximum, a total and a sum of its own, and pages are merged in ascending order. With few rows every
// page is a block of its own and a second kernel merges; with many a block walks its pages. Both do the same arithmetic
// per lane, so a row gives the same bits whichever ran and whatever is beside it.
#include <algorithm>

#include "attention.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kWarps = 4;
constexpr int32_t kThreads = kWarps * kWarp;
constexpr int32_t kLanes = 4;  // of a warp
constexpr int32_t kTileLanes = kWarps * kLanes;

struct Task {
  Rows queries, out;
  int32_t num_heads;   // H
  int32_t group_size;  // H / G
  int32_t head_size;   // d
  int32_t padded;      // d rounded up to 4: columns in shared memory
  int32_t pitch;       // floats between two rows there, an odd multiple of 4: no bank conflicts
  float scale;
  float soft_cap;       // 0: none
  const float* slopes;  // [H] or null
  int32_t window;
  int32_t max_tiles;  // of a sequence
  DeviceBatch batch;
  int32_t page_table_stride;
  const void* keys;
  const void* values;
  int64_t row_stride;  // elements between two keys of a head
  float* partials;     // [T, H, num_pages, d + 2]: maximum, total, sums
  int32_t num_pages;
};

// The keys that a row sees: first .. end - 1.
struct Span {
  int32_t first, end;
};
template <bool kPaged>
__device__ inline Span span_of(const Task& task, int32_t row, int32_t num_rows) {
  if constexpr (!kPaged) return {0, num_rows};
  const int32_t end = task.batch.positions[row] + 1;
  return {task.window > 0 ? max(0, end - task.window) : 0, end};
}

// A softmax in progress: the largest score, the sum of exponentials relative to it; the sums of values stand beside it.
struct Softmax {
  float maximum = -INFINITY;
  float total = 0;
};
// Factors for what was summed so far and for what is added.
struct Factors {
  float old_part, new_part;
};
__device__ inline Factors merge(Softmax& softmax, float maximum, float total) {
  const float larger = fmaxf(softmax.maximum, maximum);
  const Factors factors{expf(softmax.maximum - larger), expf(maximum - larger)};
  softmax.maximum = larger;
  softmax.total = fmaf(total, factors.new_part, __fmul_rn(softmax.total, factors.old_part));
  return factors;
}
__device__ inline float merged(float sum, float added, const Factors& factors) {
  return fmaf(added, factors.new_part, __fmul_rn(sum, factors.old_part));
}

// Brings rows 0 .. num_valid - 1 of a tile to shared memory as f32; the rest of its 64 rows is zero. kAligned: d % 8 ==
// 0 and rows start at multiples of 16 bytes.
template <typename Element, bool kAligned>
__device__ inline void bring_rows(const Element* from, const Task& task, int32_t num_valid, float* tile) {
  if constexpr (kAligned) {
    const int32_t parts = task.head_size / 8;
    for (int32_t index = threadIdx.x; index < kPageTokens * parts; index += kThreads) {
      const int32_t row = index / parts;
      const int32_t column = index % parts * 8;
      alignas(16) Element columns[8] = {};
      if (row < num_valid) {
#pragma unroll
        for (int32_t i = 0; i < static_cast<int32_t>(sizeof(Element)) / 2; ++i) {
          constexpr int32_t kAtOnce = 16 / static_cast<int32_t>(sizeof(Element));
          load_16(from + row * task.row_stride + column + i * kAtOnce, columns + i * kAtOnce);
        }
      }
      float4* to = reinterpret_cast<float4*>(tile + row * task.pitch + column);
      to[0] = make_float4(element(columns, 0), element(columns, 1), element(columns, 2), element(columns, 3));
      to[1] = make_float4(element(columns, 4), element(columns, 5), element(columns, 6), element(columns, 7));
    }
  } else {
    for (int32_t index = threadIdx.x; index < kPageTokens * task.padded; index += kThreads) {
      const int32_t row = index / task.padded;
      const int32_t column = index % task.padded;
      const bool is_inside = row < num_valid && column < task.head_size;
      tile[row * task.pitch + column] = is_inside ? element(from, row * task.row_stride + column) : 0.0f;
    }
  }
}

// kColumns: ceil(d / 32), rounded up to a power of two. kSplit: the block takes page blockIdx.z alone.
template <typename Element, int32_t kColumns, bool kPaged, bool kSplit, bool kAligned>
__global__ void __launch_bounds__(kThreads, 3) attention_kernel(Task task) {
  extern __shared__ __align__(16) float shared[];
  float* queries = shared;                                 // [16, padded]
  float* tile = queries + kTileLanes * task.padded;        // [64, pitch]
  float* probabilities = tile + kPageTokens * task.pitch;  // [4 warps, 4 lanes, 64]
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t thread = threadIdx.x % kWarp;
  const int32_t sequence = static_cast<int32_t>(blockIdx.x) / task.max_tiles;
  const int32_t kv_head = blockIdx.y;
  const int32_t first_lane = static_cast<int32_t>(blockIdx.x) % task.max_tiles * kTileLanes;
  const int32_t first_row = task.batch.first_row[sequence];
  const int32_t num_rows = task.batch.first_row[sequence + 1] - first_row;
  const int32_t num_lanes = num_rows * task.group_size;
  if (first_lane >= num_lanes) return;

  // Lane i of the tile belongs to warp i % 4, so that a tile of 4 lanes keeps 4 warps busy.
  Span spans[kLanes];
  int32_t rows[kLanes], heads[kLanes];
#pragma unroll
  for (int32_t q = 0; q < kLanes; ++q) {
    const int32_t lane = first_lane + q * kWarps + warp;
    rows[q] = first_row + lane / task.group_size;
    heads[q] = kv_head * task.group_size + lane % task.group_size;
    spans[q] = lane < num_lanes ? span_of<kPaged>(task, rows[q], num_rows) : Span{0, 0};
  }
  // The keys that any lane of the tile sees.
  const int32_t some_lane = min(first_lane + thread % kTileLanes, num_lanes - 1);
  const Span some_span = span_of<kPaged>(task, first_row + some_lane / task.group_size, num_rows);
  const int32_t least = __reduce_min_sync(0xffffffffu, some_span.first);
  const int32_t most = __reduce_max_sync(0xffffffffu, some_span.end);
  int32_t page = least / kPageTokens;
  int32_t end_page = ceil_div(most, kPageTokens);
  if constexpr (kSplit) {
    if (static_cast<int32_t>(blockIdx.z) < page || static_cast<int32_t>(blockIdx.z) >= end_page) return;
    page = blockIdx.z;
    end_page = page + 1;
  }

  for (int32_t index = threadIdx.x; index < kTileLanes * task.padded; index += kThreads) {
    const int32_t lane = first_lane + index / task.padded;
    const int32_t column = index % task.padded;
    const bool is_inside = lane < num_lanes && column < task.head_size;
    const int32_t head = kv_head * task.group_size + lane % task.group_size;
    queries[index] =
        is_inside ? row_of(task.queries, first_row + lane / task.group_size)[head * task.head_size + column] : 0.0f;
  }

  Softmax softmax[kLanes];
  float sums[kLanes][kColumns] = {};
  for (; page < end_page; ++page) {
    const int32_t first_key = page * kPageTokens;
    int64_t start = 0;
    if constexpr (kPaged) {
      const int64_t place = task.batch.page_table[static_cast<int64_t>(sequence) * task.page_table_stride + page];
      start = (place * gridDim.y + kv_head) * kPageTokens * task.head_size;
    } else {
      start = (static_cast<int64_t>(first_row) + first_key) * task.row_stride + kv_head * task.head_size;
    }
    const int32_t num_valid = min(kPageTokens, most - first_key);
    __syncthreads();  // the tile has been read by all, the queries are there
    bring_rows<Element, kAligned>(static_cast<const Element*>(task.keys) + start, task, num_valid, tile);
    __syncthreads();

    float scores[2][kLanes] = {};
    for (int32_t i = 0; i < task.padded; i += 4) {
      const float4 keys[2] = {*reinterpret_cast<const float4*>(tile + thread * task.pitch + i),
                              *reinterpret_cast<const float4*>(tile + (thread + kWarp) * task.pitch + i)};
#pragma unroll
      for (int32_t q = 0; q < kLanes; ++q) {
        const float4 query = *reinterpret_cast<const float4*>(queries + (q * kWarps + warp) * task.padded + i);
#pragma unroll
        for (int32_t k = 0; k < 2; ++k) {
          float sum = fmaf(query.x, keys[k].x, scores[k][q]);
          sum = fmaf(query.y, keys[k].y, sum);
          sum = fmaf(query.z, keys[k].z, sum);
          scores[k][q] = fmaf(query.w, keys[k].w, sum);
        }
      }
    }
    // Of the rows that are there, capped and with their slopes, if asked for.
    const auto bend = [&](float score, int32_t q, int32_t key) {
      if (task.soft_cap > 0) score = task.soft_cap * tanhf(score / task.soft_cap);
      if (kPaged && task.slopes != nullptr) {
        score = fmaf(task.slopes[heads[q]], static_cast<float>(key - spans[q].end + 1), score);
      }
      return score;
    };
    float maxima[kLanes], totals[kLanes];
#pragma unroll
    for (int32_t q = 0; q < kLanes; ++q) {
      bool sees[2];
#pragma unroll
      for (int32_t k = 0; k < 2; ++k) {
        const int32_t key = first_key + thread + k * kWarp;
        sees[k] = key >= spans[q].first && key < spans[q].end;
        scores[k][q] = sees[k] ? bend(scores[k][q] * task.scale, q, key) : -INFINITY;
      }
      maxima[q] = warp_max(fmaxf(scores[0][q], scores[1][q]));
      float weights[2];
#pragma unroll
      for (int32_t k = 0; k < 2; ++k) {
        weights[k] = sees[k] ? expf(scores[k][q] - maxima[q]) : 0.0f;
        probabilities[(warp * kLanes + q) * kPageTokens + thread + k * kWarp] = weights[k];
      }
      totals[q] = warp_sum(weights[0] + weights[1]);
    }

    __syncthreads();  // the keys have been read by all
    bring_rows<Element, kAligned>(static_cast<const Element*>(task.values) + start, task, num_valid, tile);
    __syncthreads();
    float added[kLanes][kColumns] = {};
    for (int32_t key = 0; key < num_valid; key += 4) {
      float weights[kLanes][4];
#pragma unroll
      for (int32_t q = 0; q < kLanes; ++q) {
        const float4 four = *reinterpret_cast<const float4*>(probabilities + (warp * kLanes + q) * kPageTokens + key);
        weights[q][0] = four.x, weights[q][1] = four.y, weights[q][2] = four.z, weights[q][3] = four.w;
      }
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        float values[kColumns];
#pragma unroll
        for (int32_t j = 0; j < kColumns; ++j) {
          const int32_t column = thread + j * kWarp;
          values[j] = column < task.padded ? tile[(key + i) * task.pitch + column] : 0.0f;
        }
#pragma unroll
        for (int32_t q = 0; q < kLanes; ++q) {
          // Not 0 times a value: a key that the lane does not see may hold anything. The same for the whole warp.
          if (weights[q][i] == 0.0f) continue;
#pragma unroll
          for (int32_t j = 0; j < kColumns; ++j) added[q][j] = fmaf(weights[q][i], values[j], added[q][j]);
        }
      }
    }

#pragma unroll
    for (int32_t q = 0; q < kLanes; ++q) {
      if (max(spans[q].first, first_key) >= min(spans[q].end, first_key + kPageTokens)) continue;  // sees none of them
      if constexpr (kSplit) {
        float* partial =
            task.partials + ((static_cast<int64_t>(rows[q]) * task.num_heads + heads[q]) * task.num_pages + page) *
                                (task.head_size + 2);
        if (thread == 0) partial[0] = maxima[q], partial[1] = totals[q];
#pragma unroll
        for (int32_t j = 0; j < kColumns; ++j) {
          const int32_t column = thread + j * kWarp;
          if (column < task.head_size) partial[2 + column] = added[q][j];
        }
      } else {
        const Factors factors = merge(softmax[q], maxima[q], totals[q]);
#pragma unroll
        for (int32_t j = 0; j < kColumns; ++j) sums[q][j] = merged(sums[q][j], added[q][j], factors);
      }
    }
  }
  if constexpr (!kSplit) {
#pragma unroll
    for (int32_t q = 0; q < kLanes; ++q) {
      if (spans[q].end == 0) continue;
#pragma unroll
      for (int32_t j = 0; j < kColumns; ++j) {
        const int32_t column = thread + j * kWarp;
        if (column < task.head_size) {
          row_of(task.out, rows[q])[heads[q] * task.head_size + column] = sums[q][j] / softmax[q].total;
        }
      }
    }
  }
}

// Block (row, head): merges the pages' partial results, a thread per column.
__global__ void __launch_bounds__(kThreads) merge_kernel(Task task) {
  const int32_t row = blockIdx.x;
  const int32_t head = blockIdx.y;
  const Span span = span_of<true>(task, row, 0);
  const float* partials =
      task.partials + (static_cast<int64_t>(row) * task.num_heads + head) * task.num_pages * (task.head_size + 2);
  for (int32_t column = threadIdx.x; column < task.head_size; column += kThreads) {
    Softmax softmax;
    float sum = 0;
    for (int32_t page = span.first / kPageTokens; page < ceil_div(span.end, kPageTokens); ++page) {
      const float* partial = partials + static_cast<int64_t>(page) * (task.head_size + 2);
      const Factors factors = merge(softmax, partial[0], partial[1]);
      sum = merged(sum, partial[2 + column], factors);
    }
    row_of(task.out, row)[head * task.head_size + column] = sum / softmax.total;
  }
}

template <typename Element, int32_t kColumns, bool kPaged, bool kSplit, bool kAligned>
Status launch(Device* device, const Task& task, dim3 grid) {
  const auto kernel = attention_kernel<Element, kColumns, kPaged, kSplit, kAligned>;
  const int32_t shared_bytes = static_cast<int32_t>(sizeof(float)) *
                               (kTileLanes * task.padded + kPageTokens * task.pitch + kTileLanes * kPageTokens);
  if (shared_bytes > device->shared_bytes) return {Code::unsupported, "attention: the heads are too wide for this GPU"};
  if (shared_bytes > 48 << 10) {  // what a kernel gets without asking
    const Status status =
        status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
    if (!status.ok()) return status;
  }
  kernel<<<grid, kThreads, static_cast<size_t>(shared_bytes), device->stream>>>(task);
  return launched(device);
}

template <typename Element, bool kPaged, bool kSplit, bool kAligned>
Status launch_columns(Device* device, const Task& task, dim3 grid) {
  if (task.head_size <= 32) return launch<Element, 1, kPaged, kSplit, kAligned>(device, task, grid);
  if (task.head_size <= 64) return launch<Element, 2, kPaged, kSplit, kAligned>(device, task, grid);
  if (task.head_size <= 128) return launch<Element, 4, kPaged, kSplit, kAligned>(device, task, grid);
  return launch<Element, 8, kPaged, kSplit, kAligned>(device, task, grid);
}

template <typename Element, bool kPaged>
Status launch_any(Device* device, const Task& task, dim3 grid, bool is_split, bool is_aligned) {
  if constexpr (kPaged && sizeof(Element) == 4) {
    if (is_split && is_aligned) return launch_columns<Element, kPaged, true, true>(device, task, grid);
    if (is_aligned) return launch_columns<Element, kPaged, false, true>(device, task, grid);
  }
  if constexpr (kPaged) {
    if (is_split) return launch_columns<Element, kPaged, true, false>(device, task, grid);
  }
  return launch_columns<Element, kPaged, false, false>(device, task, grid);
}

bool is_aligned(const void* data, int64_t stride_bytes) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && stride_bytes % 16 == 0;
}

Task make_task(const Rows& queries, const Rows& out, const Attention& shape, const Batch& batch,
               const DeviceBatch& staged) {
  Task task{};
  task.queries = queries;
  task.out = out;
  task.num_heads = shape.num_heads;
  task.head_size = shape.head_size;
  task.padded = ceil_div(shape.head_size, 4) * 4;
  task.pitch = task.padded / 4 % 2 == 0 ? task.padded + 4 : task.padded;
  task.scale = shape.scale;
  task.soft_cap = shape.soft_cap;
  task.batch = staged;
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    task.max_tiles = std::max(task.max_tiles, batch.first_row[b + 1] - batch.first_row[b]);  // rows, for now
  }
  return task;
}

}  // namespace

Status simple_attention(Device* device, Rows queries, const Attention& shape, const Batch& batch,
                        const DeviceBatch& staged, KvPages pages, Rows out) {
  const int32_t head_size = shape.head_size;
  int32_t num_pages = 1;
  for (int32_t t = 0; t < batch.num_tokens; ++t) {
    while (batch.positions[t] / kPageTokens >= num_pages) num_pages *= 2;
  }
  Task task = make_task(queries, out, shape, batch, staged);
  task.group_size = shape.num_heads / shape.num_kv_heads;
  task.max_tiles = ceil_div(task.max_tiles * task.group_size, kTileLanes);
  task.window = shape.window;
  task.slopes = shape.slopes;
  task.page_table_stride = batch.page_table_stride;
  task.keys = pages.keys;
  task.values = pages.values;
  task.row_stride = head_size;
  task.partials = device->partials;
  task.num_pages = num_pages;

  dim3 grid(static_cast<unsigned>(task.max_tiles * batch.num_sequences), static_cast<unsigned>(shape.num_kv_heads));
  const int64_t partials = static_cast<int64_t>(queries.num_rows) * shape.num_heads * num_pages * (head_size + 2);
  const bool is_split = num_pages > 1 && partials <= device->num_partials &&
                        static_cast<int64_t>(grid.x) * grid.y < 2 * device->num_multiprocessors;
  if (is_split) grid.z = static_cast<unsigned>(num_pages);
  const int64_t row_bytes = head_size * (pages.type == Type::f32 ? 4 : 2);
  const bool aligned = head_size % 8 == 0 && is_aligned(pages.keys, row_bytes) && is_aligned(pages.values, row_bytes);
  const Status status = pages.type == Type::f32 ? launch_any<float, true>(device, task, grid, is_split, aligned)
                                                : launch_any<__half, true>(device, task, grid, is_split, aligned);
  if (!status.ok() || !is_split) return status;
  const dim3 merges(static_cast<unsigned>(queries.num_rows), static_cast<unsigned>(shape.num_heads));
  merge_kernel<<<merges, kThreads, 0, device->stream>>>(task);
  return launched(device);
}

Status simple_encoder_attention(Device* device, Rows queries, Rows keys, Rows values, const Attention& shape,
                                const Batch& batch, const DeviceBatch& staged, Rows out) {
  Task task = make_task(queries, out, shape, batch, staged);
  task.group_size = 1;
  task.max_tiles = ceil_div(task.max_tiles, kTileLanes);
  task.keys = keys.data;
  task.values = values.data;
  task.row_stride = keys.stride;
  const dim3 grid(static_cast<unsigned>(task.max_tiles * batch.num_sequences), static_cast<unsigned>(shape.num_heads));
  return launch_any<float, false>(device, task, grid, false, false);
}

}  // namespace quoth::cuda
