// From rows to one vector per sequence, of length one. Block (sequence, part of the row), or a block for a row.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int32_t kPoolThreads = 64;  // columns of a block that pools: few, so that many sequences' blocks run at once

__global__ void __launch_bounds__(kPoolThreads) pool_mean_kernel(Rows x, const int32_t* first_row, Rows out) {
  let_next_start();
  wait_for_previous();
  const int32_t k = static_cast<int32_t>(blockIdx.y) * kPoolThreads + static_cast<int32_t>(threadIdx.x);
  if (k >= out.width) return;
  const int32_t first = first_row[blockIdx.x];
  const int32_t end = first_row[blockIdx.x + 1];
  float sum = 0;
#pragma unroll 8
  for (int32_t t = first; t < end; ++t) sum += row_of(x, t)[k];
  row_of(out, blockIdx.x)[k] = sum / static_cast<float>(end - first);
}

__global__ void __launch_bounds__(kThreads) pool_first_kernel(Rows x, const int32_t* first_row, Rows out) {
  let_next_start();
  wait_for_previous();
  const float* from = row_of(x, first_row[blockIdx.x]);
  float* to = row_of(out, blockIdx.x);
  for (int32_t k = threadIdx.x; k < out.width; k += kThreads) to[k] = from[k];
}

__global__ void __launch_bounds__(kThreads) normalize_kernel(Rows x) {
  let_next_start();
  wait_for_previous();
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
  const dim3 grid(static_cast<unsigned>(out.num_rows), static_cast<unsigned>(ceil_div(out.width, kPoolThreads)));
  return launch_overlapped(device, pool_mean_kernel, grid, dim3(kPoolThreads), 0, x, staged.first_row, out);
}

Status pool_first(Device* device, Rows x, const Batch* batch, Rows out) {
  DeviceBatch staged;
  const Status status = prepare(device, x, *batch, out, &staged);
  if (!status.ok() || out.num_rows == 0) return status;
  return launch_overlapped(device, pool_first_kernel, dim3(static_cast<unsigned>(out.num_rows)), dim3(kThreads), 0, x,
                           staged.first_row, out);
}

Status normalize(Device* device, Rows x) {
  if (!device->lost.ok()) return device->lost;
  if (x.num_rows == 0 || x.width == 0) return {};
  return launch_overlapped(device, normalize_kernel, dim3(static_cast<unsigned>(x.num_rows)), dim3(kThreads), 0, x);
}

}  // namespace quoth::cuda
