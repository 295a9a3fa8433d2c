// Rotary positions (RoFormer, arXiv 2104.09864) and the writing of keys and values to their kv pages.
//
// A block takes a row, or a part of its slots: a pair that turns, a column that passes, or a value. A head has R / 2
// slots of pairs and d - R of single columns. The sines of a row's position are the same for all its heads: a block
// reckons them once.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int32_t kSlotsOfBlock = 8 * kThreads;
constexpr int32_t kMaxPairs = 256;  // whose sines are kept

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

// The columns of a head that slot `slot` holds; `second` < 0: one column, which passes.
struct Slot {
  int32_t first, second;
};
__device__ Slot slot_of(const Rope& rope, int32_t slot) {
  const int32_t half = rope.rotary_size / 2;
  if (slot >= half) return {slot + half, -1};
  return rope.adjacent_pairs ? Slot{2 * slot, 2 * slot + 1} : Slot{slot, slot + half};
}

// Sine and cosine of position * frequency: an angle in f32, as on the CPU. No contraction: the same bits in every
// kernel.
__device__ inline float2 turn_of(const Rope& rope, int32_t pair, int32_t position) {
  float sine = 0, cosine = 0;
  sincosf(__fmul_rn(static_cast<float>(position), rope.inverse_frequencies[pair]), &sine, &cosine);
  return make_float2(__fmul_rn(sine, rope.factor), __fmul_rn(cosine, rope.factor));
}

// Those of one row, for all threads of the block.
class Turns {
 public:
  __device__ Turns(const Rope& rope, int32_t position) : rope_(rope), position_(position) {
    const int32_t kept = min(rope.rotary_size / 2, kMaxPairs);
    for (int32_t pair = threadIdx.x; pair < kept; pair += kThreads) turns()[pair] = turn_of(rope, pair, position);
    __syncthreads();
  }
  __device__ void apply(int32_t pair, float& a, float& b) const {
    const float2 turn = pair < kMaxPairs ? turns()[pair] : turn_of(rope_, pair, position_);
    const float turned = __fsub_rn(__fmul_rn(a, turn.y), __fmul_rn(b, turn.x));
    b = __fadd_rn(__fmul_rn(b, turn.y), __fmul_rn(a, turn.x));
    a = turned;
  }

 private:
  __device__ static float2* turns() {
    __shared__ float2 kept[kMaxPairs];
    return kept;
  }
  const Rope& rope_;
  int32_t position_;
};

// body(slot) for the slots of this block.
template <typename Body>
__device__ inline void each_slot(int64_t num_slots, const Body& body) {
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kSlotsOfBlock;
  const int64_t end = min(first + kSlotsOfBlock, num_slots);
#pragma unroll 2
  for (int64_t slot = first + threadIdx.x; slot < end; slot += kThreads) body(static_cast<int32_t>(slot));
}

__global__ void __launch_bounds__(kThreads)
    rope_kernel(Rows x, int32_t num_heads, int32_t head_size, Rope rope, const int32_t* positions) {
  let_next_start();
  wait_for_previous();
  const int32_t half = rope.rotary_size / 2;
  const Turns turns(rope, positions[blockIdx.x]);
  each_slot(static_cast<int64_t>(num_heads) * half, [&](int32_t index) {
    float* head = row_of(x, blockIdx.x) + static_cast<int64_t>(index / half) * head_size;
    const Slot slot = slot_of(rope, index % half);
    turns.apply(index % half, head[slot.first], head[slot.second]);
  });
}

__global__ void __launch_bounds__(kThreads)
    kv_write_kernel(Rows keys, Rows values, const int32_t* positions, PageView view) {
  let_next_start();
  wait_for_previous();
  const int32_t row = blockIdx.x;
  const int32_t head_size = view.pages.head_size;
  each_slot(keys.width, [&](int32_t column) {
    const int64_t at = view.at(row, positions[row], column / head_size, column % head_size);
    view.put(view.pages.keys, at, row_of(keys, row)[column]);
    view.put(view.pages.values, at, row_of(values, row)[column]);
  });
}

// Slots of the row: those of the H + G heads that turn, then the G * d columns of the values.
__global__ void __launch_bounds__(kThreads)
    rope_kv_write_kernel(Rows qkv, int32_t num_heads, Rope rope, const int32_t* positions, PageView view) {
  let_next_start();
  wait_for_previous();
  const int32_t head_size = view.pages.head_size;
  const int32_t num_kv_heads = view.pages.num_heads;
  const int32_t slots = head_size - rope.rotary_size / 2;  // of one head
  const int32_t turning = (num_heads + num_kv_heads) * slots;
  const int32_t row = blockIdx.x;
  const int32_t position = positions[row];
  float* data = row_of(qkv, row);
  const Turns turns(rope, position);
  const int64_t first_of_page = view.at(row, position, 0, 0);
  const int64_t head_stride = static_cast<int64_t>(kPageTokens) * head_size;
  each_slot(static_cast<int64_t>(turning) + num_kv_heads * head_size, [&](int32_t index) {
    if (index >= turning) {
      const int32_t column = index - turning;
      const float value = data[static_cast<int64_t>(num_heads + num_kv_heads) * head_size + column];
      view.put(view.pages.values, first_of_page + column / head_size * head_stride + column % head_size, value);
      return;
    }
    const int32_t head = index / slots;
    const Slot slot = slot_of(rope, index % slots);
    float* columns = data + static_cast<int64_t>(head) * head_size;
    if (slot.second >= 0) turns.apply(index % slots, columns[slot.first], columns[slot.second]);
    if (head < num_heads) return;
    const int64_t at = first_of_page + (head - num_heads) * head_stride;
    view.put(view.pages.keys, at + slot.first, columns[slot.first]);
    if (slot.second >= 0) view.put(view.pages.keys, at + slot.second, columns[slot.second]);
  });
}

Status check_pages(const Batch& batch, const KvPages& pages) {
  if (pages.type != Type::f32 && pages.type != Type::f16) return {Code::unsupported, "kv pages must be f32 or f16"};
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

dim3 grid_of(int32_t num_rows, int64_t slots_of_row) {
  return dim3(static_cast<unsigned>(num_rows), static_cast<unsigned>(ceil_div<int64_t>(slots_of_row, kSlotsOfBlock)));
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
  DeviceBatch staged;
  status = stage(device, *batch, {.positions = true, .first_row = true, .page_table = true}, &staged);
  if (!status.ok() || qkv.num_rows == 0 || qkv.width == 0) return status;
  const PageView view{pages, staged.page_table, batch->page_table_stride, staged.sequences};
  const int64_t slots =
      static_cast<int64_t>(shape->num_heads + shape->num_kv_heads) * (shape->head_size - rope->rotary_size / 2) +
      key_width;
  return launch_overlapped(device, rope_kv_write_kernel, grid_of(qkv.num_rows, slots), dim3(kThreads), 0, qkv,
                           shape->num_heads, *rope, staged.positions, view);
}

}  // namespace quoth::cuda
