// What the GPU could do at best: bytes a second that it reads, by ordinary 16-byte loads and (sm_90 and newer) by bulk
// copies to shared memory. The data is random and many times the size of the cache; the best of some rounds counts.
// Prints one line:
//   read GB/s: 4321 (16-byte loads), 4598 (bulk copies)
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr uint64_t kBytes = uint64_t{8} << 30;
constexpr int kRounds = 6;
constexpr uint32_t kUnitBytes = 32 << 10, kStages = 4;

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "gpu_limits: %s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

__global__ void fill(uint32_t* data, uint64_t count) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i < count; i += step) {
    uint32_t x = static_cast<uint32_t>(i) * 2654435761u;
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13;
    data[i] = x;
  }
}

// Eight 16-byte loads in flight per thread.
__global__ void __launch_bounds__(512) read_words(const uint4* data, uint64_t count, uint32_t* out) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  uint32_t mixed = 0;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i + 7 * step < count; i += 8 * step) {
    uint4 words[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) words[j] = __ldcs(data + i + static_cast<uint64_t>(j) * step);
#pragma unroll
    for (int j = 0; j < 8; ++j) mixed ^= words[j].x ^ words[j].y ^ words[j].z ^ words[j].w;
  }
  if (mixed == 0x12345678u) *out = mixed;  // so that the loads are not left out
}

// One thread of a block keeps kStages copies of kUnitBytes under way; nobody looks at what came.
__global__ void read_units(const uint8_t* data, uint64_t num_units, uint32_t* out) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) uint8_t units[];
  __shared__ __align__(8) uint64_t barriers[kStages];
  if (threadIdx.x != 0) return;
  const auto address = [](const void* shared) { return static_cast<uint32_t>(__cvta_generic_to_shared(shared)); };
  for (uint64_t& barrier : barriers) asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(address(&barrier)));
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  const auto start = [&](uint64_t unit, uint32_t stage) {
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(address(&barriers[stage])), "r"(kUnitBytes)
                 : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     address(units + stage * kUnitBytes)),
                 "l"(data + unit * kUnitBytes), "r"(kUnitBytes), "r"(address(&barriers[stage]))
                 : "memory");
  };
  uint64_t next = blockIdx.x;
  for (uint32_t stage = 0; stage < kStages && next < num_units; ++stage, next += gridDim.x) start(next, stage);
  uint32_t round = 0, stage = 0;
  for (uint64_t unit = blockIdx.x; unit < num_units; unit += gridDim.x) {
    uint32_t done = 0;
    while (done == 0) {
      asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                   : "=r"(done)
                   : "r"(address(&barriers[stage])), "r"(round & 1)
                   : "memory");
    }
    if (next < num_units) start(next, stage);
    next += gridDim.x;
    if (++stage == kStages) stage = 0, ++round;
  }
  if (next == 0) *out = 1;
#else
  (void)data, (void)num_units, (void)out;
#endif
}

template <typename Launch>
double best_rate(Launch launch) {
  cudaEvent_t begin = nullptr, end = nullptr;
  check(cudaEventCreate(&begin), "an event");
  check(cudaEventCreate(&end), "an event");
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    float milliseconds = 0;
    check(cudaEventRecord(begin), "an event");
    launch();
    check(cudaGetLastError(), "a launch");
    check(cudaEventRecord(end), "an event");
    check(cudaEventSynchronize(end), "a run");
    check(cudaEventElapsedTime(&milliseconds, begin, end), "a time");
    best = std::max(best, static_cast<double>(kBytes) / milliseconds / 1e6);
  }
  return best;
}

}  // namespace

int main() {
  int multiprocessors = 0, major = 0;
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0), "the GPU");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "the GPU");
  uint8_t* data = nullptr;
  uint32_t* out = nullptr;
  check(cudaMalloc(&data, kBytes), "memory");
  check(cudaMalloc(&out, 4), "memory");
  fill<<<1024, 256>>>(reinterpret_cast<uint32_t*>(data), kBytes / 4);
  double words = 0, units = 0;
  for (const int blocks : {2, 4, 8}) {
    words = std::max(words, best_rate([&] {
                       read_words<<<multiprocessors * blocks, 512>>>(reinterpret_cast<const uint4*>(data), kBytes / 16,
                                                                     out);
                     }));
  }
  if (major >= 9) {
    check(cudaFuncSetAttribute(read_units, cudaFuncAttributeMaxDynamicSharedMemorySize, kStages * kUnitBytes),
          "shared memory");
    units =
        best_rate([&] { read_units<<<multiprocessors, 32, kStages * kUnitBytes>>>(data, kBytes / kUnitBytes, out); });
  }
  std::printf("read GB/s: %.0f (16-byte loads), %.0f (bulk copies)\n", words, units);
  return 0;
}
