// Rewrites a checked program for a device that can do more in one call: a linear with the norm before it, the gate or
// the residual's addition after it, and attention with the rope and the kv write before it. Nothing that an instruction
// reads changes; what nobody reads any more is not written any more.
#pragma once

#include "program.h"

namespace quoth {

// What the device offers.
struct Fusions {
  bool linears = false;    // Ops::linear_fused
  bool attention = false;  // Ops::rope_kv_attention
};

// The instructions of `program`, as few as these fusions allow. Each result has the bits that it had, as far as the
// device's fused operations give them.
std::vector<Instruction> fuse(const Program& program, Fusions fusions);

}  // namespace quoth
