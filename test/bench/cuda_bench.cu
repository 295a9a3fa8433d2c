// How fast the CUDA device's operations are at the shapes of Mistral-7B, beside the GPU's measured read bandwidth.
// Weights are random; each repetition takes another copy of them, so that they come from memory and not from the cache.
// Times are of many calls in a row between two waits, launches included, the median of several such rounds.
//
//   cuda_bench libquoth_kernels_cuda.so
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "kernels/ops.h"

namespace {

using namespace quoth;

constexpr int32_t kHidden = 4096, kInner = 14336, kHeads = 32, kKvHeads = 8, kHeadSize = 128, kVocabulary = 32000;
constexpr int32_t kLayers = 32, kMaxTokens = 2048, kRounds = 7;
constexpr uint64_t kCopiesBytes = uint64_t{512} << 20;  // all copies of a weight: several times the largest cache

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "cuda_bench: %s\n", what);
  std::exit(1);
}

// Reads `count` 16-byte words, eight requests in flight per thread.
__global__ void __launch_bounds__(512) read_kernel(const uint4* data, uint64_t count, uint32_t* out) {
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

__global__ void fill_kernel(uint32_t* data, uint64_t count, uint32_t seed, bool as_floats) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i < count; i += step) {
    uint32_t x = static_cast<uint32_t>(i) * 2654435761u + seed;
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13, x *= 0xc2b2ae35u, x ^= x >> 16;
    // Floats in [-1, 1); else words whose halves are small and finite as f16, whatever they are read as.
    data[i] =
        as_floats ? __float_as_uint(static_cast<float>(x >> 8) / 8388608.0f - 1.0f) : (x & 0x83ff83ffu) | 0x20002000u;
  }
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Bench {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  DeviceInfo info{};
  double read_bandwidth = 0;  // bytes per second
  std::vector<void*> owned;

  void check(const Status& status) {
    if (!status.ok()) fail(status.message);
  }
  void* memory(uint64_t size_bytes, bool as_floats) {
    void* made = nullptr;
    check(ops->allocate(device, size_bytes, &made));
    fill_kernel<<<1024, 256>>>(static_cast<uint32_t*>(made), size_bytes / 4, static_cast<uint32_t>(owned.size()),
                               as_floats);
    if (cudaDeviceSynchronize() != cudaSuccess) fail("filling memory failed");
    owned.push_back(made);
    return made;
  }
  void release_all() {
    check(ops->synchronize(device));
    for (void* memory : owned) ops->release(device, memory);
    owned.clear();
  }
  Rows rows(int32_t num_rows, int32_t width) {
    const uint64_t size_bytes = sizeof(float) * static_cast<uint64_t>(num_rows) * static_cast<uint64_t>(width);
    return {static_cast<float*>(memory(size_bytes, true)), num_rows, width, width};
  }

  // Median seconds of one call of run(i).
  double time(int32_t calls, const std::function<Status(int32_t)>& run) {
    for (int32_t i = 0; i < calls; ++i) check(run(i));
    check(ops->synchronize(device));
    std::vector<double> rounds;
    for (int32_t round = 0; round < kRounds; ++round) {
      const double start = now();
      for (int32_t i = 0; i < calls; ++i) check(run(i));
      check(ops->synchronize(device));
      rounds.push_back((now() - start) / calls);
    }
    std::sort(rounds.begin(), rounds.end());
    return rounds[kRounds / 2];
  }
  void report(const std::string& name, double seconds, double bytes, double products) {
    std::printf("%-34s %9.1f us %7.0f GB/s %5.1f %% of read", name.c_str(), seconds * 1e6, bytes / seconds / 1e9,
                100 * bytes / seconds / read_bandwidth);
    if (products > 0) std::printf(" %7.1f TFLOP/s", 2 * products / seconds / 1e12);
    std::printf("\n");
  }
};

void measure_read(Bench& bench) {
  constexpr uint64_t kBytes = uint64_t{4} << 30;
  const auto* data = static_cast<const uint4*>(bench.memory(kBytes, false));
  auto* out = static_cast<uint32_t*>(bench.memory(64, false));
  cudaEvent_t start = nullptr, end = nullptr;
  if (cudaEventCreate(&start) != cudaSuccess || cudaEventCreate(&end) != cudaSuccess) fail("no events");
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0);
  for (const int blocks : {2, 4, 8}) {
    for (int repeat = 0; repeat < 4; ++repeat) {
      float milliseconds = 0;
      cudaEventRecord(start);
      read_kernel<<<multiprocessors * blocks, 512>>>(data, kBytes / 16, out);
      cudaEventRecord(end);
      if (cudaEventSynchronize(end) != cudaSuccess) fail("reading memory failed");
      cudaEventElapsedTime(&milliseconds, start, end);
      bench.read_bandwidth = std::max(bench.read_bandwidth, static_cast<double>(kBytes) / milliseconds * 1e3);
    }
  }
  bench.release_all();
  std::printf("%-34s %12s %7.0f GB/s\n", "read of 4 GiB, the best of 12", "", bench.read_bandwidth / 1e9);
}

uint64_t bytes_of(Type type, int32_t n, int32_t k) {
  const uint64_t elements = static_cast<uint64_t>(n) * static_cast<uint64_t>(k);
  if (type == Type::f32 || type == Type::f16) return elements * (type == Type::f32 ? 4 : 2);
  if (type == Type::f8) return static_cast<uint64_t>(f8_scales_offset(n, k)) + uint64_t{4} * static_cast<uint64_t>(n);
  const uint64_t record_weights = uint64_t{16} * static_cast<uint64_t>(record_columns(type));
  return elements / record_weights * static_cast<uint64_t>(record_bytes(type));
}

// Seconds of one linear of that shape.
double bench_linear(Bench& bench, const char* name, Type type, int32_t tokens, int32_t n, int32_t k) {
  const uint64_t size_bytes = bytes_of(type, n, k);
  const int32_t copies = static_cast<int32_t>(std::max<uint64_t>(2, kCopiesBytes / size_bytes));
  const auto* codebook = static_cast<const int8_t*>(bench.memory(64, false));
  std::vector<Weight> weights;
  for (int32_t i = 0; i < copies; ++i) weights.push_back({type, n, k, bench.memory(size_bytes, false), codebook});
  const Rows x = bench.rows(tokens, k), out = bench.rows(tokens, n);
  const double seconds = bench.time(tokens > 64 ? std::min(copies, 8) : copies, [&](int32_t i) {
    return bench.ops->linear(bench.device, x, &weights[static_cast<size_t>(i)], nullptr, Activation::none, out);
  });
  constexpr const char* kTypes[] = {"f32", "f16", "q8", "q4", "int4_g32", "int4_g128", "f8"};
  const double io = 4.0 * tokens * (n + k);
  bench.report(
      std::string("linear ") + kTypes[static_cast<int32_t>(type)] + " " + name + " T=" + std::to_string(tokens),
      seconds, static_cast<double>(size_bytes) + io, static_cast<double>(tokens) * n * k);
  bench.release_all();
  return seconds;
}

double bench_attention(Bench& bench, int32_t num_sequences, int32_t rows_each, int32_t before) {
  const int32_t tokens = num_sequences * rows_each;
  const int32_t pages_each = (before + rows_each + 63) / 64;
  const uint64_t pool = uint64_t{2} * num_sequences * pages_each * kKvHeads * 64 * kHeadSize;
  const int32_t copies = static_cast<int32_t>(std::clamp<uint64_t>(kCopiesBytes / pool, 2, 64));
  std::vector<KvPages> layers;
  for (int32_t i = 0; i < copies; ++i) {
    layers.push_back({Type::f16, bench.memory(pool, false), bench.memory(pool, false), kKvHeads, kHeadSize});
  }
  std::vector<int32_t> table, positions, first_row = {0};
  for (int32_t i = 0; i < num_sequences * pages_each; ++i) table.push_back(i);
  for (int32_t b = 0; b < num_sequences; ++b) {
    for (int32_t t = 0; t < rows_each; ++t) positions.push_back(before + t);
    first_row.push_back((b + 1) * rows_each);
  }
  Batch batch;
  batch.num_tokens = tokens;
  batch.positions = positions.data();
  batch.num_sequences = num_sequences;
  batch.first_row = first_row.data();
  batch.page_table = table.data();
  batch.page_table_stride = pages_each;
  const Attention shape{kHeads, kKvHeads, kHeadSize, 0.0884f, 0};
  const Rows queries = bench.rows(tokens, kHeads * kHeadSize), out = bench.rows(tokens, kHeads * kHeadSize);
  const double seconds = bench.time(std::min(copies, rows_each > 1 ? 4 : 64), [&](int32_t i) {
    return bench.ops->attention(bench.device, queries, &shape, &batch, layers[static_cast<size_t>(i)], out);
  });
  const double keys = before + 0.5 * (rows_each + 1);
  bench.report("attention " + std::to_string(num_sequences) + " x T=" + std::to_string(rows_each) + " after " +
                   std::to_string(before),
               seconds, 4.0 * num_sequences * (before + rows_each) * kKvHeads * kHeadSize,
               2.0 * tokens * keys * kHeads * kHeadSize);
  bench.release_all();
  return seconds;
}

// The small operations of one layer, and what goes over the wire in them.
double bench_rows(Bench& bench, int32_t tokens) {
  const Rows x = bench.rows(tokens, kHidden), y = bench.rows(tokens, kHidden), out = bench.rows(tokens, kHidden);
  const Rows gate_up = bench.rows(tokens, 2 * kInner), inner = bench.rows(tokens, kInner);
  const int32_t qkv_width = (kHeads + 2 * kKvHeads) * kHeadSize;
  const Rows qkv = bench.rows(tokens, qkv_width);
  const auto* weight = static_cast<const float*>(bench.memory(sizeof(float) * kHidden, true));
  const Rope rope{static_cast<const float*>(bench.memory(sizeof(float) * kHeadSize, true)), kHeadSize, false};
  const uint64_t pool = uint64_t{2} * (tokens / 64 + 1) * kKvHeads * 64 * kHeadSize;
  const KvPages pages{Type::f16, bench.memory(pool, false), bench.memory(pool, false), kKvHeads, kHeadSize};
  std::vector<int32_t> table, positions, first_row = {0, tokens};
  for (int32_t i = 0; i <= tokens / 64; ++i) table.push_back(i);
  for (int32_t t = 0; t < tokens; ++t) positions.push_back(t);
  Batch batch;
  batch.num_tokens = tokens;
  batch.positions = positions.data();
  batch.num_sequences = 1;
  batch.first_row = first_row.data();
  batch.page_table = table.data();
  batch.page_table_stride = static_cast<int32_t>(table.size());
  const Attention shape{kHeads, kKvHeads, kHeadSize, 0.0884f, 0};
  const std::string suffix = " T=" + std::to_string(tokens);
  const double row = 4.0 * tokens;
  const double norm =
      bench.time(50, [&](int32_t) { return bench.ops->add_rms_norm(bench.device, x, y, weight, 1e-5f, out); });
  bench.report("add_rms_norm" + suffix, norm, 4 * row * kHidden, 0);
  const double gate =
      bench.time(50, [&](int32_t) { return bench.ops->gated(bench.device, gate_up, Activation::silu, inner); });
  bench.report("gated silu" + suffix, gate, 3 * row * kInner, 0);
  const double turn = bench.time(
      50, [&](int32_t) { return bench.ops->rope_kv_write(bench.device, qkv, &shape, &rope, &batch, pages); });
  bench.report("rope_kv_write" + suffix, turn, 2 * row * qkv_width, 0);
  bench.release_all();
  return 2 * norm + gate + turn;
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // a run that is cut short still shows what it measured
  if (count != 2) fail("which library?");
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(dlerror());
  const auto open = reinterpret_cast<OpenCudaDevice*>(dlsym(library, kOpenCudaDevice));
  const auto close = reinterpret_cast<CloseCudaDevice*>(dlsym(library, kCloseCudaDevice));
  if (open == nullptr || close == nullptr) fail("the library is of another version");
  Bench bench;
  bench.check(open(&bench.device, &bench.ops, &bench.info));
  bench.check(bench.ops->reserve(bench.device, kMaxTokens, kInner));
  std::printf("%s, %s; Mistral-7B's shapes, activations f32\n", bench.info.name, bench.info.instructions);
  measure_read(bench);

  const int32_t qkv = (kHeads + 2 * kKvHeads) * kHeadSize;
  double decode = 0, prefill = 0;  // of a layer
  for (const int32_t tokens : {1, 8, 16, 64, 512, 2048}) {
    double layer = 0;
    layer += bench_linear(bench, "qkv", Type::q4, tokens, qkv, kHidden);
    layer += bench_linear(bench, "out", Type::q4, tokens, kHidden, kHidden);
    layer += bench_linear(bench, "gate+up", Type::q4, tokens, 2 * kInner, kHidden);
    layer += bench_linear(bench, "down", Type::q4, tokens, kHidden, kInner);
    if (tokens == 1) decode = layer;
    if (tokens == 2048) prefill = layer;
  }
  bench_linear(bench, "gate+up", Type::q8, 1, 2 * kInner, kHidden);
  for (const Type type : {Type::int4_g32, Type::int4_g128, Type::f8}) {
    for (const int32_t tokens : {1, 8, 2048}) bench_linear(bench, "gate+up", type, tokens, 2 * kInner, kHidden);
  }
  bench_linear(bench, "gate+up", Type::f16, 1, 2 * kInner, kHidden);
  bench_linear(bench, "gate+up", Type::f16, 512, 2 * kInner, kHidden);
  const double head = bench_linear(bench, "head", Type::q8, 1, kVocabulary, kHidden);
  decode += bench_attention(bench, 1, 1, 2047);
  bench_attention(bench, 1, 1, 8191);
  bench_attention(bench, 64, 1, 255);
  prefill += bench_attention(bench, 1, 2048, 0);
  decode += bench_rows(bench, 1);
  prefill += bench_rows(bench, 2048);
  std::printf("sum of operations: decode after 2k %.2f ms, %.0f tok/s;  prefill of 2048 %.0f ms, %.0f tok/s\n",
              1e3 * (kLayers * decode + head), 1 / (kLayers * decode + head), 1e3 * kLayers * prefill,
              2048 / (kLayers * prefill));
  close(bench.device);
  return 0;
}
