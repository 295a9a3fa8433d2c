// What the kernels for many rows share (attention_many.cu, attention_wgmma.cu).
#pragma once

#include "attention.h"

namespace quoth::cuda {

struct ManyTask {
  PagedTask base;  // encoders: group_size 1, no pages, window or slopes
  Rows keys, values;
  int32_t num_sequences;
  int32_t num_tiled;  // sequences that have tiles, at most
  bool rows_aligned;  // 16-byte loads of queries (and of an encoder's keys and values)
  bool out_aligned;   // 8-byte stores to out
};

inline constexpr uint32_t kAll = 0xffffffffu;

__device__ inline uint32_t address_of(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}
__device__ inline void load_matrices(uint32_t address, uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}
__device__ inline void load_transposed(uint32_t address, uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}
// 16 bytes, or zeros.
__device__ inline void copy_later(uint32_t to, const void* from, bool is_there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(is_there ? 16 : 0) : "memory");
}
__device__ inline void end_group() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
__device__ inline void wait_for_groups() {
  asm volatile("cp.async.wait_group 0;" ::: "memory");
}

// A page of one head as f16, on its way to shared memory: keys to `to_keys`, values to `to_values` (addresses there),
// parts of 8 columns at `place(row, part)` halves after them. Rows from `num_valid` on and columns past the head are
// zero. Ends a group of copies.
template <int32_t kColumns, int32_t kThreads, typename Place>
__device__ inline void bring_page(const PagedTask& base, int32_t page, int32_t kv_head, int32_t num_valid,
                                  uint32_t to_keys, uint32_t to_values, const Place& place) {
  const int32_t head_size = base.head_size;
  const int64_t start = (static_cast<int64_t>(page) * base.pages.num_heads + kv_head) * kPageTokens * head_size;
  const __half* keys = static_cast<const __half*>(base.pages.keys) + start;
  const __half* values = static_cast<const __half*>(base.pages.values) + start;
#pragma unroll
  for (int32_t i = 0; i < kPageTokens * (kColumns / 8) / kThreads; ++i) {
    const int32_t index = static_cast<int32_t>(threadIdx.x) + i * kThreads;
    const int32_t row = index / (kColumns / 8);
    const int32_t part = index % (kColumns / 8);
    const bool is_there = row < num_valid && part * 8 < head_size;
    const int32_t from = is_there ? row * head_size + part * 8 : 0;
    const uint32_t to = static_cast<uint32_t>(place(row, part)) * 2;
    copy_later(to_keys + to, keys + from, is_there);
    copy_later(to_values + to, values + from, is_there);
  }
  end_group();
}

// Eight columns of f32 [.., d] from `part * 8` on; zeros where there are none.
__device__ inline void load_part(const float* row, int32_t part, bool is_row, int32_t head_size, bool is_aligned,
                                 float (&columns)[8]) {
#pragma unroll
  for (float& column : columns) column = 0;
  if (!is_row || part * 8 >= head_size) return;
  const float* source = row + part * 8;
  if (is_aligned) {
    const float4 low = reinterpret_cast<const float4*>(source)[0];
    const float4 high = reinterpret_cast<const float4*>(source)[1];
    columns[0] = low.x, columns[1] = low.y, columns[2] = low.z, columns[3] = low.w;
    columns[4] = high.x, columns[5] = high.y, columns[6] = high.z, columns[7] = high.w;
  } else {
#pragma unroll
    for (int32_t i = 0; i < 8; ++i) columns[i] = source[i];
  }
}
// The same columns times `factor` as f16.
__device__ inline void put_part(const float (&columns)[8], float factor, __half* to) {
  uint4 words;
  words.x = halves_of(__fmul_rn(columns[0], factor), __fmul_rn(columns[1], factor));
  words.y = halves_of(__fmul_rn(columns[2], factor), __fmul_rn(columns[3], factor));
  words.z = halves_of(__fmul_rn(columns[4], factor), __fmul_rn(columns[5], factor));
  words.w = halves_of(__fmul_rn(columns[6], factor), __fmul_rn(columns[7], factor));
  *reinterpret_cast<uint4*>(to) = words;
}
// Rows 0 .. num_rows - 1 of f32 [.., d] to f16 in shared memory, parts of 8 columns at `to +
// place(row, part)`; what is beyond the rows or the columns is zero.
template <int32_t kColumns, int32_t kThreads, typename Place>
__device__ inline void round_rows(const float* from, int64_t stride, int32_t num_rows, int32_t room, int32_t head_size,
                                  bool is_aligned, float factor, __half* to, const Place& place) {
  constexpr int32_t kAtOnce = 4;  // on their way
  const int32_t count = room * (kColumns / 8);
  for (int32_t first = threadIdx.x; first < count; first += kAtOnce * kThreads) {
    float columns[kAtOnce][8];
#pragma unroll
    for (int32_t k = 0; k < kAtOnce; ++k) {
      const int32_t row = (first + k * kThreads) / (kColumns / 8);
      const int32_t part = (first + k * kThreads) % (kColumns / 8);
      load_part(from + row * stride, part, row < min(num_rows, room), head_size, is_aligned, columns[k]);
    }
#pragma unroll
    for (int32_t k = 0; k < kAtOnce; ++k) {
      const int32_t index = first + k * kThreads;
      if (index < count) put_part(columns[k], factor, to + place(index / (kColumns / 8), index % (kColumns / 8)));
    }
  }
}

// The sequence and the tile of rows in it that come `index`-th, or sequence -1. Sequences of few rows have none if
// paged.
template <bool kPaged>
__device__ inline int2 tile_of(const ManyTask& task, int32_t index, int32_t rows_of_tile) {
  const int32_t thread = threadIdx.x % kWarp;
  int32_t before = 0;
  for (int32_t first = 0; first < task.num_sequences; first += kWarp) {
    const int32_t sequence = first + thread;
    int32_t rows = 0;
    if (sequence < task.num_sequences) {
      rows = task.base.batch.first_row[sequence + 1] - task.base.batch.first_row[sequence];
      if (kPaged && rows <= kFewRows) rows = 0;
    }
    const int32_t tiles = ceil_div(rows, rows_of_tile);
    int32_t up_to = tiles;
#pragma unroll
    for (int32_t step = 1; step < kWarp; step *= 2) {
      const int32_t lower = __shfl_up_sync(kAll, up_to, step);
      if (thread >= step) up_to += lower;
    }
    const int32_t own = index - before - (up_to - tiles);
    const uint32_t found = __ballot_sync(kAll, own >= 0 && own < tiles);
    if (found != 0) {
      const int32_t lane = __ffs(static_cast<int32_t>(found)) - 1;
      return {first + lane, __shfl_sync(kAll, own, lane)};
    }
    before += __shfl_sync(kAll, up_to, kWarp - 1);
  }
  return {-1, 0};
}

inline bool is_aligned(const Rows& rows, int32_t floats) {
  return reinterpret_cast<uintptr_t>(rows.data) % (sizeof(float) * static_cast<uint32_t>(floats)) == 0 &&
         rows.stride % floats == 0;
}

// attention_wgmma.cu: f16 pages and heads of up to 128 on sm_90.
bool has_wgmma(Device*, const PagedTask&);
Status attention_wgmma(Device*, const ManyTask&);

}  // namespace quoth::cuda
