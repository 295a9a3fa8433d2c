// out = act(x W^T + bias): checks, and which family of kernels multiplies. Up to 8 rows: linear_decode.cu, at the speed
// of memory; more: linear_prefill.cu, on the tensor cores; weights in f32, and rows of f16 or f8 that are not whole
// 16-byte pieces: linear_float.cu.
#include "device.h"
#include "linear_decode.h"
#include "linear_prefill.h"
#include "tuning.h"

namespace quoth::cuda {

Status linear(Device* device, Rows x, const Weight* weight, const float* bias, Activation activation, Rows out) {
  if (!device->lost.ok()) return device->lost;
  if (x.width != weight->num_columns || out.width != weight->num_rows || out.num_rows != x.num_rows) {
    return {Code::invalid_input, "linear: x must be [T, K] and out [T, N] for a weight [N, K]"};
  }
  if (x.num_rows == 0 || weight->num_rows == 0) return {};
  if (weight->type == Type::i32) return {Code::unsupported, "linear: a weight of whole numbers"};
  const int32_t columns = record_columns(weight->type);
  if (columns != 0 && weight->num_columns % columns != 0) {
    return {Code::invalid_input, "linear: K must be whole groups of the weight's"};
  }
  if (weight->type == Type::q4 && weight->codebook == nullptr) {
    return {Code::invalid_input, "linear: a q4 weight has no codebook"};
  }
  if (x.num_rows > device->max_tokens || x.width > device->max_columns) {
    return {Code::invalid_input, "linear: the step is larger than was reserved"};
  }
  const LinearFusion plain;
  const int32_t way = way_of(device, *weight, plain, x.num_rows);
  if (decodes(x, *weight, plain)) {
    return linear_decode(device, x, weight, bias, activation, plain, out, decode_choice(way));
  }
  if (can_prefill(*weight, plain)) return linear_prefill(device, x, *weight, bias, activation, plain, out, way);
  if (columns == 0) return linear_float(device, x, weight, bias, activation, out);
  return {Code::invalid_input, "linear: the weight must lie at a multiple of 16 bytes"};
}

}  // namespace quoth::cuda
