// linear for more than 8 rows: rounds x, chooses a kernel. See linear_prefill.h.
#include "linear_prefill.h"

namespace quoth::cuda {

bool can_prefill(const Weight& weight, const LinearFusion& fusion) {
  if (fusion.is_gated && (weight.num_rows % 2 != 0 || weight.num_rows / 2 % kQuantRows != 0)) return false;
  if (fusion.norm != LinearFusion::Norm::none && weight.num_columns > kMostNormedColumns) return false;
  switch (weight.type) {
    case Type::q4:
      if (weight.codebook == nullptr) return false;
      [[fallthrough]];
    case Type::q8:
    case Type::int4_g32:
    case Type::int4_g128:
      return weight.num_columns % record_columns(weight.type) == 0;
    case Type::f16:
      return weight.num_columns % 8 == 0 && reinterpret_cast<uintptr_t>(weight.data) % 16 == 0;
    case Type::f8:
      return weight.num_columns % 16 == 0 && reinterpret_cast<uintptr_t>(weight.data) % 16 == 0;
    default:
      return false;
  }
}

int32_t num_prefill_shapes(const Device* device, const Weight& weight) {
  if (device->has_wgmma && has_wgmma(weight.type, weight.num_columns)) return num_wgmma_shapes();
  return device->sums_in_halves ? 0 : kNumMmaShapes;
}

bool has_prefill_shape(const Device* device, const Weight& weight, const LinearFusion& fusion, int32_t shape) {
  if (shape < 0 || shape >= num_prefill_shapes(device, weight)) return false;
  if (!device->has_wgmma || !has_wgmma(weight.type, weight.num_columns)) return true;
  if (!has_wgmma_shape(weight.type, shape)) return false;
  const PrefillShape tile = wgmma_shape(weight.type, shape);
  return !fusion.is_gated || tile.groups * tile.tiles % 2 == 0;
}

Status linear_prefill(Device* device, const Rows& x, const Weight& weight, const float* bias, Activation activation,
                      const LinearFusion& fusion, const Rows& out, int32_t shape) {
  if (x.num_rows > device->max_tokens || x.width > device->max_columns) {
    return {Code::invalid_input, "linear: the step is larger than was reserved"};
  }
  PrefillProblem problem;
  Status status = round_rows(device, x, fusion, weight.type != Type::f16, &problem.x);
  if (!status.ok()) return status;
  problem.weights = static_cast<const uint8_t*>(weight.data);
  problem.codebook = weight.codebook;
  if (weight.type == Type::f8) problem.row_scales = f8_scales(weight.data, weight.num_rows, weight.num_columns);
  problem.num_rows = weight.num_rows;
  problem.num_columns = weight.num_columns;
  problem.gate_rows = fusion.is_gated ? weight.num_rows / 2 : 0;
  problem.bias = bias;
  problem.activation = activation;
  problem.adds = fusion.adds;
  problem.is_paired = out.stride % 4 == 0 && reinterpret_cast<uintptr_t>(out.data) % 16 == 0;
  problem.out = out;
  if (device->has_wgmma && has_wgmma(weight.type, weight.num_columns)) {
    return multiply_wgmma(device, weight.type, problem, shape);
  }
  return multiply_mma(device, weight.type, problem, shape);
}

}  // namespace quoth::cuda
