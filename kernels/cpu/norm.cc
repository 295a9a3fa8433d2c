// Root-mean-square and layer norms, alone or after the residual's addition.
#include <cmath>

#include "device.h"

namespace quoth::cpu {
namespace {

void plain_norm_row(float* x, const float* y, const float* weight, const float* bias, bool subtract_mean, float epsilon,
                    int32_t width, float* out) {
  if (y != nullptr) {
    for (int32_t k = 0; k < width; ++k) x[k] += y[k];
  }
  double mean = 0;
  if (subtract_mean) {
    for (int32_t k = 0; k < width; ++k) mean += x[k];
    mean /= width;
  }
  double squares = 0;
  for (int32_t k = 0; k < width; ++k) squares += (x[k] - mean) * (x[k] - mean);
  const double scale = 1.0 / std::sqrt(squares / width + epsilon);
  for (int32_t k = 0; k < width; ++k) {
    const float normed = static_cast<float>((x[k] - mean) * scale) * weight[k];
    out[k] = bias == nullptr ? normed : normed + bias[k];
  }
}

Status run(Device* device, const Rows& x, const Rows* y, const float* weight, const float* bias, bool subtract_mean,
           float epsilon, const Rows& out) {
  if (!same_shape(x, out) || (y != nullptr && !same_shape(x, *y))) {
    return {Code::invalid_input, "norm: the rows must be of one shape"};
  }
  for_rows(device, x.num_rows, x.width, [&](int32_t t) {
    device->loops.norm_row(row_of(x, t), y == nullptr ? nullptr : row_of(*y, t), weight, bias, subtract_mean, epsilon,
                           x.width, row_of(out, t));
  });
  return {};
}

}  // namespace

void set_plain_norm(Loops* loops) {
  loops->norm_row = plain_norm_row;
}

Status rms_norm(Device* device, Rows x, const float* weight, float epsilon, Rows out) {
  return run(device, x, nullptr, weight, nullptr, false, epsilon, out);
}

Status layer_norm(Device* device, Rows x, const float* weight, const float* bias, float epsilon, Rows out) {
  return run(device, x, nullptr, weight, bias, true, epsilon, out);
}

Status rms_norm_heads(Device* device, Rows x, int32_t num_heads, int32_t head_size, const float* weight,
                      float epsilon) {
  if (num_heads < 1 || head_size < 1 || x.width != static_cast<int64_t>(num_heads) * head_size) {
    return {Code::invalid_input, "rms_norm_heads: x must be [T, heads * d]"};
  }
  for_rows(device, x.num_rows, x.width, [&](int32_t t) {
    for (int32_t head = 0; head < num_heads; ++head) {
      float* row = row_of(x, t) + static_cast<int64_t>(head) * head_size;
      device->loops.norm_row(row, nullptr, weight, nullptr, false, epsilon, head_size, row);
    }
  });
  return {};
}

Status add_rms_norm(Device* device, Rows x, Rows y, const float* weight, float epsilon, Rows out) {
  return run(device, x, &y, weight, nullptr, false, epsilon, out);
}

Status add_layer_norm(Device* device, Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out) {
  return run(device, x, &y, weight, bias, true, epsilon, out);
}

}  // namespace quoth::cpu
