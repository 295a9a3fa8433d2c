// Attention in a stretch: sequences of one row, heads of 128 columns that all turn, f16 pages. The arithmetic, and so
// the bits, are those of attention_few_kernel.h.
//
// Eight warps, a team, take one item (stretch_items.h) at a time, the teams in turn; all warps go through all slots.
// What a split gave goes to the partial results, then every block folds some columns (stretch_fold.h).
#pragma once

#include "stretch_fold.h"

namespace quoth::cuda::stretch {

constexpr int32_t kTeams = 2;
constexpr int32_t kTeamWarps = few::kWarps;
constexpr int32_t kMaxGroup = few::kLanes;
constexpr int32_t kQueryRows = 64;  // at once
constexpr int32_t kSumStride = kHeadSize + 8;
static_assert(kTeams * kTeamWarps == kWarps);

struct AttentionMemory {
  __half queries[kQueryRows][kHeadSize + 8];
  alignas(16) __half rows[kMaxNewRows][2][kHeadSize];  // the step's keys and values
  float2 ends[kTeams][kTeamWarps][few::kLanes];        // of an item, as what is behind it:
  // float [kTeams, kTeamWarps, group, kSumStride]
};
__host__ __device__ constexpr int32_t sums_of_item(int32_t group) {
  return kTeamWarps * group * kSumStride;
}
__host__ __device__ constexpr int32_t attention_bytes(int32_t group) {
  return static_cast<int32_t>(sizeof(AttentionMemory)) + kTeams * sums_of_item(group) * 4;
}
static_assert(sizeof(AttentionMemory) % 16 == 0);

__device__ inline void sync_team(int32_t team) {
  if (team == 0) {
    asm volatile("bar.sync 2, %0;" ::"n"(kTeamWarps * kWarp) : "memory");
  } else {
    asm volatile("bar.sync 3, %0;" ::"n"(kTeamWarps * kWarp) : "memory");
  }
}

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

// The slots of an item that the other team takes.
__device__ inline void pass(Ring& ring, const Item& item, int32_t thread) {
  for (int32_t page = item.first_page; page < item.page_end; page += kChunkPages) {
    for (int32_t i = 0; i < 2; ++i) {
      wait_barrier(ring.full_at(), ring.parity);
      if (thread == 0) arrive(ring.empty_at());
      ring.step();
    }
  }
}

// One split of one kv head of one sequence, by a team; the ring is at its first slot, and then behind its last.
// `queries`: rows of its heads.
__device__ inline void attend(const Stretch& p, const AttentionWork& work, uint8_t* slots, Ring& ring,
                              AttentionMemory& shared, const Item& item, int32_t queries, int32_t team, bool is_again,
                              int32_t warp, int32_t thread, uint32_t tag, [[maybe_unused]] int32_t index) {
  using few::kAll;
  using few::kWarpKeys;
  constexpr int32_t kBlocks = kHeadSize / 16;
  asm volatile("" : "+r"(warp), "+r"(thread));  // see `thread_index`
  const int32_t group = work.group_size;
  const int32_t g = thread / 4, t = thread % 4;
  // This warp's 16 keys of a slot.
  const int32_t slot_row = warp * kWarpKeys;
  const int32_t key_at = (slot_row + g) * kRowBytes + 16 * place_of(g, t), key_turn = 64 - (g & 1) * 128;
  const int32_t value_row = slot_row + thread / 16 * 8 + thread % 8;
  const int32_t value_at = value_row * kRowBytes, value_part = place_of(value_row, thread / 8 % 2);
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
    // The step's own key and value, in place of what the page held.
    const int32_t new_key = position - first;
    const bool has_new = new_key >= 0 && new_key < kWarpKeys && item.new_row >= 0;
    wait_barrier(ring.full_at(), ring.parity);
    uint8_t* const keys = slots + ring.slot * p.slot_bytes;
    float products[4];
    if (has_keys) {
      float other[4];  // two chains: half the wait
#pragma unroll
      for (int32_t e = 0; e < 4; ++e) products[e] = other[e] = 0;
#pragma unroll
      for (int32_t j = 0; j < kHeadSize / 32; ++j) {
        const uint8_t* from = keys + key_at + (j & 1) * key_turn + (j & 2) * 64;
        uint4 low = *reinterpret_cast<const uint4*>(from);
        uint4 high = *reinterpret_cast<const uint4*>(from + 8 * kRowBytes);
        if (has_new && new_key % 8 == g) {
          const uint4 own = *reinterpret_cast<const uint4*>(&shared.rows[item.new_row][0][32 * j + 8 * t]);
          if (new_key < 8) {
            low = own;
          } else {
            high = own;
          }
        }
        uint4 query{0, 0, 0, 0};
        if (g < group) query = *reinterpret_cast<const uint4*>(&shared.queries[queries + g][32 * j + 8 * t]);
        multiply_add(products, low.x, high.x, low.y, high.y, query.x, query.y);
        multiply_add(other, low.z, high.z, low.w, high.w, query.z, query.w);
      }
#pragma unroll
      for (int32_t e = 0; e < 4; ++e) products[e] = __fadd_rn(products[e], other[e]);
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
#pragma unroll
      for (int32_t block = 0; block < kBlocks; ++block) {
        uint32_t columns[4];
        load_transposed(values + value_at + 16 * (value_part ^ (2 * block)), columns);
        if (has_new && new_key % 8 / 2 == t) {
          const auto* from = reinterpret_cast<const unsigned short*>(shared.rows[item.new_row][1]) + 16 * block + g;
          const uint32_t kept = new_key % 2 == 0 ? 0x3254 : 0x5410;
          if (new_key < 8) {
            columns[0] = __byte_perm(columns[0], from[0], kept), columns[1] = __byte_perm(columns[1], from[8], kept);
          } else {
            columns[2] = __byte_perm(columns[2], from[0], kept), columns[3] = __byte_perm(columns[3], from[8], kept);
          }
        }
        multiply_add(sums[block], columns[0], columns[1], columns[2], columns[3], weights[0], weights[1]);
      }
    }
    __syncwarp();
    if (thread == 0) arrive(ring.empty_at());
    ring.step();
  }
  QUOTH_TIME(3);

  // The warps' results to one.
  const int32_t end_thread = thread_index(), end_warp = end_thread / kWarp % kTeamWarps;
  auto& ends = shared.ends[team];
  float* const all_sums = reinterpret_cast<float*>(&shared + 1) + team * sums_of_item(group);
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) {
#pragma unroll
    for (int32_t step = 4; step < kWarp; step *= 2) {
      totals[e] = __fadd_rn(totals[e], __shfl_xor_sync(kAll, totals[e], step));
    }
  }
  if (is_again) sync_team(team);  // the sums of the item before have been read
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) {
    const int32_t lane = 2 * (end_thread % 4) + e;
    if (end_thread % kWarp < 4) ends[end_warp][lane] = make_float2(maxima[e], totals[e]);
    if (lane < group) {
      float* to = all_sums + (end_warp * group + lane) * kSumStride + end_thread % kWarp / 4;
#pragma unroll
      for (int32_t block = 0; block < kBlocks; ++block) {
        to[16 * block] = sums[block][e];
        to[16 * block + 8] = sums[block][e + 2];
      }
    }
  }
  sync_team(team);
  const int32_t lane = end_warp;  // a warp a head; others go on
  if (lane >= group) return;
  const int32_t column = end_thread % kWarp * 4;
  float2 parts[kTeamWarps];
  float maximum = -INFINITY, total = 0;
#pragma unroll
  for (int32_t w = 0; w < kTeamWarps; ++w) {
    parts[w] = ends[w][lane];
    maximum = fmaxf(maximum, parts[w].x);
  }
  float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll
  for (int32_t w = 0; w < kTeamWarps; ++w) {
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
                                  Ring& ring, uint32_t tag, int32_t index) {
  const int32_t team = thread_index() / kWarp / kTeamWarps;
  const AttentionWork& work = operation.attention;
  AttentionMemory& shared = *reinterpret_cast<AttentionMemory*>(shared_bytes + p.x_at);
  const int32_t num_items = table_of(p, shared_bytes).num_items, group = work.group_size;
  QUOTH_TIME(1);
  int32_t staged = 0, first_staged = 0;  // items whose queries are there, or were
  for (int32_t i = 0; i < num_items; ++i) {
    const AttentionTable& table = table_of(p, shared_bytes);
    if (i == staged) {
      if (i > 0) sync_multipliers();  // the queries before have been read
      first_staged = i;
      const int32_t thread = thread_index();
      const int32_t warp = thread / kWarp, lane = thread % kWarp;
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
    const Item& item = table.items[i];
    const int32_t thread = thread_index();
    if (i % kTeams == team) {
      attend(p, work, shared_bytes + p.ring_at, ring, shared, item, (i - first_staged) * group, team, i >= kTeams,
             thread / kWarp % kTeamWarps, thread % kWarp, tag, index);
    } else {
      pass(ring, item, thread % kWarp);
    }
  }
  QUOTH_TIME(4);
  QUOTH_TIME(5);
  const int32_t thread = thread_index();
  const Fold& fold = table_of(p, shared_bytes).folds[thread / kWarp];
  if (fold.splits > 0) fold_columns(p, operation, fold, thread % kWarp, tag);
  QUOTH_TIME(6);
  sync_multipliers();  // `shared` is free; and those who ask for the next x would be in the way of those who fold
}

}  // namespace quoth::cuda::stretch
