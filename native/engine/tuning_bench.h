// The tuner's measurements on a device: a loaded plan's linears with their own weights, on rows that are nobody's
// between two steps.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "../program/runner.h"
#include "device.h"
#include "tuner.h"

namespace quoth {

class DeviceBench final : public TuningBench {
 public:
  // Both must outlive it. A device without ways to choose from gives no tunables.
  DeviceBench(const OpenDevice& device, const Runner& runner);

  // Each shape once.
  std::vector<Tunable> tunables() const;
  int32_t count_ways(const Tunable& of, int32_t num_rows) override;
  std::optional<double> time(const Tunable& of, int32_t num_rows, int32_t way, int32_t num_calls) override;
  std::vector<float> sample(const Tunable& of, int32_t num_rows, int32_t way) override;
  void choose(const TunedWay& way) override;
  // Whether the device said that nothing more will work on it.
  bool device_lost() const { return device_lost_; }

 private:
  struct Group {
    Tunable of;
    std::vector<LinearCall> calls;
  };
  Group& group_of(const Tunable& of);
  void check(const Status& status, const char* what);
  void fill(const Rows& rows, int64_t num_floats);

  Device* device_;
  const Ops* ops_;
  std::vector<Group> groups_;
  std::vector<float> numbers_;
  const float* filled_ = nullptr;
  bool device_lost_ = false;
};

}  // namespace quoth
