// What a tuner found, beside the plan: `<plan>.tuning.json`. Good for one kind of GPU, driver and build of the kernels;
// of another it is as good as none, and is written anew. Nobody trusts it: what it says is checked for being known.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tuner.h"

namespace quoth {

std::string tuning_path_of(const std::string& plan);

// Nothing when there is no such file, it is damaged, or of another device. Never throws but for memory.
std::vector<TunedWay> read_tuning(const std::string& path, const DeviceInfo& device);

// Whole or not at all: beside it first, then renamed. Throws Fault io.
void write_tuning(const std::string& path, const DeviceInfo& device, const std::vector<TunedWay>& found);

}  // namespace quoth
