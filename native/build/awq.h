// The searches of AWQ (arXiv 2306.00978): scales that protect the columns which matter, and the clipping of each group.
//
// The loss is the squared error of each linear's own output on the sample's rows, over the energy of that output: a
// linear counts by how wrong it becomes, not by how large its numbers are. AutoAWQ compares the outputs of whole
// modules instead; a linear's own output needs no second forward pass, and is the same for every architecture.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "../../kernels/ops.h"
#include "sample.h"

namespace quoth {

// A weight in the making: f32 [N, K].
struct Matrix {
  int32_t num_rows = 0;
  int32_t num_columns = 0;
  float* data = nullptr;
};

// Where the searches compute. `abandon` ends them early: a Fault `cancelled`.
struct Bench {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  const std::atomic<bool>* abandon = nullptr;
};

// The part of a linear's output that is lost when `rounded` [N, K] stands in its place: |x (W' - W)^T|^2 / |x W^T|^2.
double output_error(const Bench& bench, const Sample& sample, const Matrix& weight, const Matrix& rounded);

struct ScaleSearch {
  std::vector<float> scale;  // f32 [K]: multiply the columns by it, and divide x
  double ratio = -1;         // -1: no scale is better than round to nearest
  double loss = 0;           // sum over the weights, with that scale
  double plain_loss = 0;     // the same for round to nearest
};

// Tries scale = mean|x|^r / (mean|w|^(1-r) + 1e-4) for r = 0, 1/20 .. 19/20, its largest times its smallest made 1.
//   weights        that read the sample's x
//   group_columns  32 or 128
ScaleSearch search_scale(const Bench& bench, const Sample& sample, const std::vector<Matrix>& weights,
                         int32_t group_columns);

struct ClipSearch {
  std::vector<float> limits;  // f32 [N, K / group]: each group is clamped to +- its limit; empty: nothing is clamped
  double loss = 0;            // with what was chosen
  double plain_loss = 0;      // without clipping
  int64_t num_clipped = 0;
  int64_t num_groups = 0;
};

// Finds for each group of each row how far its largest weights are cut off (to 100, 95 .. 55 %), so that the group's
// own part of the output, over all rows of the calibration text, changes least. Nothing is clamped if that does not
// make the whole output on the sample's rows better.
ClipSearch search_clip(const Bench& bench, const Sample& sample, const Matrix& weight, int32_t group_columns);

}  // namespace quoth
