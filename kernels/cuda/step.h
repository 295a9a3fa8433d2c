// Recorded steps, for device.cu and for operations whose launches depend on a batch.
#pragma once

#include "device.h"

namespace quoth::cuda {

Status make_recorder(Device* device);
void free_recorder(Device* device);
// Drops what was recorded: it holds addresses.
void forget_steps(Device* device);

bool is_in_frame(const Device* device);
// Launches must not depend on more of a batch than its recording's key.
bool is_recording(const Device* device);
// What an operation did cannot be recorded: the step runs again without.
void refuse_recording(Device* device);
// The arrays that `begin_step` brought.
Status stage_in_frame(Device* device, const Batch& batch, DeviceBatch* staged);

Status begin_step(Device* device, const void* program, const Batch* batch, bool* replayed);
Status end_step(Device* device, bool is_whole, bool* again);

}  // namespace quoth::cuda
