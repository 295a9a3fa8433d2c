// The CPU as a device: its threads, its scratch and the loops chosen for its instructions.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include "../ops.h"
#include "loops.h"
#include "thread_pool.h"

namespace quoth::cpu {

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t{64}); }
};
using AlignedMemory = std::unique_ptr<void, AlignedDelete>;

// Null when there is none.
inline AlignedMemory allocate_aligned(uint64_t size_bytes) {
  return AlignedMemory(::operator new(size_bytes, std::align_val_t{64}, std::nothrow));
}

}  // namespace quoth::cpu

namespace quoth {

struct Device {
  explicit Device(int32_t num_threads) : pool(num_threads) {}

  cpu::ThreadPool pool;
  cpu::Loops loops{};
  int32_t max_tokens = 0;
  int32_t max_columns = 0;
  cpu::PackedRows packed;
  cpu::AlignedMemory packed_memory;
  cpu::AlignedMemory thread_scratch;  // one share per thread: unpacked weights or one attention's tiles
  uint64_t thread_scratch_bytes = 0;

  void* scratch(int32_t thread) const {
    return static_cast<char*>(thread_scratch.get()) + thread_scratch_bytes * static_cast<uint64_t>(thread);
  }
};

}  // namespace quoth

namespace quoth::cpu {

// body(chunk, thread) for every chunk, shared between the device's threads.
template <typename Body>
void parallel(Device* device, int32_t num_chunks, const Body& body) {
  device->pool.run(
      num_chunks,
      [](const void* context, int32_t chunk, int32_t thread) { (*static_cast<const Body*>(context))(chunk, thread); },
      &body);
}

// body(row) for every row; waking threads pays from some ten thousand elements on.
template <typename Body>
void for_rows(Device* device, int32_t num_rows, int64_t row_cost, const Body& body) {
  if (num_rows * row_cost < 32768) {
    for (int32_t row = 0; row < num_rows; ++row) body(row);
    return;
  }
  const int32_t chunk_rows = num_rows / (device->pool.num_threads() * 4) + 1;
  parallel(device, (num_rows + chunk_rows - 1) / chunk_rows, [&](int32_t chunk, int32_t) {
    const int32_t end = (chunk + 1) * chunk_rows < num_rows ? (chunk + 1) * chunk_rows : num_rows;
    for (int32_t row = chunk * chunk_rows; row < end; ++row) body(row);
  });
}

inline float* row_of(const Rows& rows, int32_t index) {
  return rows.data + static_cast<int64_t>(index) * rows.stride;
}

inline bool same_shape(const Rows& a, const Rows& b) {
  return a.num_rows == b.num_rows && a.width == b.width;
}

// The operations, as ops.h states them.
Status embed(Device*, const Weight* table, const Batch*, float scale, Rows out);
Status add_positions(Device*, const Weight* table, const Batch*, int32_t offset, Rows x);
Status add_segments(Device*, const Weight* table, const Batch*, Rows x);
Status gather_outputs(Device*, Rows x, const Batch*, Rows out);
Status linear(Device*, Rows x, const Weight* weight, const float* bias, Activation, Rows out);
Status rms_norm(Device*, Rows x, const float* weight, float epsilon, Rows out);
Status layer_norm(Device*, Rows x, const float* weight, const float* bias, float epsilon, Rows out);
Status rms_norm_heads(Device*, Rows x, int32_t num_heads, int32_t head_size, const float* weight, float epsilon);
Status add_rms_norm(Device*, Rows x, Rows y, const float* weight, float epsilon, Rows out);
Status add_layer_norm(Device*, Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out);
Status add(Device*, Rows a, Rows b, Rows out);
Status multiply(Device*, Rows a, Rows b, Rows out);
Status add_bias(Device*, Rows x, const float* bias);
Status activate(Device*, Rows x, Activation, Rows out);
Status gated(Device*, Rows gate_up, Activation, Rows out);
Status soft_cap(Device*, Rows x, float cap);
Status clamp(Device*, Rows x, float limit);
Status permute_columns(Device*, Rows x, const int32_t* index, Rows out);
Status rope(Device*, Rows x, int32_t num_heads, int32_t head_size, const Rope*, const Batch*);
Status kv_write(Device*, Rows keys, Rows values, const Batch*, KvPages);
Status rope_kv_write(Device*, Rows qkv, const Attention*, const Rope*, const Batch*, KvPages);
Status attention(Device*, Rows queries, const Attention*, const Batch*, KvPages, Rows out);
Status attention_full(Device*, Rows queries, Rows keys, Rows values, const Attention*, const Batch*, Rows out);
Status pool_mean(Device*, Rows x, const Batch*, Rows out);
Status pool_first(Device*, Rows x, const Batch*, Rows out);
Status normalize(Device*, Rows x);

}  // namespace quoth::cpu
