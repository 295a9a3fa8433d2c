// Fused operations: few rows in one kernel; else compositions of the plain ones: what they mean, in the order in which
// they do it. Rows go through the scratch some at a time.
#include <algorithm>

#include "device.h"
#include "linear_decode.h"
#include "linear_prefill.h"
#include "stretch.h"
#include "tuning.h"

namespace quoth::cuda {
namespace {

Rows some_rows(Rows rows, int32_t first, int32_t count) {
  rows.data += static_cast<int64_t>(first) * rows.stride;
  rows.num_rows = count;
  return rows;
}

Status norm(Device* device, const LinearFusion& fusion, const Rows& x, const Rows& out) {
  return fusion.norm == LinearFusion::Norm::rms
             ? rms_norm(device, x, fusion.norm_weight, fusion.epsilon, out)
             : layer_norm(device, x, fusion.norm_weight, fusion.norm_bias, fusion.epsilon, out);
}

}  // namespace

Status linear_fused(Device* device, Rows x, const Weight* weight, const float* bias, Activation activation,
                    const LinearFusion* fusion, Rows out) {
  if (!device->lost.ok()) return device->lost;
  const int32_t width = weight->num_rows;
  if (x.width != weight->num_columns || out.width != (fusion->is_gated ? width / 2 : width) ||
      (fusion->is_gated && width % 2 != 0) || out.num_rows != x.num_rows) {
    return {Code::invalid_input, "linear_fused: x must be [T, K] and out [T, N] or, gated, [T, N / 2]"};
  }
  if (x.width > device->max_columns || x.num_rows > device->max_tokens) {
    return {Code::invalid_input, "linear_fused: the step is larger than was reserved"};
  }
  if (x.num_rows == 0 || width == 0) return {};
  if (join_stretch(device, x, *weight, bias, activation, *fusion, out)) return {};
  if (const Status status = end_stretch(device); !status.ok()) return status;
  if (join_stretch(device, x, *weight, bias, activation, *fusion, out)) return {};  // as the first of another
  const int32_t way = way_of(device, *weight, *fusion, x.num_rows);
  if (decodes(x, *weight, *fusion)) {
    return linear_decode(device, x, weight, bias, activation, *fusion, out, decode_choice(way));
  }
  if (x.num_rows > kFewRows && can_prefill(*weight, *fusion)) {
    return linear_prefill(device, x, *weight, bias, activation, *fusion, out, way);
  }
  const bool has_result = fusion->is_gated || fusion->adds;
  if (has_result && width > 2 * device->max_columns) {
    return {Code::invalid_input, "linear_fused: the weight is larger than was reserved"};
  }
  for (int32_t first = 0, count = 0; first < x.num_rows; first += count) {
    const int32_t left = x.num_rows - first;
    count = std::min(kFusedRows, left);
    // What is left stays with the kernels for many rows, whose bits the others have.
    if (left > count && left - count <= kFewRows) count = left - kFewRows - 1;
    Rows from = some_rows(x, first, count);
    const Rows to = some_rows(out, first, count);
    Status status;
    if (fusion->norm != LinearFusion::Norm::none) {
      const Rows normed{device->normed, count, x.width, x.width};
      status = norm(device, *fusion, from, normed);
      from = normed;
    }
    const Rows result = has_result ? Rows{device->result, count, width, width} : to;
    if (status.ok()) {
      status = linear(device, from, weight, bias, fusion->is_gated ? Activation::none : activation, result);
    }
    if (status.ok() && fusion->is_gated) {
      const Rows gate_out = fusion->adds ? Rows{device->normed, count, out.width, out.width} : to;
      status = gated(device, result, activation, gate_out);
      if (status.ok() && fusion->adds) status = add(device, to, gate_out, to);
    } else if (status.ok() && fusion->adds) {
      status = add(device, to, result, to);
    }
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace quoth::cuda
