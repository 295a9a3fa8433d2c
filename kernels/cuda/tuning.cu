#include <algorithm>
#include <cstdio>
#include <new>
#include <vector>

#include "linear_prefill.h"
#include "step.h"
#include "tuning.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace quoth::cuda {

// What a way is chosen for: weights of a type and shape, or heads and pages.
struct TuningKey {
  Type type;
  int32_t num_rows, num_columns;  // N and K; H and d
  bool is_gated;
  int32_t num_kv_heads;  // 0: a linear
  int32_t num_pages;     // of the longest context, rounded up to a power of two
  bool operator==(const TuningKey&) const = default;
};

// With so many rows of x, or sequences.
struct ChosenWay {
  TuningKey key;
  int32_t least_rows, most_rows;
  int32_t way;
};

struct Ways {
  std::vector<ChosenWay> chosen;  // the last one first
  bool is_trial = false;          // `trial` for every call
  int32_t trial = kOwnWay;
  cudaEvent_t start = nullptr, end = nullptr;
};

namespace {

constexpr size_t kMaxWays = 4096;
constexpr int32_t kNumDecodeWays = sizeof kDecodeWays / sizeof kDecodeWays[0];
// Steps of more rows are not recorded (step.cu): there a launch is short beside its kernel.
constexpr int32_t kMostRecordedRows = 256;

bool has_way(const Device* device, const Weight& weight, const LinearFusion& fusion, int32_t num_rows, int32_t way) {
  if (way == kOwnWay) return true;
  Rows x;
  x.num_rows = num_rows;
  if (decodes(x, weight, fusion)) return way >= 0 && way < kNumDecodeWays;
  return num_rows > kDecodeTokens && can_prefill(weight, fusion) && has_prefill_shape(device, weight, fusion, way);
}

TuningKey key_of(const Weight& weight, const LinearFusion& fusion) {
  return {weight.type, weight.num_rows, weight.num_columns, fusion.is_gated, 0, 0};
}
TuningKey key_of(const AttentionCall& call) {
  return {call.pages.type, call.attention->num_heads,    call.attention->head_size,
          false,           call.attention->num_kv_heads, pages_bound(*call.batch)};
}

int32_t chosen_for(const Ways& ways, const TuningKey& key, int32_t num_rows) {
  for (const ChosenWay& one : ways.chosen) {
    if (one.key == key && num_rows >= one.least_rows && num_rows <= one.most_rows) return one.way;
  }
  return kOwnWay;
}

Status choose(Device* device, const TuningKey& key, int32_t least_rows, int32_t most_rows, int32_t way) {
  auto& chosen = device->ways->chosen;
  const int32_t before = chosen_for(*device->ways, key, most_rows);
  std::erase_if(chosen, [&](const ChosenWay& one) {
    return one.key == key && one.least_rows == least_rows && one.most_rows == most_rows;
  });
  if (way != kOwnWay) {
    if (chosen.size() >= kMaxWays) return {Code::unsupported, "choose_way: more than there is room for"};
    try {
      chosen.insert(chosen.begin(), {key, least_rows, most_rows, way});
    } catch (const std::bad_alloc&) {
      return {Code::out_of_memory, "there is not enough memory to choose"};
    }
  }
  // Recorded steps hold what was launched before.
  if (way != before && least_rows <= kMostRecordedRows) forget_steps(device);
  return {};
}

Status call(Device* device, const LinearCall& call) {
  return linear_fused(device, call.x, call.weight, call.bias, call.activation, &call.fusion, call.out);
}
Status call(Device* device, const AttentionCall& call) {
  return rope_kv_attention(device, call.qkv, call.attention, call.rope, call.batch, call.pages, call.out);
}

template <typename Call>
Status call_all(Device* device, const Call* calls, int32_t num_calls) {
  for (int32_t i = 0; i < num_calls; ++i) {
    const Status status = call(device, calls[i]);
    if (!status.ok()) return status;
  }
  return {};
}

// The calls as a graph, as a recorded step has them: else what is measured is how fast the host can launch.
template <typename Call>
Status record(Device* device, const Call* calls, int32_t num_calls, cudaGraphExec_t* ready) {
  Status status = status_of(device, cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal));
  if (!status.ok()) return status;
  const Status called = call_all(device, calls, num_calls);
  cudaGraph_t graph = nullptr;
  status = status_of(device, cudaStreamEndCapture(device->stream, &graph));
  if (!called.ok()) status = called;
  if (status.ok()) status = status_of(device, cudaGraphInstantiate(ready, graph, 0));
  if (graph != nullptr) (void)cudaGraphDestroy(graph);
  return status;
}

// The first call also brings the integers of a step to the GPU, and the code of kernels.
template <typename Call>
Status time_calls(Device* device, const Call* calls, int32_t num_calls, bool is_recorded, double* milliseconds) {
  Ways& ways = *device->ways;
  Status status;
  for (cudaEvent_t* event : {&ways.start, &ways.end}) {
    if (status.ok() && *event == nullptr) status = status_of(device, cudaEventCreate(event));
  }
  cudaGraphExec_t graph = nullptr;
  if (status.ok() && is_recorded) status = call(device, calls[0]);
  if (status.ok() && is_recorded) status = record(device, calls, num_calls, &graph);
  const auto run = [&] {
    if (graph == nullptr) return call_all(device, calls, num_calls);
    return status_of(device, cudaGraphLaunch(graph, device->stream));
  };
  if (status.ok() && graph != nullptr) status = run();  // the first launch also brings the graph to the GPU
  if (status.ok()) status = status_of(device, cudaEventRecord(ways.start, device->stream));
  if (status.ok()) status = run();
  if (status.ok()) status = status_of(device, cudaEventRecord(ways.end, device->stream));
  if (status.ok()) status = status_of(device, cudaEventSynchronize(ways.end));
  float elapsed = 0;
  if (status.ok()) status = status_of(device, cudaEventElapsedTime(&elapsed, ways.start, ways.end));
  if (graph != nullptr) {
    (void)cudaStreamSynchronize(device->stream);
    (void)cudaGraphExecDestroy(graph);
  }
  *milliseconds = elapsed;
  return status;
}

template <typename Call>
Status try_way(Device* device, const Call* calls, int32_t num_calls, int32_t way, bool is_recorded,
               double* milliseconds) {
  Ways& ways = *device->ways;
  ways.is_trial = true;
  ways.trial = way;
  const Status status = time_calls(device, calls, num_calls, is_recorded, milliseconds);
  ways.is_trial = false;
  return status;
}

}  // namespace

Status make_ways(Device* device) {
  device->ways = new (std::nothrow) Ways;
  if (device->ways == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  return {};
}

void free_ways(Device* device) {
  if (device->ways == nullptr) return;
  for (cudaEvent_t event : {device->ways->start, device->ways->end}) {
    if (event != nullptr) (void)cudaEventDestroy(event);
  }
  delete device->ways;
  device->ways = nullptr;
}

void name_kernels(char (&name)[32]) {
#ifdef QUOTH_KERNELS
  std::snprintf(name, sizeof name, "%s", QUOTH_KERNELS);
#else
  std::snprintf(name, sizeof name, "%s", "unnamed");  // built by hand
#endif
}

// The management library comes with every driver; its own name for the driver's version tells more than CUDA's.
void name_driver(char (&name)[32]) {
  int version = 0;
  (void)cudaDriverGetVersion(&version);
  std::snprintf(name, sizeof name, "CUDA %d.%d", version / 1000, version % 1000 / 10);
  using Init = int();
  using Version = int(char*, unsigned);
#ifdef _WIN32
  HMODULE library = LoadLibraryExW(L"nvml.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  const auto find = [&](const char* symbol) { return reinterpret_cast<void*>(GetProcAddress(library, symbol)); };
  const auto close = [&] { FreeLibrary(library); };
#else
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto find = [&](const char* symbol) { return dlsym(library, symbol); };
  const auto close = [&] { dlclose(library); };
#endif
  if (library == nullptr) return;
  const auto start = reinterpret_cast<Init*>(find("nvmlInit_v2"));
  const auto read = reinterpret_cast<Version*>(find("nvmlSystemGetDriverVersion"));
  const auto stop = reinterpret_cast<Init*>(find("nvmlShutdown"));
  if (start != nullptr && read != nullptr && stop != nullptr && start() == 0) {
    char found[80] = {};
    if (read(found, sizeof found - 1) == 0 && found[0] != 0) std::snprintf(name, sizeof name, "%.31s", found);
    (void)stop();
  }
  close();
}

int32_t way_of(const Device* device, const Weight& weight, const LinearFusion& fusion, int32_t num_rows) {
  const Ways& ways = *device->ways;
  if (ways.is_trial) return ways.trial;
  const int32_t way = chosen_for(ways, key_of(weight, fusion), num_rows);
  // A fusion may leave fewer ways than that of the call it was chosen for.
  return has_way(device, weight, fusion, num_rows, way) ? way : kOwnWay;
}

int32_t count_ways(Device* device, const LinearCall* call) {
  if (decodes(call->x, *call->weight, call->fusion)) return kNumDecodeWays;
  if (call->x.num_rows <= kDecodeTokens || !can_prefill(*call->weight, call->fusion)) return 0;
  return num_prefill_shapes(device, *call->weight);
}

Status time_way(Device* device, const LinearCall* calls, int32_t num_calls, int32_t way, double* milliseconds) {
  if (!device->lost.ok()) return device->lost;
  if (num_calls < 1 || is_in_frame(device)) return {Code::internal, "time_way: nothing to time, or in a step"};
  for (int32_t i = 0; i < num_calls; ++i) {
    if (!has_way(device, *calls[i].weight, calls[i].fusion, calls[i].x.num_rows, way)) {
      return {Code::unsupported, "there is no such way"};
    }
  }
  return try_way(device, calls, num_calls, way, calls[0].x.num_rows <= kMostRecordedRows, milliseconds);
}

Status choose_way(Device* device, const LinearCall* call, int32_t least_rows, int32_t most_rows, int32_t way) {
  if (!device->lost.ok()) return device->lost;
  if (least_rows < 1 || most_rows < least_rows || (least_rows <= kDecodeTokens) != (most_rows <= kDecodeTokens)) {
    return {Code::invalid_input, "choose_way: rows of one family of kernels"};
  }
  if (!has_way(device, *call->weight, call->fusion, most_rows, way)) {
    return {Code::unsupported, "there is no such way"};
  }
  return choose(device, key_of(*call->weight, call->fusion), least_rows, most_rows, way);
}

int32_t attention_way_of(const Device* device, const KvPages& pages, int32_t num_heads, int32_t num_pages,
                         int32_t num_sequences) {
  const Ways& ways = *device->ways;
  if (ways.is_trial) return ways.trial;
  const TuningKey key{pages.type, num_heads, pages.head_size, false, pages.num_heads, num_pages};
  return chosen_for(ways, key, num_sequences);
}

int32_t count_attention_ways(Device* device, const AttentionCall* call) {
  const Batch& batch = *call->batch;
  if (batch.num_tokens != batch.num_sequences || call->pages.type == Type::f32 || call->pages.head_size % 8 != 0) {
    return 0;
  }
  if (device->capability < 90) return 2;
  return call->pages.head_size <= 128 && device->capability / 10 == 9 ? 5 : 4;  // 16 blocks, or 8
}

Status time_attention_way(Device* device, const AttentionCall* calls, int32_t num_calls, int32_t way,
                          double* milliseconds) {
  if (!device->lost.ok()) return device->lost;
  if (num_calls < 1 || is_in_frame(device)) return {Code::internal, "time_way: nothing to time, or in a step"};
  if (way < kOwnWay || way >= count_attention_ways(device, calls)) return {Code::unsupported, "there is no such way"};
  return try_way(device, calls, num_calls, way, true, milliseconds);
}

Status choose_attention_way(Device* device, const AttentionCall* call, int32_t least_rows, int32_t most_rows,
                            int32_t way) {
  if (!device->lost.ok()) return device->lost;
  if (least_rows < 1 || most_rows < least_rows) return {Code::invalid_input, "choose_way: no rows"};
  if (way < kOwnWay || way >= count_attention_ways(device, call)) return {Code::unsupported, "there is no such way"};
  return choose(device, key_of(*call), least_rows, most_rows, way);
}

}  // namespace quoth::cuda
