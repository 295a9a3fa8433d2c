// The multiplication of many rows by itself: every shape of tile against float64 and against each other (equal bits),
// then the time of each at the shapes of real models, beside the GPU's limits. Linked with the kernels' own objects,
// not with the library, so that it can choose what the library chooses by itself.
//
//   nvcc -std=c++20 -O3 -fmad=false -gencode=arch=compute_90a,code=sm_90a -I. test/bench/gemm_bench.cu
//   kernels/cuda/*.cu
//
//   gemm_bench check
//   gemm_bench time [all]            all: every shape beside the chosen one
//   gemm_bench one N K T shape       int4_g128, for a profiler
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/linear_prefill.h"

extern "C" quoth::Status quoth_open_cuda_device(quoth::Device**, const quoth::Ops**, quoth::DeviceInfo*);

namespace {

using namespace quoth;

#define MUST(call)                                                              \
  do {                                                                          \
    const cudaError_t must_error = (call);                                      \
    if (must_error != cudaSuccess) fail(#call, cudaGetErrorString(must_error)); \
  } while (false)

[[noreturn]] void fail(const char* what, const char* why) {
  std::printf("FAILED %s: %s\n", what, why);
  std::exit(1);
}
void must(const Status& status, const char* what) {
  if (!status.ok()) fail(what, status.message);
}

__device__ uint32_t mixed(uint64_t index, uint32_t seed) {
  uint32_t x = static_cast<uint32_t>(index) * 2654435761u + seed * 0x9e3779b9u;
  x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13, x *= 0xc2b2ae35u, x ^= x >> 16;
  return x;
}
// In [-1, 1).
__device__ float uniform(uint64_t index, uint32_t seed) {
  return static_cast<float>(mixed(index, seed) >> 8) / 8388608.0f - 1.0f;
}

// Biased, with outliers a thousand times the rest.
__global__ void fill_rows(float* x, uint64_t count, uint32_t seed) {
  for (uint64_t i = blockIdx.x * uint64_t{blockDim.x} + threadIdx.x; i < count; i += uint64_t{gridDim.x} * blockDim.x) {
    x[i] = (uniform(i, seed) + 0.3f) * (mixed(i, seed + 1) % 64 == 0 ? 1000.0f : 1.0f);
  }
}

struct Layout {
  Type type;
  int32_t columns, bytes, weight_bytes;
  bool has_zeros;
};
Layout layout_of(Type type) {
  const bool has_zeros = type == Type::int4_g32 || type == Type::int4_g128;
  return {type, record_columns(type), record_bytes(type), record_bytes(type) - (has_zeros ? 64 : 32), has_zeros};
}

__global__ void fill_weights(uint8_t* data, uint64_t size_bytes, Layout layout, uint32_t seed) {
  for (uint64_t i = blockIdx.x * uint64_t{blockDim.x} + threadIdx.x; i < size_bytes / 2;
       i += uint64_t{gridDim.x} * blockDim.x) {
    uint16_t word = static_cast<uint16_t>(mixed(i, seed));
    if (layout.columns > 0) {
      const uint64_t place = i * 2 % layout.bytes;
      if (place >= layout.weight_bytes) {
        const uint32_t random = mixed(i, seed + 7);
        const bool is_zero = layout.has_zeros && place >= layout.weight_bytes + 32;
        // Zero points: mostly whole, some at the ends, some between.
        const float zero = random % 5 == 0   ? 0.0f
                           : random % 5 == 1 ? 15.0f
                           : random % 5 == 2 ? (random >> 8) % 997 / 62.0f
                                             : (random >> 8) % 16;
        word = __half_as_ushort(__float2half(is_zero ? zero : uniform(i, seed + 9) * 0.02f));
      }
    } else if (layout.type == Type::f16) {
      word = __half_as_ushort(__float2half(uniform(i, seed) * 0.1f));
    } else {
      word &= 0xbfbfu;  // no NaN
    }
    reinterpret_cast<uint16_t*>(data)[i] = word;
  }
}

__device__ double weight_of(const uint8_t* data, const int8_t* book, Layout layout, int32_t num_rows,
                            int32_t num_columns, int64_t n, int64_t k) {
  if (layout.type == Type::f16) return __half2float(reinterpret_cast<const __half*>(data)[n * num_columns + k]);
  if (layout.type == Type::f8) {
    const cuda::Float8* bytes = reinterpret_cast<const cuda::Float8*>(data);
    return static_cast<double>(cuda::element(bytes, n * num_columns + k)) *
           cuda::f8_scales(data, num_rows, num_columns)[n];
  }
  const uint8_t* record = data + (n / 16 * (num_columns / layout.columns) + k / layout.columns) * layout.bytes;
  const int32_t r = n % 16, c = k % layout.columns;
  const __half* factors = reinterpret_cast<const __half*>(record + layout.weight_bytes);
  double value = 0;
  if (layout.type == Type::q8) {
    value = record[c / 4 * 64 + 4 * r + c % 4] - 128.0;
  } else {
    const uint8_t byte = record[c / 8 * 64 + 4 * r + c % 4];
    const int32_t nibble = c % 8 < 4 ? byte & 15 : byte >> 4;
    value = layout.type == Type::q4 ? book[nibble] : nibble - static_cast<double>(__half2float(factors[16 + r]));
  }
  return value * __half2float(factors[r]);
}

__global__ void reference(const uint8_t* data, const int8_t* book, Layout layout, Rows x, int32_t num_rows,
                          double* out) {
  const int64_t index = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
  const int64_t t = index / num_rows, n = index % num_rows;
  if (t >= x.num_rows) return;
  double sum = 0;
  for (int32_t k = 0; k < x.width; ++k) {
    sum += weight_of(data, book, layout, num_rows, x.width, n, k) * cuda::row_of(x, static_cast<int32_t>(t))[k];
  }
  out[index] = sum;
}

uint64_t bytes_of(Type type, int64_t n, int64_t k) {
  if (type == Type::f16) return static_cast<uint64_t>(2 * n * k);
  if (type == Type::f8) return static_cast<uint64_t>(f8_scales_offset(n, k) + 4 * n);
  return static_cast<uint64_t>((n + 15) / 16 * (k / record_columns(type)) * record_bytes(type));
}
const char* name_of(Type type) {
  constexpr const char* kNames[] = {"f32", "f16", "q8", "q4", "int4_g32", "int4_g128", "f8", "i32"};
  return kNames[static_cast<int32_t>(type)];
}

struct Bench {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  DeviceInfo info{};
  std::vector<void*> owned;
  int32_t num_failed = 0, num_checked = 0;

  template <typename T>
  T* take(uint64_t count) {
    void* memory = nullptr;
    MUST(cudaMalloc(&memory, count * sizeof(T)));
    owned.push_back(memory);
    return static_cast<T*>(memory);
  }
  void release_all() {
    MUST(cudaDeviceSynchronize());
    for (void* memory : owned) MUST(cudaFree(memory));
    owned.clear();
  }
  Weight weight(Type type, int32_t n, int32_t k, uint32_t seed) {
    const uint64_t size_bytes = bytes_of(type, n, k);
    auto* data = take<uint8_t>(size_bytes + 64);
    fill_weights<<<1024, 256>>>(data, size_bytes, layout_of(type), seed);
    if (type == Type::f8) {
      std::vector<float> scales(static_cast<size_t>(n));
      for (int32_t i = 0; i < n; ++i) scales[static_cast<size_t>(i)] = 0.001f * static_cast<float>(1 + i % 7);
      MUST(cudaMemcpy(data + f8_scales_offset(n, k), scales.data(), scales.size() * 4, cudaMemcpyHostToDevice));
    }
    const int8_t book[16] = {-128, -43, -25, -8, 8, 25, 43, 127, 0, 1, -1, 5, 99, -99, 64, -64};
    auto* codebook = take<int8_t>(16);
    MUST(cudaMemcpy(codebook, book, 16, cudaMemcpyHostToDevice));
    MUST(cudaDeviceSynchronize());
    return {type, n, k, data, type == Type::q4 ? codebook : nullptr};
  }
  Rows rows(int32_t count, int32_t width, uint32_t seed) {
    auto* data = take<float>(static_cast<uint64_t>(count) * width);
    fill_rows<<<1024, 256>>>(data, static_cast<uint64_t>(count) * width, seed);
    MUST(cudaDeviceSynchronize());
    return {data, count, width, width};
  }
};

bool shape_fits(Type type, int32_t index, bool is_gated) {
  if (!cuda::has_wgmma_shape(type, index)) return false;
  const cuda::PrefillShape shape = cuda::wgmma_shape(type, index);
  return !is_gated || shape.groups * shape.tiles % 2 == 0;
}

// All shapes against float64, and against each other.
void check(Bench& bench, Type type, int32_t n, int32_t k, const char* mode) {
  constexpr int32_t kMost = 300;
  const bool is_gated = std::strcmp(mode, "gated") == 0;
  const bool is_fused = std::strcmp(mode, "fused") == 0;
  Weight w = bench.weight(type, n, k, 3);
  const Rows x = bench.rows(kMost, k, 11);
  const Rows start = bench.rows(kMost, n, 12);
  const int32_t out_width = is_gated ? n / 2 : n;
  auto* exact = bench.take<double>(static_cast<uint64_t>(kMost) * n);
  reference<<<cuda::ceil_div(kMost * n, 128), 128>>>(static_cast<const uint8_t*>(w.data), w.codebook, layout_of(type),
                                                     x, n, exact);
  MUST(cudaDeviceSynchronize());
  std::vector<double> expected(static_cast<size_t>(kMost) * n);
  std::vector<float> before(expected.size()), first;
  MUST(cudaMemcpy(expected.data(), exact, expected.size() * 8, cudaMemcpyDeviceToHost));
  MUST(cudaMemcpy(before.data(), start.data, before.size() * 4, cudaMemcpyDeviceToHost));
  const int32_t pitch = out_width + 5;
  auto* out_data = bench.take<float>(static_cast<uint64_t>(kMost + 2) * pitch);
  const bool has_wgmma = bench.device->has_wgmma && cuda::has_wgmma(type, k);
  const int32_t num_shapes = has_wgmma ? cuda::num_wgmma_shapes() : 2;
  double worst = 0;
  int32_t unequal = 0, guards = 0, runs = 0;
  for (const int32_t tokens : {300, 257, 200, 65, 64, 17, 16, 9}) {
    for (int32_t shape = 0; shape < num_shapes; ++shape) {
      if (has_wgmma && !shape_fits(type, shape, is_gated)) continue;
      std::vector<float> filled(static_cast<size_t>(kMost + 2) * pitch, 1e30f);
      if (is_fused) {
        for (int32_t t = 0; t < tokens; ++t) {
          for (int32_t i = 0; i < n; ++i)
            filled[static_cast<size_t>(t + 1) * pitch + i] = before[static_cast<size_t>(t) * n + i];
        }
      }
      MUST(cudaMemcpy(out_data, filled.data(), filled.size() * 4, cudaMemcpyHostToDevice));
      MUST(cudaDeviceSynchronize());  // it may return before the last of its bytes are there
      Rows some = x, out{out_data + pitch, tokens, out_width, pitch};
      some.num_rows = tokens;
      LinearFusion fusion;
      fusion.is_gated = is_gated;
      fusion.adds = is_fused;
      must(cuda::linear_prefill(bench.device, some, w, nullptr, is_gated ? Activation::silu : Activation::none, fusion,
                                out, shape),
           "linear_prefill");
      MUST(cudaStreamSynchronize(bench.device->stream));
      std::vector<float> got(filled.size());
      MUST(cudaMemcpy(got.data(), out_data, got.size() * 4, cudaMemcpyDeviceToHost));
      ++runs;
      double wrong = 0, size = 0;
      for (int32_t t = -1; t < kMost + 1; ++t) {
        for (int32_t i = 0; i < pitch; ++i) {
          const size_t at = static_cast<size_t>(t + 1) * pitch + static_cast<size_t>(i);
          if (t < 0 || t >= tokens || i >= out_width) {
            guards += got[at] != 1e30f;
            continue;
          }
          double value = expected[static_cast<size_t>(t) * n + i];
          if (is_gated) value = value / (1 + std::exp(-value)) * expected[static_cast<size_t>(t) * n + n / 2 + i];
          // The residual is as large as outliers are; errors are those of the product.
          const double added = is_fused ? before[static_cast<size_t>(t) * n + i] : 0.0;
          wrong += (got[at] - added - value) * (got[at] - added - value);
          size += value * value;
          if (first.size() == got.size()) unequal += std::memcmp(&first[at], &got[at], 4) != 0;
        }
      }
      worst = std::max(worst, std::isnan(wrong) ? 1e30 : std::sqrt(wrong / size));
      if (first.empty()) first = got;
    }
  }
  // The other kernel on the same GPU: not promised to be equal.
  int32_t apart = 0;
  if (has_wgmma) {
    bench.device->has_wgmma = false;
    Rows some = x, out{out_data + pitch, kMost, out_width, pitch};
    LinearFusion fusion;
    fusion.is_gated = is_gated;
    must(cuda::linear_prefill(bench.device, some, w, nullptr, is_gated ? Activation::silu : Activation::none, fusion,
                              out),
         "linear_prefill");
    MUST(cudaStreamSynchronize(bench.device->stream));
    bench.device->has_wgmma = true;
    std::vector<float> got(first.size());
    MUST(cudaMemcpy(got.data(), out_data, got.size() * 4, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < got.size(); ++i) apart += std::memcmp(&got[i], &first[i], 4) != 0;
  }
  const bool is_good = worst < 5e-4 && unequal == 0 && guards == 0;
  ++bench.num_checked;
  bench.num_failed += !is_good;
  std::printf("%s %-9s N=%d K=%d %s%s: %d runs, worst %.2e, %d unequal, %d guards, %d apart from mma\n",
              is_good ? "ok    " : "NOT OK", name_of(type), n, k, mode, has_wgmma ? "" : " (mma)", runs, worst, unequal,
              guards, apart);
  bench.release_all();
}

// Median microseconds of one of the calls that `run(i)` enqueues for i = 0 .. calls - 1, as a replayed graph.
double time_of(Bench& bench, int32_t calls, const std::function<void(int32_t)>& run) {
  cudaStream_t stream = bench.device->stream;
  cudaGraph_t graph;
  cudaGraphExec_t replay;
  run(0);
  MUST(cudaStreamSynchronize(stream));
  MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  for (int32_t i = 0; i < calls; ++i) run(i);
  MUST(cudaStreamEndCapture(stream, &graph));
  MUST(cudaGraphInstantiate(&replay, graph, 0));
  cudaEvent_t start, end;
  MUST(cudaEventCreate(&start));
  MUST(cudaEventCreate(&end));
  std::vector<double> times;
  for (int32_t round = 0; round < 6; ++round) {
    MUST(cudaEventRecord(start, stream));
    MUST(cudaGraphLaunch(replay, stream));
    MUST(cudaEventRecord(end, stream));
    MUST(cudaEventSynchronize(end));
    float milliseconds = 0;
    MUST(cudaEventElapsedTime(&milliseconds, start, end));
    if (round > 0) times.push_back(milliseconds * 1e3 / calls);
  }
  MUST(cudaEventDestroy(start));
  MUST(cudaEventDestroy(end));
  MUST(cudaGraphExecDestroy(replay));
  MUST(cudaGraphDestroy(graph));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

double total_us[16384 + 1];

void time_shape(Bench& bench, const char* name, Type type, int32_t n, int32_t k, bool is_gated, int32_t tokens,
                bool all) {
  const uint64_t size_bytes = bytes_of(type, n, k);
  const int32_t copies = static_cast<int32_t>(std::clamp<uint64_t>((uint64_t{192} << 20) / size_bytes, 2, 16));
  std::vector<Weight> weights;
  for (int32_t i = 0; i < copies; ++i) weights.push_back(bench.weight(type, n, k, static_cast<uint32_t>(i)));
  const Rows x = bench.rows(tokens, k, 1), out = bench.rows(tokens, is_gated ? n / 2 : n, 2);
  LinearFusion fusion;
  fusion.is_gated = is_gated;
  const auto run = [&](int32_t i, int32_t shape) {
    must(cuda::linear_prefill(bench.device, x, weights[static_cast<size_t>(i % copies)], nullptr,
                              is_gated ? Activation::silu : Activation::none, fusion, out, shape),
         "linear_prefill");
  };
  const int32_t calls = std::max(copies, 8);
  const double automatic = time_of(bench, calls, [&](int32_t i) { run(i, -1); });
  const double rounding = time_of(bench, 16, [&](int32_t) {
    cuda::RoundedRows rounded;
    must(cuda::round_rows(bench.device, x, fusion, true, &rounded), "round_rows");
  });
  const double flops = 2.0 * tokens * n * k;
  std::printf("%-9s %-8s T=%-5d %8.1f us (round %5.1f) %6.1f TF/s %5.0f GB/s |", name_of(type), name, tokens, automatic,
              rounding, flops / automatic / 1e6, static_cast<double>(size_bytes) / automatic / 1e3);
  total_us[tokens] += automatic;
  if (all) {
    const bool has_wgmma = bench.device->has_wgmma && cuda::has_wgmma(type, k);
    const int32_t num_shapes = has_wgmma ? cuda::num_wgmma_shapes() : 2;
    for (int32_t shape = 0; shape < num_shapes; ++shape) {
      if (has_wgmma && !shape_fits(type, shape, is_gated)) continue;
      if (has_wgmma && cuda::wgmma_shape(type, shape).tokens >= 8 * tokens) continue;
      if (has_wgmma && type != Type::f16 && cuda::wgmma_shape(type, shape).tokens * 20 < tokens) continue;
      const double us = time_of(bench, calls, [&](int32_t i) { run(i, shape); });
      std::printf(" %d:%.1f", shape, us);
    }
  }
  std::printf("\n");
  bench.release_all();
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  const std::string what = count > 1 ? arguments[1] : "check";
  Bench bench;
  must(quoth_open_cuda_device(&bench.device, &bench.ops, &bench.info), "open");
  must(bench.ops->reserve(bench.device, 16384, 14336), "reserve");
  std::printf("%s %s%s\n", bench.info.name, bench.info.instructions, bench.device->has_wgmma ? "" : ", no wgmma");
  if (what == "one" && count == 6) {
    const int32_t n = std::atoi(arguments[2]), k = std::atoi(arguments[3]), tokens = std::atoi(arguments[4]);
    const Weight w = bench.weight(Type::int4_g128, n, k, 1);
    const Rows x = bench.rows(tokens, k, 2), out = bench.rows(tokens, n, 3);
    for (int32_t i = 0; i < 4; ++i) {
      must(cuda::linear_prefill(bench.device, x, w, nullptr, Activation::none, LinearFusion{}, out,
                                std::atoi(arguments[5])),
           "linear_prefill");
    }
    MUST(cudaStreamSynchronize(bench.device->stream));
  }
  if (what == "check") {
    for (const Type type : {Type::int4_g128, Type::int4_g32, Type::q8, Type::q4, Type::f16, Type::f8}) {
      check(bench, type, 272, 640, "plain");
      check(bench, type, 272, 128, "plain");
      check(bench, type, 1000, 384, "plain");
      check(bench, type, 544, 256, "gated");
      check(bench, type, 272, 512, "fused");
      if (type != Type::int4_g128) check(bench, type, 72, 160, "plain");
    }
    check(bench, Type::int4_g128, 272, 14336, "plain");
    check(bench, Type::f16, 100, 200, "plain");
    std::printf("# %d checked, %d failed\n", bench.num_checked, bench.num_failed);
  }
  if (what == "time") {
    const bool all = count > 2;
    for (int32_t index = 0; index < cuda::num_wgmma_shapes(); ++index) {
      const cuda::PrefillShape s = cuda::wgmma_shape(Type::int4_g128, index);
      std::printf("%s%d: %dx%dx64x%d/%d", index == 0 ? "shapes " : "; ", index, s.groups, s.tiles, s.tokens, s.wide);
    }
    std::printf("\n");
    for (const int32_t tokens : {16, 64, 128, 256, 384, 512, 1024, 2048}) {
      time_shape(bench, "qkv", Type::int4_g128, 6144, 4096, false, tokens, all);
      time_shape(bench, "o", Type::int4_g128, 4096, 4096, false, tokens, all);
      time_shape(bench, "gate+up", Type::int4_g128, 28672, 4096, true, tokens, all);
      time_shape(bench, "down", Type::int4_g128, 4096, 14336, false, tokens, all);
      std::printf("== T=%d: a layer %.1f us, 32 layers %.2f ms, %.1f TFLOP/s\n", tokens, total_us[tokens],
                  total_us[tokens] * 32e-3, 2.0 * tokens * 218103808 / total_us[tokens] / 1e6);
    }
    time_shape(bench, "gate+up", Type::int4_g32, 28672, 4096, true, 2048, all);
    time_shape(bench, "gate+up", Type::q4, 28672, 4096, true, 2048, all);
    time_shape(bench, "gate+up", Type::q8, 28672, 4096, true, 2048, all);
    time_shape(bench, "gate+up", Type::f8, 28672, 4096, true, 2048, all);
    time_shape(bench, "head", Type::f16, 32000, 4096, false, 64, all);
    time_shape(bench, "mini qkv", Type::f16, 1152, 384, false, 16384, all);
    time_shape(bench, "mini o", Type::f16, 384, 384, false, 16384, all);
    time_shape(bench, "mini up", Type::f16, 1536, 384, false, 16384, all);
    time_shape(bench, "mini dn", Type::f16, 384, 1536, false, 16384, all);
  }
  return bench.num_failed == 0 ? 0 : 1;
}
