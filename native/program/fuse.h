// Rewrites a checked program for a device that can do more in one call: a linear with the norm before it, the gate or
// the residual's addition after it, and attention with the rope and the kv write before it. Nothing that an instruction
// reads changes; what nobody reads any more is not written any more. Who must see a plan's own instructions, as the
// quantizer does, runs the program as it is written.
#pragma once

#include "program.h"

namespace quoth {

// What the device offers: Ops::linear_fused, Ops::rope_kv_attention.
struct Fusions {
  bool linears = false;
  bool attention = false;
};
inline Fusions fusions_of(const Ops& ops) {
  return {ops.linear_fused != nullptr, ops.rope_kv_attention != nullptr};
}

// Leaves as few instructions as these fusions allow, and buffers as wide as what is left uses of them; one that nothing
// uses has width 0. Without any both stay. Then `narrow`, whose rows lie where others do. Each result has the bits that
// it had, as far as the device's fused operations give them.
void fuse(Program& program, Fusions fusions);

}  // namespace quoth
