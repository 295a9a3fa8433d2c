// Attention of sequences with 1 to 8 rows in the step (decode, drafts): each context is cut into splits, a block a
// split.
//
// A lane is one query row of one head; the lanes of a sequence that share a kv head are columns of the tensor cores'
// sums, 8 to a tile, and a block takes a tile. A warp takes 16 keys of a page, their keys and values go from memory
// straight to registers, in the order in which the tensor cores want them (thread 4 g + t of a warp):
//
//   scores [16 keys, 8 lanes] = K Q^T     keys g and g + 8, columns 32 j + 8 t .. + 7: two steps of 16 columns
//   sums [16 columns, 8 lanes] = V^T P^T  keys 2 t, 2 t + 1, 2 t + 8, 2 t + 9, columns 64 c + 8 g .. + 7: pairs of keys
//
// so nothing waits in shared memory, and keys and values are on their way before the kernel before this one has ended.
//
// Where splits begin is fixed (`start_of`); within one the warps' results are added in order, then the splits are
// folded in order: a row's bits depend on its own position alone, not on how many blocks share a context. The 1 to 16
// blocks that do are a cluster and read each other's results (sm_90 and newer); before, the block that ends last folds
// what all wrote to memory.
#pragma once

#include "attention_few_ends.h"

namespace quoth::cuda::few {

template <int32_t kBytes, int32_t kColumns, Kind kKind>
__global__ void __launch_bounds__(kThreads, kColumns <= 128 ? 2 : 1) few_kernel(const __grid_constant__ FewTask task) {
  constexpr bool kLean = kKind != Kind::any;
  constexpr bool kIsMixed = kKind == Kind::lean_mixed;
  using Memory = Shared<kBytes, kColumns>;
  constexpr int32_t kColumnParts = kColumns / 64;
  extern __shared__ __align__(16) uint8_t shared_bytes[];
  Memory& shared = *reinterpret_cast<Memory*>(shared_bytes);
  let_next_start();
  const PagedTask& base = task.base;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t thread = threadIdx.x % kWarp;
  const int32_t g = thread / 4;
  const int32_t t = thread % 4;
  const int32_t head_size = kLean ? kColumns : base.head_size;
  const int32_t group = base.group_size;
  const bool is_fused = kLean ? !kIsMixed : task.is_fused;
  const bool is_one_row = kLean ? !kIsMixed : task.is_one_row;
  const int32_t window = kLean ? 0 : base.window;
  const int32_t num_blocks = gridDim.x;  // that share the context: a cluster, where there are such
  const int32_t rank = blockIdx.x;
  const int32_t sequence = blockIdx.z;
  const int32_t kv_head = kLean ? blockIdx.y : static_cast<int32_t>(blockIdx.y) % base.pages.num_heads;
  const int32_t tile = kLean ? 0 : static_cast<int32_t>(blockIdx.y) / base.pages.num_heads;
  const int32_t half_of_pages = warp / (kWarps / kPagesAtOnce);          // of the pages at once
  const int32_t first_key = warp % (kWarps / kPagesAtOnce) * kWarpKeys;  // of a page
  const int32_t* table = base.batch.page_table + static_cast<int64_t>(sequence) * base.page_table_stride;
  int32_t page = start_of(rank) + half_of_pages;
  int32_t id = window <= 0 && page < base.page_table_stride ? table[page] : 0;  // early: less waits for it
  const int32_t first_row = is_one_row ? sequence : base.batch.first_row[sequence];
  const int32_t num_rows = is_one_row ? 1 : base.batch.first_row[sequence + 1] - first_row;
  const int32_t first_lane = tile * kLanes;
  const int32_t num_lanes = num_rows * group - first_lane;  // from this tile on
  if (kIsMixed ? num_rows != 1 : !kLean && (num_rows > kFewRows || num_lanes <= 0)) {
    wait_for_previous();
    return;
  }
  const int32_t position = base.batch.positions[first_row];
  const int32_t low_row = kLean ? 0 : first_lane / group;
  const int32_t high_row = kLean ? 0 : (first_lane + min(kLanes, num_lanes) - 1) / group;
  // Keys that any lane of the block sees, and the splits that hold them.
  const int32_t least = window > 0 ? max(0, position + low_row + 1 - window) : 0;
  const int32_t most = position + high_row + 1;
  const int32_t num_pages = ceil_div(most, kPageTokens);
  const int32_t first_split = kLean ? 0 : split_of(least / kPageTokens);
  const int32_t num_splits = split_of(num_pages - 1) + 1 - first_split;
  const bool is_shared = num_blocks > 1 && num_splits > 1;
  // Of small numbers divided by `num_blocks`.
  const auto shared_by = [&](int32_t number) { return number * task.inverse >> 16; };
  const auto block_of_split = [&](int32_t split) { return split - shared_by(split) * num_blocks; };
#if __CUDA_ARCH__ >= 900
  if (is_shared) arrive_in_cluster();  // that this block's memory may be written to
#else
  if (rank >= num_splits) return;
#endif
  const int32_t lanes = min(kLanes, num_lanes);

  // The warp's pages, one after the other: `page` of split `page_split`, which ends before page `page_end`.
  int32_t page_split = rank;
  int32_t page_end = 0;
  const auto enter_split = [&] {
    page = start_of(first_split + page_split) + half_of_pages;
    page_end = min(num_pages, start_of(first_split + page_split + 1));
  };
  const auto find_page = [&] {  // the first from `page` on that has keys to be seen
    while (page_split < num_splits) {
      while (page < page_end && page * kPageTokens + first_key + kWarpKeys <= least) page += kPagesAtOnce;
      if (page < page_end && page * kPageTokens + first_key < most) return;
      page_split += num_blocks;
      if (page_split < num_splits) enter_split();
    }
  };
  if (page_split < num_splits) enter_split();
  find_page();

  // Before the kernel before this one has ended: what older steps left.
  if (!is_fused) wait_for_previous();
  const int32_t old_end = is_fused ? min(position, most) : most;
  Part<kBytes, kColumns> part;
  if (page_split < num_splits) {
    if (window > 0) id = table[page];
    bring_keys(base, head_size, id, kv_head, page * kPageTokens + first_key, old_end, g, t, part);
    bring_values(base, head_size, id, kv_head, page * kPageTokens + first_key, least, old_end, g, t, part);
  }
  // From here on: what the registers hold, and in `page` and the others what comes after it.
  int32_t held = page * kPageTokens + first_key;
  int32_t held_split = page_split;
  const auto go_on = [&] {
    page += kPagesAtOnce;
    find_page();
    if (page_split < num_splits) id = table[page];
  };
  go_on();
  for (int32_t lane = lanes + warp; lane < kLanes; lane += kWarps) {
    for (int32_t column = thread; column < kColumns; column += kWarp) shared.queries[lane][column] = __half{};
  }
  [[maybe_unused]] const int32_t new_id = kLean && is_fused ? table[position / kPageTokens] : 0;
  if (is_fused) {
    const int32_t half = kLean ? kColumns / 2 : task.rope.rotary_size / 2;
    for (int32_t index = threadIdx.x; index < (high_row + 1) * half; index += kThreads) {
      const int32_t row = kLean ? 0 : index / half;
      const int32_t pair = index - row * half;
      shared.turns[row][pair] = turn_of(task.rope, pair, position + row);
    }
    __syncthreads();
    wait_for_previous();
  }
  const StepTile step_tile{first_row, position, first_lane, lanes, high_row, kv_head, head_size, group};
  bring_step_rows<kBytes, kColumns, kKind>(task, shared, step_tile, is_fused, table, new_id, [&](int32_t place) {
    const int32_t split = kLean ? num_splits - 1 : split_of(place / kPageTokens) - first_split;
    return split >= 0 && block_of_split(split) == rank;
  });
  __syncthreads();

  // What each of the thread's lanes sees: lanes 2 t and 2 t + 1.
  int32_t ends[2];
  float slopes[2];
#pragma unroll
  for (int32_t e = 0; e < 2; ++e) {
    const int32_t lane = 2 * t + e;
    const bool is_there = lane < num_lanes;
    ends[e] = !is_there ? -(1 << 30) : kLean ? most : position + (first_lane + lane) / group + 1;
    slopes[e] = 0;
    if (!kLean && is_there && base.slopes != nullptr) {
      slopes[e] = base.slopes[kv_head * group + (first_lane + lane) % group];
    }
  }
  constexpr int32_t kOwned = (kLanes * kColumns / 4 + kThreads - 1) / kThreads;  // float4s of a tile, per thread
  Folded folded[kOwned];
  // The lane of the tile and the column of float4 k of the thread; lane >= 8: none.
  const auto lane_of = [&](int32_t k) { return (static_cast<int32_t>(threadIdx.x) + k * kThreads) / (kColumns / 4); };
  const auto column_of = [&](int32_t k) {
    return (static_cast<int32_t>(threadIdx.x) + k * kThreads) % (kColumns / 4) * 4;
  };
  const auto finish = [&](int32_t lane, int32_t column, const Folded& result) {
    if (column >= head_size) return;
    const int32_t index = first_lane + lane;
    const int32_t row = kLean ? 0 : index / group;
    float* to = row_of(base.out, first_row + row) +
                static_cast<int64_t>(kv_head * group + index - row * group) * head_size + column;
    const float part = __frcp_rn(result.total);
    const float4 sum = make_float4(__fmul_rn(result.sum.x, part), __fmul_rn(result.sum.y, part),
                                   __fmul_rn(result.sum.z, part), __fmul_rn(result.sum.w, part));
    if (task.is_aligned) {
      *reinterpret_cast<float4*>(to) = sum;
    } else {
      to[0] = sum.x, to[1] = sum.y, to[2] = sum.z, to[3] = sum.w;
    }
  };
  // Results that another block folds: f32 [T, H, max_splits, ..], where there are no clusters.
  [[maybe_unused]] const auto partial_of = [&](int32_t lane) {
    const int32_t index = first_lane + lane;
    return (static_cast<int64_t>(first_row + index / group) * base.num_heads + kv_head * group + index % group) *
           task.max_splits;
  };
#if __CUDA_ARCH__ >= 900
  const int32_t slice = shared_by(lanes * (kColumns / 4) + num_blocks - 1);
  auto* received_ends = reinterpret_cast<float2*>(shared_bytes + sizeof(Memory));
  auto* received = reinterpret_cast<float4*>(received_ends + num_splits * kLanes);
#endif

  for (int32_t split = rank; split < num_splits; split += num_blocks) {
    float maxima[2], totals[2];
    float sums[kColumnParts][4][4];
#pragma unroll
    for (int32_t e = 0; e < 2; ++e) maxima[e] = -INFINITY, totals[e] = 0;
#pragma unroll
    for (int32_t c = 0; c < kColumnParts; ++c) {
#pragma unroll
      for (int32_t j = 0; j < 4; ++j) {
#pragma unroll
        for (float& sum : sums[c][j]) sum = 0;
      }
    }
    bool is_first = true;
    while (held_split == split) {
      const int32_t first = held;
      if (is_fused && first + kWarpKeys > position) {
        bring_new(shared, head_size, first, position, most, g, t, part);
      }
      float products[4];
      {
        float other[4];  // two chains: half the wait
#pragma unroll
        for (int32_t e = 0; e < 4; ++e) products[e] = other[e] = 0;
#pragma unroll
        for (int32_t j = 0; j < kColumns / 32; ++j) {
          uint32_t low[4], high[4];
          unpack(part.keys[0][j], base.pages.type, low);
          unpack(part.keys[1][j], base.pages.type, high);
          const uint4 query = *reinterpret_cast<const uint4*>(&shared.queries[g][32 * j + 8 * t]);
          multiply_add(products, low[0], high[0], low[1], high[1], query.x, query.y);
          multiply_add(other, low[2], high[2], low[3], high[3], query.z, query.w);
        }
#pragma unroll
        for (int32_t e = 0; e < 4; ++e) {
          products[e] = __fadd_rn(products[e], other[e]);
          if constexpr (kBytes == 1) products[e] = __fmul_rn(products[e], half_value(part.key_scales[e / 2]));
        }
      }
      const bool has_next = page_split < num_splits;
      if (has_next) {
        bring_keys(base, head_size, id, kv_head, page * kPageTokens + first_key, old_end, g, t, part);
      }
      // Keys that some lanes of the block see and others do not may hold values that the others must not notice.
      bool is_poisoned = false;
      if constexpr (!kLean) {
        if (first + kWarpKeys > position + low_row + 1 || (window > 0 && first < position + high_row + 1 - window)) {
          uint32_t found = 0;
#pragma unroll
          for (int32_t k = 0; k < 4; ++k) {
            if constexpr (kBytes == 1) {
              found |= not_finite(part.value_scales[k]);
            } else {
#pragma unroll
              for (int32_t c = 0; c < kColumnParts; ++c) {
#pragma unroll
                for (const uint32_t word : part.values[k][c]) found |= not_finite(word);
              }
            }
          }
          is_poisoned = __any_sync(kAll, found != 0);
        }
      }
      uint32_t weights[2], sights[2];
      bool sees[4];
#pragma unroll
      for (int32_t e = 0; e < 4; ++e) {
        const int32_t key = first + g + e / 2 * 8;
        const int32_t end = ends[e % 2];
        sees[e] = key < end && (window <= 0 || key >= end - window);
        const float score = kLean ? __fmul_rn(__fmul_rn(products[e], base.scale), kLog2E)
                                  : score_of(base, products[e], slopes[e % 2], key - end + 1);
        products[e] = sees[e] ? score : -INFINITY;
      }
#pragma unroll
      for (int32_t e = 0; e < 2; ++e) {
        float maximum = fmaxf(products[e], products[e + 2]);
#pragma unroll
        for (int32_t step = 4; step < kWarp; step *= 2) {
          maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, step));
        }
        maximum = fmaxf(maximum, maxima[e]);
        const float from = base_of(maximum);
        const float old_part = power_of_two(__fsub_rn(maxima[e], from));
        maxima[e] = maximum;
        products[e] = power_of_two(__fsub_rn(products[e], from));
        products[e + 2] = power_of_two(__fsub_rn(products[e + 2], from));
        totals[e] = fmaf(totals[e], old_part, __fadd_rn(products[e], products[e + 2]));
        if (!is_first) {
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
      weights[0] = transposed(halves_of(products[0], products[1]));
      weights[1] = transposed(halves_of(products[2], products[3]));
      if constexpr (!kLean) {
        if (is_poisoned) {
          sights[0] = transposed(halves_of(sees[0] ? 1.0f : 0.0f, sees[1] ? 1.0f : 0.0f));
          sights[1] = transposed(halves_of(sees[2] ? 1.0f : 0.0f, sees[3] ? 1.0f : 0.0f));
        }
      }
      is_first = false;
      uint32_t scales[2] = {};
      if constexpr (kBytes == 1) {
        scales[0] = part.value_scales[0] | part.value_scales[1] << 16;
        scales[1] = part.value_scales[2] | part.value_scales[3] << 16;
      }
#pragma unroll
      for (int32_t c = 0; c < kColumnParts; ++c) {
        uint32_t rows[4][4];
#pragma unroll
        for (int32_t k = 0; k < 4; ++k) unpack(part.values[k][c], base.pages.type, rows[k]);
#pragma unroll
        for (int32_t j = 0; j < 4; ++j) {
          uint32_t a[4] = {__byte_perm(rows[0][j], rows[1][j], 0x5410), __byte_perm(rows[0][j], rows[1][j], 0x7632),
                           __byte_perm(rows[2][j], rows[3][j], 0x5410), __byte_perm(rows[2][j], rows[3][j], 0x7632)};
          if constexpr (kBytes == 1) {
#pragma unroll
            for (int32_t k = 0; k < 4; ++k) a[k] = scaled_halves(a[k], scales[k / 2]);
          }
          if constexpr (!kLean) {
            if (is_poisoned) {  // rare: count what is not finite among the keys that a lane sees
              uint32_t bad[4];
#pragma unroll
              for (int32_t k = 0; k < 4; ++k) {
                bad[k] = not_finite(a[k]);
                a[k] &= ~bad[k];
                bad[k] = ones_of(bad[k]);
              }
              float count[4] = {};
              multiply_add(count, bad[0], bad[1], bad[2], bad[3], sights[0], sights[1]);
#pragma unroll
              for (int32_t e = 0; e < 4; ++e) {
                if (count[e] > 0) sums[c][j][e] = NAN;
              }
            }
          }
          multiply_add(sums[c][j], a[0], a[1], a[2], a[3], weights[0], weights[1]);
        }
      }
      held = page * kPageTokens + first_key;
      held_split = page_split;
      if (has_next) {
        bring_values(base, head_size, id, kv_head, held, least, old_end, g, t, part);
        go_on();
      }
    }

    // The warps' results to one.
#pragma unroll
    for (int32_t e = 0; e < 2; ++e) {
      float total = totals[e];
#pragma unroll
      for (int32_t step = 4; step < kWarp; step *= 2) {
        total = __fadd_rn(total, __shfl_xor_sync(kAll, total, step));
      }
      const int32_t lane = 2 * t + e;
      if (g == 0) shared.ends[warp][lane] = make_float2(maxima[e], total);
      if (lane < num_lanes) {
#pragma unroll
        for (int32_t c = 0; c < kColumnParts; ++c) {
          float* to = &shared.sums[warp][lane][64 * c + 8 * g];
#pragma unroll
          for (int32_t j = 0; j < 4; j += 2) {
            *reinterpret_cast<float4*>(to + 2 * j) =
                make_float4(sums[c][j][e], sums[c][j][e + 2], sums[c][j + 1][e], sums[c][j + 1][e + 2]);
          }
        }
      }
    }
    __syncthreads();
#if __CUDA_ARCH__ >= 900
    if (is_shared && split == rank) wait_for_cluster();
#endif
#pragma unroll
    for (int32_t k = 0; k < kOwned; ++k) {
      const int32_t lane = lane_of(k);
      const int32_t column = column_of(k);
      if (lane >= kLanes || lane >= num_lanes) continue;
      float2 parts[kWarps];
      float maximum = -INFINITY, total = 0;
#pragma unroll
      for (int32_t w = 0; w < kWarps; ++w) {
        parts[w] = shared.ends[w][lane];
        maximum = fmaxf(maximum, parts[w].x);
      }
      float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll
      for (int32_t w = 0; w < kWarps; ++w) {
        const float factor = power_of_two(__fsub_rn(parts[w].x, base_of(maximum)));
        const float4 more = *reinterpret_cast<const float4*>(&shared.sums[w][lane][column]);
        total = fmaf(parts[w].y, factor, total);
        sum.x = fmaf(more.x, factor, sum.x), sum.y = fmaf(more.y, factor, sum.y);
        sum.z = fmaf(more.z, factor, sum.z), sum.w = fmaf(more.w, factor, sum.w);
      }
      if (!is_shared) {
        folded[k].add(sum, {maximum, total});
        continue;
      }
#if __CUDA_ARCH__ >= 900
      const int32_t index = lane * (kColumns / 4) + column / 4;
      store_in(received + split * slice + shared_by(index), block_of_split(index), sum);
      if (column / 4 < num_blocks) {
        store_in(received_ends + split * kLanes + lane, column / 4, make_float2(maximum, total));
      }
#else
      const int64_t at = partial_of(lane) + split;
      if (column < head_size) *reinterpret_cast<float4*>(task.partials + at * head_size + column) = sum;
      if (column == 0) task.ends[at] = make_float2(maximum, total);
#endif
    }
    if (split + num_blocks < num_splits) __syncthreads();  // the warps' results have been read
  }
  if (!is_shared) {
    if (rank > 0) return;
#pragma unroll
    for (int32_t k = 0; k < kOwned; ++k) {
      const int32_t lane = lane_of(k);
      if (lane_of(k) < kLanes && lane < num_lanes) finish(lane, column_of(k), folded[k]);
    }
    return;
  }

  // The splits of a lane, in order: each block of the cluster folds some columns; or the block that ends last folds
  // all.
#if __CUDA_ARCH__ >= 900
  if (rank >= num_splits) wait_for_cluster();
  arrive_in_cluster();
  wait_for_cluster();
  for (int32_t place = threadIdx.x; place < slice; place += kThreads) {
    const int32_t index = place * num_blocks + rank;
    const int32_t lane = index / (kColumns / 4);
    if (lane >= lanes) break;
    const Folded result = fold_received(received + place, slice, received_ends + lane, num_splits);
    finish(lane, index % (kColumns / 4) * 4, result);
  }
#else
  int32_t* arrivals = task.arrivals + (static_cast<int64_t>(sequence) * gridDim.y + blockIdx.y);
  if (!is_last_of(arrivals, num_splits, shared.is_last)) return;
  for (int32_t index = threadIdx.x; index < lanes * (kColumns / 4); index += kThreads) {
    const int32_t lane = index / (kColumns / 4);
    const int32_t column = index % (kColumns / 4) * 4;
    if (column >= head_size) continue;
    finish(lane, column, fold_written(task, partial_of(lane), head_size, column, num_splits));
  }
#endif
}

}  // namespace quoth::cuda::few
