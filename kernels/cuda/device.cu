// Opening a GPU, its memory, the integers of a step, and the table of operations.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#include "device.h"
#include "download.h"
#include "linear_prefill.h"
#include "sample.h"
#include "step.h"
#include "stretch.h"
#include "tuning.h"

#ifdef _WIN32
#define QUOTH_EXPORT __declspec(dllexport)
#else
#define QUOTH_EXPORT __attribute__((visibility("default")))
#endif

namespace quoth::cuda {

Status status_of(Device* device, cudaError_t error) {
  if (!device->lost.ok()) return device->lost;
  switch (error) {
    case cudaSuccess:
      return {};
    case cudaErrorMemoryAllocation:
      (void)cudaGetLastError();  // it does not stick, but it would be found after the next launch
      return {Code::out_of_memory, "there is not enough memory on the GPU"};
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorCooperativeLaunchTooLarge:
      (void)cudaGetLastError();
      return {Code::internal, cudaGetErrorString(error)};  // a literal of the CUDA runtime
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      (void)cudaGetLastError();
      return {Code::unsupported, "the GPU needs kernels that this build does not hold"};
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureMerge:
    case cudaErrorStreamCaptureUnmatched:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureIsolation:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorCapturedEvent:
    case cudaErrorStreamCaptureWrongThread:
      (void)cudaGetLastError();
      refuse_recording(device);
      return {Code::internal, "an operation cannot be recorded"};
    default:
      device->lost = {Code::device_lost, cudaGetErrorString(error)};
      return device->lost;
  }
}

Status stage(Device* device, const Batch& batch, Uses uses, DeviceBatch* staged) {
  if (!device->lost.ok()) return device->lost;
  if (is_in_frame(device)) return stage_in_frame(device, batch, staged);
  const bool has_sequences = uses.first_row || uses.page_table;
  const int64_t num_tokens = batch.num_tokens;
  const int64_t num_sequences = has_sequences ? batch.num_sequences : 0;
  const int64_t table_size = uses.page_table ? num_sequences * batch.page_table_stride : 0;
  const int64_t num_outputs = uses.output_rows ? batch.num_outputs : 0;
  if (num_tokens < 0 || num_tokens > device->max_tokens || num_sequences < 0 || num_sequences > device->max_tokens ||
      num_outputs < 0 || num_outputs > device->max_tokens || table_size < 0 || table_size > kMaxPageTable) {
    return {Code::invalid_input, "the step is larger than was reserved"};
  }
  if (has_sequences) {
    bool covers = batch.first_row[0] == 0 && batch.first_row[num_sequences] == num_tokens;
    for (int64_t b = 0; b < num_sequences; ++b) covers = covers && batch.first_row[b] <= batch.first_row[b + 1];
    if (!covers) return {Code::invalid_input, "the sequences do not cover the rows of the step"};
  }

  // Each array starts at a fixed place, so that operations which read different arrays of one step agree.
  const int64_t room = device->max_tokens + 1;
  const int64_t starts[] = {0, room, 2 * room, 3 * room, 4 * room, 5 * room, 6 * room};
  const int64_t end = uses.page_table ? starts[6] + table_size : uses.output_rows ? starts[5] + num_outputs : starts[5];
  const int32_t last_slot = (device->next_slot + kStagingSlots - 1) % kStagingSlots;
  const int32_t* before = device->slots[last_slot];
  const auto holds = [&](int64_t start, const int32_t* array, int64_t count) {
    return start + count <= device->staged_count &&
           (count == 0 || std::memcmp(before + start, array, sizeof(int32_t) * static_cast<size_t>(count)) == 0);
  };
  const bool is_there = device->staged_count > 0 && (!uses.ids || holds(starts[0], batch.ids, num_tokens)) &&
                        (!uses.positions || holds(starts[1], batch.positions, num_tokens)) &&
                        (!has_sequences || holds(starts[3], batch.first_row, num_sequences + 1)) &&
                        (!uses.segments || holds(starts[4], batch.segments, num_tokens)) &&
                        (!uses.output_rows || holds(starts[5], batch.output_rows, num_outputs)) &&
                        (!uses.page_table || holds(starts[6], batch.page_table, table_size));
  if (!is_there) {
    // Arrays of the last step that this operation does not name stay as they are, so that a step settles on one copy.
    int32_t* slot = device->slots[device->next_slot];
    Status status = status_of(device, cudaEventSynchronize(device->copied[device->next_slot]));
    if (!status.ok()) return status;
    const int64_t kept = device->staged_count;
    if (kept > 0) std::memcpy(slot, before, sizeof(int32_t) * static_cast<size_t>(kept));
    const int64_t count = std::max(end, kept);
    if (count > kept) std::memset(slot + kept, 0, sizeof(int32_t) * static_cast<size_t>(count - kept));
    const auto put = [&](int64_t start, const int32_t* array, int64_t size) {
      if (size > 0) std::memcpy(slot + start, array, sizeof(int32_t) * static_cast<size_t>(size));
    };
    if (uses.ids) put(starts[0], batch.ids, num_tokens);
    if (uses.positions) put(starts[1], batch.positions, num_tokens);
    if (has_sequences) {
      std::memset(slot + starts[3], 0xff, sizeof(int32_t) * static_cast<size_t>(room));  // no end of an older step
      put(starts[3], batch.first_row, num_sequences + 1);
      for (int64_t b = 0; b < num_sequences; ++b) {
        for (int32_t t = batch.first_row[b]; t < batch.first_row[b + 1]; ++t) {
          slot[starts[2] + t] = static_cast<int32_t>(b);
        }
      }
    }
    if (uses.segments) put(starts[4], batch.segments, num_tokens);
    if (uses.output_rows) put(starts[5], batch.output_rows, num_outputs);
    if (uses.page_table) put(starts[6], batch.page_table, table_size);
    device->staged_count = 0;  // until the copy is on its way
    status = status_of(device, cudaMemcpyAsync(device->staged, slot, sizeof(int32_t) * static_cast<size_t>(count),
                                               cudaMemcpyHostToDevice, device->stream));
    if (!status.ok()) return status;
    status = status_of(device, cudaEventRecord(device->copied[device->next_slot], device->stream));
    if (!status.ok()) return status;
    device->staged_count = count;
    device->next_slot = (device->next_slot + 1) % kStagingSlots;
  }
  *staged = places_of(device);
  return {};
}

DeviceBatch places_of(const Device* device) {
  const int64_t room = device->max_tokens + 1;
  const int32_t* first = device->staged;
  return {first,           first + room, first + 2 * room, first + 3 * room, first + 4 * room, first + 5 * room,
          first + 6 * room};
}

}  // namespace quoth::cuda

namespace quoth {
namespace {

using cuda::status_of;

Status allocate(Device* device, uint64_t size_bytes, void** memory) {
  if (!device->lost.ok()) return device->lost;
  return status_of(device, cudaMalloc(memory, std::max<uint64_t>(size_bytes, 1)));  // aligned to 256
}

void release(Device* device, void* memory) {
  cuda::forget_steps(device);
  (void)cudaFree(memory);  // waits for what still runs; after a lost device there is nothing to be done
}

Status synchronize(Device* device) {
  if (!device->lost.ok()) return device->lost;
  return status_of(device, cudaStreamSynchronize(device->stream));
}

Status copy(Device* device, void* to, const void* from, uint64_t size_bytes, cudaMemcpyKind kind) {
  if (!device->lost.ok()) return device->lost;
  if (size_bytes == 0) return {};
  const Status status = status_of(device, cudaMemcpyAsync(to, from, size_bytes, kind, device->stream));
  return status.ok() ? synchronize(device) : status;  // the caller may change or read its memory at once
}

Status upload(Device* device, void* to, const void* from_host, uint64_t size_bytes) {
  return copy(device, to, from_host, size_bytes, cudaMemcpyHostToDevice);
}

Status download(Device* device, void* to_host, const void* from, uint64_t size_bytes) {
  return copy(device, to_host, from, size_bytes, cudaMemcpyDeviceToHost);
}

void free_scratch(Device* device) {
  cuda::forget_steps(device);
  for (int32_t*& slot : device->frame_slots) {
    (void)cudaFreeHost(slot);
    slot = nullptr;
  }
  cuda::free_samples(device);
  cuda::free_downloads(device);
  cuda::release_stretches(device);
  for (int32_t*& slot : device->slots) {
    (void)cudaFreeHost(slot);
    slot = nullptr;
  }
  (void)cudaFree(device->staged);
  (void)cudaFree(device->partials);
  (void)cudaFree(device->normed);
  (void)cudaFree(device->result);
  (void)cudaFree(device->rounded);
  (void)cudaFree(device->inverse_scales);
  (void)cudaFree(device->arrivals);
  device->staged = nullptr;
  device->partials = nullptr;
  device->normed = nullptr;
  device->result = nullptr;
  device->rounded = nullptr;
  device->inverse_scales = nullptr;
  device->arrivals = nullptr;
  device->max_tokens = device->max_columns = 0;
  device->staged_count = 0;
}

int64_t partials_of(const Device* device) {
  return device->capability >= 90 ? cuda::kMaxClusterPartials : cuda::kMaxPartials;
}

Status reserve(Device* device, int32_t max_tokens, int32_t max_columns) {
  if (max_tokens < 1 || max_columns < 1 || max_tokens > (1 << 20) || max_columns > (1 << 24)) {
    return {Code::invalid_input, "reserve: rows or columns out of range"};
  }
  Status status = synchronize(device);  // nothing uses the old scratch any more
  if (!status.ok()) return status;
  free_scratch(device);
  const uint64_t tokens = cuda::ceil_div(max_tokens, 8) * 8;
  const uint64_t groups = cuda::ceil_div(max_columns, kQuantGroup);
  device->staging_capacity = 7 * (static_cast<int64_t>(max_tokens) + 1) + cuda::kMaxPageTable;
  const uint64_t staging_bytes = sizeof(int32_t) * static_cast<uint64_t>(device->staging_capacity);
  const auto take = [&](auto** place, uint64_t size_bytes, bool is_pinned) {
    if (!status.ok()) return;
    void* memory = nullptr;
    status = status_of(device, is_pinned ? cudaMallocHost(&memory, size_bytes) : cudaMalloc(&memory, size_bytes));
    if (status.ok()) *place = static_cast<std::remove_reference_t<decltype(*place)>>(memory);
  };
  for (int32_t*& slot : device->frame_slots) take(&slot, staging_bytes, true);
  for (int32_t*& slot : device->slots) take(&slot, staging_bytes, true);
  take(&device->staged, staging_bytes, false);
  device->num_partials = partials_of(device);
  take(&device->partials, static_cast<uint64_t>(device->num_partials) * sizeof(float), false);
  const uint64_t fused_rows = static_cast<uint64_t>(std::min(max_tokens, cuda::kFusedRows));
  take(&device->normed, fused_rows * groups * kQuantGroup * sizeof(float), false);
  take(&device->result, fused_rows * groups * kQuantGroup * 2 * sizeof(float), false);
  if (status.ok()) status = cuda::make_samples(device);
  if (status.ok()) status = cuda::make_downloads(device);
  if (status.ok()) status = cuda::reserve_stretches(device, max_columns);
  take(&device->rounded, static_cast<uint64_t>(cuda::rounded_bytes(max_tokens, max_columns)), false);
  take(&device->inverse_scales, tokens * sizeof(float), false);
  take(&device->arrivals, static_cast<uint64_t>(cuda::kMaxArrivals) * sizeof(int32_t), false);
  if (status.ok()) {
    status =
        status_of(device, cudaMemsetAsync(device->arrivals, 0, cuda::kMaxArrivals * sizeof(int32_t), device->stream));
  }
  if (!status.ok()) {
    free_scratch(device);
    return status;
  }
  device->max_tokens = max_tokens;
  device->max_columns = static_cast<int32_t>(groups) * kQuantGroup;
  return {};
}

// What `reserve` takes on the GPU. Beside it: recorded steps, the code of kernels that the driver loads when they are
// first launched, and what is lost since memory is given in pieces of 2 MiB. An H200 took 40 MB for 60 shapes of steps.
constexpr uint64_t kRecordedBytes = uint64_t{72} << 20;
uint64_t working_bytes(const Device* device, int32_t max_tokens, int32_t max_columns) {
  const uint64_t tokens = static_cast<uint64_t>(std::max(max_tokens, 1));
  const uint64_t columns = static_cast<uint64_t>(cuda::ceil_div(std::max(max_columns, 1), kQuantGroup)) * kQuantGroup;
  const uint64_t fused_rows = std::min<uint64_t>(tokens, cuda::kFusedRows);
  return 4 * (7 * (tokens + 1) + cuda::kMaxPageTable) + 4 * static_cast<uint64_t>(partials_of(device)) +
         4 * 3 * fused_rows * columns + static_cast<uint64_t>(cuda::rounded_bytes(max_tokens, max_columns)) +
         4 * tokens + 4 * cuda::kMaxArrivals + cuda::stretch_bytes(device, max_columns) + kRecordedBytes;
}

Status memory(Device* device, uint64_t* free_bytes, uint64_t* total_bytes) {
  if (!device->lost.ok()) return device->lost;
  size_t free = 0, total = 0;
  const Status status = status_of(device, cudaMemGetInfo(&free, &total));
  *free_bytes = free;
  *total_bytes = total;
  return status;
}

// An operation that no stretch takes: it comes after what was joined before it.
template <auto kOperation, typename... Arguments>
Status after_stretch(Device* device, Arguments... arguments) {
  const Status status = cuda::end_stretch(device);
  return status.ok() ? kOperation(device, arguments...) : status;
}

const Ops kOps = {
    .allocate = allocate,
    .release = release,
    .upload = upload,
    .download = download,
    .start_download = after_stretch<cuda::start_download>,
    .finish_download = cuda::finish_download,
    .synchronize = synchronize,
    .reserve = reserve,
    .memory = memory,
    .working_bytes = working_bytes,
    .begin_step = cuda::begin_step,
    .end_step = cuda::end_step,
    .embed = after_stretch<cuda::embed>,
    .add_positions = after_stretch<cuda::add_positions>,
    .add_segments = after_stretch<cuda::add_segments>,
    .gather_outputs = after_stretch<cuda::gather_outputs>,
    .linear = after_stretch<cuda::linear>,
    .linear_fused = cuda::linear_fused,
    .count_ways = cuda::count_ways,
    .time_way = cuda::time_way,
    .choose_way = cuda::choose_way,
    .count_attention_ways = cuda::count_attention_ways,
    .time_attention_way = cuda::time_attention_way,
    .choose_attention_way = cuda::choose_attention_way,
    .rms_norm = after_stretch<cuda::rms_norm>,
    .layer_norm = after_stretch<cuda::layer_norm>,
    .rms_norm_heads = after_stretch<cuda::rms_norm_heads>,
    .add_rms_norm = after_stretch<cuda::add_rms_norm>,
    .add_layer_norm = after_stretch<cuda::add_layer_norm>,
    .add = after_stretch<cuda::add>,
    .multiply = after_stretch<cuda::multiply>,
    .add_bias = after_stretch<cuda::add_bias>,
    .activate = after_stretch<cuda::activate>,
    .gated = after_stretch<cuda::gated>,
    .soft_cap = after_stretch<cuda::soft_cap>,
    .clamp = after_stretch<cuda::clamp>,
    .permute_columns = after_stretch<cuda::permute_columns>,
    .rope = after_stretch<cuda::rope>,
    .kv_write = after_stretch<cuda::kv_write>,
    .rope_kv_write = after_stretch<cuda::rope_kv_write>,
    .attention = after_stretch<cuda::attention>,
    .rope_kv_attention = cuda::rope_kv_attention,
    .attention_full = after_stretch<cuda::attention_full>,
    .pool_mean = after_stretch<cuda::pool_mean>,
    .pool_first = after_stretch<cuda::pool_first>,
    .normalize = after_stretch<cuda::normalize>,
    .sample = after_stretch<cuda::sample>,
    .read_samples = cuda::read_samples,
};

void close(Device* device) {
  if (device == nullptr) return;
  if (device->stream != nullptr) (void)cudaStreamSynchronize(device->stream);
  if (device->recorder != nullptr) free_scratch(device);
  cuda::free_recorder(device);
  cuda::free_stretches(device);
  cuda::free_ways(device);
  for (cudaEvent_t event : device->copied) {
    if (event != nullptr) (void)cudaEventDestroy(event);
  }
  for (cudaEvent_t event : device->brought) {
    if (event != nullptr) (void)cudaEventDestroy(event);
  }
  if (device->stream != nullptr) (void)cudaStreamDestroy(device->stream);
  (void)cudaGetLastError();
  delete device;
}

}  // namespace
}  // namespace quoth

extern "C" QUOTH_EXPORT quoth::Status quoth_open_cuda_device(quoth::Device** device, const quoth::Ops** ops,
                                                             quoth::DeviceInfo* info) {
  using namespace quoth;
  int count = 0;
  const cudaError_t found = cudaGetDeviceCount(&count);
  (void)cudaGetLastError();
  if (found == cudaErrorInsufficientDriver) {
    return {Code::unsupported, "there is no NVIDIA driver, or one too old for these kernels"};
  }
  if (found == cudaErrorNoDevice || (found == cudaSuccess && count == 0)) {
    return {Code::unsupported, "there is no NVIDIA GPU"};
  }
  if (found != cudaSuccess) return {Code::unsupported, cudaGetErrorString(found)};
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    (void)cudaGetLastError();
    return {Code::unsupported, "the NVIDIA GPU does not answer"};
  }
  if (properties.major < 8) {
    return {Code::unsupported, "the NVIDIA GPU is older than the RTX 30 series"};
  }
  Device* opened = new (std::nothrow) Device;
  if (opened == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  opened->num_multiprocessors = properties.multiProcessorCount;
  opened->capability = 10 * properties.major + properties.minor;
  opened->overlaps = properties.major >= 9;
  // Tests alone set the variables: they check on one GPU what others would run.
  opened->sums_in_halves = std::getenv("QUOTH_TEST_HALF_SUMS") != nullptr;
  opened->tries_each = std::getenv("QUOTH_TEST_EACH") != nullptr;
  opened->has_wgmma = properties.major == 9 && std::getenv("QUOTH_TEST_NO_WGMMA") == nullptr;
  opened->shared_bytes = static_cast<int32_t>(properties.sharedMemPerBlockOptin);
  Status status = cuda::make_recorder(opened);
  if (status.ok() && std::getenv("QUOTH_TEST_NO_STRETCH") == nullptr) status = cuda::make_stretches(opened);
  if (status.ok()) status = cuda::make_ways(opened);
  if (status.ok()) status = status_of(opened, cudaStreamCreateWithFlags(&opened->stream, cudaStreamNonBlocking));
  const auto make_event = [&](cudaEvent_t& event) {
    if (status.ok()) status = status_of(opened, cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  };
  for (cudaEvent_t& event : opened->copied) make_event(event);
  for (cudaEvent_t& event : opened->brought) make_event(event);
  if (!status.ok()) {
    close(opened);
    return status;
  }
  *info = {};
  std::memcpy(info->name, properties.name, sizeof info->name - 1);
  int kilohertz = 0, bits = 0;
  if (cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, 0) == cudaSuccess &&
      cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, 0) == cudaSuccess) {
    info->memory_bytes_per_second = 2e3 * kilohertz * (bits / 8);  // two words a cycle
  }
  (void)cudaGetLastError();
  info->num_multiprocessors = properties.multiProcessorCount;
  cuda::name_driver(info->driver);
  cuda::name_kernels(info->kernels);
  std::memcpy(info->instructions, "sm_", 3);
  char* digit = info->instructions + 3;
  if (properties.major >= 10) *digit++ = static_cast<char>('0' + properties.major / 10);
  *digit++ = static_cast<char>('0' + properties.major % 10);
  *digit = static_cast<char>('0' + properties.minor % 10);
  *ops = &kOps;
  *device = opened;
  return {};
}

extern "C" QUOTH_EXPORT void quoth_close_cuda_device(quoth::Device* device) {
  quoth::close(device);
}

static_assert(std::is_same_v<decltype(quoth_open_cuda_device), quoth::OpenCudaDevice>);
static_assert(std::is_same_v<decltype(quoth_close_cuda_device), quoth::CloseCudaDevice>);
