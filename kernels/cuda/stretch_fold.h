// What splits of contexts gave, from the blocks that had them to those that fold them: every number beside a tag that
// says of which step and operation it is. Then every block folds some columns, a warp 32 of a head.
#pragma once

#include "stretch_items.h"

namespace quoth::cuda::stretch {

constexpr int32_t kFoldedAtOnce = 16;

// Two numbers, each beside its tag.
__device__ inline void put_partial(uint64_t* to, float a, float b, uint32_t tag) {
  const uint64_t high = static_cast<uint64_t>(tag) << 32;
  asm volatile("st.relaxed.gpu.global.v2.b64 [%0], {%1, %2};" ::"l"(to), "l"(high | __float_as_uint(a)),
               "l"(high | __float_as_uint(b))
               : "memory");
}
__device__ inline bool look_at_partial(const uint64_t* from, uint32_t tag, float& a, float& b) {
  uint64_t first, second;
  asm volatile("ld.relaxed.gpu.global.v2.b64 {%0, %1}, [%2];" : "=l"(first), "=l"(second) : "l"(from) : "memory");
  a = __uint_as_float(static_cast<uint32_t>(first));
  b = __uint_as_float(static_cast<uint32_t>(second));
  return static_cast<uint32_t>(first >> 32) == tag && static_cast<uint32_t>(second >> 32) == tag;
}

// A column of a head in each lane: the splits in ascending order, with the arithmetic of few::Folded. Lane s of the
// warp knows what split s weighs.
__device__ inline void fold_columns(const Stretch& p, const StretchOperation& operation, const Fold& fold, int32_t lane,
                                    uint32_t tag) {
  using few::kAll;
  const int32_t splits = fold.splits, group = operation.attention.group_size;
  const uint64_t* from = p.partials + static_cast<int64_t>(fold.partial) * kHeadSize + fold.column % kHeadSize + lane;
  const uint64_t* ends_from = p.partial_ends + 2 * static_cast<int64_t>(fold.partial);
  float sum = 0, total = 0, maximum = -INFINITY;
  for (int32_t first = 0; first < splits; first += kFoldedAtOnce) {
    const int32_t last = min(kFoldedAtOnce, splits - first) - 1;
    const uint64_t* at[kFoldedAtOnce];  // behind the last one: it again
#pragma unroll
    for (int32_t s = 0; s < kFoldedAtOnce; ++s) at[s] = from + min(s, last) * group * kHeadSize;
    const uint64_t* const ends_at = ends_from + 2 * min(lane, last) * group;
    float values[kFoldedAtOnce];
    float2 ends;
    for (;;) {  // all loads, then the tags
      bool are_there[kFoldedAtOnce];
      bool is_there = look_at_partial(ends_at, tag, ends.x, ends.y);
#pragma unroll
      for (int32_t s = 0; s < kFoldedAtOnce; ++s) are_there[s] = look_beside_tag(at[s], tag, values[s]);
#pragma unroll
      for (const bool is : are_there) is_there = is && is_there;
      if (__all_sync(kAll, is_there)) break;
    }
    if (lane > last) ends = {-INFINITY, 0};  // it changes no bit
    float largest = ends.x;                  // of this split and those before it
#pragma unroll
    for (int32_t step = 1; step < kFoldedAtOnce; step *= 2) {
      const float before = __shfl_up_sync(kAll, largest, static_cast<unsigned>(step));
      if (lane >= step) largest = fmaxf(largest, before);
    }
    largest = fmaxf(largest, maximum);
    float before = __shfl_up_sync(kAll, largest, 1);
    if (lane == 0) before = maximum;
    const float old_part = power_of_two(__fsub_rn(before, base_of(largest)));
    const float new_part = power_of_two(__fsub_rn(ends.x, base_of(largest)));
#pragma unroll
    for (int32_t s = 0; s < kFoldedAtOnce; ++s) {
      const float old_weight = __shfl_sync(kAll, old_part, s), new_weight = __shfl_sync(kAll, new_part, s);
      sum = fmaf(s > last ? 0.0f : values[s], new_weight, __fmul_rn(sum, old_weight));
      total = fmaf(__shfl_sync(kAll, ends.y, s), new_weight, __fmul_rn(total, old_weight));
    }
    maximum = __shfl_sync(kAll, largest, kFoldedAtOnce - 1);
    from += kFoldedAtOnce * group * kHeadSize;
    ends_from += 2 * kFoldedAtOnce * group;
  }
  const float result = __fmul_rn(sum, __frcp_rn(total));
  const int32_t to = fold.column + lane;
  put_in_exchange(p.exchange + operation.out_exchange + fold.sequence * p.exchange_stride + to, result,
                  operation.out_tag);
  operation.out[static_cast<int64_t>(fold.sequence) * operation.out_stride + to] = result;
}

}  // namespace quoth::cuda::stretch
