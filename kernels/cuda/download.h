// Downloads that do not wait, for device.cu.
#pragma once

#include "device.h"

namespace quoth::cuda {

// Taken by `reserve`.
Status make_downloads(Device* device);
void free_downloads(Device* device);

Status start_download(Device* device, const void* from, uint64_t size_bytes);
Status finish_download(Device* device, void* to_host);

}  // namespace quoth::cuda
