// Attention in a stretch: sequences of one row, heads of 128 columns that all turn, f16 pages. The arithmetic, and so
// the bits, are those of attention_few_kernel.h.
//
// A split of a context and a kv head are one item; eight warps, a team, take one at a time. What a split gave goes to
// the partial results: every number beside a tag that says of which step and operation it is. Then every block folds
// the splits of some columns.
#pragma once

#include <type_traits>

#include "attention_few.h"
#include "stretch_linear.h"

namespace quoth::cuda::stretch {

constexpr int32_t kTeams = 2;
constexpr int32_t kTeamWarps = few::kWarps;
constexpr int32_t kHeadSize = 128;
constexpr int32_t kMaxGroup = few::kLanes;
constexpr int32_t kMaxItems = 96;
constexpr int32_t kFoldedAtOnce = 8;
constexpr int32_t kSumStride = kHeadSize + 8;
static_assert(kTeams * kTeamWarps == kWarps);

struct TeamMemory {
  __half queries[few::kLanes][kHeadSize + 8];
  alignas(16) uint8_t rows[2][1][2 * kHeadSize];  // the step's key and value
  float2 ends[kTeamWarps][few::kLanes];
  // Behind it: float [kTeamWarps, group, kSumStride].
};
__device__ inline void load_shared(const uint8_t* from, uint32_t (&to)[4]) {
  const uint4 four = *reinterpret_cast<const uint4*>(from);
  to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}
struct FoldMemory {
  float4 sums[kWarps * kWarp];
  float2 ends[kWarps * kWarp];
};
__host__ __device__ constexpr int32_t team_bytes(int32_t group) {
  return (static_cast<int32_t>(sizeof(TeamMemory)) + 15) / 16 * 16 + kTeamWarps * group * kSumStride * 4;
}
__host__ __device__ constexpr int32_t attention_bytes(int32_t group) {
  const int32_t teams = kTeams * team_bytes(group);
  const int32_t fold = static_cast<int32_t>(sizeof(FoldMemory));
  return teams > fold ? teams : fold;
}

// What a team has to do, and where its first keys are: the same for all layers.
struct Item {
  int32_t sequence, kv_head, split, position;
  int32_t first_page, page_end;
  int32_t ids[2];  // of the first two pages
};
struct AttentionTable {
  Item items[kMaxItems];  // of this block, the teams' in turn
  int32_t num_items;
  int32_t splits[kStretchTokens];               // of every sequence's context
  float2 turns[kStretchTokens][kHeadSize / 2];  // sine and cosine of every row
};

__device__ inline void sync_team(int32_t team) {
  if (team == 0) {
    asm volatile("bar.sync 2, %0;" ::"n"(kTeamWarps * kWarp) : "memory");
  } else {
    asm volatile("bar.sync 3, %0;" ::"n"(kTeamWarps * kWarp) : "memory");
  }
}

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

// The step's own key and value, in place of what the page held.
__device__ inline void bring_new_keys(const TeamMemory& shared, int32_t first, int32_t position, int32_t g, int32_t t,
                                      few::Part<2, kHeadSize>& part) {
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    if (first + g + 8 * i != position) continue;
#pragma unroll
    for (int32_t j = 0; j < kHeadSize / 32; ++j) load_shared(&shared.rows[0][0][2 * (32 * j + 8 * t)], part.keys[i][j]);
  }
}
__device__ inline void bring_new_values(const TeamMemory& shared, int32_t first, int32_t position, int32_t g, int32_t t,
                                        few::Part<2, kHeadSize>& part) {
#pragma unroll
  for (int32_t i = 0; i < 4; ++i) {
    if (first + few::value_key(i, t) != position) continue;
#pragma unroll
    for (int32_t c = 0; c < kHeadSize / 64; ++c)
      load_shared(&shared.rows[1][0][2 * (64 * c + 8 * g)], part.values[i][c]);
  }
}

// One split of one kv head of one sequence, by a team. `item_tag`: of the partial results.
__device__ inline void attend(const Stretch& p, const StretchOperation& operation, uint8_t* memory, int32_t team,
                              const Item& item, const float2* turns, int32_t warp, int32_t thread, uint32_t item_tag,
                              [[maybe_unused]] int32_t index) {
  using few::kAll;
  using few::kPagesAtOnce;
  using few::kWarpKeys;
  constexpr int32_t kColumnParts = kHeadSize / 64;
  asm volatile("" : "+r"(warp), "+r"(thread));  // see `thread_index`
  const AttentionWork& work = operation.attention;
  TeamMemory& shared = *reinterpret_cast<TeamMemory*>(memory);
  auto* const all_sums = reinterpret_cast<float*>(memory + (sizeof(TeamMemory) + 15) / 16 * 16);
  const int32_t g = thread / 4, t = thread % 4;
  const int32_t group = work.group_size;
  PagedTask base{};
  base.pages.keys = work.keys;
  base.pages.values = work.values;
  base.pages.num_heads = work.num_kv_heads;
  static_assert(kPagesAtOnce == 2);
  const int32_t sequence = item.sequence, kv_head = item.kv_head;
  const int32_t position = item.position;
  const int32_t page_end = item.page_end;
  const int32_t first_key = warp % (kTeamWarps / kPagesAtOnce) * kWarpKeys;
  const int32_t* table = p.page_table + static_cast<int64_t>(sequence) * p.page_table_stride;
  int32_t page = item.first_page + warp / (kTeamWarps / kPagesAtOnce);
  const bool is_last = position / kPageTokens < page_end;
  const auto has_keys = [&] { return page < page_end && page * kPageTokens + first_key <= position; };

  const Rope rope{nullptr, kHeadSize, work.adjacent_pairs, 1};
  for (int32_t lane = group + warp; lane < few::kLanes; lane += kTeamWarps) {
    for (int32_t column = thread; column < kHeadSize; column += kWarp) shared.queries[lane][column] = __half{};
  }
  // Queries, and the step's key and value where they are in this split: a warp a row of a head.
  for (int32_t job = warp; job < group + (is_last ? 2 : 0); job += kTeamWarps) {
    const bool is_query = job < group;
    const bool is_key = job == group;
    const int32_t head = is_query ? kv_head * group + job : work.num_heads + kv_head + (is_key ? 0 : work.num_kv_heads);
    constexpr int32_t kSlots = kHeadSize / 64;
    float seen[2 * kSlots];
    Slot columns[kSlots];
#pragma unroll
    for (int32_t k = 0; k < kSlots; ++k) columns[k] = slot_of(rope, thread + k * kWarp, kHeadSize / 2);
    const auto column_of = [&](int32_t k) {
      return head * kHeadSize + (k % 2 == 0 ? columns[k / 2].first : columns[k / 2].second);
    };
    if (operation.x_tag == 0) {
      const float* from = operation.x + static_cast<int64_t>(sequence) * operation.x_stride;
#pragma unroll
      for (int32_t k = 0; k < 2 * kSlots; ++k) seen[k] = __ldcg(from + column_of(k));
    } else {
      const uint64_t* from = p.exact + sequence * (p.exchange_stride / kExchangeRegions);
      const uint32_t x_tag = (item_tag & ~0xffu) | operation.x_tag;
      for (;;) {
        bool is_there = true;
#pragma unroll
        for (int32_t k = 0; k < 2 * kSlots; ++k) {
          is_there = look_beside_tag(from + column_of(k), x_tag, seen[k]) && is_there;
        }
        if (__all_sync(kAll, is_there)) break;
      }
    }
    __half* to_page = nullptr;
    if (!is_query) {
      auto* block = const_cast<uint8_t*>(few::block_of<2>(is_key ? work.keys : work.values, base.pages,
                                                          __ldg(table + position / kPageTokens), kv_head, kHeadSize));
      to_page = reinterpret_cast<__half*>(block) + position % kPageTokens * kHeadSize;
    }
#pragma unroll
    for (int32_t k = 0; k < kSlots; ++k) {
      float first = seen[2 * k], second = seen[2 * k + 1];
      if (is_query || is_key) turn(turns[thread + k * kWarp], first, second);
      const auto put = [&](int32_t column, float value) {
        if (is_query) {
          shared.queries[job][column] = __float2half_rn(__fmul_rn(value, kQueryPart));
          return;
        }
        const __half stored = __float2half_rn(value);
        reinterpret_cast<__half*>(shared.rows[is_key ? 0 : 1][0])[column] = stored;
        to_page[column] = stored;
      };
      put(columns[k].first, first);
      put(columns[k].second, second);
    }
  }
  sync_team(team);

  QUOTH_TIME(2);
  float maxima[2], totals[2];
  float sums[kColumnParts][4][4];
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) maxima[e] = -INFINITY, totals[e] = 0;
  // Sixteen keys of this warp. They are asked for only now: loads come back in order, and before them the queries would
  // have to wait for the memory. The L2 cache has the first ones.
  const int32_t first_end = has_keys() ? position + 1 : 0;
  const int32_t first_id = max(0, item.ids[warp / (kTeamWarps / kPagesAtOnce)]);
  const auto add_keys = [&](auto is_first) {
    const int32_t first = page * kPageTokens + first_key;
    const int32_t end = is_first.value ? first_end : position + 1;  // of the keys that are seen
    const int32_t id = is_first.value ? first_id : __ldg(table + page);
    const bool has_new = first + kWarpKeys > position && end > 0;
    few::Part<2, kHeadSize> part;
    few::bring_keys(base, kHeadSize, id, kv_head, first, min(end, position), g, t, part);
    if constexpr (is_first.value) {
      few::bring_values(base, kHeadSize, id, kv_head, first, 0, min(end, position), g, t, part);
    }
    if (has_new) bring_new_keys(shared, first, position, g, t, part);
    float products[4], other[4];
#pragma unroll
    for (int32_t e = 0; e < 4; ++e) products[e] = other[e] = 0;
#pragma unroll
    for (int32_t j = 0; j < kHeadSize / 32; ++j) {
      const uint4 query = *reinterpret_cast<const uint4*>(&shared.queries[g][32 * j + 8 * t]);
      multiply_add(products, part.keys[0][j][0], part.keys[1][j][0], part.keys[0][j][1], part.keys[1][j][1], query.x,
                   query.y);
      multiply_add(other, part.keys[0][j][2], part.keys[1][j][2], part.keys[0][j][3], part.keys[1][j][3], query.z,
                   query.w);
    }
    if constexpr (!is_first.value) few::bring_values(base, kHeadSize, id, kv_head, first, 0, position, g, t, part);
    if (has_new) bring_new_values(shared, first, position, g, t, part);
    uint32_t weights[2];
#pragma unroll
    for (int32_t e = 0; e < 4; ++e) {
      const int32_t key = first + g + e / 2 * 8;
      const bool sees = 2 * t + e % 2 < group && key < end;
      products[e] = __fadd_rn(products[e], other[e]);
      const float score = __fmul_rn(__fmul_rn(products[e], work.scale), kLog2E);
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
      if constexpr (!is_first.value) {
#pragma unroll
        for (int32_t c = 0; c < kColumnParts; ++c) {
#pragma unroll
          for (int32_t j = 0; j < 4; ++j) {
            sums[c][j][e] = __fmul_rn(sums[c][j][e], old_part);
            sums[c][j][e + 2] = __fmul_rn(sums[c][j][e + 2], old_part);
          }
        }
      }
    }
    weights[0] = few::transposed(halves_of(products[0], products[1]));
    weights[1] = few::transposed(halves_of(products[2], products[3]));
#pragma unroll
    for (int32_t c = 0; c < kColumnParts; ++c) {
#pragma unroll
      for (int32_t j = 0; j < 4; ++j) {
        if constexpr (is_first.value) {
#pragma unroll
          for (float& sum : sums[c][j]) sum = 0;
        }
        multiply_add(sums[c][j], __byte_perm(part.values[0][c][j], part.values[1][c][j], 0x5410),
                     __byte_perm(part.values[0][c][j], part.values[1][c][j], 0x7632),
                     __byte_perm(part.values[2][c][j], part.values[3][c][j], 0x5410),
                     __byte_perm(part.values[2][c][j], part.values[3][c][j], 0x7632), weights[0], weights[1]);
      }
    }
    page += kPagesAtOnce;
  };
  add_keys(std::true_type());  // of a warp without keys: nothing is seen
#pragma unroll 1
  while (has_keys()) add_keys(std::false_type());

  QUOTH_TIME(3);
  // The warps' results to one.
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) {
    float total = totals[e];
#pragma unroll
    for (int32_t step = 4; step < kWarp; step *= 2) total = __fadd_rn(total, __shfl_xor_sync(kAll, total, step));
    const int32_t lane = 2 * t + e;
    if (g == 0) shared.ends[warp][lane] = make_float2(maxima[e], total);
    if (lane < group) {
#pragma unroll
      for (int32_t c = 0; c < kColumnParts; ++c) {
        float* to = all_sums + (warp * group + lane) * kSumStride + 64 * c + 8 * g;
#pragma unroll
        for (int32_t j = 0; j < 4; j += 2) {
          *reinterpret_cast<float4*>(to + 2 * j) =
              make_float4(sums[c][j][e], sums[c][j][e + 2], sums[c][j + 1][e], sums[c][j + 1][e + 2]);
        }
      }
    }
  }
  sync_team(team);
  const int64_t place = (static_cast<int64_t>(sequence) * work.num_kv_heads + kv_head) * p.max_splits + item.split;
  for (int32_t index = warp * kWarp + thread; index < group * (kHeadSize / 4); index += kTeamWarps * kWarp) {
    const int32_t lane = index / (kHeadSize / 4);
    const int32_t column = index % (kHeadSize / 4) * 4;
    float2 parts[kTeamWarps];
    float maximum = -INFINITY, total = 0;
#pragma unroll
    for (int32_t w = 0; w < kTeamWarps; ++w) {
      parts[w] = shared.ends[w][lane];
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
    uint64_t* to = p.partials + ((place * group + lane) * kHeadSize + column);
    put_partial(to, sum.x, sum.y, item_tag);
    put_partial(to + 2, sum.z, sum.w, item_tag);
    if (column == 0) put_partial(p.partial_ends + 2 * (place * group + lane), maximum, total, item_tag);
  }
}

// Item `index` of the step, in the order of sequences, splits and kv heads. False: there are fewer; `index` is then
// what is left of it.
__device__ inline bool find_item(const Stretch& p, int32_t num_kv_heads, int32_t& index, Item& item) {
  for (int32_t sequence = 0; sequence < p.num_tokens; ++sequence) {
    const int32_t position = __ldg(p.positions + sequence);
    const int32_t num_pages = position / kPageTokens + 1;
    const int32_t count = (few::split_of(num_pages - 1) + 1) * num_kv_heads;
    if (index >= count) {
      index -= count;
      continue;
    }
    item.sequence = sequence;
    item.split = index / num_kv_heads;
    item.kv_head = index - item.split * num_kv_heads;
    item.position = position;
    item.first_page = few::start_of(item.split);
    item.page_end = min(num_pages, few::start_of(item.split + 1));
    const int32_t* ids = p.page_table + static_cast<int64_t>(sequence) * p.page_table_stride;
    for (int32_t i = 0; i < 2; ++i) {
      item.ids[i] = item.first_page + i < item.page_end ? __ldg(ids + item.first_page + i) : -1;
    }
    return true;
  }
  return false;
}

__device__ inline void prepare(const Stretch& p, const AttentionWork& work, AttentionTable& table) {
  const Rope rope{work.inverse_frequencies, kHeadSize, work.adjacent_pairs, work.rope_factor};
  for (int32_t i = thread_index(); i < p.num_tokens * (kHeadSize / 2); i += kWarps * kWarp) {
    table.turns[i / (kHeadSize / 2)][i % (kHeadSize / 2)] =
        turn_of(rope, i % (kHeadSize / 2), __ldg(p.positions + i / (kHeadSize / 2)));
  }
  const int32_t thread = thread_index();
  int32_t index = static_cast<int32_t>(blockIdx.x) + thread * static_cast<int32_t>(gridDim.x);
  if (thread < kMaxItems) {
    Item item;
    if (find_item(p, work.num_kv_heads, index, item)) {
      table.items[thread] = item;
      atomicMax(&table.num_items, thread + 1);
    }
  }
  if (thread < p.num_tokens) {
    table.splits[thread] = few::split_of(__ldg(p.positions + thread) / kPageTokens) + 1;
  }
}

// The first pages of an item to the L2 cache, by one thread.
__device__ inline void fetch_item(const AttentionWork& work, const Item& item) {
  constexpr int32_t kBlockBytes = kPageTokens * kHeadSize * 2;
  for (int32_t i = 0; i < 2; ++i) {
    if (item.ids[i] < 0) continue;
    const int64_t at = (static_cast<int64_t>(item.ids[i]) * work.num_kv_heads + item.kv_head) * kBlockBytes;
    fetch_bulk(static_cast<const uint8_t*>(work.keys) + at, kBlockBytes);
    fetch_bulk(static_cast<const uint8_t*>(work.values) + at, kBlockBytes);
  }
}

// All of the attention of one layer.
__device__ inline void attend_all(const Stretch& p, const StretchOperation& operation, uint8_t* memory,
                                  const AttentionTable& table, uint32_t tag, [[maybe_unused]] int32_t index) {
  const int32_t thread = thread_index();
  const int32_t warp = thread / kWarp, lane = thread % kWarp;
  const AttentionWork& work = operation.attention;
  const auto grid = static_cast<int32_t>(gridDim.x);
  const auto block = static_cast<int32_t>(blockIdx.x);
  const int32_t team = warp / kTeamWarps;
  sync_multipliers();  // what the operation before left in `memory` has been read
  QUOTH_TIME(1);
  for (int32_t i = team; i < table.num_items; i += kTeams) {
    const Item& item = table.items[i];
    if (warp % kTeamWarps == 0 && lane == 0 && i + kTeams < table.num_items) fetch_item(work, table.items[i + kTeams]);
    attend(p, operation, memory + team * team_bytes(work.group_size), team, item, table.turns[item.sequence],
           warp % kTeamWarps, lane, tag, index);
  }
  QUOTH_TIME(4);
  sync_multipliers();
  QUOTH_TIME(5);

  FoldMemory& fold = *reinterpret_cast<FoldMemory*>(memory);
  const int32_t chunks = work.num_heads * (kHeadSize / 4);
  const int32_t share = ceil_div(chunks, grid);
  for (int32_t sequence = 0; sequence < p.num_tokens; ++sequence) {
    const int32_t splits = table.splits[sequence];
    const int32_t end = min(chunks, (block + 1) * share);
    const int32_t padded = ceil_div(splits, kFoldedAtOnce) * kFoldedAtOnce;  // by what saw nothing: it changes no bit
    const int32_t at_once = kWarps * kWarp / padded;
    for (int32_t first = block * share; first < end; first += at_once) {
      const int32_t count = min(at_once, end - first);
      const int32_t split = thread / count;
      const int32_t chunk = first + thread - split * count;
      const int32_t head = chunk / (kHeadSize / 4);
      const int32_t kv_head = head / work.group_size;
      const int32_t column = chunk % (kHeadSize / 4) * 4;
      if (split < splits) {
        const int64_t at =
            (((static_cast<int64_t>(sequence) * work.num_kv_heads + kv_head) * p.max_splits + split) * work.group_size +
             head - kv_head * work.group_size);
        const uint64_t* from = p.partials + at * kHeadSize + column;
        float4 sum;
        float2 ends;
        bool is_there = false;
        while (!is_there) {
          const bool left = look_at_partial(from, tag, sum.x, sum.y);
          const bool right = look_at_partial(from + 2, tag, sum.z, sum.w);
          is_there = look_at_partial(p.partial_ends + 2 * at, tag, ends.x, ends.y) && left && right;
        }
        fold.sums[thread] = sum;
        fold.ends[thread] = ends;
      } else if (split < padded) {
        fold.sums[thread] = {0, 0, 0, 0};
        fold.ends[thread] = {-INFINITY, 0};
      }
      sync_multipliers();
      QUOTH_TIME(6);
      if (thread < count) {
        few::Folded result;
        for (int32_t s = 0; s < padded; s += kFoldedAtOnce) {
#pragma unroll
          for (int32_t i = 0; i < kFoldedAtOnce; ++i) {
            result.add(fold.sums[(s + i) * count + thread], fold.ends[(s + i) * count + thread]);
          }
        }
        const float part = __frcp_rn(result.total);
        const float4 sum = make_float4(__fmul_rn(result.sum.x, part), __fmul_rn(result.sum.y, part),
                                       __fmul_rn(result.sum.z, part), __fmul_rn(result.sum.w, part));
        const int32_t to = head * kHeadSize + column;
        uint32_t* exchange = p.exchange + operation.out_exchange + sequence * p.exchange_stride + to;
        put_in_exchange(exchange, sum.x, operation.out_tag);
        put_in_exchange(exchange + 1, sum.y, operation.out_tag);
        put_in_exchange(exchange + 2, sum.z, operation.out_tag);
        put_in_exchange(exchange + 3, sum.w, operation.out_tag);
        *reinterpret_cast<float4*>(operation.out + static_cast<int64_t>(sequence) * operation.out_stride + to) = sum;
      }
      sync_multipliers();  // before `memory` is used again
    }
  }
}

}  // namespace quoth::cuda::stretch
