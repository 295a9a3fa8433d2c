// How fast attention is at the shapes of real models: recorded as CUDA graphs of many layers, each with kv pages of its
// own, so that these come from memory. Times are of a layer, the median of several replays.
//
//   attention_bench libquoth_kernels_cuda.so [decode|many|prefill|encoder]
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/device.h"

namespace {

using namespace quoth;

constexpr int32_t kRounds = 15;
constexpr uint64_t kCopiesBytes = uint64_t{320} << 20;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "attention_bench: %s\n", what);
  std::exit(1);
}
void must(cudaError_t error) {
  if (error != cudaSuccess) fail(cudaGetErrorString(error));
}

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
  if (mixed == 0x12345678u) *out = mixed;
}
// Floats in [-1, 1), halves in about the same range, or bytes.
__global__ void fill_kernel(uint32_t* data, uint64_t count, uint32_t seed, Type type) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i < count; i += step) {
    uint32_t x = static_cast<uint32_t>(i) * 2654435761u + seed;
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13, x *= 0xc2b2ae35u, x ^= x >> 16;
    data[i] = type == Type::f32   ? __float_as_uint(static_cast<float>(x >> 8) / 8388608.0f - 1.0f)
              : type == Type::f16 ? (x & 0x8fff8fffu) | 0x30003000u
                                  : x & 0x27272727u;  // small as halves, too: scales
  }
}

struct Bench {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  DeviceInfo info{};
  double read_bandwidth = 0;
  std::vector<void*> owned;

  void check(const Status& status) {
    if (!status.ok()) fail(status.message);
  }
  void* memory(uint64_t size_bytes, Type type) {
    void* made = nullptr;
    check(ops->allocate(device, size_bytes, &made));
    fill_kernel<<<1024, 256>>>(static_cast<uint32_t*>(made), size_bytes / 4, static_cast<uint32_t>(owned.size()), type);
    must(cudaDeviceSynchronize());
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
    return {static_cast<float*>(memory(size_bytes, Type::f32)), num_rows, width, width};
  }
  // Seconds of one of `calls` calls run(i), as a graph.
  double time(int32_t calls, const std::function<Status(int32_t)>& run) {
    check(run(0));
    check(ops->synchronize(device));
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    must(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal));
    for (int32_t i = 0; i < calls; ++i) check(run(i));
    must(cudaStreamEndCapture(device->stream, &graph));
    must(cudaGraphInstantiate(&executable, graph, 0));
    cudaEvent_t start, end;
    must(cudaEventCreate(&start));
    must(cudaEventCreate(&end));
    std::vector<double> rounds;
    for (int32_t round = 0; round < kRounds + 2; ++round) {
      must(cudaEventRecord(start, device->stream));
      must(cudaGraphLaunch(executable, device->stream));
      must(cudaEventRecord(end, device->stream));
      must(cudaEventSynchronize(end));
      float milliseconds = 0;
      must(cudaEventElapsedTime(&milliseconds, start, end));
      if (round >= 2) rounds.push_back(milliseconds * 1e-3 / calls);
    }
    must(cudaGraphExecDestroy(executable));
    must(cudaGraphDestroy(graph));
    must(cudaEventDestroy(start));
    must(cudaEventDestroy(end));
    std::sort(rounds.begin(), rounds.end());
    return rounds[rounds.size() / 2];
  }
};

void measure_read(Bench& bench) {
  constexpr uint64_t kBytes = uint64_t{4} << 30;
  const auto* data = static_cast<const uint4*>(bench.memory(kBytes, Type::f32));
  auto* out = static_cast<uint32_t*>(bench.memory(64, Type::f32));
  cudaEvent_t start, end;
  must(cudaEventCreate(&start));
  must(cudaEventCreate(&end));
  for (const int blocks : {2, 4, 8}) {
    for (int repeat = 0; repeat < 4; ++repeat) {
      float milliseconds = 0;
      must(cudaEventRecord(start));
      read_kernel<<<bench.device->num_multiprocessors * blocks, 512>>>(data, kBytes / 16, out);
      must(cudaEventRecord(end));
      must(cudaEventSynchronize(end));
      must(cudaEventElapsedTime(&milliseconds, start, end));
      bench.read_bandwidth = std::max(bench.read_bandwidth, static_cast<double>(kBytes) / milliseconds * 1e3);
    }
  }
  bench.release_all();
  std::printf("read bandwidth %.0f GB/s\n", bench.read_bandwidth / 1e9);
}

struct Shape {
  const char* name;
  int32_t num_heads, num_kv_heads, head_size;
};
constexpr Shape kMistral{"Mistral-7B", 32, 8, 128}, kLlama{"Llama-2-13B", 40, 40, 128}, kTiny{"TinyLlama", 32, 4, 64},
    kGemma{"Gemma-2-9B", 16, 8, 256};

uint64_t row_bytes(Type type, int32_t head_size) {
  return type == Type::f32 ? 4 * head_size : type == Type::f16 ? 2 * head_size : head_size + 2;
}

struct Step {
  std::vector<int32_t> table, positions, first_row = {0};
  Batch batch;
  Step(int32_t num_sequences, int32_t rows_each, int32_t before) {
    const int32_t pages_each = (before + rows_each + 63) / 64;
    for (int32_t i = 0; i < num_sequences * pages_each; ++i) table.push_back(i);
    std::reverse(table.begin(), table.end());
    for (int32_t b = 0; b < num_sequences; ++b) {
      for (int32_t t = 0; t < rows_each; ++t) positions.push_back(before + t);
      first_row.push_back((b + 1) * rows_each);
    }
    batch.num_tokens = num_sequences * rows_each;
    batch.positions = positions.data();
    batch.num_sequences = num_sequences;
    batch.first_row = first_row.data();
    batch.page_table = table.data();
    batch.page_table_stride = pages_each;
  }
  Step(const Step&) = delete;
};

void bench_paged(Bench& bench, const Shape& shape, int32_t num_sequences, int32_t rows_each, int32_t before, bool fused,
                 Type type = Type::f16) {
  Step step(num_sequences, rows_each, before);
  const int32_t tokens = step.batch.num_tokens;
  const uint64_t pool =
      step.table.size() * 64 * static_cast<uint64_t>(shape.num_kv_heads) * row_bytes(type, shape.head_size);
  const int32_t copies = static_cast<int32_t>(std::clamp<uint64_t>(kCopiesBytes / (2 * pool), 2, 40));
  std::vector<KvPages> layers;
  for (int32_t i = 0; i < copies; ++i) {
    layers.push_back({type, bench.memory(pool, type), bench.memory(pool, type), shape.num_kv_heads, shape.head_size});
  }
  const Attention attention{shape.num_heads, shape.num_kv_heads, shape.head_size, 0.0884f, 0};
  const Rope rope{static_cast<const float*>(bench.memory(sizeof(float) * shape.head_size, Type::f32)), shape.head_size,
                  false};
  const Rows qkv = bench.rows(tokens, (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_size);
  Rows queries = qkv;
  queries.width = shape.num_heads * shape.head_size;
  const Rows out = bench.rows(tokens, queries.width);
  const int32_t calls = rows_each > 64 ? std::min(copies, 4) : std::max(copies, 32);
  const double seconds = bench.time(calls, [&](int32_t i) {
    const KvPages& pages = layers[static_cast<size_t>(i % copies)];
    return fused ? bench.ops->rope_kv_attention(bench.device, qkv, &attention, &rope, &step.batch, pages, out)
                 : bench.ops->attention(bench.device, queries, &attention, &step.batch, pages, out);
  });
  const double keys = before + 0.5 * (rows_each + 1);
  const double bytes = 2.0 * num_sequences * (before + rows_each) * shape.num_kv_heads *
                       static_cast<double>(row_bytes(type, shape.head_size));
  const double flops = 4.0 * tokens * keys * shape.num_heads * shape.head_size;
  std::printf("%-12s %-4s %3d x T=%-4d after %-5d %-5s %8.2f us %6.0f GB/s %5.1f %% %7.1f TFLOP/s\n", shape.name,
              type == Type::f16  ? "f16"
              : type == Type::i8 ? "i8"
              : type == Type::f8 ? "f8"
                                 : "f32",
              num_sequences, rows_each, before, fused ? "fused" : "apart", seconds * 1e6, bytes / seconds / 1e9,
              100 * bytes / seconds / bench.read_bandwidth, flops / seconds / 1e12);
  bench.release_all();
}

void bench_encoder(Bench& bench, int32_t num_sequences, int32_t rows_each, int32_t num_heads, int32_t head_size) {
  Step step(num_sequences, rows_each, 0);
  const int32_t width = num_heads * head_size;
  std::vector<Rows> inputs, outputs;
  for (int32_t i = 0; i < 4; ++i) inputs.push_back(bench.rows(step.batch.num_tokens, 3 * width));
  for (int32_t i = 0; i < 4; ++i) outputs.push_back(bench.rows(step.batch.num_tokens, width));
  const Attention attention{num_heads, num_heads, head_size, 0.17f, 0};
  const double seconds = bench.time(8, [&](int32_t i) {
    Rows parts[3];
    for (int32_t j = 0; j < 3; ++j) {
      parts[j] = inputs[static_cast<size_t>(i % 4)];
      parts[j].data += j * width;
      parts[j].width = width;
    }
    return bench.ops->attention_full(bench.device, parts[0], parts[1], parts[2], &attention, &step.batch,
                                     outputs[static_cast<size_t>(i % 4)]);
  });
  const double tokens = step.batch.num_tokens;
  const double bytes = 16.0 * tokens * width;
  std::printf("encoder %d x %d, %d heads of %d %8.2f us %6.0f GB/s %5.1f %% %7.1f TFLOP/s\n", num_sequences, rows_each,
              num_heads, head_size, seconds * 1e6, bytes / seconds / 1e9, 100 * bytes / seconds / bench.read_bandwidth,
              4 * tokens * rows_each * width / seconds / 1e12);
  bench.release_all();
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  if (count < 2) fail("which library?");
  const std::string what = count > 2 ? arguments[2] : "all";
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(dlerror());
  const auto open = reinterpret_cast<OpenCudaDevice*>(dlsym(library, kOpenCudaDevice));
  const auto close = reinterpret_cast<CloseCudaDevice*>(dlsym(library, kCloseCudaDevice));
  if (open == nullptr || close == nullptr) fail("the library is of another version");
  Bench bench;
  bench.check(open(&bench.device, &bench.ops, &bench.info));
  bench.check(bench.ops->reserve(bench.device, 64 * 256, 4096));
  std::printf("%s, %s\n", bench.info.name, bench.info.instructions);
  measure_read(bench);
  if (what == "decode" || what == "all") {
    for (const Shape& shape : {kMistral, kLlama}) {
      for (const int32_t before : {127, 511, 2047, 4095, 8191}) bench_paged(bench, shape, 1, 1, before, true);
    }
    bench_paged(bench, kMistral, 1, 1, 32767, true);
    bench_paged(bench, kMistral, 1, 1, 2047, false);
    for (const int32_t rows : {2, 4, 8}) bench_paged(bench, kMistral, 1, rows, 2040, true);
    bench_paged(bench, kLlama, 1, 8, 2040, true);
    for (const int32_t sequences : {8, 16, 32, 64, 128, 256}) bench_paged(bench, kMistral, sequences, 1, 255, true);
    bench_paged(bench, kMistral, 64, 1, 127, true);
    bench_paged(bench, kMistral, 64, 1, 1023, true);
    bench_paged(bench, kMistral, 8, 1, 2047, true);
    bench_paged(bench, kLlama, 64, 1, 255, true);
    bench_paged(bench, kTiny, 1, 1, 2047, true);
    bench_paged(bench, kGemma, 1, 1, 2047, true);
    for (const Type type : {Type::i8, Type::f8}) {
      bench_paged(bench, kMistral, 1, 1, 2047, true, type);
      bench_paged(bench, kMistral, 1, 1, 8191, true, type);
      bench_paged(bench, kLlama, 1, 1, 2047, true, type);
      bench_paged(bench, kMistral, 64, 1, 255, true, type);
    }
    bench.device->overlaps = false;
    std::printf("without overlap:\n");
    bench_paged(bench, kMistral, 1, 1, 2047, true);
    bench_paged(bench, kLlama, 1, 1, 2047, true);
    bench.device->overlaps = bench.info.instructions[3] >= '9';
  }
  if (what == "many" || what == "all") {
    for (const int32_t sequences : {64, 256, 512}) {
      for (const int32_t before : {127, 191, 255}) bench_paged(bench, kMistral, sequences, 1, before, true);
    }
    bench_paged(bench, kMistral, 8, 128, 0, true);
  }
  if (what == "prefill" || what == "all") {
    for (const Shape& shape : {kMistral, kLlama, kTiny, kGemma}) bench_paged(bench, shape, 1, 2048, 0, false);
    bench_paged(bench, kMistral, 1, 512, 0, false);
    bench_paged(bench, kMistral, 1, 512, 1536, false);
    bench_paged(bench, kMistral, 1, 512, 7680, false);
    bench_paged(bench, kMistral, 1, 8192, 0, false);
    bench_paged(bench, kMistral, 8, 512, 0, false);
    bench_paged(bench, kMistral, 1, 2048, 0, true);
    bench_paged(bench, kMistral, 1, 2048, 0, false, Type::i8);
    bench_paged(bench, kMistral, 1, 2048, 0, false, Type::f8);
  }
  if (what == "encoder" || what == "all") {
    bench_encoder(bench, 64, 256, 12, 32);
    bench_encoder(bench, 32, 512, 12, 64);
    bench_encoder(bench, 1, 24, 12, 32);
  }
  close(bench.device);
  return 0;
}
