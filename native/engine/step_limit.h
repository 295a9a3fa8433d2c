// How many rows a step with prompts may have, so that it does not last longer than a person waits for "stop": what a
// GPU was given cannot be taken back. A CPU needs no limit: there a step is abandoned between two operations.
#pragma once

#include <algorithm>
#include <cstdint>

#include "scheduler.h"

namespace quoth {

class StepLimit {
 public:
  // most: what there is room for.  learns: false = always that
  StepLimit(int32_t most, bool learns)
      : most_(most), learns_(learns), rows_(learns ? std::min(most, kFirstRows) : most) {}

  // Whole tiles, where there are several.
  int32_t rows() const { return learns_ && rows_ >= 2 * kTileRows ? rows_ / kTileRows * kTileRows : rows_; }
  // On a GPU half of what is fast enough for "stop" while others wait for their next token, if there is room for so
  // many; all of it while they are fewer than those who wait for their first.
  StepRows step_rows() const {
    if (!learns_) return {rows_, rows_ / 8, rows_ / 8, 1, 0, 0};
    return {rows(), std::min(rows(), fitting_ / 2), rows(), kTileRows, kMany, kRests};
  }

  // A step with prompts took so long. The limit grows to what would take kStepMs, at most to twice of what was tried;
  // it shrinks with a step that took longer, also where disturbances made it slow: it grows again with the next.
  void learn(int32_t num_rows, double ms) {
    if (!learns_ || num_rows < kLeastRows || ms <= 0) return;
    const double fitting = num_rows / ms * kStepMs;
    const int32_t next = static_cast<int32_t>(std::clamp(fitting, double{kLeastRows}, 2.0 * num_rows));
    if (next > fitting_ || ms > kStepMs) fitting_ = next;
    rows_ = std::min(fitting_, most_);
  }

 private:
  static constexpr double kStepMs = 45;       // a cancel is answered within 50
  static constexpr int32_t kFirstRows = 256;  // until a step was measured
  static constexpr int32_t kLeastRows = 64;
  static constexpr int32_t kMany = 48;       // that generate
  static constexpr int32_t kRests = 4;       // steps: with the next, they wait for at most 5 of 45 ms
  static constexpr int32_t kTileRows = 256;  // what the kernels for many rows take at once

  int32_t most_;
  bool learns_;
  int32_t fitting_ = kFirstRows;  // in kStepMs, whatever there is room for
  int32_t rows_;
};

}  // namespace quoth
