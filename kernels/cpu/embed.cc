// Rows from tokens: embeddings, learned positions, and the rows whose logits are wanted.
#include <cstring>

#include "device.h"
#include "float16.h"
#include "float8.h"

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
  if (table.type == Type::f8) {
    const uint8_t* row = static_cast<const uint8_t*>(table.data) + index * width;
    const float row_scale = f8_scales(table)[index] * scale;
    for (int64_t k = 0; k < width; ++k) out[k] = float_from_float8(row[k]) * row_scale;
    return;
  }
  const int64_t columns = record_columns(table.type);
  const int64_t bytes = record_bytes(table.type);
  const int64_t weight_bytes = table.type == Type::q8 ? 16 * columns : 8 * columns;
  const bool has_zeros = table.type == Type::int4_g32 || table.type == Type::int4_g128;
  const int64_t r = index % kQuantRows;
  const uint8_t* record = static_cast<const uint8_t*>(table.data) + index / kQuantRows * (width / columns) * bytes;
  const auto half_at = [](const uint8_t* place) {
    uint16_t half = 0;
    std::memcpy(&half, place, sizeof half);
    return float_from_half(half);
  };
  for (int64_t first = 0; first < width; first += columns, record += bytes) {
    const float row_scale = half_at(record + weight_bytes + 2 * r) * scale;
    const float zero = has_zeros ? half_at(record + weight_bytes + 32 + 2 * r) : 0.0f;
    for (int64_t k = 0; k < columns; ++k) {
      float value = 0;
      if (table.type == Type::q8) {
        value = static_cast<float>(record[k / 4 * 64 + 4 * r + k % 4] - 128);
      } else {
        const uint8_t byte = record[k / 8 * 64 + 4 * r + k % 4];
        const int32_t nibble = k % 8 < 4 ? byte & 15 : byte >> 4;
        value = has_zeros ? static_cast<float>(nibble) - zero : static_cast<float>(table.codebook[nibble]);
      }
      out[first + k] = value * row_scale;
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
  if (table->type == Type::i32) return {Code::unsupported, "embed: a table of whole numbers"};
  const int32_t columns = record_columns(table->type);
  if (columns > 0 && table->num_columns % columns != 0)
    return {Code::invalid_input, "embed: a table with parts of groups"};
  if (table->type == Type::q4 && table->codebook == nullptr) return {Code::invalid_input, "embed: no codebook"};
  for_rows(device, out.num_rows, 4 * out.width,
           [&](int32_t t) { read_row(*table, batch->ids[t], scale, row_of(out, t)); });
  return {};
}

namespace {

// x[t] += table[index_of(t)], for the operation that the sentences name.
template <typename IndexOf>
Status add_rows_of(const Weight* table, const Batch* batch, Rows x, const IndexOf& index_of, const char* outside) {
  if (table->type != Type::f32 && table->type != Type::f16) {
    return {Code::unsupported, "a table of what is added to rows must be f32 or f16"};
  }
  if (x.num_rows != batch->num_tokens || x.width != table->num_columns) {
    return {Code::invalid_input, "what is added to rows must be [T, D] of the table's width"};
  }
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    if (index_of(t) < 0 || index_of(t) >= table->num_rows) return {Code::invalid_input, outside};
  }
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    const int64_t first = index_of(t) * x.width;
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

}  // namespace

Status add_positions(Device*, const Weight* table, const Batch* batch, int32_t offset, Rows x) {
  const auto index_of = [&](int32_t t) { return static_cast<int64_t>(batch->positions[t]) + offset; };
  return add_rows_of(table, batch, x, index_of, "add_positions: a position is outside the table");
}

Status add_segments(Device*, const Weight* table, const Batch* batch, Rows x) {
  const auto index_of = [&](int32_t t) { return batch->segments == nullptr ? int64_t{0} : batch->segments[t]; };
  return add_rows_of(table, batch, x, index_of, "add_segments: a segment is outside the table");
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
