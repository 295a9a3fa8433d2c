// What the blocks of a stretch have to do for attention, and how old keys and values come into the ring.
//
// A split of a context and a kv head are one item. Keys of two pages take one slot of the ring, their values the next;
// what older steps wrote depends on nothing that this step does, so they come in the stream of the weights, before the
// queries are there.
#pragma once

#include "async_copy.h"
#include "attention_few.h"
#include "stretch_linear.h"

namespace quoth::cuda::stretch {

constexpr int32_t kHeadSize = 128;
constexpr int32_t kMaxItems = 96;
// Of a block, rows of the step: a sequence's are next to one another, and dealt out there and back.
constexpr int32_t kMaxNewRows = 2 * kStretchTokens;
constexpr int32_t kRowBytes = 2 * kHeadSize;
constexpr int32_t kPageBytes = kPageTokens * kRowBytes;
constexpr int32_t kChunkPages = few::kPagesAtOnce;  // in one slot
static_assert(kChunkPages == 2);

// The slots that all warps go through in the same order.
struct Ring {
  uint32_t full, empty;
  int32_t num_slots;
  int32_t slot = 0;
  uint32_t parity = 0;
  __device__ void step() {
    if (++slot == num_slots) {
      slot = 0;
      parity ^= 1;
    }
  }
  __device__ uint32_t full_at() const { return full + 8 * static_cast<uint32_t>(slot); }
  __device__ uint32_t empty_at() const { return empty + 8 * static_cast<uint32_t>(slot); }
};
constexpr uint32_t kFullArrivals = kWarp;  // of a slot: the warp that brings

struct Item {
  int32_t sequence, kv_head, split, position;
  int32_t first_page, page_end;
  int32_t ids[kChunkPages];  // of the first pages
  int32_t new_row;           // which of this block's rows of the step the item holds; -1: none
};
// What a warp folds: 32 columns of a head.
struct Fold {
  int32_t sequence, splits;
  int32_t column;   // of all heads, lane 0's
  int32_t partial;  // of the first split
};
// The same for all layers.
struct AttentionTable {
  Item items[kMaxItems];  // of this block
  int32_t num_items;
  Fold folds[kWarps];
  float2 turns[kStretchTokens][kHeadSize / 2];  // sine and cosine of every row
};

// Of this block. Where it lies is found anew every time, as by `thread_index`.
__device__ inline AttentionTable& table_of(const Stretch& p, uint8_t* shared) {
  int32_t at = p.table_at;
  asm volatile("" : "+r"(at));
  return *reinterpret_cast<AttentionTable*>(shared + at);
}

__device__ inline int32_t items_of(const Stretch& p, int32_t num_kv_heads, int32_t sequence) {
  return (few::split_of(__ldg(p.positions + sequence) / kPageTokens) + 1) * num_kv_heads;
}

// Item `index` of the step, in the order of sequences, splits and kv heads.
__device__ inline Item item_of(const Stretch& p, int32_t num_kv_heads, int32_t index) {
  Item item{};
  for (int32_t count = items_of(p, num_kv_heads, 0); index >= count;) {
    index -= count;
    count = items_of(p, num_kv_heads, ++item.sequence);
  }
  item.position = __ldg(p.positions + item.sequence);
  item.split = index / num_kv_heads;
  item.kv_head = index - item.split * num_kv_heads;
  item.first_page = few::start_of(item.split);
  item.page_end = min(item.position / kPageTokens + 1, few::start_of(item.split + 1));
  const int32_t* ids = p.page_table + static_cast<int64_t>(item.sequence) * p.page_table_stride;
  for (int32_t i = 0; i < kChunkPages; ++i) {
    item.ids[i] = item.first_page + i < item.page_end ? __ldg(ids + item.first_page + i) : -1;
  }
  return item;
}

// By all threads of the block. Items are dealt out from the last one on, there and back: a context's last splits are
// its largest.
__device__ inline void prepare(const Stretch& p, const AttentionWork& work, AttentionTable& table) {
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const auto grid = static_cast<int32_t>(gridDim.x);
  const auto block = static_cast<int32_t>(blockIdx.x);
  const Rope rope{work.inverse_frequencies, kHeadSize, work.adjacent_pairs, work.rope_factor};
  for (int32_t i = thread; i < p.num_tokens * (kHeadSize / 2); i += kThreads) {
    table.turns[i / (kHeadSize / 2)][i % (kHeadSize / 2)] =
        turn_of(rope, i % (kHeadSize / 2), __ldg(p.positions + i / (kHeadSize / 2)));
  }
  bool has_item = false;
  if (thread < kMaxItems) {
    int32_t total = 0;
    for (int32_t i = 0; i < p.num_tokens; ++i) total += items_of(p, work.num_kv_heads, i);
    const int32_t place = thread * grid + (thread % 2 == 0 ? block : grid - 1 - block);
    has_item = place < total;
    if (has_item) table.items[thread] = item_of(p, work.num_kv_heads, total - 1 - place);
  }
  if (thread < kWarps) {
    const int32_t parts = work.num_heads * (kHeadSize / kWarp);
    const int32_t unit = block + (thread + kWarps / 2) % kWarps * grid;  // others than those that merge first
    Fold fold{};
    if (unit < p.num_tokens * parts) {
      fold.sequence = unit / parts;
      fold.column = (unit - fold.sequence * parts) * kWarp;
      fold.splits = items_of(p, 1, fold.sequence);
      const int32_t head = fold.column / kHeadSize, kv_head = head / work.group_size;
      fold.partial = (fold.sequence * work.num_kv_heads + kv_head) * p.max_splits * work.group_size + head -
                     kv_head * work.group_size;
    }
    table.folds[thread] = fold;
  }
  const int32_t num_items = __syncthreads_count(has_item ? 1 : 0);
  if (thread > 0) return;
  int32_t rows = 0;
  for (int32_t i = 0; i < num_items; ++i) {
    Item& item = table.items[i];
    item.new_row = item.position / kPageTokens < item.page_end ? rows++ : -1;
  }
  table.num_items = num_items;
}

// body(item, page, id, next id): two pages at a time, in the order in which they come.
template <typename Body>
__device__ inline void for_each_chunk(const Stretch& p, const AttentionTable& table, const Body& body) {
  for (int32_t i = 0; i < table.num_items; ++i) {
    const Item& item = table.items[i];
    const int32_t* ids = p.page_table + static_cast<int64_t>(item.sequence) * p.page_table_stride;
    int32_t first = item.ids[0], second = item.ids[1];
    for (int32_t page = item.first_page; page < item.page_end; page += kChunkPages) {
      const int32_t next = page + kChunkPages;
      const int32_t next_first = next < item.page_end ? __ldg(ids + next) : -1;  // early
      const int32_t next_second = next + 1 < item.page_end ? __ldg(ids + next + 1) : -1;
      body(item, page, first, second);
      first = next_first, second = next_second;
    }
  }
}

// Where a row's 16 bytes `part` lie, in 16 bytes: neither eight rows' same part nor two rows' four parts share a bank.
__device__ inline int32_t place_of(int32_t row, int32_t part) {
  return part ^ ((row & 1) << 2) ^ ((row >> 1) & 3);
}

// One page into its half of a slot: rows that older steps wrote; what comes behind, as far as a warp looks, is zero.
__device__ inline void copy_page(const void* array, int32_t num_kv_heads, const Item& item, int32_t page, int32_t id,
                                 uint32_t to, int32_t lane, uint64_t policy) {
  if (id < 0) return;
  const int32_t old_rows = item.position - page * kPageTokens;
  const int32_t rows = min(kPageTokens, (old_rows / few::kWarpKeys + 1) * few::kWarpKeys);
  const int32_t row = lane / 16;
  const uint8_t* from = static_cast<const uint8_t*>(array) +
                        (static_cast<int64_t>(id) * num_kv_heads + item.kv_head) * kPageBytes + 16 * lane;
  to += static_cast<uint32_t>(row * kRowBytes);
  const int32_t part = place_of(row, lane % 16);
  for (int32_t first = 0; first < rows; first += 8) {
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) {
      copy_16(to + static_cast<uint32_t>(2 * i * kRowBytes + 16 * (part ^ i)), from + 2 * i * kRowBytes,
              first + 2 * i + row < old_rows ? 16u : 0u, policy);
    }
    to += 8 * kRowBytes;
    from += 8 * kRowBytes;
  }
}

}  // namespace quoth::cuda::stretch
