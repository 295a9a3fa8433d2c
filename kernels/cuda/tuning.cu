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

// For weights of a type and shape and so many rows of x.
struct ChosenWay {
  Type type;
  int32_t num_rows, num_columns;
  bool is_gated;
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

Status call_all(Device* device, const LinearCall* calls, int32_t num_calls) {
  for (int32_t i = 0; i < num_calls; ++i) {
    const LinearCall& call = calls[i];
    const Status status = linear_fused(device, call.x, call.weight, call.bias, call.activation, &call.fusion, call.out);
    if (!status.ok()) return status;
  }
  return {};
}

// The calls as a graph, as a recorded step has them: else what is measured is how fast the host can launch.
Status record(Device* device, const LinearCall* calls, int32_t num_calls, cudaGraphExec_t* ready) {
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

Status time_calls(Device* device, const LinearCall* calls, int32_t num_calls, double* milliseconds) {
  Ways& ways = *device->ways;
  Status status;
  for (cudaEvent_t* event : {&ways.start, &ways.end}) {
    if (status.ok() && *event == nullptr) status = status_of(device, cudaEventCreate(event));
  }
  cudaGraphExec_t graph = nullptr;
  if (status.ok() && calls[0].x.num_rows <= kMostRecordedRows) status = record(device, calls, num_calls, &graph);
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
  for (const ChosenWay& one : ways.chosen) {
    if (one.type == weight.type && one.num_rows == weight.num_rows && one.num_columns == weight.num_columns &&
        one.is_gated == fusion.is_gated && num_rows >= one.least_rows && num_rows <= one.most_rows) {
      // A fusion may leave fewer ways than that of the call it was chosen for.
      return has_way(device, weight, fusion, num_rows, one.way) ? one.way : kOwnWay;
    }
  }
  return kOwnWay;
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
  Ways& ways = *device->ways;
  ways.is_trial = true;
  ways.trial = way;
  const Status status = time_calls(device, calls, num_calls, milliseconds);
  ways.is_trial = false;
  return status;
}

Status choose_way(Device* device, const LinearCall* call, int32_t least_rows, int32_t most_rows, int32_t way) {
  if (!device->lost.ok()) return device->lost;
  const Weight& weight = *call->weight;
  if (least_rows < 1 || most_rows < least_rows || (least_rows <= kDecodeTokens) != (most_rows <= kDecodeTokens)) {
    return {Code::invalid_input, "choose_way: rows of one family of kernels"};
  }
  if (!has_way(device, weight, call->fusion, most_rows, way)) return {Code::unsupported, "there is no such way"};
  auto& chosen = device->ways->chosen;
  const int32_t before = way_of(device, weight, call->fusion, most_rows);
  std::erase_if(chosen, [&](const ChosenWay& one) {
    return one.type == weight.type && one.num_rows == weight.num_rows && one.num_columns == weight.num_columns &&
           one.is_gated == call->fusion.is_gated && one.least_rows == least_rows && one.most_rows == most_rows;
  });
  if (way != kOwnWay) {
    if (chosen.size() >= kMaxWays) return {Code::unsupported, "choose_way: more than there is room for"};
    try {
      chosen.insert(chosen.begin(), {weight.type, weight.num_rows, weight.num_columns, call->fusion.is_gated,
                                     least_rows, most_rows, way});
    } catch (const std::bad_alloc&) {
      return {Code::out_of_memory, "there is not enough memory to choose"};
    }
  }
  // Recorded steps hold what was launched before.
  if (way != before && least_rows <= kMostRecordedRows) forget_steps(device);
  return {};
}

}  // namespace quoth::cuda
