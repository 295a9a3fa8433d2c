// The tuner's measurements on a device: a loaded plan's linears with their own weights, on rows that are nobody's
// between two steps.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "../program/runner.h"
#include "device.h"
#include "tuner.h"

namespace quoth {

class DeviceBench final : public TuningBench {
 public:
  // So many kv pages that are free and stay so during a measurement; fewer where there are not so many.
  using FreePages = std::function<std::vector<int32_t>(int32_t)>;

  // Both must outlive it. A device without ways to choose from gives no tunables. num_pages: of the kv cache.
  DeviceBench(const OpenDevice& device, const Runner& runner, int32_t num_pages, FreePages free_pages);

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
    std::vector<AttentionCall> attentions;
  };
  // A step with a row of each sequence, all at the end of contexts of so many pages. False: too few pages are free.
  bool make_batch(const Tunable& of, int32_t num_sequences);
  bool make_small_batch(const Tunable& of, int32_t num_sequences);
  std::optional<double> time_attention(const Group& group, int32_t num_rows, int32_t way, int32_t num_calls);
  std::vector<float> sample_rows(const Rows& out);
  void fill_pages(const KvPages& pages);
  void add_linears(const Runner& runner);
  void add_attentions(const Runner& runner, int32_t num_pages);
  Group& group_of(const Tunable& of);
  void check(const Status& status, const char* what);
  void fill(const Rows& rows, int64_t num_floats);

  Device* device_;
  const Ops* ops_;
  std::vector<Group> groups_;
  FreePages free_pages_;
  std::vector<int32_t> ids_, positions_, first_row_, pages_;
  Batch batch_;
  std::vector<float> numbers_;
  const float* filled_ = nullptr;
  bool device_lost_ = false;
};

}  // namespace quoth
