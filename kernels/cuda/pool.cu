// From rows to one vector per sequence, of length one. A block takes one sequence or row.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;

__global__ void __launch_bounds__(kThreads) pool_mean_kernel(Rows x, const int32_t* __restrict__ first_row, Rows out) {
  const int32_t first = first_row[blockIdx.x];
  const int32_t end = first_row[blockIdx.x + 1];
  float* mean = row_of(out, blockIdx.x);
  for (int32_t k = threadIdx.x; k < out.width; k += kThreads) {
    float sum = 0;
    for (int32_t t = first; t < end; ++t) sum += row_of(x, t)[k];
    mean[k] = sum / static_cast<float>(end - first);
  }
}

__global__ void __launch_bounds__(kThreads) pool_first_kernel(Rows x, const int32_t* __restrict__ first_row, Rows out) {
  const float* from = row_of(x, first_row[blockIdx.x]);
  float* to = row_of(out, blockIdx.x);
  for (int32_t k = threadIdx.x; k < out.width; k += kThreads) to[k] = from[k];
}

__global__ void __launch_bounds__(kThreads) normalize_kernel(Rows x) {
  float* row = row_of(x, blockIdx.x);
  double squares = 0;
  for (int32_t k = threadIdx.x; k < x.width; k += kThreads) squares += static_cast<double>(row[k]) * row[k];
  const double scale = 1.0 / fmax(sqrt(block_sum<kThreads>(squares)), 1e-12);
  for (int32_t k = threadIdx.x; k < x.width; k += kThreads) row[k] = static_cast<float>(row[k] * scale);
}

Status prepare(Device* device, const Rows& x, const Batch& batch, const Rows& out, DeviceBatch* staged) {
  if (x.num_rows != batch.num_tokens || out.num_rows != batch.num_sequences || out.width != x.width) {
    return {Code::invalid_input, "pool: x must be [T, D] and out [B, D]"};
  }
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    if (batch.first_row[b] < 0 || batch.first_row[b] >= batch.first_row[b + 1] || batch.first_row[b + 1] > x.num_rows) {
      return {Code::invalid_input, "pool: every sequence needs a row of this step"};
    }
  }
  return stage(device, batch, {.first_row = true}, staged);
}

}  // namespace

Status pool_mean(Device* device, Rows x, const Batch* batch, Rows out) {
  DeviceBatch staged;
  const Status status = prepare(device, x, *batch, out, &staged);
  if (!status.ok() || out.num_rows == 0) return status;
  pool_mean_kernel<<<out.num_rows, kThreads, 0, device->stream>>>(x, staged.first_row, out);
  return launched(device);
}

Status pool_first(Device* device, Rows x, const Batch* batch, Rows out) {
  DeviceBatch staged;
  const Status status = prepare(device, x, *batch, out, &staged);
  if (!status.ok() || out.num_rows == 0) return status;
  pool_first_kernel<<<out.num_rows, kThreads, 0, device->stream>>>(x, staged.first_row, out);
  return launched(device);
}

Status normalize(Device* device, Rows x) {
  if (!device->lost.ok()) return device->lost;
  if (x.num_rows == 0 || x.width == 0) return {};
  normalize_kernel<<<x.num_rows, kThreads, 0, device->stream>>>(x);
  return launched(device);
}

}  // namespace quoth::cuda
