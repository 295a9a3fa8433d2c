#include "awq.h"

#include <algorithm>
#include <cmath>

#include "../fault.h"
#include "clones.h"
#include "int4.h"
#include "parallel.h"

namespace quoth {
namespace {

constexpr int32_t kNumRatios = 20;
constexpr int32_t kNumClips = 10;  // 100, 95 .. 55 %

// Floats of the block of differences that is made and multiplied at a time: it stays in the second-level caches.
constexpr int64_t kBlockFloats = 1 << 19;

void check(const Bench& bench, const Status& status) {
  if (bench.abandon->load(std::memory_order_relaxed)) throw Fault(FaultCode::cancelled, "The search was cancelled.");
  if (!status.ok()) throw fault_of(status, "The search");
}

QUOTH_CLONES double energy_of(const float* numbers, int64_t count) {
  double sums[16] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int j = 0; j < 16; j++) sums[j] += static_cast<double>(numbers[i + j]) * numbers[i + j];
  }
  for (; i < count; i++) sums[0] += static_cast<double>(numbers[i]) * numbers[i];
  double sum = 0;
  for (double part : sums) sum += part;
  return sum;
}

// |x D^T|^2 over the sample's kept rows, where row n of D is what `fill(n, out)` writes: f32 [K]. `fill` is called from
// several threads.
template <typename Fill>
double output_energy(const Bench& bench, const Sample& sample, int32_t num_rows, const Fill& fill) {
  const int32_t num_columns = sample.num_columns;
  const int32_t most = static_cast<int32_t>(std::clamp<int64_t>(kBlockFloats / num_columns, 16, num_rows));
  std::vector<float> block(static_cast<size_t>(most) * static_cast<size_t>(num_columns));
  std::vector<float> out(static_cast<size_t>(sample.num_kept) * static_cast<size_t>(most));
  // The operation reads x only: its rows are the sample's own.
  const Rows x{const_cast<float*>(sample.rows.data()), sample.num_kept, num_columns, num_columns};
  double energy = 0;
  for (int32_t first = 0; first < num_rows; first += most) {
    const int32_t count = std::min(most, num_rows - first);
    constexpr int32_t kRowsOfItem = 4;
    share((count - 1) / kRowsOfItem + 1, [&](int32_t item, int32_t) {
      for (int32_t n = item * kRowsOfItem; n < std::min(count, (item + 1) * kRowsOfItem); n++) {
        fill(first + n, block.data() + static_cast<int64_t>(n) * num_columns);
      }
    });
    const Weight weight{Type::f32, count, num_columns, block.data(), nullptr};
    const Rows y{out.data(), sample.num_kept, count, count};
    check(bench, bench.ops->linear(bench.device, x, &weight, nullptr, Activation::none, y));
    energy += energy_of(out.data(), static_cast<int64_t>(sample.num_kept) * count);
  }
  return energy;
}

double output_energy(const Bench& bench, const Sample& sample, const Matrix& weight) {
  return output_energy(bench, sample, weight.num_rows, [&](int32_t n, float* out) {
    const float* row = weight.data + static_cast<int64_t>(n) * weight.num_columns;
    std::copy(row, row + weight.num_columns, out);
  });
}

// A linear whose output is always nought cannot become wrong.
double ratio_of(double error, double energy) {
  return energy > 0 ? error / energy : 0;
}

QUOTH_CLONES void multiply_loop(const float* a, const float* b, int32_t count, float* out) {
  for (int32_t i = 0; i < count; i++) out[i] = a[i] * b[i];
}

// out = out * inverse - w
QUOTH_CLONES void difference_loop(const float* w, const float* inverse, int32_t count, float* out) {
  for (int32_t i = 0; i < count; i++) out[i] = out[i] * inverse[i] - w[i];
}

// d' P d for a group's products P [128, 128].
QUOTH_CLONES float quadratic_form(const float* products, const float* d, int32_t width) {
  float sums[16] = {};
  for (int32_t i = 0; i < width; i++) {
    const float* row = products + static_cast<int64_t>(i) * kSampleGroup;
    float part[16] = {};
    for (int32_t k = 0; k < width; k += 16) {
      for (int j = 0; j < 16; j++) part[j] += row[k + j] * d[k + j];
    }
    for (int j = 0; j < 16; j++) sums[j] += part[j] * d[i];
  }
  float sum = 0;
  for (float part : sums) sum += part;
  return sum;
}

void check_shape(const Sample& sample, const Matrix& weight, int32_t group_columns) {
  if (group_columns != 32 && group_columns != 128) {
    throw Fault(FaultCode::invalid_input, "A group has 32 or 128 columns.");
  }
  if (weight.num_columns != sample.num_columns || weight.num_columns % group_columns != 0 || sample.num_kept == 0) {
    throw Fault(FaultCode::invalid_input, "The sample is not of what this weight reads.");
  }
}

// Mean over the weights' rows of |w| / (largest |w| of its group): how much a column stands out in its groups.
std::vector<float> column_weights(const std::vector<Matrix>& weights, int32_t group_columns) {
  const int32_t num_columns = weights[0].num_columns;
  const int32_t num_groups = num_columns / group_columns;
  std::vector<double> sums(static_cast<size_t>(num_columns), 0);
  int64_t num_rows = 0;
  for (const Matrix& weight : weights) num_rows += weight.num_rows;
  share(num_groups, [&](int32_t g, int32_t) {
    for (const Matrix& weight : weights) {
      for (int32_t n = 0; n < weight.num_rows; n++) {
        const float* w = weight.data + static_cast<int64_t>(n) * num_columns + g * group_columns;
        const float largest = largest_magnitude(w, group_columns);
        if (largest == 0) continue;
        const float inverse = 1 / largest;
        double* sum = sums.data() + g * group_columns;
        for (int32_t k = 0; k < group_columns; k++) sum[k] += std::fabs(w[k]) * inverse;
      }
    }
  });
  std::vector<float> means(static_cast<size_t>(num_columns));
  for (size_t k = 0; k < means.size(); k++) means[k] = static_cast<float>(sums[k] / static_cast<double>(num_rows));
  return means;
}

std::vector<float> scale_of(double ratio, const Sample& sample, const std::vector<float>& column_weight) {
  std::vector<float> scale(column_weight.size());
  double least = 1e30, most = 0;
  for (size_t k = 0; k < scale.size(); k++) {
    const double x = sample.sums[k] / static_cast<double>(std::max<int64_t>(1, sample.num_rows));
    const double value = std::pow(x, ratio) / (std::pow(column_weight[k], 1 - ratio) + 1e-4);
    scale[k] = static_cast<float>(std::max(value, 1e-4));
    least = std::min<double>(least, scale[k]);
    most = std::max<double>(most, scale[k]);
  }
  const float norm = static_cast<float>(std::sqrt(least * most));
  for (float& value : scale) value /= norm;
  return scale;
}

}  // namespace

double output_error(const Bench& bench, const Sample& sample, const Matrix& weight, const Matrix& rounded) {
  const int64_t num_columns = weight.num_columns;
  const double error = output_energy(bench, sample, weight.num_rows, [&](int32_t n, float* out) {
    const float* from = weight.data + n * num_columns;
    const float* to = rounded.data + n * num_columns;
    for (int64_t k = 0; k < num_columns; k++) out[k] = to[k] - from[k];
  });
  return ratio_of(error, output_energy(bench, sample, weight));
}

ScaleSearch search_scale(const Bench& bench, const Sample& sample, const std::vector<Matrix>& weights,
                         int32_t group_columns) {
  if (weights.empty()) throw Fault(FaultCode::invalid_input, "There is no weight to scale.");
  for (const Matrix& weight : weights) check_shape(sample, weight, group_columns);
  const int32_t num_columns = sample.num_columns;
  std::vector<double> energies;
  for (const Matrix& weight : weights) energies.push_back(output_energy(bench, sample, weight));

  const auto loss_of = [&](const float* scale, const float* inverse) {
    double loss = 0;
    for (size_t i = 0; i < weights.size(); i++) {
      const Matrix& weight = weights[i];
      const double error = output_energy(bench, sample, weight.num_rows, [&](int32_t n, float* out) {
        const float* w = weight.data + static_cast<int64_t>(n) * num_columns;
        multiply_loop(w, scale, num_columns, out);
        for (int32_t k = 0; k < num_columns; k += group_columns)
          rounded_int4(out + k, group_columns, kNoInt4Limit, out + k);
        difference_loop(w, inverse, num_columns, out);
      });
      loss += ratio_of(error, energies[i]);
    }
    return loss;
  };

  ScaleSearch best;
  best.scale.assign(static_cast<size_t>(num_columns), 1.0f);
  best.plain_loss = best.loss = loss_of(best.scale.data(), best.scale.data());
  const std::vector<float> column_weight = column_weights(weights, group_columns);
  std::vector<float> inverse(static_cast<size_t>(num_columns));
  for (int32_t step = 0; step < kNumRatios; step++) {
    const double ratio = static_cast<double>(step) / kNumRatios;
    std::vector<float> scale = scale_of(ratio, sample, column_weight);
    for (size_t k = 0; k < scale.size(); k++) inverse[k] = 1 / scale[k];
    const double loss = loss_of(scale.data(), inverse.data());
    if (!(loss < best.loss)) continue;
    best.loss = loss;
    best.ratio = ratio;
    best.scale = std::move(scale);
  }
  return best;
}

ClipSearch search_clip(const Bench& bench, const Sample& sample, const Matrix& weight, int32_t group_columns) {
  check_shape(sample, weight, group_columns);
  const int32_t num_columns = weight.num_columns;
  const int32_t num_groups = num_columns / group_columns;
  // f32 [N, K / group]: the limit of each group.
  std::vector<float> limits(static_cast<size_t>(weight.num_rows) * static_cast<size_t>(num_groups), kNoInt4Limit);
  constexpr int32_t kRowsOfItem = 8;
  share((weight.num_rows - 1) / kRowsOfItem + 1, [&](int32_t item, int32_t) {
    if (bench.abandon->load(std::memory_order_relaxed)) return;
    float difference[kSampleGroup];
    for (int32_t n = item * kRowsOfItem; n < std::min(weight.num_rows, (item + 1) * kRowsOfItem); n++) {
      for (int32_t g = 0; g < num_groups; g++) {
        const int32_t first = g * group_columns;
        const float* w = weight.data + static_cast<int64_t>(n) * num_columns + first;
        // Groups of 32 are squares on the diagonal of the sample's 128.
        const int64_t inside = first % kSampleGroup;
        const float* products = sample.products.data() + (first - inside) * kSampleGroup + inside * (kSampleGroup + 1);
        const float largest = largest_magnitude(w, group_columns);
        float least = 0;
        for (int32_t step = 0; step < kNumClips; step++) {
          const float limit = step == 0 ? kNoInt4Limit : largest * (1 - static_cast<float>(step) / 20);
          rounded_int4(w, group_columns, limit, difference);
          for (int32_t k = 0; k < group_columns; k++) difference[k] -= w[k];
          const float loss = quadratic_form(products, difference, group_columns);
          if (step != 0 && !(loss < least)) continue;
          least = loss;
          limits[static_cast<size_t>(n) * static_cast<size_t>(num_groups) + static_cast<size_t>(g)] = limit;
        }
      }
    }
  });
  check(bench, {});

  const double energy = output_energy(bench, sample, weight);
  const auto loss_of = [&](bool clipped) {
    const double error = output_energy(bench, sample, weight.num_rows, [&](int32_t n, float* out) {
      const float* w = weight.data + static_cast<int64_t>(n) * num_columns;
      const float* limit = limits.data() + static_cast<int64_t>(n) * num_groups;
      for (int32_t g = 0; g < num_groups; g++) {
        rounded_int4(w + g * group_columns, group_columns, clipped ? limit[g] : kNoInt4Limit, out + g * group_columns);
      }
      for (int32_t k = 0; k < num_columns; k++) out[k] -= w[k];
    });
    return ratio_of(error, energy);
  };
  ClipSearch found;
  found.num_groups = static_cast<int64_t>(limits.size());
  found.plain_loss = found.loss = loss_of(false);
  const double clipped_loss = loss_of(true);
  if (!(clipped_loss < found.loss)) return found;
  found.loss = clipped_loss;
  found.num_clipped = std::count_if(limits.begin(), limits.end(), [](float limit) { return limit != kNoInt4Limit; });
  found.limits = std::move(limits);
  return found;
}

}  // namespace quoth
