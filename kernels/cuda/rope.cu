// Rotary positions (RoFormer, arXiv 2104.09864) and the writing of keys and values to their kv pages.
//
// Block (row, part of the row); a thread takes one slot of the row: a pair that turns, a column that passes, or a
// value. A head has R / 2 slots of pairs and d - R of single columns.
#include <algorithm>

#include "attention.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 128;

struct PageView {
  KvPages pages;
  const int32_t* page_table;
  int32_t page_table_stride;
  const int32_t* sequences;

  // Element number of column `i` of head `head`, for the row's position.
  __device__ int64_t at(int32_t row, int32_t position, int32_t head, int32_t i) const {
    const int64_t page = page_table[static_cast<int64_t>(sequences[row]) * page_table_stride + position / kPageTokens];
    return ((page * pages.num_heads + head) * kPageTokens + position % kPageTokens) * pages.head_size + i;
  }
  __device__ void put(void* array, int64_t index, float value) const {
    if (pages.type == Type::f32) {
      static_cast<float*>(array)[index] = value;
    } else {
      static_cast<__half*>(array)[index] = __float2half_rn(value);
    }
  }
};

__device__ void turn(const Rope& rope, int32_t pair, int32_t position, float& a, float& b) {
  cuda::turn(turn_of(rope, pair, position), a, b);
}

__global__ void __launch_bounds__(kThreads)
    rope_kernel(Rows x, int32_t num_heads, int32_t head_size, Rope rope, const int32_t* positions) {
  let_next_start();
  wait_for_previous();
  const int32_t half = rope.rotary_size / 2;
  const int32_t index = static_cast<int32_t>(blockIdx.y) * kThreads + static_cast<int32_t>(threadIdx.x);
  if (index >= num_heads * half) return;
  float* head = row_of(x, blockIdx.x) + static_cast<int64_t>(index / half) * head_size;
  const Slot slot = slot_of(rope, index % half, half);
  turn(rope, index % half, positions[blockIdx.x], head[slot.first], head[slot.second]);
}

__global__ void __launch_bounds__(kThreads)
    kv_write_kernel(Rows keys, Rows values, const int32_t* positions, PageView view) {
  let_next_start();
  wait_for_previous();
  const int32_t column = static_cast<int32_t>(blockIdx.y) * kThreads + static_cast<int32_t>(threadIdx.x);
  if (column >= keys.width) return;
  const int32_t row = blockIdx.x;
  const int32_t head_size = view.pages.head_size;
  const int64_t at = view.at(row, positions[row], column / head_size, column % head_size);
  view.put(view.pages.keys, at, row_of(keys, row)[column]);
  view.put(view.pages.values, at, row_of(values, row)[column]);
}

// A warp a token's key or value of one head, for i8 and f8 pages. Grid: rows, the 2 G of them four at a time.
__global__ void __launch_bounds__(kThreads)
    byte_write_kernel(Rows keys, Rows values, const int32_t* positions, PageView view) {
  let_next_start();
  wait_for_previous();
  const int32_t part =
      static_cast<int32_t>(blockIdx.y) * (kThreads / kWarp) + static_cast<int32_t>(threadIdx.x) / kWarp;
  const KvPages& pages = view.pages;
  if (part >= 2 * pages.num_heads) return;
  const bool is_key = part < pages.num_heads;
  const int32_t head = part % pages.num_heads;
  const int32_t row = blockIdx.x;
  const int32_t head_size = pages.head_size;
  const int64_t page = view.page_table[static_cast<int64_t>(view.sequences[row]) * view.page_table_stride +
                                       positions[row] / kPageTokens];
  const int32_t token = positions[row] % kPageTokens;
  uint8_t* block = static_cast<uint8_t*>(is_key ? pages.keys : pages.values) +
                   (page * pages.num_heads + head) * block_bytes_of(pages.type, head_size);
  const float* from = row_of(is_key ? keys : values, row) + static_cast<int64_t>(head) * head_size;
  const int32_t thread = threadIdx.x % kWarp;
  float largest = 0;
  for (int32_t i = thread; i < head_size; i += kWarp) largest = fmaxf(largest, magnitude_of(from[i]));
  const __half scale = byte_scale(warp_max(largest), pages.type);
  if (thread == 0) reinterpret_cast<__half*>(block + static_cast<int64_t>(kPageTokens) * head_size)[token] = scale;
  for (int32_t i = thread; i < head_size; i += kWarp) {
    block[static_cast<int64_t>(token) * head_size + i] = byte_of(from[i], __half2float(scale), pages.type);
  }
}

// Slots of the row: those of the H + G heads that turn, then the G * d columns of the values. Blocks (row, share of the
// slots); each computes the turns of its row once.
__global__ void __launch_bounds__(kThreads)
    rope_kv_write_kernel(Rows qkv, int32_t num_heads, Rope rope, const int32_t* positions, PageView view) {
  extern __shared__ float2 turns[];
  let_next_start();
  wait_for_previous();
  const int32_t head_size = view.pages.head_size;
  const int32_t num_kv_heads = view.pages.num_heads;
  const int32_t half = rope.rotary_size / 2;
  const int32_t slots = head_size - half;  // of one head
  const int32_t turning = (num_heads + num_kv_heads) * slots;
  const int32_t row = blockIdx.x;
  const int32_t position = positions[row];
  float* data = row_of(qkv, row);
  const int64_t start = view.at(row, position, 0, 0);
  const int64_t head_stride = static_cast<int64_t>(kPageTokens) * head_size;  // between two heads of a page
  for (int32_t pair = threadIdx.x; pair < half; pair += kThreads) turns[pair] = turn_of(rope, pair, position);
  __syncthreads();
  const int32_t step = static_cast<int32_t>(gridDim.y) * kThreads;
  for (int32_t index = static_cast<int32_t>(blockIdx.y) * kThreads + static_cast<int32_t>(threadIdx.x);
       index < turning + num_kv_heads * head_size; index += step) {
    if (index >= turning) {
      const int32_t column = index - turning;
      const int32_t head = column / head_size;
      view.put(view.pages.values, start + head * head_stride + column - head * head_size,
               data[static_cast<int64_t>(num_heads + num_kv_heads) * head_size + column]);
      continue;
    }
    const int32_t head = index / slots;
    const Slot slot = slot_of(rope, index - head * slots, half);
    float* columns = data + static_cast<int64_t>(head) * head_size;
    float first = columns[slot.first], second = 0;
    if (slot.second >= 0) {
      second = columns[slot.second];
      cuda::turn(turns[index - head * slots], first, second);
      columns[slot.first] = first;
      columns[slot.second] = second;
    }
    if (head < num_heads) continue;
    const int64_t at = start + (head - num_heads) * head_stride;
    view.put(view.pages.keys, at + slot.first, first);
    if (slot.second >= 0) view.put(view.pages.keys, at + slot.second, second);
  }
}

// The same for f16 pages where whole heads turn, in halves: a thread takes four pairs at a time and has several on
// their way. A block a row.
constexpr int32_t kQuadsAtOnce = 5;
__global__ void __launch_bounds__(kThreads)
    rope_kv_write_quads_kernel(Rows qkv, int32_t num_heads, Rope rope, const int32_t* positions, PageView view) {
  extern __shared__ float2 turns[];
  let_next_start();
  wait_for_previous();
  const int32_t head_size = view.pages.head_size;
  const int32_t num_kv_heads = view.pages.num_heads;
  const int32_t half = head_size / 2;
  const int32_t row = blockIdx.x;
  const int32_t position = positions[row];
  float* data = row_of(qkv, row);
  const int64_t start = view.at(row, position, 0, 0);
  const int64_t head_stride = static_cast<int64_t>(kPageTokens) * head_size;  // between two heads of a page
  const auto put = [&](void* array, int64_t at, const float4& four) {
    const uint2 halves{halves_of(four.x, four.y), halves_of(four.z, four.w)};
    *reinterpret_cast<uint2*>(static_cast<__half*>(array) + at) = halves;
  };
  for (int32_t pair = threadIdx.x; pair < half; pair += kThreads) turns[pair] = turn_of(rope, pair, position);
  __syncthreads();
  const int32_t quads = half / 4;  // of a head
  const int32_t turning = (num_heads + num_kv_heads) * quads;
  const auto columns_of = [&](int32_t index) { return data + index / quads * head_size + index % quads * 4; };
  for (int32_t first = threadIdx.x; first < turning; first += kThreads * kQuadsAtOnce) {
    float4 low[kQuadsAtOnce], high[kQuadsAtOnce];
#pragma unroll
    for (int32_t k = 0; k < kQuadsAtOnce; ++k) {
      if (first + k * kThreads >= turning) continue;
      const float* from = columns_of(first + k * kThreads);
      low[k] = *reinterpret_cast<const float4*>(from);
      high[k] = *reinterpret_cast<const float4*>(from + half);
    }
#pragma unroll
    for (int32_t k = 0; k < kQuadsAtOnce; ++k) {
      const int32_t index = first + k * kThreads;
      if (index >= turning) continue;
      const float2* by = turns + index % quads * 4;
      cuda::turn(by[0], low[k].x, high[k].x);
      cuda::turn(by[1], low[k].y, high[k].y);
      cuda::turn(by[2], low[k].z, high[k].z);
      cuda::turn(by[3], low[k].w, high[k].w);
      float* to = columns_of(index);
      *reinterpret_cast<float4*>(to) = low[k];
      *reinterpret_cast<float4*>(to + half) = high[k];
      const int32_t kv_head = index / quads - num_heads;
      if (kv_head < 0) continue;
      const int64_t at = start + kv_head * head_stride + index % quads * 4;
      put(view.pages.keys, at, low[k]);
      put(view.pages.keys, at + half, high[k]);
    }
  }
  const float* values = data + static_cast<int64_t>(num_heads + num_kv_heads) * head_size;
  for (int32_t column = 4 * static_cast<int32_t>(threadIdx.x); column < num_kv_heads * head_size;
       column += 4 * kThreads) {
    const int32_t head = column / head_size;
    put(view.pages.values, start + head * head_stride + column - head * head_size,
        *reinterpret_cast<const float4*>(values + column));
  }
}

Status check_pages(const Batch& batch, const KvPages& pages) {
  if (!is_kv_type(pages.type)) return {Code::unsupported, "kv pages must be f32, f16, i8 or f8"};
  for (int32_t t = 0; t < batch.num_tokens; ++t) {
    if (batch.positions[t] < 0 || batch.positions[t] / kPageTokens >= batch.page_table_stride) {
      return {Code::invalid_input, "a position lies outside its sequence's page table"};
    }
  }
  return {};
}

bool is_turnable(const Rope& rope, int32_t head_size) {
  return rope.rotary_size >= 0 && rope.rotary_size <= head_size && rope.rotary_size % 2 == 0;
}

bool holds_bytes(const KvPages& pages) {
  return pages.type == Type::i8 || pages.type == Type::f8;
}

dim3 grid_of(int32_t num_rows, int64_t slots_of_row) {
  return dim3(static_cast<unsigned>(num_rows), static_cast<unsigned>(ceil_div<int64_t>(slots_of_row, kThreads)));
}

}  // namespace

Status rope(Device* device, Rows x, int32_t num_heads, int32_t head_size, const Rope* rope, const Batch* batch) {
  if (x.num_rows != batch->num_tokens || x.width != num_heads * head_size || !is_turnable(*rope, head_size)) {
    return {Code::invalid_input, "rope: x must be [T, heads * d] and R even and at most d"};
  }
  DeviceBatch staged;
  const Status status = stage(device, *batch, {.positions = true}, &staged);
  const int64_t slots = static_cast<int64_t>(num_heads) * (rope->rotary_size / 2);
  if (!status.ok() || x.num_rows == 0 || slots == 0) return status;
  return launch_overlapped(device, rope_kernel, grid_of(x.num_rows, slots), dim3(kThreads), 0, x, num_heads, head_size,
                           *rope, staged.positions);
}

Status kv_write(Device* device, Rows keys, Rows values, const Batch* batch, KvPages pages) {
  if (keys.num_rows != batch->num_tokens || !same_shape(keys, values) ||
      keys.width != pages.num_heads * pages.head_size) {
    return {Code::invalid_input, "kv_write: keys and values must be [T, G * d]"};
  }
  Status status = check_pages(*batch, pages);
  if (!status.ok()) return status;
  DeviceBatch staged;
  status = stage(device, *batch, {.positions = true, .first_row = true, .page_table = true}, &staged);
  if (!status.ok() || keys.num_rows == 0 || keys.width == 0) return status;
  const PageView view{pages, staged.page_table, batch->page_table_stride, staged.sequences};
  if (holds_bytes(pages)) {
    const int64_t threads = int64_t{2} * pages.num_heads * kWarp;
    return launch_overlapped(device, byte_write_kernel, grid_of(keys.num_rows, threads), dim3(kThreads), 0, keys,
                             values, staged.positions, view);
  }
  return launch_overlapped(device, kv_write_kernel, grid_of(keys.num_rows, keys.width), dim3(kThreads), 0, keys, values,
                           staged.positions, view);
}

Status rope_kv_write(Device* device, Rows qkv, const Attention* shape, const Rope* rope, const Batch* batch,
                     KvPages pages) {
  const int32_t query_width = shape->num_heads * shape->head_size;
  const int32_t key_width = shape->num_kv_heads * shape->head_size;
  if (qkv.num_rows != batch->num_tokens || qkv.width != query_width + 2 * key_width ||
      pages.num_heads != shape->num_kv_heads || pages.head_size != shape->head_size ||
      !is_turnable(*rope, shape->head_size)) {
    return {Code::invalid_input, "rope_kv_write: qkv must be [T, (H + 2G) * d] and R even and at most d"};
  }
  Status status = check_pages(*batch, pages);
  if (!status.ok()) return status;
  if (holds_bytes(pages)) {  // a token's scale needs all of its columns first
    const auto part = [&](int32_t first_column, int32_t width) {
      return Rows{qkv.data + first_column, qkv.num_rows, width, qkv.stride};
    };
    status = cuda::rope(device, part(0, query_width + key_width), shape->num_heads + shape->num_kv_heads,
                        shape->head_size, rope, batch);
    if (!status.ok()) return status;
    return kv_write(device, part(query_width, key_width), part(query_width + key_width, key_width), batch, pages);
  }
  DeviceBatch staged;
  status = stage(device, *batch, {.positions = true, .first_row = true, .page_table = true}, &staged);
  if (!status.ok() || qkv.num_rows == 0 || qkv.width == 0) return status;
  const PageView view{pages, staged.page_table, batch->page_table_stride, staged.sequences};
  const int64_t slots =
      static_cast<int64_t>(shape->num_heads + shape->num_kv_heads) * (shape->head_size - rope->rotary_size / 2) +
      key_width;
  // Few rows: more blocks to a row.
  const dim3 all = grid_of(qkv.num_rows, slots);
  const int32_t shares = std::max(1, 4 * device->num_multiprocessors / qkv.num_rows);
  const dim3 grid(all.x, std::min(all.y, static_cast<unsigned>(shares)));
  const int32_t shared_bytes = static_cast<int32_t>(sizeof(float2)) * (rope->rotary_size / 2);
  const bool turns_wholly = rope->rotary_size == shape->head_size && !rope->adjacent_pairs && shape->head_size % 8 == 0;
  const bool is_even = reinterpret_cast<uintptr_t>(pages.keys) % 16 == 0 &&
                       reinterpret_cast<uintptr_t>(pages.values) % 16 == 0 && has_fours(qkv);
  if (pages.type == Type::f16 && turns_wholly && is_even && shares == 1) {
    return launch_overlapped(device, rope_kv_write_quads_kernel, dim3(all.x), dim3(kThreads), shared_bytes, qkv,
                             shape->num_heads, *rope, staged.positions, view);
  }
  return launch_overlapped(device, rope_kv_write_kernel, grid, dim3(kThreads), shared_bytes, qkv, shape->num_heads,
                           *rope, staged.positions, view);
}

}  // namespace quoth::cuda
