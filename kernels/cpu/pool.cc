// From rows to one vector per sequence, of length one.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "device.h"

namespace quoth::cpu {
namespace {

Status check(const Rows& x, const Batch& batch, const Rows& out) {
  if (x.num_rows != batch.num_tokens || out.num_rows != batch.num_sequences || out.width != x.width) {
    return {Code::invalid_input, "pool: x must be [T, D] and out [B, D]"};
  }
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    if (batch.first_row[b] < 0 || batch.first_row[b] >= batch.first_row[b + 1] || batch.first_row[b + 1] > x.num_rows) {
      return {Code::invalid_input, "pool: every sequence needs a row of this step"};
    }
  }
  return {};
}

}  // namespace

Status pool_mean(Device*, Rows x, const Batch* batch, Rows out) {
  const Status status = check(x, *batch, out);
  if (!status.ok()) return status;
  for (int32_t b = 0; b < batch->num_sequences; ++b) {
    float* mean = row_of(out, b);
    std::memset(mean, 0, sizeof(float) * static_cast<size_t>(out.width));
    for (int32_t t = batch->first_row[b]; t < batch->first_row[b + 1]; ++t) {
      const float* row = row_of(x, t);
      for (int32_t k = 0; k < x.width; ++k) mean[k] += row[k];
    }
    const float num_rows = static_cast<float>(batch->first_row[b + 1] - batch->first_row[b]);
    for (int32_t k = 0; k < x.width; ++k) mean[k] /= num_rows;
  }
  return {};
}

Status pool_first(Device*, Rows x, const Batch* batch, Rows out) {
  const Status status = check(x, *batch, out);
  if (!status.ok()) return status;
  for (int32_t b = 0; b < batch->num_sequences; ++b) {
    std::memcpy(row_of(out, b), row_of(x, batch->first_row[b]), sizeof(float) * static_cast<size_t>(x.width));
  }
  return {};
}

Status normalize(Device*, Rows x) {
  for (int32_t t = 0; t < x.num_rows; ++t) {
    float* row = row_of(x, t);
    double squares = 0;
    for (int32_t k = 0; k < x.width; ++k) squares += static_cast<double>(row[k]) * row[k];
    const double scale = 1.0 / std::max(std::sqrt(squares), 1e-12);
    for (int32_t k = 0; k < x.width; ++k) row[k] = static_cast<float>(row[k] * scale);
  }
  return {};
}

}  // namespace quoth::cpu
