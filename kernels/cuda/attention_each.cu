// Attention of many sequences with one row each over short contexts (many in flight), on sm_90: a warp takes a kv head
// of a sequence, all of its keys, and waits for no other.
//
// Keys and values come in tiles of 16, a bulk copy each, through a ring of its own: so as many bytes are on their way
// from the first to the last instant as memory needs to be busy, whatever a warp is doing. The arithmetic is that of
// attention_few_kernel.h, with the same bits: there a split of 128 keys is eight warps', 16 keys each, whose results
// are added in order; here the one warp first finds the scores of all eight, then adds what they give in that order.
#include "async_copy.h"
#include "attention_few.h"
#include "step.h"

namespace quoth::cuda {
namespace few {
namespace {

constexpr int32_t kEachWarps = 4;   // of a block
constexpr int32_t kEachBlocks = 3;  // of a multiprocessor
constexpr int32_t kSlots = 4;       // of a warp's ring
constexpr int32_t kEachColumns = 128;
constexpr int32_t kRowBytes = 2 * kEachColumns;
constexpr int32_t kTileBytes = kWarpKeys * kRowBytes;
[[maybe_unused]] constexpr int32_t kSplitTiles = 8;  // of the first 16 splits
constexpr int32_t kMostPages = kWarp;                // a lane knows one

struct EachTask {
  PagedTask base;
  Rope rope;
  int32_t num_sequences;
};

struct alignas(128) EachMemory {
  uint8_t tiles[kSlots][kTileBytes];
  __half queries[kLanes][kEachColumns + 8];
  uint8_t news[2][kRowBytes];  // key and value of this step
  uint64_t full[kSlots];       // barriers
};

[[maybe_unused]] __device__ inline uint2 four_halves(float4 four) {
  return {halves_of(four.x, four.y), halves_of(four.z, four.w)};
}

// is_fused: queries are a qkv buffer: turn, write keys and values. Else sequences of more rows are not for this kernel.
template <bool kIsFused>
__global__ void __launch_bounds__(kEachWarps* kWarp, kEachBlocks)
    each_kernel([[maybe_unused]] const __grid_constant__ EachTask task) {
#if __CUDA_ARCH__ / 100 == 9
  extern __shared__ __align__(128) uint8_t shared_bytes[];
  let_next_start();
  const PagedTask& base = task.base;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t thread = threadIdx.x % kWarp;
  const int32_t g = thread / 4;
  const int32_t t = thread % 4;
  const int32_t num_kv_heads = base.pages.num_heads;
  const int32_t group = base.group_size;
  EachMemory& own = reinterpret_cast<EachMemory*>(shared_bytes)[warp];
  const int32_t unit = static_cast<int32_t>(blockIdx.x) * kEachWarps + warp;
  const int32_t sequence = unit / num_kv_heads;
  const int32_t kv_head = unit - sequence * num_kv_heads;
  const bool is_there = sequence < task.num_sequences;
  const int32_t first_row = kIsFused || !is_there ? sequence : base.batch.first_row[sequence];
  if (!is_there || (!kIsFused && base.batch.first_row[sequence + 1] - first_row != 1)) {
    wait_for_previous();
    return;
  }
  const int32_t position = base.batch.positions[first_row];
  const int32_t num_keys = position + 1;
  const int32_t num_tiles = ceil_div(num_keys, kWarpKeys);
  const int32_t* table = base.batch.page_table + static_cast<int64_t>(sequence) * base.page_table_stride;
  const int32_t ids = thread * kPageTokens < num_keys ? table[thread] : 0;
  const uint32_t tiles = shared_address(own.tiles);
  const uint32_t full = shared_address(own.full);
  if (thread == 0) {
#pragma unroll
    for (int32_t slot = 0; slot < kSlots; ++slot) init_barrier(full + 8 * slot, 1);
    publish_barriers();
  }
  __syncwarp();

  // What comes next: of each split its keys, then its values.
  const uint64_t policy = read_once_policy();
  int32_t next_first = 0, next_count = min(kSplitTiles, num_tiles), next = 0;
  const auto bring = [&](int32_t slot) {
    if (next_count <= 0) return;
    const bool is_value = next >= next_count;
    const int32_t tile = next_first + (is_value ? next - next_count : next);
    const int32_t id = __shfl_sync(kAll, ids, tile / (kPageTokens / kWarpKeys));
    if (thread == 0) {
      const void* array = is_value ? base.pages.values : base.pages.keys;
      const uint8_t* from = block_of<2>(array, base.pages, id, kv_head, kEachColumns);
      expect_bytes(full + 8 * slot, kTileBytes);
      copy_bulk(tiles + slot * kTileBytes, from + tile % (kPageTokens / kWarpKeys) * kTileBytes, kTileBytes,
                full + 8 * slot, policy);
    }
    if (++next == 2 * next_count) {
      next = 0, next_first += kSplitTiles;
      next_count = min(kSplitTiles, num_tiles - next_first);
    }
  };
  if (!kIsFused) wait_for_previous();
#pragma unroll
  for (int32_t slot = 0; slot < kSlots; ++slot) bring(slot);

  // The row of this step. A lane takes columns 2 i, 2 i + 1 of both halves of a head, or 4 i to 4 i + 3.
  for (int32_t lane = group; lane < kLanes; ++lane) {
    *reinterpret_cast<uint2*>(&own.queries[lane][4 * thread]) = uint2{0, 0};
  }
  if constexpr (kIsFused) {
    constexpr int32_t kHalf = kEachColumns / 2;
    const float2 turns[2] = {turn_of(task.rope, 2 * thread, position), turn_of(task.rope, 2 * thread + 1, position)};
    wait_for_previous();
    const float* row = row_of(base.queries, first_row);
    const auto turned = [&](const float* head, float factor) {
      float2 low = *reinterpret_cast<const float2*>(head + 2 * thread);
      float2 high = *reinterpret_cast<const float2*>(head + kHalf + 2 * thread);
      turn(turns[0], low.x, high.x);
      turn(turns[1], low.y, high.y);
      return uint2{halves_of(__fmul_rn(low.x, factor), __fmul_rn(low.y, factor)),
                   halves_of(__fmul_rn(high.x, factor), __fmul_rn(high.y, factor))};
    };
    for (int32_t lane = 0; lane < group; ++lane) {
      const uint2 query = turned(row + (kv_head * group + lane) * kEachColumns, kQueryPart);
      *reinterpret_cast<uint32_t*>(&own.queries[lane][2 * thread]) = query.x;
      *reinterpret_cast<uint32_t*>(&own.queries[lane][kHalf + 2 * thread]) = query.y;
    }
    const uint2 key = turned(row + (base.num_heads + kv_head) * kEachColumns, 1.0f);
    const uint2 value = four_halves(
        *reinterpret_cast<const float4*>(row + (base.num_heads + num_kv_heads + kv_head) * kEachColumns + 4 * thread));
    const int32_t id = __shfl_sync(kAll, ids, position / kPageTokens);
    const auto place_in = [&](const void* array) {
      uint8_t* block = const_cast<uint8_t*>(block_of<2>(array, base.pages, id, kv_head, kEachColumns));
      return block + position % kPageTokens * kRowBytes;
    };
    for (uint8_t* to : {place_in(base.pages.keys), own.news[0]}) {
      *reinterpret_cast<uint32_t*>(to + 4 * thread) = key.x;
      *reinterpret_cast<uint32_t*>(to + kRowBytes / 2 + 4 * thread) = key.y;
    }
    for (uint8_t* to : {place_in(base.pages.values), own.news[1]}) *reinterpret_cast<uint2*>(to + 8 * thread) = value;
  } else {
    const float* row = row_of(base.queries, first_row);
    for (int32_t lane = 0; lane < group; ++lane) {
      float4 four = *reinterpret_cast<const float4*>(row + (kv_head * group + lane) * kEachColumns + 4 * thread);
      four.x = __fmul_rn(four.x, kQueryPart), four.y = __fmul_rn(four.y, kQueryPart);
      four.z = __fmul_rn(four.z, kQueryPart), four.w = __fmul_rn(four.w, kQueryPart);
      *reinterpret_cast<uint2*>(&own.queries[lane][4 * thread]) = four_halves(four);
    }
  }
  __syncwarp();
  int32_t slot = 0;
  uint32_t parity = 0;
  const auto await = [&] {
    wait_barrier(full + 8 * slot, parity);
    return &own.tiles[slot][0];
  };
  const auto free_slot = [&] {
    __syncwarp();  // all have read
    bring(slot);
    if (++slot == kSlots) slot = 0, parity ^= 1;
  };
  // What the last tile holds of this step's row is not there yet.
  const auto put_new = [&](uint8_t* tile, int32_t which) {
    const uint2 part = *reinterpret_cast<const uint2*>(own.news[which] + 8 * thread);
    *reinterpret_cast<uint2*>(tile + position % kWarpKeys * kRowBytes + 8 * thread) = part;
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");  // a later copy overwrites it
    __syncwarp();
  };

  float sums[2][4][4] = {};  // as in attention_few_kernel.h
  float maxima[2] = {-INFINITY, -INFINITY}, totals[2] = {};
  for (int32_t first = 0; first < num_tiles; first += kSplitTiles) {
    uint32_t weights[kSplitTiles][2];
    float factors[kSplitTiles][2], parts[kSplitTiles][2];
    float largest[2] = {-INFINITY, -INFINITY};
    uint4 queries[kEachColumns / 32];  // again for each split: else they would take registers from the values
#pragma unroll
    for (int32_t j = 0; j < kEachColumns / 32; ++j) {
      queries[j] = *reinterpret_cast<const uint4*>(&own.queries[g][32 * j + 8 * t]);
    }
#pragma unroll
    for (int32_t w = 0; w < kSplitTiles; ++w) {
      weights[w][0] = weights[w][1] = 0;
      factors[w][0] = factors[w][1] = -INFINITY;
      parts[w][0] = parts[w][1] = 0;
      if (first + w >= num_tiles) continue;
      uint8_t* tile = await();
      if (kIsFused && first + w == num_tiles - 1) put_new(tile, 0);
      float products[4] = {}, other[4] = {};
#pragma unroll
      for (int32_t j = 0; j < kEachColumns / 32; ++j) {
        const uint4 low = *reinterpret_cast<const uint4*>(tile + g * kRowBytes + 64 * j + 16 * t);
        const uint4 high = *reinterpret_cast<const uint4*>(tile + (g + 8) * kRowBytes + 64 * j + 16 * t);
        multiply_add(products, low.x, high.x, low.y, high.y, queries[j].x, queries[j].y);
        multiply_add(other, low.z, high.z, low.w, high.w, queries[j].z, queries[j].w);
      }
      free_slot();
#pragma unroll
      for (int32_t e = 0; e < 4; ++e) {
        const float score = __fmul_rn(__fmul_rn(__fadd_rn(products[e], other[e]), base.scale), kLog2E);
        const int32_t key = (first + w) * kWarpKeys + g + e / 2 * 8;
        products[e] = key < num_keys ? score : -INFINITY;
      }
#pragma unroll
      for (int32_t e = 0; e < 2; ++e) {
        float maximum = fmaxf(products[e], products[e + 2]);
#pragma unroll
        for (int32_t step = 4; step < kWarp; step *= 2) {
          maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, step));
        }
        const float from = base_of(maximum);
        products[e] = power_of_two(__fsub_rn(products[e], from));
        products[e + 2] = power_of_two(__fsub_rn(products[e + 2], from));
        float total = __fadd_rn(products[e], products[e + 2]);
#pragma unroll
        for (int32_t step = 4; step < kWarp; step *= 2) {
          total = __fadd_rn(total, __shfl_xor_sync(kAll, total, step));
        }
        factors[w][e] = maximum;
        parts[w][e] = total;
        largest[e] = fmaxf(largest[e], maximum);
      }
      weights[w][0] = transposed(halves_of(products[0], products[1]));
      weights[w][1] = transposed(halves_of(products[2], products[3]));
    }
    // The tiles' results to one, in order.
    float old_parts[2], new_parts[2];
#pragma unroll
    for (int32_t e = 0; e < 2; ++e) {
      float total = 0;
#pragma unroll
      for (int32_t w = 0; w < kSplitTiles; ++w) {
        factors[w][e] = power_of_two(__fsub_rn(factors[w][e], base_of(largest[e])));
        total = fmaf(parts[w][e], factors[w][e], total);
      }
      const float larger = fmaxf(maxima[e], largest[e]);  // as Folded::add
      old_parts[e] = power_of_two(__fsub_rn(maxima[e], base_of(larger)));
      new_parts[e] = power_of_two(__fsub_rn(largest[e], base_of(larger)));
      totals[e] = fmaf(total, new_parts[e], __fmul_rn(totals[e], old_parts[e]));
      maxima[e] = larger;
    }
    float more[2][4][4] = {};
#pragma unroll
    for (int32_t w = 0; w < kSplitTiles; ++w) {
      if (first + w >= num_tiles) continue;
      uint8_t* tile = await();
      const bool is_last = first + w == num_tiles - 1;
      if (kIsFused && is_last) put_new(tile, 1);
      uint4 rows[4][2];
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t key = value_key(i, t);
        const bool is_seen = !is_last || (first + w) * kWarpKeys + key < num_keys;  // others may be anything
#pragma unroll
        for (int32_t c = 0; c < 2; ++c) {
          rows[i][c] = *reinterpret_cast<const uint4*>(tile + key * kRowBytes + 128 * c + 16 * g);
          if (!is_seen) rows[i][c] = uint4{0, 0, 0, 0};
        }
      }
      free_slot();
#pragma unroll
      for (int32_t c = 0; c < 2; ++c) {
#pragma unroll
        for (int32_t j = 0; j < 4; ++j) {
          const auto word = [&](int32_t i) {
            return j == 0 ? rows[i][c].x : j == 1 ? rows[i][c].y : j == 2 ? rows[i][c].z : rows[i][c].w;
          };
          float product[4] = {};
          multiply_add(product, __byte_perm(word(0), word(1), 0x5410), __byte_perm(word(0), word(1), 0x7632),
                       __byte_perm(word(2), word(3), 0x5410), __byte_perm(word(2), word(3), 0x7632), weights[w][0],
                       weights[w][1]);
#pragma unroll
          for (int32_t e = 0; e < 4; ++e) more[c][j][e] = fmaf(product[e], factors[w][e % 2], more[c][j][e]);
        }
      }
    }
#pragma unroll
    for (int32_t c = 0; c < 2; ++c) {
#pragma unroll
      for (int32_t j = 0; j < 4; ++j) {
#pragma unroll
        for (int32_t e = 0; e < 4; ++e) {
          sums[c][j][e] = fmaf(more[c][j][e], new_parts[e % 2], __fmul_rn(sums[c][j][e], old_parts[e % 2]));
        }
      }
    }
  }
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) {
    const int32_t lane = 2 * t + e;
    if (lane >= group) continue;
    const float part = __frcp_rn(totals[e]);
    float* to = row_of(base.out, first_row) + (kv_head * group + lane) * kEachColumns + 8 * g;
#pragma unroll
    for (int32_t c = 0; c < 2; ++c) {
#pragma unroll
      for (int32_t j = 0; j < 4; j += 2) {
        *reinterpret_cast<float4*>(to + 64 * c + 2 * j) =
            make_float4(__fmul_rn(sums[c][j][e], part), __fmul_rn(sums[c][j][e + 2], part),
                        __fmul_rn(sums[c][j + 1][e], part), __fmul_rn(sums[c][j + 1][e + 2], part));
      }
    }
  }
#endif
}

template <bool kIsFused>
Status launch(Device* device, const EachTask& task) {
  constexpr int32_t kSharedBytes = kEachWarps * static_cast<int32_t>(sizeof(EachMemory));
  const auto kernel = each_kernel<kIsFused>;
  const Status status =
      status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
  if (!status.ok()) return status;
  const int32_t num_units = task.num_sequences * task.base.pages.num_heads;
  return launch_overlapped(device, kernel, dim3(static_cast<unsigned>(ceil_div(num_units, kEachWarps))),
                           dim3(kEachWarps * kWarp), kSharedBytes, task);
}

}  // namespace
}  // namespace few

bool suits_each(const Device* device, const PagedTask& base, const Rope* rope, const StepShape& shape,
                int32_t num_sequences) {
  using namespace few;
  const auto is_even = [](const Rows& rows) {
    return rows.stride % 4 == 0 && reinterpret_cast<uintptr_t>(rows.data) % 16 == 0;
  };
  if (device->capability / 10 != 9 || is_recording(device) || base.pages.type != Type::f16) return false;
  if (base.head_size != kEachColumns || base.group_size > kLanes || shape.num_pages > kMostPages) return false;
  if (rope != nullptr && (rope->adjacent_pairs || rope->rotary_size != kEachColumns)) return false;
  if (!is_even(base.queries) || !is_even(base.out)) return false;
  if (device->tries_each && num_sequences > 1) return true;
  // No context so long that the others have ended before it is half done.
  const int64_t at_once = int64_t{device->num_multiprocessors} * kEachWarps * kEachBlocks;
  const int64_t longest = int64_t{shape.num_pages} * kPageTokens;
  return longest * at_once <= 2 * shape.num_keys * base.pages.num_heads;
}

Status attention_each(Device* device, const PagedTask& base, const Rope* rope, int32_t num_sequences) {
  few::EachTask task{};
  task.base = base;
  if (rope != nullptr) task.rope = *rope;
  task.num_sequences = num_sequences;
  return rope != nullptr ? few::launch<true>(device, task) : few::launch<false>(device, task);
}

}  // namespace quoth::cuda
