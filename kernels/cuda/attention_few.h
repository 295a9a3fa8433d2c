// The parts of the kernel for sequences of few rows (attention_few_kernel.h): splits, its task, and how keys and values
// come to the registers.
#pragma once

#include "attention.h"

namespace quoth::cuda::few {

constexpr int32_t kWarps = 8;
constexpr int32_t kThreads = kWarps * kWarp;
constexpr int32_t kWarpKeys = 16;
constexpr int32_t kPagesAtOnce = kWarps * kWarpKeys / kPageTokens;
constexpr int32_t kLanes = 8;
constexpr int32_t kMaxCluster = 16, kPortableCluster = 8;
constexpr uint32_t kAll = 0xffffffffu;

// Splits of a context in pages: 16 of 2, 24 of 4, then 16 of each power of two.
__host__ __device__ constexpr int32_t log_of(uint32_t number) {
  int32_t log = 0;
  while (number >>= 1) ++log;
  return log;
}
__host__ __device__ constexpr int32_t start_of(int32_t split) {
  if (split < 16) return 2 * split;
  if (split < 40) return 32 + 4 * (split - 16);
  const int32_t doubling = (split - 40) / 16;
  return (128 << doubling) + (split - 40) % 16 * (8 << doubling);
}
__host__ __device__ constexpr int32_t split_of(int32_t page) {
  if (page < 32) return page / 2;
  if (page < 128) return 16 + (page - 32) / 4;
  const int32_t doubling = log_of(static_cast<uint32_t>(page)) - 7;
  return 40 + 16 * doubling + (page - (128 << doubling)) / (8 << doubling);
}
static_assert(start_of(16) == 32 && start_of(40) == 128 && start_of(56) == 256 && split_of(255) == 55);
static_assert(start_of(split_of(4095)) == 4096 - 128 && split_of(4095) == 119);
// What a kernel is made for. lean: every sequence has one row, at most 8 lanes, d = kColumns = R, no window, cap or
// slopes, fused. lean_mixed: the same of those sequences that have one row; the others have a kernel of their own, and
// queries are turned, keys and values written.
enum class Kind { any, lean, lean_mixed };

struct FewTask {
  PagedTask base;
  Rope rope;
  bool is_fused;       // queries are a qkv buffer: turn, write keys and values
  bool is_one_row;     // every sequence has one row
  bool is_aligned;     // 16-byte stores to out
  int32_t inverse;     // 2^16 / blocks that share a context, rounded up: it divides numbers below 1,024
  int32_t max_splits;  // the room of a lane in `partials`; 0: there is none
  int32_t way;         // kOwnWay, or how many blocks share a context: see `launch`
  // Without clusters:
  float* partials;    // f32 [T, H, max_splits, d]
  float2* ends;       // [T, H, max_splits] maximum and total
  int32_t* arrivals;  // [B, tiles, G], zero
};

template <int32_t kBytes, int32_t kColumns>
struct Shared {
  __half queries[kLanes][kColumns + 8];
  alignas(16) uint8_t rows[2][kFewRows][kColumns * kBytes];  // keys and values of this step as pages hold them
  uint32_t scales[2][kFewRows];                              // bytes: f16
  float2 turns[kFewRows][kColumns / 2];
  float2 ends[kWarps][kLanes];  // maximum and total
  alignas(16) float sums[kWarps][kLanes][kColumns + 8];
  bool is_last;
  // Behind it, where blocks share a context: float2 [splits, kLanes] maxima and totals, then float4 [splits, slice]: of
  // each split the columns that this block folds.
};

[[maybe_unused]] __device__ inline void arrive_in_cluster() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
#endif
}
[[maybe_unused]] __device__ inline void wait_for_cluster() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}
// Stores to shared memory of block `rank` of the cluster, where this block has `own`.
[[maybe_unused]] __device__ inline void store_in(const void* own, int32_t rank, const float4& four) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "{.reg .b32 to;\nmapa.shared::cluster.u32 to, %0, %1;\nst.shared::cluster.v4.f32 [to], {%2, %3, %4, %5};}" ::"r"(
          static_cast<uint32_t>(__cvta_generic_to_shared(own))),
      "r"(rank), "f"(four.x), "f"(four.y), "f"(four.z), "f"(four.w)
      : "memory");
#endif
}
[[maybe_unused]] __device__ inline void store_in(const void* own, int32_t rank, float2 two) {
#if __CUDA_ARCH__ >= 900
  asm volatile("{.reg .b32 to;\nmapa.shared::cluster.u32 to, %0, %1;\nst.shared::cluster.v2.f32 [to], {%2, %3};}" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(own))),
               "r"(rank), "f"(two.x), "f"(two.y)
               : "memory");
#endif
}

template <int32_t kWords>
__device__ inline void load_words(const void* from, uint32_t (&to)[kWords]) {
  if constexpr (kWords == 4) {
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "l"(from));
  } else {
    asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(to[0]), "=r"(to[1]) : "l"(from));
  }
}
__device__ inline uint32_t half_bits(const void* from, int64_t index) {
  return __ldg(static_cast<const unsigned short*>(from) + index);
}

// A thread's part of 16 keys and their values, as the page holds them: 8 columns are 4 words of f16 or 2 of bytes.
template <int32_t kBytes, int32_t kColumns>
struct Part {
  uint32_t keys[2][kColumns / 32][2 * kBytes];
  uint32_t values[4][kColumns / 64][2 * kBytes];
  uint32_t key_scales[2], value_scales[4];  // bytes: f16
};
// The key, of a warp's 16, that value row `i` of thread t belongs to.
__device__ inline int32_t value_key(int32_t i, int32_t t) {
  return 2 * t + (i & 1) + (i & 2) * 4;
}

// Of a page of a head.
template <int32_t kBytes>
__device__ inline const uint8_t* block_of(const void* array, const KvPages& pages, int32_t id, int32_t kv_head,
                                          int32_t head_size) {
  const int64_t block = static_cast<int64_t>(id) * pages.num_heads + kv_head;
  return static_cast<const uint8_t*>(array) + block * kPageTokens * (kBytes * head_size + (kBytes == 1 ? 2 : 0));
}

// Brings keys from `first` on (16) that are below `end`, of page `id`; the rest is zero.
template <int32_t kBytes, int32_t kColumns>
__device__ inline void bring_keys(const PagedTask& base, int32_t head_size, int32_t id, int32_t kv_head, int32_t first,
                                  int32_t end, int32_t g, int32_t t, Part<kBytes, kColumns>& part) {
  const uint8_t* block = block_of<kBytes>(base.pages.keys, base.pages, id, kv_head, head_size);
  const int32_t token = first % kPageTokens + g;
  const uint8_t* from = block + (token * head_size + 8 * t) * kBytes;
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    const bool is_there = first + g + 8 * i < end;
#pragma unroll
    for (int32_t j = 0; j < kColumns / 32; ++j) {
#pragma unroll
      for (uint32_t& word : part.keys[i][j]) word = 0;
      if (is_there && 32 * j + 8 * t < head_size) {
        load_words(from + (8 * i * head_size + 32 * j) * kBytes, part.keys[i][j]);
      }
    }
    if constexpr (kBytes == 1) {
      part.key_scales[i] = is_there ? half_bits(block + kPageTokens * head_size, token + 8 * i) : 0;
    }
  }
}
// The same of values; one that no lane sees may be anything and is zero here.
template <int32_t kBytes, int32_t kColumns>
__device__ inline void bring_values(const PagedTask& base, int32_t head_size, int32_t id, int32_t kv_head,
                                    int32_t first, int32_t least, int32_t end, int32_t g, int32_t t,
                                    Part<kBytes, kColumns>& part) {
  const uint8_t* block = block_of<kBytes>(base.pages.values, base.pages, id, kv_head, head_size);
  const int32_t token = first % kPageTokens;
  const uint8_t* from = block + ((token + 2 * t) * head_size + 8 * g) * kBytes;
#pragma unroll
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t key = value_key(i, t);
    const bool is_there = first + key < end && first + key >= least;
#pragma unroll
    for (int32_t c = 0; c < kColumns / 64; ++c) {
#pragma unroll
      for (uint32_t& word : part.values[i][c]) word = 0;
      if (is_there && 64 * c + 8 * g < head_size) {
        load_words(from + ((key - 2 * t) * head_size + 64 * c) * kBytes, part.values[i][c]);
      }
    }
    if constexpr (kBytes == 1) {
      part.value_scales[i] = is_there ? half_bits(block + kPageTokens * head_size, token + key) : 0;
    }
  }
}

// Puts in the rows of this step, from shared memory.
template <typename Memory, int32_t kBytes, int32_t kColumns>
__device__ inline void bring_new(const Memory& shared, int32_t head_size, int32_t first, int32_t first_new, int32_t end,
                                 int32_t g, int32_t t, Part<kBytes, kColumns>& part) {
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    const int32_t row = first + g + 8 * i - first_new;
    if (row < 0 || row >= end - first_new) continue;
#pragma unroll
    for (int32_t j = 0; j < kColumns / 32; ++j) {
      if (32 * j + 8 * t < head_size) {
        memcpy(part.keys[i][j], __builtin_assume_aligned(&shared.rows[0][row][(32 * j + 8 * t) * kBytes], 8 * kBytes),
               8 * kBytes);
      }
    }
    if constexpr (kBytes == 1) part.key_scales[i] = shared.scales[0][row];
  }
#pragma unroll
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t row = first + value_key(i, t) - first_new;
    if (row < 0 || row >= end - first_new) continue;
#pragma unroll
    for (int32_t c = 0; c < kColumns / 64; ++c) {
      if (64 * c + 8 * g < head_size) {
        memcpy(part.values[i][c], __builtin_assume_aligned(&shared.rows[1][row][(64 * c + 8 * g) * kBytes], 8 * kBytes),
               8 * kBytes);
      }
    }
    if constexpr (kBytes == 1) part.value_scales[i] = shared.scales[1][row];
  }
}

// Eight columns as f16.
template <int32_t kWords>
__device__ inline void unpack(const uint32_t (&from)[kWords], Type type, uint32_t (&to)[4]) {
  if constexpr (kWords == 4) {
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) to[i] = from[i];
  } else {
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) halves_of_bytes(from[i], type, to[2 * i], to[2 * i + 1]);
  }
}

__device__ inline uint32_t transposed(uint32_t word) {
  uint32_t other = 0;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(other) : "r"(word));
  return other;
}

// A softmax in progress: the sums of values relative to the largest score, that score, and the sum of weights.
struct Folded {
  float4 sum = {0, 0, 0, 0};
  float maximum = -INFINITY;
  float total = 0;

  // Splits in ascending order; one that saw nothing changes no bit.
  __device__ void add(const float4& more, float2 ends) {
    const float larger = fmaxf(maximum, ends.x);
    const float old_part = power_of_two(__fsub_rn(maximum, base_of(larger)));
    const float new_part = power_of_two(__fsub_rn(ends.x, base_of(larger)));
    sum.x = fmaf(more.x, new_part, __fmul_rn(sum.x, old_part));
    sum.y = fmaf(more.y, new_part, __fmul_rn(sum.y, old_part));
    sum.z = fmaf(more.z, new_part, __fmul_rn(sum.z, old_part));
    sum.w = fmaf(more.w, new_part, __fmul_rn(sum.w, old_part));
    total = fmaf(ends.y, new_part, __fmul_rn(total, old_part));
    maximum = larger;
  }
};

}  // namespace quoth::cuda::few
