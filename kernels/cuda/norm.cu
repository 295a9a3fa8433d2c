// Root-mean-square and layer norms, alone or after the residual's addition. A warp takes a narrow row, a block a wide
// one, four columns at a time that stay in registers; rows of odd widths go the plain way. A thread meets the same
// columns in every pass, so that it reads back only what it wrote itself. Sums: f32, each thread's columns in ascending
// order, then a fixed tree: a function of the width alone.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;

// y null: out = norm(x); else x += y first. kSubtractMean: layer norm (with bias), else rms norm.
template <bool kSubtractMean>
__global__ void __launch_bounds__(kThreads)
    norm_kernel(Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out) {
  let_next_start();
  wait_for_previous();
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

constexpr int32_t kMaxFours = 8;  // of a thread

__device__ inline float square_sum(const float4& v, float sum) {
  return fmaf(v.w, v.w, fmaf(v.z, v.z, fmaf(v.y, v.y, fmaf(v.x, v.x, sum))));
}

// kRowThreads: a warp or the block take a row.
template <int32_t kRowThreads, bool kSubtractMean>
__global__ void __launch_bounds__(kThreads)
    norm_fours_kernel(Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out) {
  let_next_start();
  wait_for_previous();
  const int32_t thread = threadIdx.x % kRowThreads;
  const int32_t index =
      static_cast<int32_t>(blockIdx.x) * (kThreads / kRowThreads) + static_cast<int32_t>(threadIdx.x) / kRowThreads;
  if (index >= x.num_rows) return;  // the whole warp, or nobody
  const int32_t num_fours = x.width / 4;
  const float width = static_cast<float>(x.width);
  float4* row = reinterpret_cast<float4*>(row_of(x, index));
  float4* to = reinterpret_cast<float4*>(row_of(out, index));
  const auto row_sum = [](float value) {
    if constexpr (kRowThreads == kWarp) {
      return warp_sum(value);
    } else {
      return block_sum<kThreads>(value);
    }
  };
  float4 values[kMaxFours] = {};
#pragma unroll
  for (int32_t i = 0; i < kMaxFours; ++i) {
    const int32_t four = thread + i * kRowThreads;
    if (four < num_fours) values[i] = row[four];
  }
  if (y.data != nullptr) {
    const float4* added = reinterpret_cast<const float4*>(row_of(y, index));
#pragma unroll
    for (int32_t i = 0; i < kMaxFours; ++i) {
      const int32_t four = thread + i * kRowThreads;
      if (four >= num_fours) continue;
      const float4 more = added[four];
      values[i] = make_float4(values[i].x + more.x, values[i].y + more.y, values[i].z + more.z, values[i].w + more.w);
      row[four] = values[i];
    }
  }
  if constexpr (kSubtractMean) {
    float sum = 0;
#pragma unroll
    for (int32_t i = 0; i < kMaxFours; ++i) sum += (values[i].x + values[i].y) + (values[i].z + values[i].w);
    const float mean = row_sum(sum) / width;
#pragma unroll
    for (int32_t i = 0; i < kMaxFours; ++i) {
      if (thread + i * kRowThreads >= num_fours) continue;
      values[i] = make_float4(values[i].x - mean, values[i].y - mean, values[i].z - mean, values[i].w - mean);
    }
  }
  float squares = 0;
#pragma unroll
  for (int32_t i = 0; i < kMaxFours; ++i) squares = square_sum(values[i], squares);
  const float scale = 1.0f / sqrtf(row_sum(squares) / width + epsilon);
#pragma unroll
  for (int32_t i = 0; i < kMaxFours; ++i) {
    const int32_t four = thread + i * kRowThreads;
    if (four >= num_fours) continue;
    const float4 w = __ldg(reinterpret_cast<const float4*>(weight) + four);
    float4 normed = make_float4(values[i].x * scale * w.x, values[i].y * scale * w.y, values[i].z * scale * w.z,
                                values[i].w * scale * w.w);
    if (bias != nullptr) {
      const float4 b = __ldg(reinterpret_cast<const float4*>(bias) + four);
      normed = make_float4(normed.x + b.x, normed.y + b.y, normed.z + b.z, normed.w + b.w);
    }
    to[four] = normed;
  }
}

bool is_in_fours(const void* vector) {
  return reinterpret_cast<uintptr_t>(vector) % 16 == 0;
}

template <bool kSubtractMean>
Status run(Device* device, const Rows& x, const Rows& y, const float* weight, const float* bias, float epsilon,
           const Rows& out) {
  if (!device->lost.ok()) return device->lost;
  if (!same_shape(x, out) || (y.data != nullptr && !same_shape(x, y))) {
    return {Code::invalid_input, "norm: the rows must be of one shape"};
  }
  if (x.num_rows == 0 || x.width == 0) return {};
  const bool in_fours = has_fours(x) && has_fours(out) && (y.data == nullptr || has_fours(y)) && is_in_fours(weight) &&
                        is_in_fours(bias) && x.width <= 4 * kMaxFours * kThreads;
  const unsigned num_rows = static_cast<unsigned>(x.num_rows);
  if (in_fours && x.width <= 4 * kMaxFours * kWarp) {
    return launch_overlapped(device, norm_fours_kernel<kWarp, kSubtractMean>,
                             dim3(ceil_div(num_rows, unsigned{kThreads / kWarp})), dim3(kThreads), 0, x, y, weight,
                             bias, epsilon, out);
  }
  if (in_fours) {
    return launch_overlapped(device, norm_fours_kernel<kThreads, kSubtractMean>, dim3(num_rows), dim3(kThreads), 0, x,
                             y, weight, bias, epsilon, out);
  }
  return launch_overlapped(device, norm_kernel<kSubtractMean>, dim3(num_rows), dim3(kThreads), 0, x, y, weight, bias,
                           epsilon, out);
}

// A warp takes one head of one row: columns lane, lane + 32, …, then a fixed tree.
__global__ void __launch_bounds__(kThreads)
    norm_heads_kernel(Rows x, int32_t num_heads, int32_t head_size, const float* weight, float epsilon) {
  let_next_start();
  wait_for_previous();
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
  return launch_overlapped(device, norm_heads_kernel, grid, dim3(kThreads), 0, x, num_heads, head_size, weight,
                           epsilon);
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
