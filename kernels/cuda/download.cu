// Downloads that do not wait: pinned slots of the host in turn, each with an event after its copy.
#include <cstring>
#include <new>

#include "download.h"
#include "step.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kSlots = 2;
constexpr uint64_t kSlotBytes = uint64_t{4} << 20;  // 1,024 vectors of 1,024 numbers

}  // namespace

struct Downloads {
  struct Slot {
    void* memory = nullptr;
    cudaEvent_t done = nullptr;
    uint64_t size_bytes = 0;
  };
  Slot slots[kSlots];
  int32_t oldest = 0;
  int32_t num_unfinished = 0;
};

Status make_downloads(Device* device) {
  device->downloads = new (std::nothrow) Downloads;
  if (device->downloads == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  Status status;
  for (Downloads::Slot& slot : device->downloads->slots) {
    if (status.ok()) status = status_of(device, cudaMallocHost(&slot.memory, kSlotBytes));
    if (status.ok()) status = status_of(device, cudaEventCreateWithFlags(&slot.done, cudaEventDisableTiming));
  }
  if (!status.ok()) free_downloads(device);
  return status;
}

void free_downloads(Device* device) {
  if (device->downloads == nullptr) return;
  for (Downloads::Slot& slot : device->downloads->slots) {
    (void)cudaFreeHost(slot.memory);
    if (slot.done != nullptr) (void)cudaEventDestroy(slot.done);
  }
  delete device->downloads;
  device->downloads = nullptr;
}

Status start_download(Device* device, const void* from, uint64_t size_bytes) {
  if (!device->lost.ok()) return device->lost;
  if (device->downloads == nullptr) return {Code::invalid_input, "start_download: nothing was reserved"};
  Downloads& downloads = *device->downloads;
  if (is_in_frame(device)) return {Code::internal, "start_download: inside a step"};
  if (downloads.num_unfinished == kSlots) return {Code::internal, "start_download: two are not finished"};
  if (size_bytes > kSlotBytes) return {Code::unsupported, "start_download: more than there is room for"};
  Downloads::Slot& slot = downloads.slots[(downloads.oldest + downloads.num_unfinished) % kSlots];
  Status status =
      status_of(device, cudaMemcpyAsync(slot.memory, from, size_bytes, cudaMemcpyDeviceToHost, device->stream));
  if (status.ok()) status = status_of(device, cudaEventRecord(slot.done, device->stream));
  if (!status.ok()) return status;
  slot.size_bytes = size_bytes;
  ++downloads.num_unfinished;
  return {};
}

Status finish_download(Device* device, void* to_host) {
  if (!device->lost.ok()) return device->lost;
  if (device->downloads == nullptr || device->downloads->num_unfinished == 0) {
    return {Code::internal, "finish_download: nothing was started"};
  }
  Downloads& downloads = *device->downloads;
  Downloads::Slot& slot = downloads.slots[downloads.oldest];
  downloads.oldest = (downloads.oldest + 1) % kSlots;
  --downloads.num_unfinished;
  const Status status = status_of(device, cudaEventSynchronize(slot.done));
  if (status.ok()) std::memcpy(to_host, slot.memory, slot.size_bytes);
  return status;
}

}  // namespace quoth::cuda
