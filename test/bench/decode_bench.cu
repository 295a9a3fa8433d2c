// The linear layers of one decode step, as a chain in a CUDA graph: each waits for the one before, attention is a stub
// that copies. Checks every row of every shape against float64 first. Links the device's sources itself, so that it can
// vary what the library chooses:
//
//   nvcc -std=c++20 -O3 -fmad=false -gencode arch=compute_90a,code=sm_90a -I. -o decode_bench \
//     test/bench/decode_bench.cu kernels/cuda/*.cu
//   decode_bench check | mistral [T...] | llama13 [T...] | read
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/linear_decode.h"
#include "test/bench/decode_reference.h"

extern "C" quoth::Status quoth_open_cuda_device(quoth::Device**, const quoth::Ops**, quoth::DeviceInfo*);

namespace {

using namespace quoth;
using cuda::DecodeChoice;

void must(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::printf("%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}
void must(const Status& status) {
  if (status.ok()) return;
  std::printf("failed: %s\n", status.message);
  std::exit(1);
}

Device* device = nullptr;
const Ops* ops = nullptr;

template <typename T>
T* memory(uint64_t count) {
  void* made = nullptr;
  must(ops->allocate(device, count * sizeof(T), &made));
  return static_cast<T*>(made);
}
template <typename T>
std::vector<T> downloaded(const T* from, uint64_t count) {
  std::vector<T> host(count);
  must(ops->download(device, host.data(), from, count * sizeof(T)));
  return host;
}
void wait() {
  must(cudaDeviceSynchronize(), "synchronize");
}

uint64_t bytes_of(const Weight& w) {
  const uint64_t n = static_cast<uint64_t>(w.num_rows), k = static_cast<uint64_t>(w.num_columns);
  if (w.type == Type::f16) return 2 * n * k;
  if (w.type == Type::f8) return (n * k + 63) / 64 * 64 + 4 * n;
  return (n + 15) / 16 * (k / static_cast<uint64_t>(record_columns(w.type))) *
         static_cast<uint64_t>(record_bytes(w.type));
}
Weight random_weight(Type type, int32_t rows, int32_t columns, uint32_t seed) {
  Weight w{type, rows, columns, nullptr, nullptr};
  const uint64_t size = bytes_of(w);
  auto* data = memory<uint8_t>(size);
  fill_bytes<<<1024, 256>>>(reinterpret_cast<uint32_t*>(data), size / 4, seed);
  if (type == Type::f16) {
    fill_halves<<<1024, 256>>>(reinterpret_cast<__half*>(data), size / 2, 0.03f, seed);
  } else if (type == Type::f8) {
    // No byte that is no number: the three highest exponents never come.
    wait();
    std::vector<uint8_t> host = downloaded(data, size);
    for (uint8_t& byte : host) byte &= 0xbf;
    for (int32_t n = 0; n < rows; ++n) {
      const float scale = 0.01f + 0.001f * static_cast<float>(n % 7);
      std::memcpy(host.data() + f8_scales_offset(rows, columns) + 4 * n, &scale, 4);
    }
    must(ops->upload(device, data, host.data(), size));
  } else {
    const int32_t bytes = record_bytes(type);
    const int32_t weight_bytes = type == Type::q8 ? 512 : record_columns(type) * 8;
    fill_scales<<<1024, 256>>>(data, size / static_cast<uint64_t>(bytes), bytes, weight_bytes, seed);
  }
  if (type == Type::q4) {
    const int8_t book[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    auto* on_gpu = memory<int8_t>(16);
    must(ops->upload(device, on_gpu, book, 16));
    w.codebook = on_gpu;
  }
  wait();
  w.data = data;
  return w;
}
void release(const Weight& w) {
  ops->release(device, const_cast<void*>(w.data));
}

struct Case {
  Type type;
  int32_t rows, columns, tokens;
  int kind;   // 0 plain, 1 rms, 2 layer, 3 gated with rms, 4 adds
  int shape;  // 0 zero-mean, 1 biased, 2 outliers
};

const char* kTypes[] = {"f32", "f16", "q8", "q4", "int4_g32", "int4_g128", "f8"};

// Relative L2 error over all outputs; and the same bits for token 0 alone.
bool check(const Case& c, const DecodeChoice& choice) {
  const Weight w = random_weight(c.type, c.rows, c.columns, static_cast<uint32_t>(c.rows * 31 + c.columns));
  const bool gated = c.kind == 3;
  const int32_t width = gated ? c.rows / 2 : c.rows;
  const int32_t stride = c.columns + (c.shape == 1 ? 5 : 0), out_stride = width + 3;
  auto* x = memory<float>(8ull * stride);
  auto* norm = memory<float>(2ull * c.columns);
  auto* out = memory<float>(8ull * out_stride + 64);
  auto* alone = memory<float>(8ull * out_stride + 64);
  fill_floats<<<64, 256>>>(x, 8ull * stride, c.shape == 1 ? 3.0f : 0.0f, 1.7f, c.shape == 2, 77);
  fill_floats<<<64, 256>>>(norm, 2ull * c.columns, 1.0f, 0.5f, false, 99);
  for (float* o : {out, alone}) fill_floats<<<64, 256>>>(o, 8ull * out_stride + 64, 0, 1, false, 5);
  wait();
  LinearFusion fusion;
  fusion.epsilon = 1e-5f;
  fusion.norm = c.kind == 1 || c.kind == 3 ? LinearFusion::Norm::rms
                : c.kind == 2              ? LinearFusion::Norm::layer
                                           : LinearFusion::Norm::none;
  fusion.norm_weight = norm;
  fusion.norm_bias = norm + c.columns;
  fusion.is_gated = gated;
  fusion.adds = c.kind == 4;
  const Activation activation = gated ? Activation::silu : Activation::none;
  const std::vector<float> before = downloaded(out, 8ull * out_stride + 64), host_x = downloaded(x, 8ull * stride);
  const std::vector<float> host_norm = downloaded(norm, 2ull * c.columns);
  const Rows rows{x, c.tokens, c.columns, stride};
  must(cuda::linear_decode(device, rows, &w, nullptr, activation, fusion, {out, c.tokens, width, out_stride}, choice));
  const int32_t last = c.tokens - 1;
  must(cuda::linear_decode(device, {x + static_cast<int64_t>(last) * stride, 1, c.columns, stride}, &w, nullptr,
                           activation, fusion, {alone + static_cast<int64_t>(last) * out_stride, 1, width, out_stride},
                           choice));
  must(ops->synchronize(device));

  std::vector<double> exact_x(static_cast<size_t>(c.tokens) * c.columns);
  for (int32_t t = 0; t < c.tokens; ++t) {
    double sum = 0, squares = 0, mean = 0;
    for (int32_t k = 0; k < c.columns; ++k) sum += host_x[static_cast<size_t>(t) * stride + k];
    if (c.kind == 2) mean = sum / c.columns;
    for (int32_t k = 0; k < c.columns; ++k) {
      const double d = host_x[static_cast<size_t>(t) * stride + k] - mean;
      squares += d * d;
    }
    const double factor = 1 / std::sqrt(squares / c.columns + 1e-5);
    for (int32_t k = 0; k < c.columns; ++k) {
      double value = host_x[static_cast<size_t>(t) * stride + k];
      if (fusion.norm != LinearFusion::Norm::none) value = (value - mean) * factor * host_norm[k];
      if (c.kind == 2) value += host_norm[c.columns + k];
      exact_x[static_cast<size_t>(t) * c.columns + k] = value;
    }
  }
  auto* gpu_x = memory<double>(exact_x.size());
  auto* gpu_out = memory<double>(static_cast<uint64_t>(c.tokens) * c.rows);
  must(ops->upload(device, gpu_x, exact_x.data(), exact_x.size() * 8));
  exact_linear<<<(c.rows + 7) / 8, 256>>>(w, gpu_x, c.tokens, gpu_out);
  wait();
  const std::vector<double> exact = downloaded(gpu_out, static_cast<uint64_t>(c.tokens) * c.rows);
  const std::vector<float> got = downloaded(out, 8ull * out_stride + 64),
                           one = downloaded(alone, 8ull * out_stride + 64);
  double error = 0, size = 0, worst = 0;
  int64_t changed = 0, differ = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const int32_t t = static_cast<int32_t>(i / out_stride), n = static_cast<int32_t>(i % out_stride);
    if (t >= c.tokens || n >= width) {
      changed += std::memcmp(&got[i], &before[i], 4) != 0;
      continue;
    }
    double expected = exact[static_cast<size_t>(t) * c.rows + n];
    if (gated) expected = expected / (1 + std::exp(-expected)) * exact[static_cast<size_t>(t) * c.rows + width + n];
    if (fusion.adds) expected += before[i];
    const double distance = got[i] - expected;
    error += distance * distance;
    size += expected * expected;
    worst = std::isnan(distance) ? 1e30 : std::max(worst, std::abs(distance));
    if (t == last) differ += std::memcmp(&got[i], &one[i], 4) != 0;
  }
  const double relative = std::sqrt(error / size);
  const bool passes = relative < 5e-4 && changed == 0 && differ == 0;
  std::printf("%s %-9s [T=%d N=%d K=%d] %s %s: rel %.2e worst %.2e rms %.2e%s%s\n", passes ? "ok    " : "not ok",
              kTypes[static_cast<int>(c.type)], c.tokens, c.rows, c.columns,
              c.kind == 0   ? "plain"
              : c.kind == 1 ? "rms"
              : c.kind == 2 ? "layer"
              : c.kind == 3 ? "gated"
                            : "adds",
              c.shape == 0   ? "normal"
              : c.shape == 1 ? "biased"
                             : "outliers",
              relative, worst, std::sqrt(size / c.tokens / width), changed ? ", writes outside" : "",
              differ ? ", other bits alone" : "");
  release(w);
  for (void* m : {static_cast<void*>(x), static_cast<void*>(norm), static_cast<void*>(out), static_cast<void*>(alone),
                  static_cast<void*>(gpu_x), static_cast<void*>(gpu_out)})
    ops->release(device, m);
  return passes;
}

int check_all() {
  int failed = 0;
  const DecodeChoice plain;
  for (const Type type : {Type::int4_g128, Type::int4_g32, Type::q8, Type::q4, Type::f16, Type::f8}) {
    const int32_t odd = type == Type::int4_g128 ? 384 : 544;
    for (const Case& c :
         {Case{type, 272, odd, 1, 0, 0}, Case{type, 272, odd, 8, 1, 1}, Case{type, 37, 128, 5, 4, 2},
          Case{type, 4096, 4096, 1, 1, 1}, Case{type, 4096, 14336, 1, 4, 2}, Case{type, 512, 14336, 8, 4, 1},
          Case{type, 8192, 4096, 3, 3, 2}, Case{type, 1000, 5120, 2, 2, 1}}) {
      failed += !check(c, plain);
    }
  }
  for (int32_t t = 1; t <= 8; ++t) failed += !check({Type::int4_g128, 6144, 4096, t, 1, t % 3}, plain);
  for (int32_t t = 1; t <= 8; ++t) failed += !check({Type::int4_g128, 5120, 13824, t, 4, t % 3}, plain);
  DecodeChoice late;
  late.ahead = 1;
  late.stages = 2;
  failed += !check({Type::int4_g128, 28672, 4096, 1, 3, 0}, late);
  failed += !check({Type::f16, 32000, 4096, 1, 1, 0}, late);
  std::printf("%d cases failed\n", failed);
  return failed;
}

// Stands for attention: reads q, k and v of each row, writes [T, heads x 128]. Follows the rule of overlapped launches.
__global__ void __launch_bounds__(256) attention_stub(Rows qkv, Rows out) {
  cuda::let_next_start();
  cuda::wait_for_previous();
  for (int32_t t = 0; t < out.num_rows; ++t) {
    for (int32_t i = blockIdx.x * 256 + threadIdx.x; i < out.width; i += gridDim.x * 256) {
      const float* row = cuda::row_of(qkv, t);
      cuda::row_of(out, t)[i] = 0.99f * row[i] + 1e-3f * row[qkv.width - 1 - i % (qkv.width - out.width)];
    }
  }
}
__global__ void start_rows(Rows h) {
  cuda::wait_for_previous();
  for (int32_t t = 0; t < h.num_rows; ++t) {
    for (int32_t i = threadIdx.x; i < h.width; i += blockDim.x)
      cuda::row_of(h, t)[i] = unit(static_cast<uint32_t>(t * 8192 + i)) - 0.5f;
  }
}

struct Model {
  const char* name;
  int32_t layers, hidden, inner, qkv, vocabulary;
};

struct Chain {
  Model model;
  std::vector<Weight> weights;  // 4 a layer
  Weight head;
  float* norm;
  uint64_t bytes = 0;

  explicit Chain(const Model& m) : model(m) {
    const auto add = [&](int32_t n, int32_t k) {
      weights.push_back(random_weight(Type::int4_g128, n, k, static_cast<uint32_t>(weights.size() + 1) * 7919));
      bytes += bytes_of(weights.back());
    };
    for (int32_t l = 0; l < m.layers; ++l) {
      add(m.qkv, m.hidden), add(m.hidden, m.hidden), add(2 * m.inner, m.hidden), add(m.hidden, m.inner);
    }
    head = random_weight(Type::f16, m.vocabulary, m.hidden, 3);
    bytes += bytes_of(head);
    norm = memory<float>(static_cast<uint64_t>(m.hidden));
    fill_floats<<<64, 256>>>(norm, static_cast<uint64_t>(m.hidden), 1, 0.5f, false, 9);
    wait();
  }

  // Milliseconds of one pass. which: -1 the chain; 0..3 that linear of every layer alone; 4 the head.
  double time(int32_t tokens, const DecodeChoice& choice, int which) {
    const auto rows = [&](int32_t width) {
      auto* data = memory<float>(8ull * static_cast<uint64_t>(width));
      fill_floats<<<64, 256>>>(data, 8ull * static_cast<uint64_t>(width), 0, 1, false, 4);
      return Rows{data, tokens, width, width};
    };
    const Rows h = rows(model.hidden), qkv = rows(model.qkv), attended = rows(model.hidden), inner = rows(model.inner),
               logits = rows(model.vocabulary);
    wait();
    LinearFusion normed, gated, adds;
    normed.norm = LinearFusion::Norm::rms;
    normed.norm_weight = norm;
    normed.epsilon = 1e-5f;
    gated = normed;
    gated.is_gated = true;
    adds.adds = true;
    const auto pass = [&] {
      start_rows<<<1, 1024, 0, device->stream>>>(h);
      for (int32_t l = 0; l < model.layers; ++l) {
        const Weight* w = weights.data() + 4 * l;
        if (which < 0 || which == 0)
          must(cuda::linear_decode(device, h, w, nullptr, Activation::none, normed, qkv, choice));
        if (which < 0) must(cuda::launch_overlapped(device, attention_stub, dim3(16), dim3(256), 0, qkv, attended));
        if (which < 0 || which == 1)
          must(cuda::linear_decode(device, attended, w + 1, nullptr, Activation::none, adds, h, choice));
        if (which < 0 || which == 2)
          must(cuda::linear_decode(device, h, w + 2, nullptr, Activation::silu, gated, inner, choice));
        if (which < 0 || which == 3)
          must(cuda::linear_decode(device, inner, w + 3, nullptr, Activation::none, adds, h, choice));
      }
      if (which < 0) must(cuda::linear_decode(device, h, &head, nullptr, Activation::none, normed, logits, choice));
      for (int i = 0; i < 8 && which == 4; ++i)
        must(cuda::linear_decode(device, h, &head, nullptr, Activation::none, normed, logits, choice));
    };
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    pass();
    must(ops->synchronize(device));
    must(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal), "capture");
    pass();
    must(cudaStreamEndCapture(device->stream, &graph), "end of capture");
    must(cudaGraphInstantiate(&exec, graph, 0), "instantiate");
    cudaEvent_t start, end;
    must(cudaEventCreate(&start), "event");
    must(cudaEventCreate(&end), "event");
    for (int i = 0; i < 3; ++i) must(cudaGraphLaunch(exec, device->stream), "replay");
    std::vector<float> times;
    for (int i = 0; i < 15; ++i) {
      float ms = 0;
      cudaEventRecord(start, device->stream);
      must(cudaGraphLaunch(exec, device->stream), "replay");
      cudaEventRecord(end, device->stream);
      must(cudaEventSynchronize(end), "wait");
      cudaEventElapsedTime(&ms, start, end);
      times.push_back(ms);
    }
    std::sort(times.begin(), times.end());
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    cudaEventDestroy(start), cudaEventDestroy(end);
    for (const Rows& r : {h, qkv, attended, inner, logits}) ops->release(device, r.data);
    return times[times.size() / 2];
  }
};

__global__ void __launch_bounds__(512) read_plain(const uint4* data, uint64_t count, uint32_t* out) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  uint32_t all = 0;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i + 7 * step < count; i += 8 * step) {
    uint4 words[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) words[j] = __ldcs(data + i + static_cast<uint64_t>(j) * step);
#pragma unroll
    for (int j = 0; j < 8; ++j) all ^= words[j].x ^ words[j].y ^ words[j].z ^ words[j].w;
  }
  if (all == 0x12345678u) *out = all;
}
// `warps` rings of `stages` copies of `size` bytes, as the linears have them, and nothing done with what comes.
__global__ void read_bulk(const uint8_t* data, uint64_t bytes, uint32_t size, int32_t stages) {
  extern __shared__ __align__(128) uint8_t shared[];
  __shared__ uint64_t words[128];
  const int32_t warp = threadIdx.x / 32, warps = blockDim.x / 32;
  if (threadIdx.x % 32 != 0) return;
  const uint32_t barriers = cuda::shared_address(words + warp * stages);
  const uint32_t slots = cuda::shared_address(shared) + static_cast<uint32_t>(warp * stages) * size;
  for (int32_t i = 0; i < stages; ++i) cuda::init_barrier(barriers + 8 * i, 1);
  cuda::publish_barriers();
  const uint64_t policy = cuda::read_once_policy();
  const uint64_t count = bytes / size, step = static_cast<uint64_t>(gridDim.x) * warps;
  uint64_t next = static_cast<uint64_t>(blockIdx.x) * warps + warp, used = next;
  for (int32_t i = 0; i < stages && next < count; ++i, next += step)
    cuda::expect_bytes(barriers + 8 * i, size),
        cuda::copy_bulk(slots + i * size, data + next * size, size, barriers + 8 * i, policy);
  for (int32_t slot = 0, parity = 0; used < count; used += step) {
    cuda::wait_barrier(barriers + 8 * slot, parity);
    if (next < count) {
      cuda::expect_bytes(barriers + 8 * slot, size);
      cuda::copy_bulk(slots + slot * size, data + next * size, size, barriers + 8 * slot, policy);
      next += step;
    }
    if (++slot == stages) slot = 0, parity ^= 1;
  }
}

double bandwidth_plain = 0, bandwidth_bulk = 0;  // TB/s
void measure_read(bool prints) {
  constexpr uint64_t kBytes = uint64_t{4} << 30;
  auto* data = memory<uint8_t>(kBytes);
  fill_bytes<<<1024, 256>>>(reinterpret_cast<uint32_t*>(data), kBytes / 4, 1);
  cudaEvent_t start, end;
  cudaEventCreate(&start), cudaEventCreate(&end);
  const auto time = [&](const char* name, auto run) {
    float best = 1e9f;
    for (int i = 0; i < 4; ++i) {
      float ms = 0;
      cudaEventRecord(start);
      run();
      cudaEventRecord(end);
      must(cudaEventSynchronize(end), name);
      cudaEventElapsedTime(&ms, start, end);
      best = std::min(best, ms);
    }
    const double rate = static_cast<double>(kBytes) / best / 1e9;
    if (prints) std::printf("read %-34s %.3f TB/s\n", name, rate);
    return rate;
  };
  for (const int blocks : {4, 8}) {
    bandwidth_plain = std::max(bandwidth_plain, time("16 bytes a thread", [&] {
                                 read_plain<<<device->num_multiprocessors * blocks, 512>>>(
                                     reinterpret_cast<uint4*>(data), kBytes / 16, reinterpret_cast<uint32_t*>(data));
                               }));
  }
  for (const auto& [warps, size, stages] :
       {std::array<int, 3>{8, 2176, 5}, {8, 2176, 3}, {8, 4352, 3}, {8, 1088, 8}, {1, 34816, 3}, {8, 2048, 5}}) {
    const int bytes = warps * size * stages;
    must(cudaFuncSetAttribute(read_bulk, cudaFuncAttributeMaxDynamicSharedMemorySize, 200 * 1024), "attribute");
    const std::string name =
        std::to_string(warps) + " warps, " + std::to_string(stages) + " copies of " + std::to_string(size);
    bandwidth_bulk = std::max(bandwidth_bulk, time(name.c_str(), [&] {
                                read_bulk<<<device->num_multiprocessors, warps * 32, bytes>>>(
                                    data, kBytes, static_cast<uint32_t>(size), stages);
                              }));
  }
  ops->release(device, data);
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string what = count > 1 ? arguments[1] : "mistral";
  DeviceInfo info{};
  must(quoth_open_cuda_device(&device, &ops, &info));
  must(ops->reserve(device, 8, 14336));
  if (what == "check") return check_all() == 0 ? 0 : 1;
  measure_read(what == "read");
  if (what == "read") return 0;
  const Model model = what == "llama13" ? Model{"Llama-2-13B", 40, 5120, 13824, 15360, 32000}
                                        : Model{"Mistral-7B", 32, 4096, 14336, 6144, 32000};
  std::printf("%s; %s int4_g128, head f16; read %.2f TB/s by threads, %.2f by bulk copies\n", info.name, model.name,
              bandwidth_plain, bandwidth_bulk);
  Chain chain(model);
  const auto report = [&](const char* name, double ms, double bytes, int tokens) {
    std::printf("%-44s %7.3f ms %6.3f TB/s %5.1f %% of 4.3 %8.0f tok/s\n", name, ms, bytes / ms / 1e9,
                100 * bytes / ms / 1e9 / 4.3, 1e3 * tokens / ms);
  };
  std::vector<int> tokens;
  for (int i = 2; i < count; ++i) tokens.push_back(std::atoi(arguments[i]));
  if (tokens.empty()) tokens = {1, 8};
  if (what == "once") {  // for a profiler
    chain.time(tokens[0], {}, -1);
    return 0;
  }
  for (const int t : tokens) {
    for (const int ahead : {0, 2, 3}) {
      DecodeChoice choice;
      choice.ahead = ahead;
      char name[80];
      std::snprintf(name, sizeof name, "T=%d, %s slots under way", t,
                    ahead == 0 ? "chosen" : std::to_string(ahead).c_str());
      report(name, chain.time(t, choice, -1), static_cast<double>(chain.bytes), t);
    }
    const char* kNames[] = {"qkv", "o", "gate up", "down", "head"};
    for (int which = 0; which < 5; ++which) {
      double bytes = 8.0 * static_cast<double>(bytes_of(chain.head));
      if (which < 4) bytes = static_cast<double>(bytes_of(chain.weights[static_cast<size_t>(which)])) * model.layers;
      report(("  " + std::string(kNames[which]) + " alone, T=" + std::to_string(t)).c_str(), chain.time(t, {}, which),
             bytes, t);
    }
  }
  return 0;
}
