// The linears of a decode step as one stretch (kernels/cuda/stretch.h), beside the same as kernels of their own: the
// same bits, and how long each takes. Attention is left out: o reads the first columns of qkv.
//
//   nvcc -std=c++20 -O3 -fmad=false -gencode arch=compute_90a,code=sm_90a -DQUOTH_STRETCH_PROBE -I. -o stretch_bench \
//     test/bench/stretch_bench.cu kernels/cuda/*.cu
//   stretch_bench [mistral|llama13]
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/cuda/linear_decode.h"
#include "kernels/cuda/stretch.h"
#include "test/bench/decode_reference.h"

extern "C" quoth::Status quoth_open_cuda_device(quoth::Device**, const quoth::Ops**, quoth::DeviceInfo*);
namespace quoth::cuda {
int32_t probe_ahead = 0, probe_mode = 0;
int64_t* probe_times = nullptr;
}  // namespace quoth::cuda

namespace {
using namespace quoth;

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
// Cycles and nanoseconds, of each multiprocessor.
__global__ void stamp_kernel(int64_t* stamps) {
  uint32_t at;
  int64_t ns;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(at));
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
  stamps[2 * at] = clock64();
  stamps[2 * at + 1] = ns;
}
__global__ void count_up(uint32_t* step) {
  ++*step;
}
struct Model {
  int32_t layers, hidden, inner, qkv;
};
struct Chain {
  Model m;
  std::vector<Weight> weights;
  float* norm;
  uint64_t bytes = 0;
  Rows h, qkv, inner, attended;
  int32_t kv_heads;
  bool has_attention = false;
  std::vector<KvPages> pages;
  cuda::DeviceBatch staged{};
  Rope rope{};

  Rows rows(int32_t width) {
    auto* data = memory<float>(8ull * static_cast<uint64_t>(width));
    return {data, 1, width, width};
  }
  explicit Chain(const Model& model) : m(model) {
    const auto add = [&](int32_t n, int32_t k) {
      const uint64_t size = static_cast<uint64_t>(n / 16) * (k / 128) * 1088;
      auto* data = memory<uint8_t>(size);
      const auto seed = static_cast<uint32_t>(weights.size() + 1) * 7919;
      fill_bytes<<<1024, 256>>>(reinterpret_cast<uint32_t*>(data), size / 4, seed);
      fill_scales<<<1024, 256>>>(data, size / 1088, 1088, 1024, seed);
      weights.push_back({Type::int4_g128, n, k, data, nullptr});
      bytes += size;
    };
    for (int32_t l = 0; l < m.layers; ++l)
      add(m.qkv, m.hidden), add(m.hidden, m.hidden), add(2 * m.inner, m.hidden), add(m.hidden, m.inner);
    norm = memory<float>(static_cast<uint64_t>(m.hidden));
    fill_floats<<<64, 256>>>(norm, static_cast<uint64_t>(m.hidden), 1, 0.5f, false, 9);
    h = rows(m.hidden), qkv = rows(m.qkv), inner = rows(m.inner), attended = rows(m.hidden);
    kv_heads = (m.qkv - m.hidden) / 256;
    const uint64_t page_floats = 64ull * static_cast<uint64_t>(kv_heads) * 64 * 64;
    for (int32_t l = 0; l < m.layers; ++l) {
      auto *keys = memory<float>(page_floats), *values = memory<float>(page_floats);
      fill_halves<<<1024, 256>>>(reinterpret_cast<__half*>(keys), 2 * page_floats, 0.5f, 3);
      fill_halves<<<1024, 256>>>(reinterpret_cast<__half*>(values), 2 * page_floats, 0.5f, 5);
      pages.push_back({Type::f16, keys, values, kv_heads, 128});
    }
    std::vector<int32_t> numbers(8 + 8 * 64);
    for (int32_t i = 0; i < 8; ++i) numbers[static_cast<size_t>(i)] = 2000;
    for (int32_t i = 0; i < 8 * 64; ++i) numbers[static_cast<size_t>(8 + i)] = i % 64;
    auto* on_gpu = memory<int32_t>(numbers.size());
    must(ops->upload(device, on_gpu, numbers.data(), numbers.size() * 4));
    staged.positions = on_gpu, staged.page_table = on_gpu + 8;
    std::vector<float> inverse(64);
    for (int32_t i = 0; i < 64; ++i)
      inverse[static_cast<size_t>(i)] = std::pow(10000.0f, static_cast<float>(-i) / 64.0f);
    auto* frequencies = memory<float>(64);
    must(ops->upload(device, frequencies, inverse.data(), 256));
    rope = {frequencies, 128, false, 1};
    must(cudaDeviceSynchronize(), "fill");
  }
  void start(int32_t tokens) {
    fill_floats<<<64, 256, 0, device->stream>>>(h.data, static_cast<uint64_t>(tokens) * m.hidden, 0.1f, 1, false, 4);
  }
  void pass(int32_t tokens, bool stretched) {
    LinearFusion normed, gated, adds;
    normed.norm = LinearFusion::Norm::rms;
    normed.norm_weight = norm;
    normed.epsilon = 1e-5f;
    gated = normed;
    gated.is_gated = true;
    adds.adds = true;
    const auto go = [&](Rows x, const Weight& w, Activation activation, const LinearFusion& fusion, Rows out) {
      x.num_rows = out.num_rows = tokens;
      if (!stretched) return must(cuda::linear_decode(device, x, &w, nullptr, activation, fusion, out));
      if (cuda::join_stretch(device, x, w, nullptr, activation, fusion, out)) return;
      must(cuda::end_stretch(device));
      if (!cuda::join_stretch(device, x, w, nullptr, activation, fusion, out)) {
        std::printf("not taken\n");
        std::exit(1);
      }
    };
    if (stretched) {
      const cuda::StretchStart start = cuda::begin_stretches(device, tokens);
      must(cudaMemsetAsync(start.exchange, 0, 16ull * static_cast<uint64_t>(start.count), device->stream), "clear");
      count_up<<<1, 1, 0, device->stream>>>(start.step);
    }
    for (int32_t l = 0; l < m.layers; ++l) {
      const Weight* w = weights.data() + 4 * l;
      go(h, w[0], Activation::none, normed, qkv);
      Rows from = qkv;
      from.width = m.hidden;
      if (has_attention) {
        Rows in = qkv;
        from = attended;
        in.num_rows = from.num_rows = tokens;
        Attention shape{};
        shape.num_heads = m.hidden / 128, shape.num_kv_heads = kv_heads, shape.head_size = 128, shape.scale = 0.088f;
        if (!cuda::join_stretch(device, in, shape, rope, staged, 64, 32, pages[static_cast<size_t>(l)], from)) {
          std::printf("attention not taken\n");
          std::exit(1);
        }
      }
      go(from, w[1], Activation::none, adds, h);
      go(h, w[2], Activation::silu, gated, inner);
      go(inner, w[3], Activation::none, adds, h);
    }
    if (stretched) must(cuda::end_stretch(device));
  }
  std::vector<float> got(const Rows& r, int32_t tokens) {
    std::vector<float> host(static_cast<size_t>(tokens) * r.width);
    must(ops->download(device, host.data(), r.data, host.size() * 4));
    return host;
  }
  double time(int32_t tokens, bool stretched, bool for_long = false) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    pass(tokens, stretched);
    must(ops->synchronize(device));
    must(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal), "capture");
    pass(tokens, stretched);
    must(cudaStreamEndCapture(device->stream, &graph), "end of capture");
    must(cudaGraphInstantiate(&exec, graph, 0), "instantiate");
    cudaEvent_t start, end;
    must(cudaEventCreate(&start), "event");
    must(cudaEventCreate(&end), "event");
    for (int i = 0; i < 3; ++i) must(cudaGraphLaunch(exec, device->stream), "replay");
    std::vector<float> times;
    for (int i = 0; i < 11; ++i) {
      float ms = 0;
      cudaEventRecord(start, device->stream);
      must(cudaGraphLaunch(exec, device->stream), "replay");
      cudaEventRecord(end, device->stream);
      must(cudaEventSynchronize(end), "wait");
      cudaEventElapsedTime(&ms, start, end);
      times.push_back(ms);
    }
    std::sort(times.begin(), times.end());
    if (for_long) {  // as long as an answer takes: do the clocks stay?
      auto* stamps = memory<int64_t>(2 * 1024);
      std::vector<int64_t> host[2] = {std::vector<int64_t>(2 * 1024), std::vector<int64_t>(2 * 1024)};
      for (int part = 0; part < 2; ++part) {
        cudaEventRecord(start, device->stream);
        stamp_kernel<<<1024, 32, 0, device->stream>>>(stamps);
        must(cudaStreamSynchronize(device->stream), "wait");
        must(ops->download(device, host[0].data(), stamps, host[0].size() * 8));
        cudaEventRecord(start, device->stream);
        for (int i = 0; i < 100; ++i) must(cudaGraphLaunch(exec, device->stream), "replay");
        cudaEventRecord(end, device->stream);
        stamp_kernel<<<1024, 32, 0, device->stream>>>(stamps);
        must(cudaEventSynchronize(end), "wait");
        must(ops->download(device, host[1].data(), stamps, host[1].size() * 8));
        float ms = 0;
        cudaEventElapsedTime(&ms, start, end);
        std::printf("  a hundred in turn: %.4f ms each, %.3f GHz\n", static_cast<double>(ms) / 100,
                    static_cast<double>(host[1][0] - host[0][0]) / static_cast<double>(host[1][1] - host[0][1]));
      }
    }
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    return times[times.size() / 2];
  }
  bool check(int32_t tokens) {
    std::vector<float> results[2][3];
    for (int32_t s = 0; s < 2; ++s) {
      start(tokens);
      pass(tokens, s == 1);
      must(ops->synchronize(device));
      results[s][0] = got(qkv, tokens), results[s][1] = got(inner, tokens), results[s][2] = got(h, tokens);
    }
    bool same = true;
    for (int32_t i = 0; i < 3; ++i) {
      size_t differ = 0, bad = 0;
      for (size_t k = 0; k < results[0][i].size(); ++k) {
        differ += std::memcmp(&results[0][i][k], &results[1][i][k], 4) != 0;
        bad += !(std::abs(results[0][i][k]) < 1e30f);
      }
      std::printf("T=%d result %d: %zu of %zu differ, %zu not finite, e.g. %g %g\n", tokens, i, differ,
                  results[0][i].size(), bad, results[0][i][5], results[1][i][5]);
      same = same && differ == 0;
    }
    std::fflush(stdout);
    return same;
  }
};
}  // namespace

int main(int argc, char** argv) {
  DeviceInfo info;
  must(quoth_open_cuda_device(&device, &ops, &info));
  const bool is_13 = argc > 1 && std::string(argv[1]) == "llama13";
  const Model model = is_13 ? Model{40, 5120, 13824, 15360} : Model{32, 4096, 14336, 6144};
  must(ops->reserve(device, 64, 2 * model.inner));
  if (device->stretch == nullptr) return std::printf("no stretches\n"), 1;
  Chain chain(model);
  std::printf("%s %.3f GB\n", is_13 ? "llama13" : "mistral", static_cast<double>(chain.bytes) / 1e9);
  for (int32_t t : {1, 3}) chain.check(t);
  const auto line = [&](const char* what, double ms) {
    std::printf("%-50s %.3f ms %.2f TB/s\n", what, ms, static_cast<double>(chain.bytes) / ms / 1e9);
    std::fflush(stdout);
  };
  for (int32_t t : {1, is_13 ? 2 : 4}) {
    if (t > 1 && argc > 2) break;  // any second argument: one row alone
    std::printf("T=%d\n", t);
    line("kernels of their own", chain.time(t, false));
    for (int32_t ahead : {1, 2, 3}) {
      cuda::probe_ahead = ahead;
      line(("stretch, on their way " + std::to_string(ahead)).c_str(), chain.time(t, true));
    }
    cuda::probe_ahead = 0;
    const std::pair<int32_t, const char*> modes[] = {{1, "no waiting for x"},
                                                     {3, "the same weights, no waiting"},
                                                     {4, "no copies"},
                                                     {5, "no copies, no waiting"},
                                                     {8, "no products"},
                                                     {12, "no copies, no products"},
                                                     {13, "no copies, no products, no waiting"}};
    for (const auto& [mode, name] : modes) {
      cuda::probe_mode = mode;
      line(name, chain.time(t, true));
    }
    for (int32_t mode : {1, 9, 16}) {
      for (int32_t ahead : {1, 2, 3}) {
        cuda::probe_ahead = ahead, cuda::probe_mode = mode;
        line((std::string(mode == 1   ? "no waiting"
                          : mode == 9 ? "no waiting, no products"
                                      : "the stream alone") +
              ", on their way " + std::to_string(ahead))
                 .c_str(),
             chain.time(t, true));
      }
    }
    cuda::probe_mode = 0;
    chain.has_attention = true;
    for (int32_t ahead : {1, 2, 3}) {
      cuda::probe_ahead = ahead;
      line(("with attention, on their way " + std::to_string(ahead)).c_str(), chain.time(t, true));
    }
    cuda::probe_ahead = 0;
    line("with attention", chain.time(t, true, true));
    cuda::probe_mode = 4;
    line("with attention, no copies", chain.time(t, true));
    const size_t per_layer = 5;
    auto* times = memory<int64_t>(8 * 240);
    for (const int32_t mode : {0, 4}) {
      cuda::probe_mode = mode;
      cuda::probe_times = times;
      chain.pass(t, true);
      must(ops->synchronize(device));
      cuda::probe_times = nullptr;
      std::vector<int64_t> host(8 * 240);
      must(ops->download(device, host.data(), times, host.size() * 8));
      const char* kinds[] = {"qkv", "att", "o", "gu", "down"};
      std::printf(
          "mode %d, cycles: from end before | start, x staged, all have, tiles, all have, (attention: items, all, "
          "folded,) finished\n",
          mode);
      for (size_t k = 0; k < per_layer; ++k) {
        double sums[8] = {};
        const auto layers = static_cast<size_t>(model.layers);
        for (size_t l = 4; l < layers - 2; ++l) {
          const int64_t* at = &host[(per_layer * l + k) * 8];
          sums[0] += static_cast<double>(at[0] - at[-1]);
          for (size_t i = 1; i < 8; ++i) sums[i] += static_cast<double>(at[i] - at[i - 1]);
        }
        std::printf("  %-5s", kinds[k]);
        for (double s : sums) std::printf(" %7.0f", s / static_cast<double>(model.layers - 6));
        std::printf("\n");
      }
    }
    cuda::probe_mode = 0;
    cuda::probe_ahead = 0;
    chain.has_attention = false;
  }
  return 0;
}
