// Root-mean-square and layer norms, alone or after the residual's addition. A block takes one row; a thread meets the
// same columns in every pass, so that it reads back only what it wrote itself. Sums: f32, each thread's columns in
// ascending order, then a fixed tree.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;

// y null: out = norm(x); else x += y first. kSubtractMean: layer norm (with bias), else rms norm.
template <bool kSubtractMean>
__global__ void __launch_bounds__(kThreads)
    norm_kernel(Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out) {
  const int32_t width = x.width;
  float* row = row_of(x, blockIdx.x);
  float* to = row_of(out, blockIdx.x);
  if (y.data != nullptr) {
    const float* added = row_of(y, blockIdx.x);
    for (int32_t k = threadIdx.x; k < width; k += kThreads) row[k] += added[k];
  }
  float mean = 0;
  if constexpr (kSubtractMean) {
    float sum = 0;
    for (int32_t k = threadIdx.x; k < width; k += kThreads) sum += row[k];
    mean = block_sum<kThreads>(sum) / static_cast<float>(width);
  }
  float squares = 0;
  for (int32_t k = threadIdx.x; k < width; k += kThreads) {
    const float distance = row[k] - mean;
    squares = fmaf(distance, distance, squares);
  }
  const float scale = 1.0f / sqrtf(block_sum<kThreads>(squares) / static_cast<float>(width) + epsilon);
  for (int32_t k = threadIdx.x; k < width; k += kThreads) {
    const float normed = (row[k] - mean) * scale * weight[k];
    to[k] = bias == nullptr ? normed : normed + bias[k];
  }
}

template <bool kSubtractMean>
Status run(Device* device, const Rows& x, const Rows& y, const float* weight, const float* bias, float epsilon,
           const Rows& out) {
  if (!device->lost.ok()) return device->lost;
  if (!same_shape(x, out) || (y.data != nullptr && !same_shape(x, y))) {
    return {Code::invalid_input, "norm: the rows must be of one shape"};
  }
  if (x.num_rows == 0 || x.width == 0) return {};
  norm_kernel<kSubtractMean><<<x.num_rows, kThreads, 0, device->stream>>>(x, y, weight, bias, epsilon, out);
  return launched(device);
}

// A warp takes one head of one row: columns lane, lane + 32, …, then a fixed tree.
__global__ void __launch_bounds__(kThreads)
    norm_heads_kernel(Rows x, int32_t num_heads, int32_t head_size, const float* weight, float epsilon) {
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t head = static_cast<int32_t>(blockIdx.y * kThreads + threadIdx.x) / kWarp;
  if (head >= num_heads) return;
  float* columns = row_of(x, blockIdx.x) + static_cast<int64_t>(head) * head_size;
  float squares = 0;
  for (int32_t k = lane; k < head_size; k += kWarp) squares = fmaf(columns[k], columns[k], squares);
  const float scale = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(head_size) + epsilon);
  for (int32_t k = lane; k < head_size; k += kWarp) columns[k] = columns[k] * scale * weight[k];
}

}  // namespace

Status rms_norm_heads(Device* device, Rows x, int32_t num_heads, int32_t head_size, const float* weight,
                      float epsilon) {
  if (!device->lost.ok()) return device->lost;
  if (num_heads < 1 || head_size < 1 || x.width != static_cast<int64_t>(num_heads) * head_size) {
    return {Code::invalid_input, "rms_norm_heads: x must be [T, heads * d]"};
  }
  if (x.num_rows == 0) return {};
  const dim3 grid(static_cast<unsigned>(x.num_rows), static_cast<unsigned>(ceil_div(num_heads, kThreads / kWarp)));
  norm_heads_kernel<<<grid, kThreads, 0, device->stream>>>(x, num_heads, head_size, weight, epsilon);
  return launched(device);
}

Status rms_norm(Device* device, Rows x, const float* weight, float epsilon, Rows out) {
  return run<false>(device, x, Rows{}, weight, nullptr, epsilon, out);
}

Status layer_norm(Device* device, Rows x, const float* weight, const float* bias, float epsilon, Rows out) {
  return run<true>(device, x, Rows{}, weight, bias, epsilon, out);
}

Status add_rms_norm(Device* device, Rows x, Rows y, const float* weight, float epsilon, Rows out) {
  return run<false>(device, x, y, weight, nullptr, epsilon, out);
}

Status add_layer_norm(Device* device, Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out) {
  return run<true>(device, x, y, weight, bias, epsilon, out);
}

}  // namespace quoth::cuda
