// Prefill on sm_90: the work of attention_many.cu with wgmma, for f16 pages and heads of up to 128.
//
// A block of two warpgroups takes 128 rows of one head, 64 each. Queries, keys and values lie in shared memory as wgmma
// wants them: halves of 64 columns, 8 rows by 128 bytes permuted ("128-byte swizzle"). Scores are Q K^T with both from
// shared memory; probabilities stay in registers as the left operand of P V, whose right operand is read column by
// column. Two blocks share a multiprocessor: one multiplies while the other takes exponentials.
#include <type_traits>

#include "attention_tiles.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int32_t kGroupRows = 64;
constexpr int32_t kRows = 2 * kGroupRows;
[[maybe_unused]] constexpr int32_t kHalfColumns = 64;
constexpr int32_t kStages = 2;

template <int32_t kColumns>
struct Shared {
  __half queries[kRows * kColumns];
  __half keys[kStages][kPageTokens * kColumns];
  __half values[kStages][kPageTokens * kColumns];
};

// Where a part of 8 columns lies in 64 rows: halves of 64 columns one after the other.
template <int32_t kColumns>
__device__ inline int32_t swizzled(int32_t row, int32_t part) {
  return (row / kGroupRows * (kColumns / kHalfColumns) + part / 8) * kGroupRows * kHalfColumns +
         row % kGroupRows * kHalfColumns + (part % 8 ^ (row & 7)) * 8;
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
// How wgmma finds a matrix: 8 rows of 128 bytes are 1,024 bytes; halves of 64 columns are 64 rows apart.
__device__ inline uint64_t matrix_at(uint32_t address) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  constexpr uint64_t kHalfBytes = kGroupRows * kHalfColumns * 2, kEightRows = 1024;
  return kSwizzle128 | kEightRows / 16 << 32 | kHalfBytes / 16 << 16 | (address & 0x3ffff) / 16;
}
__device__ inline void begin_multiply() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
template <int32_t kCount>
__device__ inline void end_multiply(float (&sums)[kCount]) {
  asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");
#pragma unroll
  for (float& sum : sums) asm volatile("" : "+f"(sum)::"memory");
}
#define QUOTH_FOUR(a, i) "+f"(a[i]), "+f"(a[i + 1]), "+f"(a[i + 2]), "+f"(a[i + 3])
#define QUOTH_SIXTEEN(a, i) QUOTH_FOUR(a, i), QUOTH_FOUR(a, i + 4), QUOTH_FOUR(a, i + 8), QUOTH_FOUR(a, i + 12)
// scores [64 rows, 64 keys] = (adds ? scores : 0) + Q K^T over 16 columns.
__device__ inline void multiply_keys(float (&scores)[32], uint64_t queries, uint64_t keys, bool adds) {
  asm volatile(
      "{.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, "
      "%14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, p, 1, 1, "
      "0, "
      "0;}"
      : QUOTH_SIXTEEN(scores, 0), QUOTH_SIXTEEN(scores, 16)
      : "l"(queries), "l"(keys), "r"(static_cast<int32_t>(adds)));
}
// sums [64 rows, columns] += P V over 16 keys.
__device__ inline void multiply_values(float (&sums)[32], const uint32_t (&a)[4], uint64_t values) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, "
      "%14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, {%32, %33, %34, "
      "%35}, "
      "%36, 1, 1, 1, 1;"
      : QUOTH_SIXTEEN(sums, 0), QUOTH_SIXTEEN(sums, 16)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(values));
}
__device__ inline void multiply_values(float (&sums)[64], const uint32_t (&a)[4], uint64_t values) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, "
      "%14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, "
      "%58, %59, %60, %61, %62, %63}, {%64, %65, %66, %67}, %68, 1, 1, 1, 1;"
      : QUOTH_SIXTEEN(sums, 0), QUOTH_SIXTEEN(sums, 16), QUOTH_SIXTEEN(sums, 32), QUOTH_SIXTEEN(sums, 48)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(values));
}
#undef QUOTH_SIXTEEN
#undef QUOTH_FOUR
// What ordinary stores left in shared memory, for wgmma.
__device__ inline void show_to_wgmma() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
#endif

template <int32_t kColumns>
__global__ void __launch_bounds__(kThreads, 2) wgmma_kernel([[maybe_unused]] const __grid_constant__ ManyTask task) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ __align__(1024) uint8_t shared_bytes[];
  auto& shared = *reinterpret_cast<Shared<kColumns>*>(shared_bytes);
  let_next_start();
  wait_for_previous();
  const PagedTask& base = task.base;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t thread = threadIdx.x % kWarp;
  const int32_t g = thread / 4;
  const int32_t t = thread % 4;
  const int32_t head = blockIdx.x;
  const int32_t kv_head = head / base.group_size;
  const int32_t head_size = base.head_size;
  // Late tiles see the most keys: they begin first.
  const int2 found = tile_of<true>(task, static_cast<int32_t>(gridDim.y - 1 - blockIdx.y), kRows);
  if (found.x < 0) return;
  const int32_t sequence = found.x;
  const int32_t first_row = base.batch.first_row[sequence];
  const int32_t num_rows = base.batch.first_row[sequence + 1] - first_row;
  const int32_t low_row = found.y * kRows;
  const int32_t block_rows = min(kRows, num_rows - low_row);
  const int32_t position = base.batch.positions[first_row] + low_row;  // of the block's first row
  const int32_t window = base.window;
  const int32_t end_key = position + block_rows;
  const int32_t first_tile = window > 0 ? max(0, position + 1 - window) / kPageTokens : 0;
  const int32_t end_tile = ceil_div(end_key, kPageTokens);
  const int32_t* table = base.batch.page_table + static_cast<int64_t>(sequence) * base.page_table_stride;

  const auto bring_pages = [&](int32_t tile) {
    bring_page<kColumns, kThreads>(base, table[tile], kv_head, end_key - tile * kPageTokens,
                                   address_of(shared.keys[tile % kStages]), address_of(shared.values[tile % kStages]),
                                   swizzled<kColumns>);
  };
  bring_pages(first_tile);
  round_rows<kColumns, kThreads>(row_of(base.queries, first_row + low_row) + static_cast<int64_t>(head) * head_size,
                                 base.queries.stride, block_rows, kRows, head_size, task.rows_aligned, kQueryPart,
                                 shared.queries, swizzled<kColumns>);

  const int32_t group = warp / 4;
  const int32_t group_row = group * kGroupRows;
  const int32_t warp_row = warp * 16;  // of the block
  const uint32_t queries = address_of(shared.queries) + static_cast<uint32_t>(group * kGroupRows * kColumns) * 2;
  const bool is_bent = base.soft_cap > 0 || base.slopes != nullptr;
  const float slope = base.slopes != nullptr ? base.slopes[head] : 0;
  const float factor = is_bent ? 1.0f : __fmul_rn(base.scale, kLog2E);
  float sums[kColumns / 2];  // of row g: 4 n + 0, 1 for columns 8 n + 2 t, + 1; of row g + 8: 4 n + 2, 3
  float maxima[2] = {-INFINITY, -INFINITY}, totals[2] = {};
#pragma unroll
  for (float& sum : sums) sum = 0;
  const auto end_of = [&](int32_t e) { return position + warp_row + g + 8 * e + 1; };  // of row g + 8 e

  for (int32_t tile = first_tile; tile < end_tile; ++tile) {
    const int32_t first_key = tile * kPageTokens;
    const __half* values = shared.values[tile % kStages];
    wait_for_groups();
    show_to_wgmma();
    __syncthreads();  // the tile is there, and the one before it has been read by all
    if (tile + 1 < end_tile) bring_pages(tile + 1);
    const auto sees = [&](int32_t n, int32_t e) {
      const int32_t key = first_key + n * 8 + 2 * t + (e & 1);
      const int32_t end = end_of(e / 2);
      return key < end && (window <= 0 || key >= end - window);
    };
    // A key that some rows of the block see and others do not may hold values that the others must not notice: they
    // become zero, and the sums of those that see them no numbers.
    if (first_key + kPageTokens > position + 1 || (window > 0 && first_key < end_key - window)) {
      uint4* own = reinterpret_cast<uint4*>(shared.values[tile % kStages]) + threadIdx.x;
      __half2 zeros = __floats2half2_rn(0, 0);  // of products with zero: a NaN if anything is not finite
#pragma unroll
      for (int32_t i = 0; i < kPageTokens * (kColumns / 8) / kThreads; ++i) {
        const uint4 words = own[i * kThreads];
        for (const uint32_t word : {words.x, words.y, words.z, words.w}) {
          __half2 pair;
          memcpy(&pair, &word, sizeof pair);
          zeros = __hfma2(pair, __floats2half2_rn(0, 0), zeros);
        }
      }
      if (__syncthreads_or(__hisnan(zeros.x) || __hisnan(zeros.y))) {
#pragma unroll 1
        for (int32_t k = 0; k < kPageTokens / 16; ++k) {
          uint32_t sights[4];
#pragma unroll
          for (int32_t i = 0; i < 4; ++i) {
            sights[i] = halves_of(sees(2 * k + i / 2, i % 2 * 2) ? 1.0f : 0.0f,
                                  sees(2 * k + i / 2, i % 2 * 2 + 1) ? 1.0f : 0.0f);
          }
#pragma unroll
          for (int32_t n = 0; n < kColumns / 16; ++n) {
            uint32_t b[4];
            const int32_t key = k * 16 + thread / 8 % 2 * 8 + thread % 8;
            load_transposed(address_of(values + swizzled<kColumns>(key, 2 * n + thread / 16)), b);
#pragma unroll
            for (int32_t i = 0; i < 2; ++i) {
              float count[4] = {};
              multiply_add(count, sights[0], sights[1], sights[2], sights[3], ones_of(not_finite(b[2 * i])),
                           ones_of(not_finite(b[2 * i + 1])));
#pragma unroll
              for (int32_t e = 0; e < 4; ++e) {
                if (count[e] > 0) sums[(2 * n + i) * 4 + e] = NAN;
              }
            }
          }
        }
        __syncthreads();
        for (int32_t i = 0; i < kPageTokens * (kColumns / 8) / kThreads; ++i) {
          uint4 words = own[i * kThreads];
          words.x &= ~not_finite(words.x), words.y &= ~not_finite(words.y);
          words.z &= ~not_finite(words.z), words.w &= ~not_finite(words.w);
          own[i * kThreads] = words;
        }
        show_to_wgmma();
        __syncthreads();
      }
    }
    // Of the warpgroup, whose warps multiply together: nothing to be seen in this tile.
    const int32_t group_end = position + group_row + min(kGroupRows, block_rows - group_row);
    if (group_row >= block_rows || first_key >= group_end ||
        (window > 0 && first_key + kPageTokens <= position + group_row + 1 - window)) {
      continue;
    }

    float scores[32];
    const uint32_t keys = address_of(shared.keys[tile % kStages]);
#pragma unroll
    for (float& score : scores) score = 0;
    begin_multiply();
#pragma unroll
    for (int32_t k = 0; k < kColumns / 16; ++k) {
      const uint32_t offset = static_cast<uint32_t>(k / 4 * kGroupRows * kHalfColumns + k % 4 * 16) * 2;
      multiply_keys(scores, matrix_at(queries + offset), matrix_at(keys + offset), k > 0);
    }
    end_multiply(scores);

    if (is_bent) {
#pragma unroll
      for (int32_t i = 0; i < 32; ++i) {
        const int32_t distance = first_key + i / 4 * 8 + 2 * t + (i & 1) - end_of(i % 4 / 2) + 1;
        scores[i] = score_of(base, scores[i], slope, distance);
      }
    }
    if (first_key + kPageTokens > end_of(0) - g || (window > 0 && first_key < end_of(1) + 7 - g - window)) {
#pragma unroll
      for (int32_t i = 0; i < 32; ++i) {
        if (!sees(i / 4, i % 4)) scores[i] = -INFINITY;
      }
    }
#pragma unroll
    for (int32_t e = 0; e < 2; ++e) {
      float maximum = fmaxf(scores[2 * e], scores[2 * e + 1]);
#pragma unroll
      for (int32_t n = 1; n < 8; ++n) {
        maximum = fmaxf(maximum, fmaxf(scores[4 * n + 2 * e], scores[4 * n + 2 * e + 1]));
      }
      maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, 1));
      maximum = fmaxf(maximum, __shfl_xor_sync(kAll, maximum, 2));
      maximum = fmaxf(maxima[e], __fmul_rn(maximum, factor));
      const float from = base_of(maximum);
      const float old_part = power_of_two(__fsub_rn(maxima[e], from));
      maxima[e] = maximum;
      float total = 0;
#pragma unroll
      for (int32_t n = 0; n < 8; ++n) {
#pragma unroll
        for (int32_t i = 0; i < 2; ++i) {
          float& score = scores[4 * n + 2 * e + i];
          score = power_of_two(fmaf(score, factor, -from));
          total = __fadd_rn(total, score);
        }
      }
      totals[e] = fmaf(totals[e], old_part, total);
      if (__any_sync(kAll, old_part != 1.0f)) {  // mostly none after the first tiles
#pragma unroll
        for (int32_t n = 0; n < kColumns / 8; ++n) {
          sums[4 * n + 2 * e] = __fmul_rn(sums[4 * n + 2 * e], old_part);
          sums[4 * n + 2 * e + 1] = __fmul_rn(sums[4 * n + 2 * e + 1], old_part);
        }
      }
    }
    uint32_t a[kPageTokens / 16][4];
#pragma unroll
    for (int32_t k = 0; k < kPageTokens / 16; ++k) {
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) a[k][i] = halves_of(scores[8 * k + 2 * i], scores[8 * k + 2 * i + 1]);
    }
    begin_multiply();
#pragma unroll
    for (int32_t k = 0; k < kPageTokens / 16; ++k) {
      multiply_values(sums, a[k], matrix_at(address_of(values) + static_cast<uint32_t>(k * 16 * kHalfColumns) * 2));
    }
    end_multiply(sums);
  }

#pragma unroll
  for (int32_t e = 0; e < 2; ++e) {
    float total = totals[e];
    total = __fadd_rn(total, __shfl_xor_sync(kAll, total, 1));
    total = __fadd_rn(total, __shfl_xor_sync(kAll, total, 2));
    const int32_t row = warp_row + g + 8 * e;
    if (row >= block_rows) continue;
    float* to = row_of(base.out, first_row + low_row + row) + static_cast<int64_t>(head) * head_size;
#pragma unroll
    for (int32_t n = 0; n < kColumns / 8; ++n) {
      const int32_t column = n * 8 + 2 * t;
      if (column >= head_size) continue;
      const float2 pair = make_float2(sums[4 * n + 2 * e] / total, sums[4 * n + 2 * e + 1] / total);
      if (task.out_aligned) {
        *reinterpret_cast<float2*>(to + column) = pair;
      } else {
        to[column] = pair.x, to[column + 1] = pair.y;
      }
    }
  }
#endif
}

template <int32_t kColumns>
Status launch(Device* device, const ManyTask& task) {
  constexpr int32_t kSharedBytes = static_cast<int32_t>(sizeof(Shared<kColumns>));
  const auto kernel = wgmma_kernel<kColumns>;
  const Status status =
      status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
  if (!status.ok()) return status;
  const int32_t tiles = task.base.queries.num_rows / kRows + task.num_tiled;  // at least
  const dim3 grid(static_cast<unsigned>(task.base.num_heads), static_cast<unsigned>(tiles));
  return launch_overlapped(device, kernel, grid, dim3(kThreads), kSharedBytes, task);
}

}  // namespace

bool has_wgmma(Device* device, const PagedTask& task) {
  return device->capability == 90 && task.pages.type == Type::f16 && task.head_size <= 128;
}

Status attention_wgmma(Device* device, const ManyTask& task) {
  return task.base.head_size <= 64 ? launch<64>(device, task) : launch<128>(device, task);
}

}  // namespace quoth::cuda
