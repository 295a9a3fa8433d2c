// Choosing ids on the GPU, for device.cu.
#pragma once

#include "device.h"
#include "step.h"

namespace quoth::cuda {

// Taken by `reserve`.
Status make_samples(Device* device);
void free_samples(Device* device);

Status sample(Device* device, Rows logits, const SampleRow* rows);
Status read_samples(Device* device, SampledRow* rows);

}  // namespace quoth::cuda
