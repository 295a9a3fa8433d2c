// Attention in a stretch: sequences of one row, heads of 128 columns that all turn, f16 pages. The arithmetic, and so
// the bits, are those of attention_few_kernel.h.
//
// One item (stretch_items.h) after another: two warps take the same 16 keys of a slot, and each half the columns of
// their values. What a split gave goes to the partial results, then every block folds some columns (stretch_fold.h).
#pragma once

#include "stretch_fold.h"

namespace quoth::cuda::stretch {

constexpr int32_t kKeyWarps = few::kWarps;
constexpr int32_t kMaxGroup = few::kLanes;
constexpr int32_t kQueryRows = 64;  // at once
constexpr int32_t kSumStride = kHeadSize + 8;
static_assert(kWarps == 2 * kKeyWarps);

struct AttentionMemory {
  __half queries[kQueryRows][kHeadSize + 8];
  alignas(16) __half rows[kMaxNewRows][2][kHeadSize];  // the step's keys and values
  float2 ends[2][kKeyWarps][few::kLanes];              // of two items in turn, as what is behind it:
  // float [2, kKeyWarps, group, kSumStride]
};
__host__ __device__ constexpr int32_t sums_of_item(int32_t group) {
  return kKeyWarps * group * kSumStride;
}
__host__ __device__ constexpr int32_t attention_bytes(int32_t group) {
  return static_cast<int32_t>(sizeof(AttentionMemory)) + 2 * sums_of_item(group) * 4;
}
static_assert(sizeof(AttentionMemory) % 16 == 0);

// A head's row of the step for an item, by one warp: query `job`, or behind them the key, the value; turned.
__device__ inline void bring_step_row(const Stretch& p, const StretchOperation& operation, AttentionMemory& shared,
                                      const Item& item, const float2* turns, int32_t job, int32_t query_row,
                                      int32_t thread, uint32_t tag) {
  const AttentionWork& work = operation.attention;
  const int32_t group = work.group_size;
  const Rope rope{nullptr, kHeadSize, work.adjacent_pairs, 1};
  const bool is_query = job < group;
  const bool is_key = job == group;
  const int32_t head =
      is_query ? item.kv_head * group + job : work.num_heads + item.kv_head + (is_key ? 0 : work.num_kv_heads);
  constexpr int32_t kSlots = kHeadSize / 64;
  float seen[2 * kSlots];
  Slot columns[kSlots];
#pragma unroll
  for (int32_t k = 0; k < kSlots; ++k) columns[k] = slot_of(rope, thread + k * kWarp, kHeadSize / 2);
  const auto column_of = [&](int32_t k) {
    return head * kHeadSize + (k % 2 == 0 ? columns[k / 2].first : columns[k / 2].second);
  };
  if (operation.x_tag == 0) {
    const float* from = operation.x + static_cast<int64_t>(item.sequence) * operation.x_stride;
#pragma unroll
    for (int32_t k = 0; k < 2 * kSlots; ++k) seen[k] = __ldcg(from + column_of(k));
  } else {
    const uint64_t* from = p.exact + item.sequence * (p.exchange_stride / kExchangeRegions);
    const uint32_t x_tag = (tag & ~0xffu) | operation.x_tag;
    for (;;) {
      bool is_there = true;
#pragma unroll
      for (int32_t k = 0; k < 2 * kSlots; ++k) {
        is_there = look_beside_tag(from + column_of(k), x_tag, seen[k]) && is_there;
      }
      if (__all_sync(few::kAll, is_there)) break;
    }
  }
  __half* to = is_query ? shared.queries[query_row] : shared.rows[item.new_row][is_key ? 0 : 1];
  __half* to_page = nullptr;
  if (!is_query) {
    const int64_t id =
        __ldg(p.page_table + static_cast<int64_t>(item.sequence) * p.page_table_stride + item.position / kPageTokens);
    to_page = static_cast<__half*>(is_key ? work.keys : work.values) +
              ((id * work.num_kv_heads + item.kv_head) * kPageTokens + item.position % kPageTokens) * kHeadSize;
  }
#pragma unroll
  for (int32_t k = 0; k < kSlots; ++k) {
    float first = seen[2 * k], second = seen[2 * k + 1];
    if (is_query || is_key) turn(turns[thread + k * kWarp], first, second);
    const auto put = [&](int32_t column, float value) {
      const __half stored = __float2half_rn(is_query ? __fmul_rn(value, kQueryPart) : value);
      to[column] = stored;
      if (to_page != nullptr) to_page[column] = stored;
    };
    put(columns[k].first, first);
    put(columns[k].second, second);
  }
}

// Four of eight rows' 16 bytes, transposed: row addresses from all lanes.
__device__ inline void load_transposed(const uint8_t* from, uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(from))
               : "memory");
}

// The step's own key or value to its row of a slot, by one warp.
__device__ inline void put_row(uint8_t* slot_rows, int32_t row, const __half* from, int32_t thread) {
  if (thread < 16) {
    *reinterpret_cast<uint4*>(slot_rows + row * kRowBytes + 16 * place_of(row, thread)) =
        reinterpret_cast<const uint4*>(from)[thread];
    fence_copies();  // a bulk copy will be the next to write here
  }
  __syncwarp();
}

// One split of one kv head of one sequence; the ring is at its first slot, and then behind its last. `turn_of_item`:
// the number of items before it. `queries`: rows of its heads.
__device__ inline void attend(const Stretch& p, const AttentionWork& work, uint8_t* slots, Ring& ring,
                              AttentionMemory& shared, const Item& item, int32_t queries, int32_t turn_of_item,
                              int32_t warp, int32_t thread, uint32_t tag, [[maybe_unused]] int32_t index) {
  using few::kAll;
  using few::kWarpKeys;
  constexpr int32_t kBlocks = kHeadSize / 32;
  asm volatile("" : "+r"(warp), "+r"(thread));  // see `thread_index`
  const int32_t group = work.group_size;
  const int32_t g = thread / 4, t = thread % 4;
  const int32_t key_warp = warp % kKeyWarps, half = warp / kKeyWarps;
  // This warp's 16 keys of a slot.
  const int32_t slot_row = key_warp * kWarpKeys;
  const int32_t key_at = (slot_row + g) * kRowBytes + 16 * place_of(g, t), key_turn = 64 - (g & 1) * 128;
  const int32_t value_row = slot_row + thread / 16 * 8 + thread % 8;
  const int32_t value_at = value_row * kRowBytes + half * kHeadSize;
  const int32_t value_part = place_of(value_row, thread / 8 % 2);
  float maxima[2], totals[2];
  float sums[kBlocks][4];
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) maxima[e] = -INFINITY, totals[e] = 0;
#pragma unroll
  for (auto& block : sums) {
#pragma unroll
    for (float& sum : block) sum = 0;
  }
  const int32_t position = item.position, page_end = item.page_end;
  const float scale = work.scale;
#pragma unroll 1
  for (int32_t page = item.first_page; page < page_end; page += kChunkPages) {
    const int32_t first = page * kPageTokens + slot_row;
    const bool has_keys = first <= position && page + slot_row / kPageTokens < page_end;
    const bool has_new = has_keys && first + kWarpKeys > position;
    wait_barrier(ring.full_at(), ring.parity);
    uint8_t* const keys = slots + ring.slot * p.slot_bytes;
    float products[4], other[4];
    if (has_keys) {
      // Both warps put the same bytes.
      if (has_new) put_row(keys, slot_row + position - first, shared.rows[item.new_row][0], thread);
#pragma unroll
      for (int32_t e = 0; e < 4; ++e) products[e] = other[e] = 0;
#pragma unroll
      for (int32_t j = 0; j < kHeadSize / 32; ++j) {
        const uint8_t* from = keys + key_at + (j & 1) * key_turn + (j & 2) * 64;
        const uint4 low = *reinterpret_cast<const uint4*>(from);
        const uint4 high = *reinterpret_cast<const uint4*>(from + 8 * kRowBytes);
        uint4 query{0, 0, 0, 0};
        if (g < group) query = *reinterpret_cast<const uint4*>(&shared.queries[queries + g][32 * j + 8 * t]);
        multiply_add(products, low.x, high.x, low.y, high.y, query.x, query.y);
        multiply_add(other, low.z, high.z, low.w, high.w, query.z, query.w);
      }
    }
    __syncwarp();
    if (thread == 0) arrive(ring.empty_at());
    ring.step();
    uint32_t weights[2];
    if (has_keys) {
#pragma unroll
      for (int32_t e = 0; e < 4; ++e) {
        const int32_t key = first + g + e / 2 * 8;
        const bool sees = 2 * t + e % 2 < group && key <= position;
        products[e] = __fadd_rn(products[e], other[e]);
        const float score = __fmul_rn(__fmul_rn(products[e], scale), kLog2E);
        products[e] = sees ? score : -INFINITY;
      }
#pragma unroll
      for (int32_t e = 0; e < 2; ++e) {
        float maximum = fmaxf(products[e], products[e + 2]);
#pragma unroll
        for (int32_t step = 4; step < kWarp; step *= 2) maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, step));
        maximum = fmaxf(maximum, maxima[e]);
        const float from = base_of(maximum);
        const float old_part = power_of_two(__fsub_rn(maxima[e], from));
        maxima[e] = maximum;
        products[e] = power_of_two(__fsub_rn(products[e], from));
        products[e + 2] = power_of_two(__fsub_rn(products[e + 2], from));
        totals[e] = fmaf(totals[e], old_part, __fadd_rn(products[e], products[e + 2]));
#pragma unroll
        for (auto& block : sums) {
          block[e] = __fmul_rn(block[e], old_part);
          block[e + 2] = __fmul_rn(block[e + 2], old_part);
        }
      }
      weights[0] = few::transposed(halves_of(products[0], products[1]));
      weights[1] = few::transposed(halves_of(products[2], products[3]));
    }
    wait_barrier(ring.full_at(), ring.parity);
    uint8_t* const values = slots + ring.slot * p.slot_bytes;
    if (has_keys) {
      if (has_new) put_row(values, slot_row + position - first, shared.rows[item.new_row][1], thread);
#pragma unroll
      for (int32_t block = 0; block < kBlocks; ++block) {
        uint32_t columns[4];
        load_transposed(values + value_at + 16 * (value_part ^ (2 * block)), columns);
        multiply_add(sums[block], columns[0], columns[1], columns[2], columns[3], weights[0], weights[1]);
      }
    }
    __syncwarp();
    if (thread == 0) arrive(ring.empty_at());
    ring.step();
  }
  QUOTH_TIME(3);

  // The warps' results to one.
  const int32_t buffer = turn_of_item & 1;
  auto& ends = shared.ends[buffer];
  float* const all_sums = reinterpret_cast<float*>(&shared + 1) + buffer * sums_of_item(group);
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) {
    float total = totals[e];
#pragma unroll
    for (int32_t step = 4; step < kWarp; step *= 2) total = __fadd_rn(total, __shfl_xor_sync(kAll, total, step));
    const int32_t lane = 2 * t + e;
    if (g == 0 && half == 0) ends[key_warp][lane] = make_float2(maxima[e], total);
    if (lane < group) {
      float* to = all_sums + (key_warp * group + lane) * kSumStride + 64 * half + g;
#pragma unroll
      for (int32_t block = 0; block < kBlocks; ++block) {
        to[16 * block] = sums[block][e];
        to[16 * block + 8] = sums[block][e + 2];
      }
    }
  }
  sync_multipliers();
  const int32_t lane = (warp - turn_of_item * group) & (kWarps - 1);  // a warp a head; others go on
  if (lane >= group) return;
  const int32_t column = 4 * thread;
  float2 parts[kKeyWarps];
  float maximum = -INFINITY, total = 0;
#pragma unroll
  for (int32_t w = 0; w < kKeyWarps; ++w) {
    parts[w] = ends[w][lane];
    maximum = fmaxf(maximum, parts[w].x);
  }
  float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll
  for (int32_t w = 0; w < kKeyWarps; ++w) {
    const float factor = power_of_two(__fsub_rn(parts[w].x, base_of(maximum)));
    const float4 more = *reinterpret_cast<const float4*>(all_sums + (w * group + lane) * kSumStride + column);
    total = fmaf(parts[w].y, factor, total);
    sum.x = fmaf(more.x, factor, sum.x), sum.y = fmaf(more.y, factor, sum.y);
    sum.z = fmaf(more.z, factor, sum.z), sum.w = fmaf(more.w, factor, sum.w);
  }
  const int64_t place =
      ((static_cast<int64_t>(item.sequence) * work.num_kv_heads + item.kv_head) * p.max_splits + item.split) * group +
      lane;
  uint64_t* to = p.partials + place * kHeadSize + column;
  put_partial(to, sum.x, sum.y, tag);
  put_partial(to + 2, sum.z, sum.w, tag);
  if (column == 0) put_partial(p.partial_ends + 2 * place, maximum, total, tag);
}

// All of the attention of one layer.
__device__ inline void attend_all(const Stretch& p, const StretchOperation& operation, uint8_t* shared_bytes,
                                  const AttentionTable& table, Ring& ring, uint32_t tag, int32_t index) {
  const int32_t thread = thread_index();
  const int32_t warp = thread / kWarp, lane = thread % kWarp;
  const AttentionWork& work = operation.attention;
  AttentionMemory& shared = *reinterpret_cast<AttentionMemory*>(shared_bytes + p.x_at);
  const int32_t num_items = table.num_items, group = work.group_size;
  QUOTH_TIME(1);
  int32_t staged = 0;  // items whose queries are there, or were
  int32_t first_staged = 0;
  for (int32_t i = 0; i < num_items; ++i) {
    if (i == staged) {
      first_staged = i;
      int32_t turn = 0;  // of the warps
      for (; staged < num_items && (staged + 1 - i) * group <= kQueryRows; ++staged) {
        const Item& item = table.items[staged];
        const int32_t jobs = item.new_row < 0 ? group : group + 2;
        for (int32_t job = (warp - turn) & (kWarps - 1); job < jobs; job += kWarps) {
          bring_step_row(p, operation, shared, item, table.turns[item.sequence], job, (staged - i) * group + job, lane,
                         tag);
        }
        turn += jobs;
      }
      sync_multipliers();
      QUOTH_TIME(2);
    }
    attend(p, work, shared_bytes + p.ring_at, ring, shared, table.items[i], (i - first_staged) * group, i, warp, lane,
           tag, index);
  }
  QUOTH_TIME(4);
  QUOTH_TIME(5);
  const Fold& fold = table.folds[warp];
  if (fold.splits > 0) fold_columns(p, operation, fold, lane, tag);
  QUOTH_TIME(6);
  sync_multipliers();  // `shared` is free; and those who ask for the next x would be in the way of those who fold
}

}  // namespace quoth::cuda::stretch
