#include "device.h"

#include "../fault.h"
#include "shared_library.h"

namespace quoth {
namespace {

// Null when there is no GPU to be had; then `why` says so.
std::unique_ptr<OpenDevice> try_cuda(std::string* why) {
  void* library = open_library_beside("quoth_kernels_cuda", why);
  if (library == nullptr) return nullptr;
  const auto open = reinterpret_cast<OpenCudaDevice*>(find_symbol(library, kOpenCudaDevice));
  const auto close = reinterpret_cast<CloseCudaDevice*>(find_symbol(library, kCloseCudaDevice));
  if (open == nullptr || close == nullptr) {
    *why = "the CUDA kernels beside the addon are of another version";
    return nullptr;
  }
  auto opened = std::make_unique<OpenDevice>();
  const Status status = open(&opened->device, &opened->ops, &opened->info);
  if (!status.ok()) {
    *why = status.message;
    return nullptr;
  }
  opened->kind = DeviceKind::cuda;
  opened->close = close;
  opened->reason = "There is a GPU, and its kernels are installed.";
  return opened;
}

}  // namespace

OpenDevice::~OpenDevice() {
  if (close != nullptr) close(device);
}

std::unique_ptr<OpenDevice> open_device(DeviceChoice choice, int32_t num_threads) {
  std::string reason = "The CPU was asked for.";
  if (choice != DeviceChoice::cpu) {
    std::string why;
    if (auto opened = try_cuda(&why)) return opened;
    if (choice == DeviceChoice::cuda) throw Fault(FaultCode::unsupported, "The GPU cannot be used: " + why + ".");
    reason = "The CPU is used: " + why + ".";
  }
  auto opened = std::make_unique<OpenDevice>();
  const Status status = open_cpu_device(num_threads, nullptr, &opened->device, &opened->ops, &opened->info);
  if (!status.ok()) throw fault_of(status, "The CPU cannot be opened");
  opened->close = close_cpu_device;
  opened->reason = reason;
  return opened;
}

}  // namespace quoth
