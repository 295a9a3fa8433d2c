// What an engine is asked for when it is loaded. Its own file: the memory planner answers before there is an engine.
#pragma once

#include <cstdint>
#include <string>

#include "device.h"

namespace quoth {

// As `EngineOptions` in native/index.ts; 0 = the default.
struct EngineOptions {
  std::string plan;
  DeviceChoice device = DeviceChoice::best;
  int32_t num_threads = 0;
  int64_t kv_tokens = 0;
  int64_t min_kv_tokens = 0;
  int64_t memory_bytes = 0;
  int32_t step_tokens = 0;
};

}  // namespace quoth
