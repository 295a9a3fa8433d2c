// The kernel of a stretch. One block on each multiprocessor, all at once: 16 warps multiply, one brings the weights of
// all operations, one after another, and copies each operation's description to where the others read it; one fetches
// what comes later into the L2 cache.
#pragma once

#include "stretch_attention.h"

namespace quoth::cuda::stretch {

// Pairs of tiles of this block.
__device__ inline int32_t pairs_of(const LinearWork& work) {
  return work.block_pairs + (static_cast<int32_t>(blockIdx.x) < work.blocks_with_more ? 1 : 0);
}

// What the warps of the stream and those that multiply go through in the same order: groups of tiles; parts of K;
// tiles.
template <typename Body>
__device__ inline void for_each_slot(const LinearWork& work, const Body& body) {
  const int32_t num_tiles = pairs_of(work) * work.pair_tiles;
  const int64_t tile_bytes = static_cast<int64_t>(work.num_records) * kRecordBytes;
  for (int32_t group = 0; group < num_tiles; group += work.group_tiles) {
    const int32_t group_end = min(group + work.group_tiles, num_tiles);
    for (int32_t first = 0; first < work.num_records; first += work.part_records) {
      const uint32_t size_bytes =
          static_cast<uint32_t>(min(work.part_records, work.num_records - first)) * kRecordBytes;
      for (int32_t tile = group; tile < group_end; ++tile) {
        const int32_t pair =
            static_cast<int32_t>(blockIdx.x) + (tile >> (work.pair_tiles - 1)) * static_cast<int32_t>(gridDim.x);
        const int64_t row = pair + static_cast<int64_t>(tile & (work.pair_tiles - 1)) * work.num_pairs;
        body(work.weight + row * tile_bytes + static_cast<int64_t>(first) * kRecordBytes, size_bytes);
      }
    }
  }
}

// The warp that brings: the descriptions of the operations, then their weights, or old keys and values.
[[maybe_unused]] __device__ inline void bring_all(const Stretch& p, uint8_t* shared, Ring ring, uint32_t described,
                                                  uint32_t forgotten, uint32_t* brought, int32_t lane) {
  auto* const operations = reinterpret_cast<StretchOperation*>(shared + p.operations_at);
  const uint64_t policy = read_once_policy();
  bool is_first_round = true;
  Ring arrived = ring;   // the first that may still be on its way
  Ring consumed = ring;  // kHungry slots behind it
  int32_t on_their_way = 0, num_arrived = 0;
  constexpr int32_t kOperationWords = sizeof(StretchOperation) / 4;
  uint32_t next_word = lane < kOperationWords ? reinterpret_cast<const uint32_t*>(p.operations)[lane] : 0;
  // `copy(to)` fills the next slot: bulk copies by one lane, which arrives for the others, or copies by all.
  const auto fill = [&](const auto& copy) {
    if (!is_first_round) wait_barrier(ring.empty_at(), ring.parity ^ 1);
    // What the stream has asked for stands in front of what is handed over; but where nothing is left to multiply,
    // nothing is handed over.
    for (;;) {
      while (on_their_way > 0 && is_over_now(arrived.full_at(), arrived.parity)) {
        arrived.step();
        --on_their_way;
        if (++num_arrived > p.hungry_slots) consumed.step();
      }
      const bool is_hungry = num_arrived < p.hungry_slots || is_over_now(consumed.empty_at(), consumed.parity);
      if (on_their_way < (is_hungry ? p.num_ahead_hungry : p.num_ahead)) break;
    }
    ++on_their_way;
    __syncwarp();
#ifdef QUOTH_STRETCH_PROBE
    if (p.probe & 4) {
      arrive(ring.full_at());
    } else
#endif
      copy(shared_address(shared + p.ring_at) + static_cast<uint32_t>(ring.slot * p.slot_bytes));
    if (lane == 0) atomicAdd(brought, 1u);
    ring.step();
    if (ring.slot == 0) is_first_round = false;
  };
  for (int32_t index = 0; index < p.num_operations; ++index) {
    const uint32_t place = static_cast<uint32_t>(index) % kOperationsAhead;
    const uint32_t round = static_cast<uint32_t>(index) / kOperationsAhead;
    if (round > 0) wait_barrier(forgotten + 8 * place, (round - 1) & 1);
    if (lane < kOperationWords) reinterpret_cast<uint32_t*>(operations + place)[lane] = next_word;
    __syncwarp();
    if (lane == 0) arrive(described + 8 * place);
    // The next one is on its way while this one's weights are.
    if (lane < kOperationWords && index + 1 < p.num_operations) {
      next_word = reinterpret_cast<const uint32_t*>(p.operations + index + 1)[lane];
    }
    const StretchOperation& operation = operations[place];
    if (operation.is_attention) {
      const AttentionWork& work = operation.attention;
      for_each_chunk(p, table_of(p, shared), [&](const Item& item, int32_t page, int32_t id, int32_t next_id) {
        for (const bool is_key : {true, false}) {
          fill([&](uint32_t to) {
            const void* array = is_key ? work.keys : work.values;
            copy_page(array, work.num_kv_heads, item, page, id, to, lane, policy);
            copy_page(array, work.num_kv_heads, item, page + 1, next_id, to + kPageBytes, lane, policy);
            arrive_after_copies(ring.full_at());
          });
        }
      });
      continue;
    }
    for_each_slot(operation.linear, [&](const uint8_t* from, uint32_t size_bytes) {
#ifdef QUOTH_STRETCH_PROBE
      if (p.probe & 2) from = p.operations[0].linear.weight + blockIdx.x % 64 * 34816;
#endif
      fill([&](uint32_t to) {
        if (lane > 0) return;
        expect_bytes(ring.full_at(), size_bytes);
        copy_bulk(to, from, size_bytes, ring.full_at(), policy);
        arrive_times(ring.full_at(), kFullArrivals - 1);
      });
    });
  }
}

// The warp that fetches: while the ring is full, the memory goes on with what comes after it, as far as the L2 cache.
// `num_fetched` slots further than `brought` says; and norms' weights.
[[maybe_unused]] __device__ inline void fetch_all(const Stretch& p, const AttentionTable& table, uint32_t* brought,
                                                  int32_t lane) {
  uint32_t slot = 0;
  const auto fetch = [&](const auto& fetch_slot) {
    uint32_t done = atomicAdd(brought, 0u);
    while (slot >= done + static_cast<uint32_t>(p.num_fetched)) {
      __nanosleep(50);
      done = atomicAdd(brought, 0u);
    }
    if (p.num_fetched > 1 && slot >= done) fetch_slot();
    ++slot;
  };
  for (int32_t index = 0; index < p.num_operations; ++index) {
    __syncwarp();
    const StretchOperation& operation = p.operations[index];
    if (operation.is_attention) {
      if (lane > 0) continue;
      const AttentionWork& work = operation.attention;
      for_each_chunk(p, table, [&](const Item& item, int32_t page, int32_t id, int32_t next_id) {
        for (const void* array : {work.keys, work.values}) {
          fetch([&] {
            fetch_page(array, work.num_kv_heads, item, page, id);
            fetch_page(array, work.num_kv_heads, item, page + 1, next_id);
          });
        }
      });
      continue;
    }
    const LinearWork& work = operation.linear;
    if (work.norm_weight != nullptr) {
      for (int32_t k = (static_cast<int32_t>(blockIdx.x) * kWarp + lane) * 32; k < work.num_records * kUnitColumns;
           k += static_cast<int32_t>(gridDim.x) * kWarp * 32) {
        fetch_and_keep(work.norm_weight + k);
      }
    }
    if (lane > 0) continue;
    for_each_slot(work,
                  [&](const uint8_t* from, uint32_t size_bytes) { fetch([&] { fetch_bulk(from, size_bytes); }); });
  }
}

constexpr int32_t kTilesAtOnce = 2;

// One linear, by the warps that multiply.
template <int32_t kTokens>
__device__ inline void multiply_all(const Stretch& p, const StretchOperation& operation, uint8_t* shared, Ring& ring,
                                    int32_t index, uint32_t first_tag) {
  const LinearWork& work = operation.linear;
  const int32_t num_pairs = pairs_of(work);
  if (num_pairs == 0) return;
  // Two squares in turn: what ends the operation before still reads the other.
  const Places places{shared + p.x_at, reinterpret_cast<float2*>(shared + p.factors_at),
                      reinterpret_cast<float*>(shared + p.sums_at),
                      reinterpret_cast<float*>(shared + p.squares_at) + index % 2 * kWarps * kStretchTokens};
  const int32_t group_pairs = work.group_tiles >> (work.pair_tiles - 1);
  float residual = 0;
  if (const int32_t i = thread_index(); work.adds && i < min(group_pairs, num_pairs) * kTokens * kQuantRows) {
    const Finished<kTokens> is(i, 0);
    residual = __ldcg(operation.out + static_cast<int64_t>(is.token) * operation.out_stride + is.column);
  }
  float squares[kTokens] = {};
  {
    const int32_t thread = thread_index();
    if (work.norm_weight != nullptr) {
      stage_x<kTokens, true>(p, operation, work, places, thread / kWarp, thread % kWarp, squares);
    } else {
      stage_x<kTokens, false>(p, operation, work, places, thread / kWarp, thread % kWarp, squares);
    }
  }
  QUOTH_TIME(1);
  sync_multipliers();
  QUOTH_TIME(2);
  const int32_t thread = thread_index();
  const int32_t warp = thread / kWarp, lane = thread % kWarp;
  if (work.norm_weight != nullptr) {  // looked at when the tiles are done
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) {
      const float total = warp_sum(squares[t]);
      if (lane == 0) places.squares[warp * kTokens + t] = total;
    }
  }

  const int32_t g = lane / 4, t = lane % 4;
  constexpr bool kParts = kHasTwoParts<kTokens>;
  const int32_t lane_at = 64 * t + 8 * (kParts && t >= 2 ? g ^ 4 : g), row_at = 4 * g;
  const bool is_kept = !kParts || g / 4 == t / 2;  // of this column, the lane's octet
  constexpr int32_t kRecordLines = 2 * kTokens * kLineBytes;
  const uint8_t* const x =
      places.x + (g % (kParts ? 4 : 8) < 2 * kTokens ? g % (kParts ? 4 : 8) : 0) * kLineBytes + 32 * t;
  const float2* const factors = places.factors + (t < kTokens ? t : 0);
  const bool has_token = t < kTokens;
  const int32_t num_tiles = num_pairs * work.pair_tiles;
  const int32_t num_records = work.num_records, part_records = work.part_records;
  const uint8_t* const slots = shared + p.ring_at;
  // Records left over of a tile in one part go to other warps for every tile.
  const int32_t turn_by = part_records >= num_records ? num_records % kWarps : 0;
  for (int32_t group = 0; group < num_tiles; group += work.group_tiles) {
    const int32_t group_tiles = min(work.group_tiles, num_tiles - group);
    for (int32_t first = 0; first < num_records; first += part_records) {
      const int32_t count = min(part_records, num_records - first);
      if (count == 2 * kWarps) {
        RecordOfX x_one, x_two;
        x_one.load(x + (first + warp) * kRecordLines, factors + (first + warp) * kTokens);
        x_two.load(x + (first + warp + kWarps) * kRecordLines, factors + (first + warp + kWarps) * kTokens);
        x_one.keep(is_kept), x_two.keep(is_kept);
        float* to = places.sums + (warp * kTokens + t) * kQuantRows + 2 * g;
        const uint8_t* const from = slots + warp * kRecordBytes;
        // Some tiles at once: one warp has more to do between two waits. What they lie in is free once it is read.
        const auto multiply_tiles = [&](auto num) {
          float2 sums[num.value];
          Record records[num.value][2];
          uint32_t freed[num.value];
#pragma unroll
          for (int32_t j = 0; j < num.value; ++j) {
            sums[j] = {0, 0};
            if (first > 0 && has_token) sums[j] = *reinterpret_cast<const float2*>(to + j * kTileFloats<kTokens>);
            wait_barrier(ring.full_at(), ring.parity);
            records[j][0].load(from + ring.slot * p.slot_bytes, lane_at, row_at);
            records[j][1].load(from + ring.slot * p.slot_bytes + kWarps * kRecordBytes, lane_at, row_at);
            freed[j] = ring.empty_at();
            ring.step();
          }
          __syncwarp();
#pragma unroll
          for (int32_t j = 0; j < num.value; ++j) {
            if (lane == 0) arrive(freed[j]);
          }
#pragma unroll
          for (int32_t j = 0; j < num.value; ++j) {
            records[j][0].template multiply<kParts>(sums[j], x_one);
            records[j][1].template multiply<kParts>(sums[j], x_two);
          }
#pragma unroll
          for (int32_t j = 0; j < num.value; ++j, to += kTileFloats<kTokens>) {
            if (has_token) *reinterpret_cast<float2*>(to) = sums[j];
          }
        };
        int32_t tile = 0;
        for (; tile + kTilesAtOnce <= group_tiles; tile += kTilesAtOnce) {
          multiply_tiles(std::integral_constant<int32_t, kTilesAtOnce>());
        }
        for (; tile < group_tiles; ++tile) multiply_tiles(std::integral_constant<int32_t, 1>());
        continue;
      }
      int32_t turned = (warp + group * turn_by) % kWarps;
      for (int32_t tile = 0; tile < group_tiles; ++tile) {
        float* const to = places.sums + tile * kTileFloats<kTokens> + (turned * kTokens + t) * kQuantRows + 2 * g;
        float2 sums{0, 0};
        if (first > 0 && has_token) sums = *reinterpret_cast<const float2*>(to);
        wait_barrier(ring.full_at(), ring.parity);
        const uint8_t* const slot = slots + ring.slot * p.slot_bytes;
        int32_t record = turned;
        for (; record + kWarps < count; record += 2 * kWarps) {
          Record one, two;
          RecordOfX x_one, x_two;
          one.load(slot + record * kRecordBytes, lane_at, row_at);
          two.load(slot + (record + kWarps) * kRecordBytes, lane_at, row_at);
          x_one.load(x + (first + record) * kRecordLines, factors + (first + record) * kTokens);
          x_two.load(x + (first + record + kWarps) * kRecordLines, factors + (first + record + kWarps) * kTokens);
          x_one.keep(is_kept), x_two.keep(is_kept);
          one.template multiply<kParts>(sums, x_one);
          two.template multiply<kParts>(sums, x_two);
        }
        if (record < count) {
          Record one;
          RecordOfX x_one;
          one.load(slot + record * kRecordBytes, lane_at, row_at);
          x_one.load(x + (first + record) * kRecordLines, factors + (first + record) * kTokens);
          x_one.keep(is_kept);
          one.template multiply<kParts>(sums, x_one);
        }
        __syncwarp();
        if (lane == 0) arrive(ring.empty_at());
        ring.step();
        if (has_token) *reinterpret_cast<float2*>(to) = sums;
        turned = (turned + turn_by) % kWarps;
      }
    }
    QUOTH_TIME(3);
    sync_multipliers();
    QUOTH_TIME(4);
    finish_group<kTokens>(p, operation, work, places, group >> (work.pair_tiles - 1),
                          group_tiles >> (work.pair_tiles - 1), residual, first_tag);
    QUOTH_TIME(5);
    sync_multipliers();  // those who ask for the next x would be in the way of the last results
    QUOTH_TIME(6);
    QUOTH_TIME(7);
  }
}

template <int32_t kTokens>
__global__ void __launch_bounds__(kThreads, 1) stretch_kernel(const __grid_constant__ Stretch p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ __align__(128) uint8_t shared[];
  const int32_t warp = static_cast<int32_t>(threadIdx.x) / kWarp;
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % kWarp;
  const uint32_t barriers = shared_address(shared + p.barriers_at);
  Ring ring{barriers, barriers + 8 * static_cast<uint32_t>(p.num_slots), p.num_slots};
  const uint32_t described = barriers + 16 * static_cast<uint32_t>(p.num_slots);
  const uint32_t forgotten = described + 8 * kOperationsAhead;
  // Slots of the ring that are on their way, or were.
  auto* const brought = reinterpret_cast<uint32_t*>(shared + p.barriers_at + 16 * p.num_slots + 16 * kOperationsAhead);
  if (threadIdx.x == 0) {
    *brought = 0;
    for (int32_t i = 0; i < p.num_slots; ++i) {
      init_barrier(ring.full + 8 * static_cast<uint32_t>(i), kFullArrivals);
      init_barrier(ring.empty + 8 * static_cast<uint32_t>(i), kWarps);
    }
    for (uint32_t i = 0; i < kOperationsAhead; ++i) {
      init_barrier(described + 8 * i, 1);
      init_barrier(forgotten + 8 * i, kWarps);
    }
    publish_barriers();
  }
  if (p.first_attention >= 0) prepare(p, p.operations[p.first_attention].attention, table_of(p, shared));
  __syncthreads();
  let_next_start();

  if (warp >= kWarps) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 64;");
    if (warp == kWarps) bring_all(p, shared, ring, described, forgotten, brought, lane);
    if (warp == kWarps + 1) fetch_all(p, table_of(p, shared), brought, lane);
    return;
  }
  asm volatile("setmaxnreg.inc.sync.aligned.u32 104;");
  const uint32_t first_tag = p.step != nullptr ? __ldcg(p.step) << 8 : 0;
  const auto* const operations = reinterpret_cast<const StretchOperation*>(shared + p.operations_at);
  for (int32_t index = 0; index < p.num_operations; ++index) {
    const uint32_t place = static_cast<uint32_t>(index) % kOperationsAhead;
    wait_barrier(described + 8 * place, (static_cast<uint32_t>(index) / kOperationsAhead) & 1);
    const StretchOperation& operation = operations[place];
    QUOTH_TIME(0);
    if (operation.is_attention) {
      attend_all(p, operation, shared, ring, first_tag | operation.out_tag, index);
      QUOTH_TIME(7);
    } else {
      multiply_all<kTokens>(p, operation, shared, ring, index, first_tag);
    }
    __syncwarp();
    if (lane == 0) arrive(forgotten + 8 * place);
  }
#endif
}

}  // namespace quoth::cuda::stretch
