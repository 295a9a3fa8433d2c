// The CPU with fused operations: what they mean, composed of the plain ones. For tests of what a GPU does otherwise.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "../../kernels/ops.h"

namespace quoth::test {

inline const Ops* plain_ops = nullptr;  // set by `with_fused_ops`

inline Rows rows_in(std::vector<float>& memory, int32_t num_rows, int32_t width) {
  // From a multiple of 64 bytes on, as the engine's buffers are.
  memory.assign(static_cast<size_t>(num_rows) * static_cast<size_t>(width) + 16, std::nanf(""));
  const uintptr_t past = reinterpret_cast<uintptr_t>(memory.data()) % 64;
  return Rows{memory.data() + (past == 0 ? 0 : (64 - past) / 4), num_rows, width, width};
}

inline Status linear_fused(Device* device, Rows x, const Weight* weight, const float* bias, Activation activation,
                           const LinearFusion* fusion, Rows out) {
  std::vector<float> normed, result, gated;
  Status status;
  if (fusion->norm != LinearFusion::Norm::none) {
    const Rows to = rows_in(normed, x.num_rows, x.width);
    status = fusion->norm == LinearFusion::Norm::rms
                 ? plain_ops->rms_norm(device, x, fusion->norm_weight, fusion->epsilon, to)
                 : plain_ops->layer_norm(device, x, fusion->norm_weight, fusion->norm_bias, fusion->epsilon, to);
    x = to;
  }
  Rows y = rows_in(result, x.num_rows, weight->num_rows);
  if (status.ok()) {
    status = plain_ops->linear(device, x, weight, bias, fusion->is_gated ? Activation::none : activation, y);
  }
  if (status.ok() && fusion->is_gated) {
    const Rows to = rows_in(gated, x.num_rows, weight->num_rows / 2);
    status = plain_ops->gated(device, y, activation, to);
    y = to;
  }
  for (int32_t t = 0; status.ok() && t < out.num_rows; ++t) {
    for (int32_t n = 0; n < out.width; ++n) {
      float& to = out.data[static_cast<int64_t>(t) * out.stride + n];
      const float from = y.data[static_cast<int64_t>(t) * y.stride + n];
      to = fusion->adds ? to + from : from;
    }
  }
  return status;
}

inline Status rope_kv_attention(Device* device, Rows qkv, const Attention* shape, const Rope* rope, const Batch* batch,
                                KvPages pages, Rows out) {
  Status status = plain_ops->rope_kv_write(device, qkv, shape, rope, batch, pages);
  Rows queries = qkv;
  queries.width = shape->num_heads * shape->head_size;
  if (status.ok()) status = plain_ops->attention(device, queries, shape, batch, pages, out);
  for (int32_t t = 0; t < qkv.num_rows; ++t) {  // undefined from now on
    for (int32_t n = 0; n < qkv.width; ++n) qkv.data[static_cast<int64_t>(t) * qkv.stride + n] = std::nanf("");
  }
  return status;
}

inline Ops with_fused_ops(const Ops* ops) {
  plain_ops = ops;
  Ops fused = *ops;
  fused.linear_fused = linear_fused;
  fused.rope_kv_attention = rope_kv_attention;
  return fused;
}

}  // namespace quoth::test
