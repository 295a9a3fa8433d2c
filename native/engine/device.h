// The device that an engine runs on: the CPU, which is always there, or a GPU whose kernels are a shared library beside
// the addon, looked for when the engine is loaded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "../../kernels/ops.h"

namespace quoth {

enum class DeviceKind { cpu, cuda };
enum class DeviceChoice { best, cpu, cuda };

struct OpenDevice {
  OpenDevice() = default;
  ~OpenDevice();
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;

  DeviceKind kind = DeviceKind::cpu;
  Device* device = nullptr;
  const Ops* ops = nullptr;
  DeviceInfo info{};
  std::string reason;  // one sentence: why this one
  void (*close)(Device*) = nullptr;

  // Whether its operations read weights where the plan file is mapped.
  bool reads_host_memory() const { return kind == DeviceKind::cpu; }
};

// num_threads: of the CPU, 0 = one per physical core.
// Throws Fault unsupported when the GPU is asked for and cannot be had, invalid_input for a wrong number of threads.
std::unique_ptr<OpenDevice> open_device(DeviceChoice choice, int32_t num_threads);

}  // namespace quoth
