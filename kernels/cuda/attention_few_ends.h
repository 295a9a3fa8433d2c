// The kernel for sequences of few rows (attention_few_kernel.h): how it begins, with the rows of the step, and how it
// ends where blocks share a context.
#pragma once

#include "attention_few.h"

namespace quoth::cuda::few {

// The lanes of a sequence that a block takes.
struct StepTile {
  int32_t first_row, position;  // the sequence's first row in the step
  int32_t first_lane, lanes;
  int32_t high_row;  // of the sequence: the last that has a lane here
  int32_t kv_head, head_size, group;
};

// Queries, then the keys and values of this step for whose place `is_here` is true, to shared memory; these also to
// their page, by one block. A warp a row of a head.
template <int32_t kBytes, int32_t kColumns, Kind kKind, typename IsHere>
__device__ inline void bring_step_rows(const FewTask& task, Shared<kBytes, kColumns>& shared, const StepTile& tile,
                                       bool is_fused, const int32_t* table, int32_t new_id, const IsHere& is_here) {
  constexpr bool kLean = kKind != Kind::any;
  constexpr bool kIsMixed = kKind == Kind::lean_mixed;
  const PagedTask& base = task.base;
  const auto& [first_row, position, first_lane, lanes, high_row, kv_head, head_size, group] = tile;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t thread = threadIdx.x % kWarp;
  const int32_t half = !is_fused ? 0 : kLean ? kColumns / 2 : task.rope.rotary_size / 2;
  constexpr int32_t kSlots = kLean && !kIsMixed ? kColumns / 64 : kColumns / kWarp;  // of a thread
  for (int32_t job = warp; job < lanes + (is_fused ? 2 * (high_row + 1) : 0); job += kWarps) {
    const bool is_query = job < lanes;
    const bool is_key = !is_query && job <= lanes + high_row;
    const int32_t lane = first_lane + job;
    const int32_t row = kLean ? 0 : is_query ? lane / group : is_key ? job - lanes : job - lanes - high_row - 1;
    const int32_t head = is_query ? kv_head * group + lane - row * group
                                  : base.num_heads + kv_head + (is_key ? 0 : base.pages.num_heads);
    const int32_t place = position + row;
    if (!is_query && !is_here(place)) continue;
    const float* from = row_of(base.queries, first_row + row) + static_cast<int64_t>(head) * head_size;
    float first[kSlots], second[kSlots];
    float largest = 0;
#pragma unroll
    for (int32_t k = 0; k < kSlots; ++k) {
      const int32_t slot = thread + k * kWarp;
      if (slot >= head_size - half) continue;
      const Slot columns = slot_of(task.rope, slot, half);
      first[k] = from[columns.first];
      second[k] = columns.second >= 0 ? from[columns.second] : 0;
    }
#pragma unroll
    for (int32_t k = 0; k < kSlots; ++k) {
      const int32_t slot = thread + k * kWarp;
      if (slot >= head_size - half) continue;
      if ((is_query || is_key) && slot < half) turn(shared.turns[row][slot], first[k], second[k]);
      if constexpr (kBytes == 1) largest = fmaxf(largest, fmaxf(magnitude_of(first[k]), magnitude_of(second[k])));
    }
    __half scale{};
    if constexpr (kBytes == 1) scale = byte_scale(warp_max(largest), base.pages.type);
    // One block writes the row of a head to its page.
    const bool writes = !is_query && (kLean || (row * group >= first_lane && row * group < first_lane + kLanes));
    const int32_t which = is_key ? 0 : 1;
    uint8_t* block = nullptr;
    if (writes) {
      block = const_cast<uint8_t*>(block_of<kBytes>(is_key ? base.pages.keys : base.pages.values, base.pages,
                                                    kLean ? new_id : table[place / kPageTokens], kv_head, head_size));
    }
    const auto put = [&](int32_t column, float value) {
      if (is_query) {
        shared.queries[job][column] = __float2half_rn(__fmul_rn(value, kQueryPart));
        return;
      }
      uint8_t* to = &shared.rows[which][row][column * kBytes];
      uint8_t* to_page = block + (place % kPageTokens * head_size + column) * kBytes;
      if constexpr (kBytes == 1) {
        *to = byte_of(value, __half2float(scale), base.pages.type);
        if (writes) *to_page = *to;
      } else {
        const __half stored = __float2half_rn(value);
        *reinterpret_cast<__half*>(to) = stored;
        if (writes) *reinterpret_cast<__half*>(to_page) = stored;
      }
    };
#pragma unroll
    for (int32_t k = 0; k < kSlots; ++k) {
      const int32_t slot = thread + k * kWarp;
      if (slot >= head_size - half) continue;
      const Slot columns = slot_of(task.rope, slot, half);
      put(columns.first, first[k]);
      if (columns.second >= 0) put(columns.second, second[k]);
    }
    if constexpr (kBytes == 1) {
      if (!is_query && thread == 0) {
        shared.scales[which][row] = __half_as_ushort(scale);
        if (writes) reinterpret_cast<__half*>(block + kPageTokens * head_size)[place % kPageTokens] = scale;
      }
    }
    if constexpr (!kLean) {
      if (is_query) {
        for (int32_t column = head_size + thread; column < kColumns; column += kWarp) {
          shared.queries[job][column] = __half{};
        }
      }
    }
  }
}

inline constexpr int32_t kSplitsAtOnce = 8;

// Folds what the blocks of a cluster stored here of a lane's four columns: split s at `received[s * slice]`, its
// maximum and total at `ends[s * kLanes]`.
[[maybe_unused]] __device__ inline Folded fold_received(const float4* received, int32_t slice, const float2* ends,
                                                        int32_t num_splits) {
  Folded result;
  for (int32_t split = 0; split < num_splits; split += kSplitsAtOnce) {
#pragma unroll
    for (int32_t s = 0; s < kSplitsAtOnce; ++s) {
      if (split + s < num_splits) result.add(received[(split + s) * slice], ends[(split + s) * kLanes]);
    }
  }
  return result;
}

// Whether this block is the last of `num_blocks` that get here, whose writes it then sees; the counter is zero again.
[[maybe_unused]] __device__ inline bool is_last_of(int32_t* arrivals, int32_t num_blocks, bool& shared_answer) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    shared_answer = atomicAdd(arrivals, 1) == num_blocks - 1;
    __threadfence();
  }
  __syncthreads();
  if (shared_answer && threadIdx.x == 0) *arrivals = 0;
  return shared_answer;
}

// Folds four columns of a lane whose splits were written from `first` on.
[[maybe_unused]] __device__ inline Folded fold_written(const FewTask& task, int64_t first, int32_t head_size,
                                                       int32_t column, int32_t num_splits) {
  Folded result;
  for (int32_t split = 0; split < num_splits; split += kSplitsAtOnce) {
    float4 sums[kSplitsAtOnce];
    float2 parts[kSplitsAtOnce];
#pragma unroll
    for (int32_t s = 0; s < kSplitsAtOnce; ++s) {
      if (split + s >= num_splits) break;
      const int64_t at = first + split + s;
      sums[s] = __ldcg(reinterpret_cast<const float4*>(task.partials + at * head_size + column));
      parts[s] = __ldcg(task.ends + at);
    }
#pragma unroll
    for (int32_t s = 0; s < kSplitsAtOnce; ++s) {
      if (split + s < num_splits) result.add(sums[s], parts[s]);
    }
  }
  return result;
}

}  // namespace quoth::cuda::few
