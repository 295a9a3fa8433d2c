// Rows from tokens: embeddings, learned positions, and the rows whose logits are wanted.
#include <cstring>

#include "device.h"
#include "float16.h"

namespace quoth::cpu {
namespace {

// out[k] = row `index` of the table, times scale.
void read_row(const Weight& table, int32_t index, float scale, float* out) {
  const int64_t width = table.num_columns;
  if (table.type == Type::f32) {
    const float* row = static_cast<const float*>(table.data) + index * width;
    for (int64_t k = 0; k < width; ++k) out[k] = row[k] * scale;
    return;
  }
  if (table.type == Type::f16) {
    const uint16_t* row = static_cast<const uint16_t*>(table.data) + index * width;
    for (int64_t k = 0; k < width; ++k) out[k] = float_from_half(row[k]) * scale;
    return;
  }
  const bool is_q8 = table.type == Type::q8;
  const int64_t weight_bytes = is_q8 ? 512 : 256;
  const int64_t record_bytes = weight_bytes + 32;
  const int64_t r = index % kQuantRows;
  const uint8_t* record =
      static_cast<const uint8_t*>(table.data) + index / kQuantRows * (width / kQuantGroup) * record_bytes;
  for (int64_t first = 0; first < width; first += kQuantGroup, record += record_bytes) {
    uint16_t half = 0;
    std::memcpy(&half, record + weight_bytes + 2 * r, sizeof half);
    const float row_scale = float_from_half(half) * scale;
    for (int64_t k = 0; k < kQuantGroup; ++k) {
      int32_t value = 0;
      if (is_q8) {
        value = record[k / 4 * 64 + 4 * r + k % 4] - 128;
      } else {
        const uint8_t byte = record[k / 8 * 64 + 4 * r + k % 4];
        value = table.codebook[k % 8 < 4 ? byte & 15 : byte >> 4];
      }
      out[first + k] = static_cast<float>(value) * row_scale;
    }
  }
}

}  // namespace

Status embed(Device* device, const Weight* table, const Batch* batch, float scale, Rows out) {
  if (out.num_rows != batch->num_tokens || out.width != table->num_columns) {
    return {Code::invalid_input, "embed: out must be [T, D] of the table's width"};
  }
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    if (batch->ids[t] < 0 || batch->ids[t] >= table->num_rows) {
      return {Code::invalid_input, "embed: an id is outside the vocabulary"};
    }
  }
  for_rows(device, out.num_rows, 4 * out.width,
           [&](int32_t t) { read_row(*table, batch->ids[t], scale, row_of(out, t)); });
  return {};
}

Status add_positions(Device*, const Weight* table, const Batch* batch, int32_t offset, Rows x) {
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
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    const int64_t first = (static_cast<int64_t>(batch->positions[t]) + offset) * x.width;
    float* row = row_of(x, t);
    if (table->type == Type::f32) {
      const float* added = static_cast<const float*>(table->data) + first;
      for (int32_t k = 0; k < x.width; ++k) row[k] += added[k];
    } else {
      const uint16_t* added = static_cast<const uint16_t*>(table->data) + first;
      for (int32_t k = 0; k < x.width; ++k) row[k] += float_from_half(added[k]);
    }
  }
  return {};
}

Status gather_outputs(Device*, Rows x, const Batch* batch, Rows out) {
  if (out.num_rows != batch->num_outputs || out.width != x.width) {
    return {Code::invalid_input, "gather_outputs: out must be [O, D]"};
  }
  for (int32_t o = 0; o < batch->num_outputs; ++o) {
    const int32_t row = batch->output_rows[o];
    if (row < 0 || row >= x.num_rows) return {Code::invalid_input, "gather_outputs: a row is outside the step"};
    std::memcpy(row_of(out, o), row_of(x, row), sizeof(float) * static_cast<size_t>(x.width));
  }
  return {};
}

}  // namespace quoth::cpu
