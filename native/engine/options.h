// What an engine is asked for when it is loaded. Its own file: the memory planner answers before there is an engine.
#pragma once

#include <cstdint>
#include <string>

#include "device.h"

namespace quoth {

// How kv pages hold their numbers: as the plan says; the same, but i8 where the wanted context does not fit; or that
// type.
enum class KvChoice : int32_t { plan, automatic, f32, f16, i8, f8 };

// As `EngineOptions` in native/index.ts; 0 = the default.
struct EngineOptions {
  std::string plan;
  DeviceChoice device = DeviceChoice::best;
  int32_t num_threads = 0;
  int64_t kv_tokens = 0;
  int64_t min_kv_tokens = 0;
  int64_t memory_bytes = 0;
  int32_t step_tokens = 0;
  KvChoice kv_type = KvChoice::plan;
  bool tunes = true;
  std::string tuning_file;  // "" = beside the plan
};

}  // namespace quoth
