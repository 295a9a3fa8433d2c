// Rows from tokens: embeddings, learned positions, and the rows whose logits are wanted. Block (row, part of the row);
// a thread takes kPerThread columns. The host cannot see every index: one outside a table gives NaN, never what lies
// there.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 128;
constexpr int32_t kPerThread = 4;

// body(column) for the columns of this thread.
template <typename Body>
__device__ inline void each_column(int32_t width, const Body& body) {
  const int32_t first = static_cast<int32_t>(blockIdx.y) * kThreads * kPerThread + static_cast<int32_t>(threadIdx.x);
#pragma unroll
  for (int32_t i = 0; i < kPerThread; ++i) {
    if (first + i * kThreads < width) body(first + i * kThreads);
  }
}

dim3 grid_of(const Rows& rows) {
  return dim3(static_cast<unsigned>(rows.num_rows), static_cast<unsigned>(ceil_div(rows.width, kThreads * kPerThread)));
}

// Number `k` of row `index` of a table of any type: kernels/cpu/embed.cc has the layout in words.
__device__ float table_value(const Weight& table, const int8_t* codebook, int64_t index, int32_t k) {
  const int64_t width = table.num_columns;
  if (table.type == Type::f32) return static_cast<const float*>(table.data)[index * width + k];
  if (table.type == Type::f16) return __half2float(static_cast<const __half*>(table.data)[index * width + k]);
  if (table.type == Type::f8) {
    const float scale = f8_scales(table.data, table.num_rows, width)[index];
    return element(static_cast<const Float8*>(table.data), index * width + k) * scale;
  }
  const bool is_q8 = table.type == Type::q8;
  const bool has_zeros = table.type == Type::int4_g32 || table.type == Type::int4_g128;
  const int32_t columns = table.type == Type::int4_g128 ? 128 : 32;
  const int64_t weight_bytes = columns * (is_q8 ? 16 : 8);
  const int32_t r = static_cast<int32_t>(index % kQuantRows);
  const uint8_t* record =
      static_cast<const uint8_t*>(table.data) +
      (index / kQuantRows * (width / columns) + k / columns) * (weight_bytes + 2 * kQuantRows * (has_zeros ? 2 : 1));
  const int32_t i = k % columns;
  const __half* scales = reinterpret_cast<const __half*>(record + weight_bytes);
  float value = 0;
  if (is_q8) {
    value = static_cast<float>(record[i / 4 * 64 + 4 * r + i % 4] - 128);
  } else {
    const uint8_t byte = record[i / 8 * 64 + 4 * r + i % 4];
    const int32_t nibble = i % 8 < 4 ? byte & 15 : byte >> 4;
    value = has_zeros ? static_cast<float>(nibble) - __half2float(scales[kQuantRows + r])
                      : static_cast<float>(codebook[nibble]);
  }
  return value * __half2float(scales[r]);
}

__global__ void __launch_bounds__(kThreads) embed_kernel(Weight table, const int32_t* ids, float scale, Rows out) {
  let_next_start();
  wait_for_previous();
  float* row = row_of(out, blockIdx.x);
  const int64_t index = ids[blockIdx.x];
  const bool is_there = index >= 0 && index < table.num_rows;
  each_column(out.width,
              [&](int32_t k) { row[k] = is_there ? table_value(table, table.codebook, index, k) * scale : NAN; });
}

// x[t] += table[indices[t] + offset]; indices null: all 0.
template <typename Element>
__global__ void __launch_bounds__(kThreads)
    add_rows_kernel(const Element* table, int32_t num_rows, const int32_t* indices, int32_t offset, Rows x) {
  let_next_start();
  wait_for_previous();
  float* row = row_of(x, blockIdx.x);
  const int64_t index = (indices == nullptr ? 0 : int64_t{indices[blockIdx.x]}) + offset;
  const bool is_there = index >= 0 && index < num_rows;
  each_column(x.width, [&](int32_t k) { row[k] += is_there ? element(table, index * x.width + k) : NAN; });
}

__global__ void __launch_bounds__(kThreads) gather_kernel(Rows x, const int32_t* rows, Rows out) {
  let_next_start();
  wait_for_previous();
  const float* from = row_of(x, rows[blockIdx.x]);
  float* to = row_of(out, blockIdx.x);
  each_column(out.width, [&](int32_t k) { to[k] = from[k]; });
}

Status add_rows(Device* device, const Weight& table, const int32_t* indices, int32_t offset, const Rows& x) {
  if (table.type == Type::f32) {
    return launch_overlapped(device, add_rows_kernel<float>, grid_of(x), dim3(kThreads), 0,
                             static_cast<const float*>(table.data), table.num_rows, indices, offset, x);
  }
  return launch_overlapped(device, add_rows_kernel<__half>, grid_of(x), dim3(kThreads), 0,
                           static_cast<const __half*>(table.data), table.num_rows, indices, offset, x);
}

}  // namespace

Status embed(Device* device, const Weight* table, const Batch* batch, float scale, Rows out) {
  if (out.num_rows != batch->num_tokens || out.width != table->num_columns) {
    return {Code::invalid_input, "embed: out must be [T, D] of the table's width"};
  }
  if (table->type == Type::i32) return {Code::unsupported, "embed: a table of whole numbers"};
  const int32_t columns = record_columns(table->type);
  if (columns > 0 && table->num_columns % columns != 0) {
    return {Code::invalid_input, "embed: a table with parts of groups"};
  }
  if (table->type == Type::q4 && table->codebook == nullptr) return {Code::invalid_input, "embed: no codebook"};
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    if (batch->ids[t] < 0 || batch->ids[t] >= table->num_rows) {
      return {Code::invalid_input, "embed: an id is outside the vocabulary"};
    }
  }
  DeviceBatch staged;
  const Status status = stage(device, *batch, {.ids = true}, &staged);
  if (!status.ok() || out.num_rows == 0) return status;
  return launch_overlapped(device, embed_kernel, grid_of(out), dim3(kThreads), 0, *table, staged.ids, scale, out);
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
  return add_rows(device, *table, staged.positions, offset, x);
}

Status add_segments(Device* device, const Weight* table, const Batch* batch, Rows x) {
  if (table->type != Type::f32 && table->type != Type::f16) {
    return {Code::unsupported, "add_segments: the table must be f32 or f16"};
  }
  if (x.num_rows != batch->num_tokens || x.width != table->num_columns || table->num_rows < 1) {
    return {Code::invalid_input, "add_segments: x must be [T, D] of the table's width"};
  }
  for (int32_t t = 0; batch->segments != nullptr && t < batch->num_tokens; ++t) {
    if (batch->segments[t] < 0 || batch->segments[t] >= table->num_rows) {
      return {Code::invalid_input, "add_segments: a segment is outside the table"};
    }
  }
  DeviceBatch staged;
  const Status status = stage(device, *batch, {.segments = batch->segments != nullptr}, &staged);
  if (!status.ok() || x.num_rows == 0) return status;
  return add_rows(device, *table, batch->segments == nullptr ? nullptr : staged.segments, 0, x);
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
  return launch_overlapped(device, gather_kernel, grid_of(out), dim3(kThreads), 0, x, staged.output_rows, out);
}

}  // namespace quoth::cuda
