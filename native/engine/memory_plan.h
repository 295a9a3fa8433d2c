// What an engine will take, reckoned before anything of it is taken: weights, kv pages, the rows of a step. Where
// memory is short, fewer kv pages; where even few do not fit, one clear sentence instead of a failure half-way.
#pragma once

#include <cstdint>
#include <string>

#include "../program/plan_file.h"
#include "../program/program.h"
#include "../program/runner.h"
#include "options.h"

namespace quoth {

struct MemoryPlan {
  DeviceKind device = DeviceKind::cpu;
  uint64_t total_bytes = 0;  // of the device; 0 = it cannot be told
  uint64_t free_bytes = 0;   // what may be taken: the smaller of what is free and `memory_bytes`
  uint64_t weight_bytes = 0;
  uint64_t activation_bytes = 0;
  uint64_t working_bytes = 0;  // the kernels' scratch, and steps that the device records
  Type kv_type = Type::i32;    // i32: no kv pages
  uint64_t kv_page_bytes = 0;
  int32_t wanted_pages = 0;
  int32_t num_pages = 0;  // as many of the wanted ones as fit
  bool fits = false;      // else `num_pages` is the least that was asked for
  std::string sentence;   // for people
  Capacity capacity;

  uint64_t kv_bytes() const { return kv_page_bytes * static_cast<uint64_t>(num_pages); }
  uint64_t needed_bytes() const { return weight_bytes + activation_bytes + working_bytes + kv_bytes(); }
};

// Throws Fault invalid_input for an option out of its range; what does not fit is no fault here.
MemoryPlan plan_memory(const EngineOptions& options, const PlanFile& plan, const Program& program,
                       const OpenDevice& device);

}  // namespace quoth
