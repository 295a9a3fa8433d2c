// The kernel of a stretch. One block on each multiprocessor, all at once: 16 warps multiply, one brings the weights of
// all operations, one after another, and copies each operation's description to where the others read it; one fetches
// the norms' weights into the L2 cache.
#pragma once

#include "stretch_attention.h"
#include "stretch_stage.h"

namespace quoth::cuda::stretch {

// Pairs of tiles of this block.
__device__ inline int32_t pairs_of(const LinearWork& work) {
  return work.block_pairs + (block_of(work) < work.blocks_with_more ? 1 : 0);
}

// What the warps of the stream and those that multiply go through in the same order: groups of tiles; parts of K; slots
// of some tiles. `body` gets the slot's first tile, how many tiles it has, and of each the first record and how many.
template <typename Body>
__device__ inline void for_each_slot(const LinearWork& work, const Body& body) {
  const int32_t num_tiles = pairs_of(work) * work.pair_tiles;
  for (int32_t group = 0; group < num_tiles; group += work.group_tiles) {
    const int32_t group_end = min(group + work.group_tiles, num_tiles);
    for (int32_t first = 0; first < work.num_records; first += kSlotRecords) {
      const int32_t count = min(kSlotRecords, work.num_records - first);
      const int32_t slot_tiles = count == kSlotRecords ? 1 : work.rest_tiles;
      for (int32_t tile = group; tile < group_end; tile += slot_tiles) {
        body(tile, min(slot_tiles, group_end - tile), first, count);
      }
    }
  }
}
// Record `first` of tile `tile` of this block.
__device__ inline const uint8_t* record_of(const LinearWork& work, int32_t tile, int32_t first) {
  const int32_t pair = block_of(work) + (tile >> (work.pair_tiles - 1)) * static_cast<int32_t>(gridDim.x);
  const int64_t row = pair + static_cast<int64_t>(tile & (work.pair_tiles - 1)) * work.num_pairs;
  return work.weight + (row * work.num_records + first) * kRecordBytes;
}

// The warp that brings: the descriptions of the operations, then their weights, or old keys and values.
[[maybe_unused]] __device__ inline void bring_all(const Stretch& p, uint8_t* shared, Ring ring, uint32_t described,
                                                  uint32_t forgotten, int32_t lane) {
  auto* const operations = reinterpret_cast<StretchOperation*>(shared + p.operations_at);
  const uint64_t policy = read_once_policy();
  bool is_first_round = true;
  Ring arrived = ring;  // `num_ahead` slots behind
  int32_t ahead = p.num_ahead;
  constexpr int32_t kOperationWords = sizeof(StretchOperation) / 4;
  uint32_t next_word = lane < kOperationWords ? reinterpret_cast<const uint32_t*>(p.operations)[lane] : 0;
  // `copy(to)` fills the next slot: bulk copies by one lane, which arrives for the others, or copies by all.
  const auto fill = [&](const auto& copy) {
    if (!is_first_round) wait_barrier(ring.empty_at(), ring.parity ^ 1);
    if (ahead > 0) {
      --ahead;
    } else {
      wait_barrier(arrived.full_at(), arrived.parity);
      arrived.step();
    }
    __syncwarp();
#ifdef QUOTH_STRETCH_PROBE
    if (p.probe & 4) {
      arrive(ring.full_at());
    } else
#endif
      copy(shared_address(shared + p.ring_at) + static_cast<uint32_t>(ring.slot * p.slot_bytes));
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
    for_each_slot(operation.linear, [&](int32_t tile, int32_t num_tiles, int32_t first, int32_t count) {
      fill([&](uint32_t to) {
        if (lane > 0) return;
        const uint32_t size_bytes = static_cast<uint32_t>(count) * kRecordBytes;
        expect_bytes(ring.full_at(), static_cast<uint32_t>(num_tiles) * size_bytes);
        for (const int32_t end = tile + num_tiles; tile < end; ++tile, to += size_bytes) {
          const uint8_t* from = record_of(operation.linear, tile, first);
#ifdef QUOTH_STRETCH_PROBE
          if (p.probe & 2) from = p.operations[0].linear.weight + blockIdx.x % 64 * 34816;
#endif
          copy_bulk(to, from, size_bytes, ring.full_at(), policy);
        }
        arrive_times(ring.full_at(), kFullArrivals - 1);
      });
    });
  }
}

// The norms' weights of all operations to the L2 cache, by one warp: on their way beside the stream they would hold up
// x.
[[maybe_unused]] __device__ inline void fetch_norms(const Stretch& p, int32_t lane) {
  for (int32_t index = 0; index < p.num_operations; ++index) {
    const StretchOperation& operation = p.operations[index];
    if (operation.is_attention || operation.linear.norm_weight == nullptr) continue;
    const LinearWork& work = operation.linear;
    for (int32_t k = (static_cast<int32_t>(blockIdx.x) * kWarp + lane) * 32; k < work.num_records * kUnitColumns;
         k += static_cast<int32_t>(gridDim.x) * kWarp * 32) {
      fetch_and_keep(work.norm_weight + k);
    }
  }
}

// Nothing but records that are left over: the warps' own sums are zero.
template <int32_t kTokens>
__device__ inline void clear_sums(const LinearWork& work, const Places& places, int32_t group_tiles) {
  if (work.tile_sums == kWarps) return;
  constexpr int32_t kCleared = kWarps * kTokens * kQuantRows;
  for (int32_t i = thread_index(); i < group_tiles * kCleared; i += kWarps * kWarp) {
    places.sums[i / kCleared * tile_floats(work, kTokens) + i % kCleared] = 0;
  }
}

// The slots of one part of K of a group of tiles: sums of the warps' records, in their order. `stage`: what brings x,
// called once the first weights are read.
template <int32_t kTokens, typename Stage>
__device__ inline void multiply_slots(const Stretch& p, const LinearWork& work, const Places& places,
                                      const uint8_t* slots, Ring& ring, const Share& share, int32_t group_tiles,
                                      bool is_first_part, const Stage& stage) {
  const int32_t lane = thread_index() % kWarp;
  const int32_t g = lane / 4, t = lane % 4;
  const int32_t slot_tiles = share.slot_tiles;
#ifdef QUOTH_STRETCH_PROBE
  if (p.probe & 8) {  // the stream alone
    stage();
    for (int32_t tile = 0; tile < group_tiles; tile += slot_tiles) {
      wait_barrier(ring.full_at(), ring.parity);
      __syncwarp();
      if (lane == 0) arrive(ring.empty_at());
      ring.step();
    }
    return;
  }
#endif
  const bool has_lines = slot_tiles > 1;  // records that are left over: each has its own line of sums
  const bool adds = !is_first_part && !has_lines;
  const int32_t tile_size = tile_floats(work, kTokens);
  const int32_t step = slot_tiles * tile_size;
  const auto place_of = [&](int32_t i) {
    const int32_t row = kTokens == 1 ? Two<1>::row_of(g, t) : 2 * g;
    return places.sums + share.tiles[i] * tile_size + (share.lines[i] * kTokens + (kTokens == 1 ? 0 : t)) * kQuantRows +
           row;
  };
  const bool is_second = kTokens == 1 && t % 2 == 1;
  float* to = is_second ? place_of(1) : place_of(0);
  [[maybe_unused]] float* to_second = place_of(1);
  // Of the lane's tile, or tiles.
  const bool finishes = kTokens == 1 ? has_lines || t % 2 == 0 : t < kTokens;
  const int32_t end_tile = finishes ? group_tiles - (is_second ? share.tiles[1] : share.tiles[0]) : 0;
  [[maybe_unused]] const int32_t second_end_tile = finishes ? group_tiles - share.tiles[1] : 0;
  typename Two<kTokens>::X x;
  // One slot after another: with two at once a warp has less to wait for, but more to do around them.
  for (int32_t tile = 0; tile < group_tiles; tile += slot_tiles, to += step, to_second += step) {
    Two<kTokens> two;
    wait_barrier(ring.full_at(), ring.parity);
    two.load(slots + ring.slot * p.slot_bytes, share.at, g, t);
    __syncwarp();
    if (lane == 0) arrive(ring.empty_at());  // free once it is read
    ring.step();
    if (tile == 0) {
      stage();
      x.load(places, {share.template place<kTokens>(0), share.template place<kTokens>(1)}, g, t);
    }
    if constexpr (kTokens == 1) {
      const float product = two.times(x, t);
      const float other = __shfl_xor_sync(0xffffffffu, product, 1);
      if (tile < end_tile) *to = has_lines ? product : ((adds ? *to : 0) + product) + other;
    } else {
      const float2 one = two.records[0].template times<Two<kTokens>::kParts>(x.of[0]);
      const float2 other = two.records[1].template times<Two<kTokens>::kParts>(x.of[1]);
      float2 sum{0, 0};
      if (adds && tile < end_tile) sum = *reinterpret_cast<const float2*>(to);
      sum.x += one.x, sum.y += one.y;
      if (!has_lines) sum.x += other.x, sum.y += other.y;
      if (tile < end_tile) *reinterpret_cast<float2*>(to) = sum;
      if (has_lines && tile < second_end_tile) *reinterpret_cast<float2*>(to_second) = other;
    }
  }
}

// One linear, by the warps that multiply.
template <int32_t kTokens>
__device__ inline void multiply_all(const Stretch& p, const StretchOperation& operation, uint8_t* shared, Ring& ring,
                                    int32_t index, uint32_t first_tag) {
  const LinearWork& work = operation.linear;
  const int32_t num_pairs = pairs_of(work);
  if (num_pairs == 0) return;
  // The same in all lanes, which the compiler does not see: what follows from it takes no lane's time.
  ring.slot = __shfl_sync(0xffffffffu, ring.slot, 0);
  ring.parity = __shfl_sync(0xffffffffu, ring.parity, 0);
  // Two squares in turn: what ends the operation before still reads the other.
  const Places places{shared + p.x_at, reinterpret_cast<float2*>(shared + p.factors_at),
                      reinterpret_cast<float*>(shared + p.sums_at),
                      reinterpret_cast<float*>(shared + p.squares_at) + index % 2 * kWarps * kStretchTokens};
  const int32_t group_pairs = work.group_tiles >> (work.pair_tiles - 1);
  float residual = 0;
  if (const int32_t i = thread_index(); work.adds && i < min(group_pairs, num_pairs) * kTokens * kQuantRows) {
    const Finished<kTokens> is(work, i, 0);
    residual = __ldcg(operation.out + static_cast<int64_t>(is.token) * operation.out_stride + is.column);
  }
  float squares[kTokens] = {};
#ifdef QUOTH_STRETCH_PROBE
  if (p.probe & 16) {  // nothing but the stream
    for_each_slot(work, [&](int32_t, int32_t, int32_t, int32_t) {
      wait_barrier(ring.full_at(), ring.parity);
      __syncwarp();
      if (thread_index() % kWarp == 0) arrive(ring.empty_at());
      ring.step();
    });
    return;
  }
#endif
  const int32_t thread = thread_index();
  const int32_t warp = __shfl_sync(0xffffffffu, thread / kWarp, 0), lane = thread % kWarp;
  const int32_t num_tiles = num_pairs * work.pair_tiles, num_records = work.num_records;
  const uint8_t* const slots = shared + p.ring_at;
  const Source source(p, operation, lane);
  Looked<kTokens> looked;
  constexpr bool kStagesAll = kTokens > 1;  // there is no room for what was looked at beside what is multiplied
  if constexpr (kStagesAll) {
    for (int32_t first = 0; first < num_records; first += kSlotRecords) {
      const Share share(work, warp, first);
      look_at_x<kTokens>(source, share, looked);
      stage_x<kTokens>(p, source, work.norm_weight, places, share, lane, looked, squares);
    }
  }
  QUOTH_TIME(1);
  for (int32_t group = 0; group < num_tiles; group += work.group_tiles) {
    const int32_t group_tiles = min(work.group_tiles, num_tiles - group);
    if (!kStagesAll) look_at_x<kTokens>(source, Share(work, warp, 0), looked);
    if (num_records < kSlotRecords) clear_sums<kTokens>(work, places, group_tiles);
    for (int32_t first = 0; first < num_records; first += kSlotRecords) {
      const Share share(work, warp, first);
      multiply_slots<kTokens>(p, work, places, slots, ring, share, group_tiles, first == 0, [&] {
        if (kStagesAll) return;
        stage_x<kTokens>(p, source, work.norm_weight, places, share, lane, looked, squares);
        // The next part's is on its way while this one's weights are multiplied.
        if (first + kSlotRecords < num_records) {
          look_at_x<kTokens>(source, Share(work, warp, first + kSlotRecords), looked);
        }
#ifdef QUOTH_STRETCH_PROBE
        if (first == 0) {
          QUOTH_TIME(2);
        }
#endif
      });
    }
    if (group == 0 && work.norm_weight != nullptr) {
#pragma unroll
      for (int32_t t = 0; t < kTokens; ++t) {
        const float total = warp_sum(squares[t]);
        if (lane == 0) places.squares[warp * kTokens + t] = total;
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
  if (threadIdx.x == 0) {
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
    if (warp == kWarps) bring_all(p, shared, ring, described, forgotten, lane);
    if (warp == kWarps + 1) fetch_norms(p, lane);
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
