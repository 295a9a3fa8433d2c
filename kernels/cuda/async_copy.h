// Copies from global into shared memory that run by themselves, and the barriers that say when they are there.
//
// A barrier is a 64-bit word of shared memory with a phase; `wait` returns once the phase of that parity is over. Two
// kinds of copies complete on it: one bulk copy by one thread (Hopper and newer, any multiple of 16 bytes), or 16 bytes
// per thread (all GPUs that we support), whose threads each arrive once.
#pragma once

#include <cstdint>

namespace quoth::cuda {

__device__ inline uint32_t shared_address(const void* memory) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(memory));
}

// `arrivals` of every phase: 1 for bulk copies, the number of copying threads for the others.
__device__ inline void init_barrier(uint32_t barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
// After the inits, by the thread that did them, before the first copy.
__device__ inline void publish_barriers() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}
__device__ inline bool is_over(uint32_t barrier, uint32_t parity) {
  uint32_t done = 0;
#if __CUDA_ARCH__ >= 900
  asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(done)
               : "r"(barrier), "r"(parity)
               : "memory");
#else
  asm volatile("{\n.reg .pred p;\nmbarrier.test_wait.parity.shared.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(done)
               : "r"(barrier), "r"(parity)
               : "memory");
#endif
  return done != 0;
}
__device__ inline void wait_barrier(uint32_t barrier, uint32_t parity) {
  while (!is_over(barrier, parity)) {
  }
}

// Weights are read once: what they would push out of the L2 cache is worth more than they are.
__device__ inline uint64_t read_once_policy() {
  uint64_t policy = 0;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

__device__ inline void arrive(uint32_t barrier) {
  asm volatile("{\n.reg .b64 state;\nmbarrier.arrive.shared.b64 state, [%0];\n}" ::"r"(barrier) : "memory");
}

[[maybe_unused]] __device__ inline void arrive_times(uint32_t barrier, uint32_t times) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.shared.b64 _, [%0], %1;" ::"r"(barrier), "r"(times) : "memory");
#endif
}

// Arrives, and lets the phase end only after so many bytes of bulk copies too.
__device__ inline void expect_bytes(uint32_t barrier, uint32_t size_bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(barrier), "r"(size_bytes) : "memory");
#endif
}
// Starts one bulk copy.
__device__ inline void copy_bulk(uint32_t to, const void* from, uint32_t size_bytes, uint32_t barrier,
                                 uint64_t policy) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::
          "r"(to),
      "l"(from), "r"(size_bytes), "r"(barrier), "l"(policy)
      : "memory");
#endif
}
// Brings what never changes, is small and comes back with every step into the nearest cache, and lets the L2 cache keep
// it.
__device__ inline uint64_t keep_policy() {
  uint64_t policy = 0;
  asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
__device__ inline void touch(const float* from, uint64_t policy) {
  asm volatile("{\n.reg .f32 ignored;\nld.global.nc.L2::cache_hint.f32 ignored, [%0], %1;\n}" ::"l"(from), "l"(policy));
}

// Into the L2 cache alone, without a register that waits for it.
[[maybe_unused]] __device__ inline void fetch_and_keep(const void* from) {
  asm volatile("prefetch.global.L2::evict_last [%0];" ::"l"(from));
}
// 16 bytes of which the last 16 - `valid_bytes` become zero, unread.
__device__ inline void copy_16(uint32_t to, const void* from, uint32_t valid_bytes, uint64_t policy) {
  asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2, %3;" ::"r"(to), "l"(from),
               "r"(valid_bytes), "l"(policy)
               : "memory");
}
__device__ inline void copy_4(uint32_t to, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(from) : "memory");
}
// This thread's arrival, once its copies so far are there.
__device__ inline void arrive_after_copies(uint32_t barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(barrier) : "memory");
}
__device__ inline void wait_all_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

}  // namespace quoth::cuda
