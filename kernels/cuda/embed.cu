// Rows from tokens: embeddings, learned positions, and the rows whose logits are wanted. A block takes one row.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 128;

// Number `k` of row `index` of a table of any type: kernels/cpu/embed.cc has the layout in words.
__device__ float table_value(const Weight& table, const int8_t* codebook, int64_t index, int32_t k) {
  const int64_t width = table.num_columns;
  if (table.type == Type::f32) return static_cast<const float*>(table.data)[index * width + k];
  if (table.type == Type::f16) return __half2float(static_cast<const __half*>(table.data)[index * width + k]);
  const bool is_q8 = table.type == Type::q8;
  const int64_t weight_bytes = is_q8 ? 512 : 256;
  const int32_t r = static_cast<int32_t>(index % kQuantRows);
  const uint8_t* record =
      static_cast<const uint8_t*>(table.data) +
      (index / kQuantRows * (width / kQuantGroup) + k / kQuantGroup) * (weight_bytes + 2 * kQuantRows);
  const int32_t i = k % kQuantGroup;
  int32_t value = 0;
  if (is_q8) {
    value = record[i / 4 * 64 + 4 * r + i % 4] - 128;
  } else {
    const uint8_t byte = record[i / 8 * 64 + 4 * r + i % 4];
    value = codebook[i % 8 < 4 ? byte & 15 : byte >> 4];
  }
  const __half scale = *reinterpret_cast<const __half*>(record + weight_bytes + 2 * r);
  return static_cast<float>(value) * __half2float(scale);
}

__global__ void __launch_bounds__(kThreads)
    embed_kernel(Weight table, const int32_t* __restrict__ ids, float scale, Rows out) {
  float* row = row_of(out, blockIdx.x);
  const int64_t index = ids[blockIdx.x];
  for (int32_t k = threadIdx.x; k < out.width; k += kThreads) {
    row[k] = table_value(table, table.codebook, index, k) * scale;
  }
}

template <typename Element>
__global__ void __launch_bounds__(kThreads)
    add_positions_kernel(const Element* table, const int32_t* __restrict__ positions, int32_t offset, Rows x) {
  float* row = row_of(x, blockIdx.x);
  const int64_t first = (static_cast<int64_t>(positions[blockIdx.x]) + offset) * x.width;
  for (int32_t k = threadIdx.x; k < x.width; k += kThreads) row[k] += element(table, first + k);
}

__global__ void __launch_bounds__(kThreads) gather_kernel(Rows x, const int32_t* __restrict__ rows, Rows out) {
  const float* from = row_of(x, rows[blockIdx.x]);
  float* to = row_of(out, blockIdx.x);
  for (int32_t k = threadIdx.x; k < out.width; k += kThreads) to[k] = from[k];
}

}  // namespace

Status embed(Device* device, const Weight* table, const Batch* batch, float scale, Rows out) {
  if (out.num_rows != batch->num_tokens || out.width != table->num_columns) {
    return {Code::invalid_input, "embed: out must be [T, D] of the table's width"};
  }
  if ((table->type == Type::q8 || table->type == Type::q4) && table->num_columns % kQuantGroup != 0) {
    return {Code::invalid_input, "embed: q8 and q4 need D % 32 == 0"};
  }
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    if (batch->ids[t] < 0 || batch->ids[t] >= table->num_rows) {
      return {Code::invalid_input, "embed: an id is outside the vocabulary"};
    }
  }
  DeviceBatch staged;
  const Status status = stage(device, *batch, {.ids = true}, &staged);
  if (!status.ok() || out.num_rows == 0) return status;
  embed_kernel<<<out.num_rows, kThreads, 0, device->stream>>>(*table, staged.ids, scale, out);
  return launched(device);
}

Status add_positions(Device* device, const Weight* table, const Batch* batch, int32_t offset, Rows x) {
  if (table->type != Type::f32 && table->type != Type::f16) {
    return {Code::unsupported, "add_positions: the table must be f32 or f16"};
  }
  if (x.num_rows != batch->num_tokens || x.width != table->num_columns) {
    return {Code::invalid_input, "add_positions: x must be [T, D] of the table's width"};
  }
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    const int64_t index = static_cast<int64_t>(batch->positions[t]) + offset;
    if (index < 0 || index >= table->num_rows) {
      return {Code::invalid_input, "add_positions: a position is outside the table"};
    }
  }
  DeviceBatch staged;
  const Status status = stage(device, *batch, {.positions = true}, &staged);
  if (!status.ok() || x.num_rows == 0) return status;
  if (table->type == Type::f32) {
    add_positions_kernel<<<x.num_rows, kThreads, 0, device->stream>>>(static_cast<const float*>(table->data),
                                                                      staged.positions, offset, x);
  } else {
    add_positions_kernel<<<x.num_rows, kThreads, 0, device->stream>>>(static_cast<const __half*>(table->data),
                                                                      staged.positions, offset, x);
  }
  return launched(device);
}

Status gather_outputs(Device* device, Rows x, const Batch* batch, Rows out) {
  if (out.num_rows != batch->num_outputs || out.width != x.width) {
    return {Code::invalid_input, "gather_outputs: out must be [O, D]"};
  }
  for (int32_t o = 0; o < batch->num_outputs; ++o) {
    if (batch->output_rows[o] < 0 || batch->output_rows[o] >= x.num_rows) {
      return {Code::invalid_input, "gather_outputs: a row is outside the step"};
    }
  }
  DeviceBatch staged;
  const Status status = stage(device, *batch, {.output_rows = true}, &staged);
  if (!status.ok() || out.num_rows == 0) return status;
  gather_kernel<<<out.num_rows, kThreads, 0, device->stream>>>(x, staged.output_rows, out);
  return launched(device);
}

}  // namespace quoth::cuda
