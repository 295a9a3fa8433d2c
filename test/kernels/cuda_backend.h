// The CUDA device as a backend of the kernels' tests: the cases hand over host memory, so each call is mirrored.
#pragma once

#include <string>

#include "kernels/ops.h"

namespace quoth::test {

// Opens the library and its GPU; `why` says what is missing when it cannot be had.
bool open_cuda(const std::string& library, std::string* why);

// A device for the cases: every operation of its table copies what it may read or write to GPU memory of its own,
// between two stretches of guard bytes, runs, and copies it back. It ends the process with a `not ok` line when a guard
// byte was overwritten. `bare` is the table that takes device memory.
struct CudaDevice {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  const Ops* bare = nullptr;
  DeviceInfo info{};
};
// A new device with `reserve(max_tokens, max_columns)` done. Only after open_cuda.
CudaDevice make_cuda_device(int32_t max_tokens, int32_t max_columns);
void close_cuda_device(Device* device);

}  // namespace quoth::test
