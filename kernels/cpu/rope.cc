// Rotary positions (RoFormer, arXiv 2104.09864) and the writing of keys and values to their kv pages.
#include <cmath>
#include <cstring>

#include "device.h"

namespace quoth::cpu {
namespace {

// Turns the heads of one row. The angles of a pair are the same in every head, so each is computed once.
void turn_row(float* row, int32_t num_heads, int32_t head_size, const Rope& rope, int32_t position) {
  const int32_t half = rope.rotary_size / 2;
  for (int32_t i = 0; i < half; ++i) {
    const float angle = static_cast<float>(position) * rope.inverse_frequencies[i];
    const float cosine = std::cos(angle) * rope.factor;
    const float sine = std::sin(angle) * rope.factor;
    const int32_t first = rope.adjacent_pairs ? 2 * i : i;
    const int32_t second = rope.adjacent_pairs ? 2 * i + 1 : i + half;
    for (int32_t head = 0; head < num_heads; ++head) {
      float* x = row + static_cast<int64_t>(head) * head_size;
      const float a = x[first];
      const float b = x[second];
      x[first] = a * cosine - b * sine;
      x[second] = b * cosine + a * sine;
    }
  }
}

// The sequence that a row belongs to. Steps hold few sequences.
int32_t sequence_of(const Batch& batch, int32_t row) {
  int32_t low = 0;
  int32_t high = batch.num_sequences;
  while (high - low > 1) {
    const int32_t middle = (low + high) / 2;
    (batch.first_row[middle] <= row ? low : high) = middle;
  }
  return low;
}

void write_row(Device* device, const float* keys, const float* values, const Batch& batch, int32_t row,
               const KvPages& pages) {
  const int32_t position = batch.positions[row];
  const int64_t sequence = sequence_of(batch, row);
  const int64_t page = batch.page_table[sequence * batch.page_table_stride + position / kPageTokens];
  for (int32_t head = 0; head < pages.num_heads; ++head) {
    const int64_t at = ((page * pages.num_heads + head) * kPageTokens + position % kPageTokens) *
                       static_cast<int64_t>(pages.head_size);
    const int64_t from = static_cast<int64_t>(head) * pages.head_size;
    if (pages.type == Type::f32) {
      const size_t size_bytes = sizeof(float) * static_cast<size_t>(pages.head_size);
      std::memcpy(static_cast<float*>(pages.keys) + at, keys + from, size_bytes);
      std::memcpy(static_cast<float*>(pages.values) + at, values + from, size_bytes);
    } else {
      device->loops.half_row(keys + from, pages.head_size, static_cast<uint16_t*>(pages.keys) + at);
      device->loops.half_row(values + from, pages.head_size, static_cast<uint16_t*>(pages.values) + at);
    }
  }
}

Status check_pages(const Batch& batch, const KvPages& pages) {
  if (pages.type != Type::f32 && pages.type != Type::f16) return {Code::unsupported, "kv pages must be f32 or f16"};
  for (int32_t t = 0; t < batch.num_tokens; ++t) {
    if (batch.positions[t] < 0 || batch.positions[t] / kPageTokens >= batch.page_table_stride) {
      return {Code::invalid_input, "a position lies outside its sequence's page table"};
    }
  }
  return {};
}

bool is_turnable(const Rope& rope, int32_t head_size) {
  return rope.rotary_size >= 0 && rope.rotary_size <= head_size && rope.rotary_size % 2 == 0;
}

}  // namespace

Status rope(Device* device, Rows x, int32_t num_heads, int32_t head_size, const Rope* rope, const Batch* batch) {
  if (x.num_rows != batch->num_tokens || x.width != num_heads * head_size || !is_turnable(*rope, head_size)) {
    return {Code::invalid_input, "rope: x must be [T, heads * d] and R even and at most d"};
  }
  for_rows(device, x.num_rows, 4 * x.width,
           [&](int32_t t) { turn_row(row_of(x, t), num_heads, head_size, *rope, batch->positions[t]); });
  return {};
}

Status kv_write(Device* device, Rows keys, Rows values, const Batch* batch, KvPages pages) {
  if (keys.num_rows != batch->num_tokens || !same_shape(keys, values) ||
      keys.width != pages.num_heads * pages.head_size) {
    return {Code::invalid_input, "kv_write: keys and values must be [T, G * d]"};
  }
  const Status status = check_pages(*batch, pages);
  if (!status.ok()) return status;
  for_rows(device, keys.num_rows, 2 * keys.width,
           [&](int32_t t) { write_row(device, row_of(keys, t), row_of(values, t), *batch, t, pages); });
  return {};
}

Status rope_kv_write(Device* device, Rows qkv, const Attention* shape, const Rope* rope, const Batch* batch,
                     KvPages pages) {
  const int32_t query_width = shape->num_heads * shape->head_size;
  const int32_t key_width = shape->num_kv_heads * shape->head_size;
  if (qkv.num_rows != batch->num_tokens || qkv.width != query_width + 2 * key_width ||
      pages.num_heads != shape->num_kv_heads || pages.head_size != shape->head_size ||
      !is_turnable(*rope, shape->head_size)) {
    return {Code::invalid_input, "rope_kv_write: qkv must be [T, (H + 2G) * d] and R even and at most d"};
  }
  const Status status = check_pages(*batch, pages);
  if (!status.ok()) return status;
  for_rows(device, qkv.num_rows, 4 * qkv.width, [&](int32_t t) {
    float* row = row_of(qkv, t);
    turn_row(row, shape->num_heads + shape->num_kv_heads, shape->head_size, *rope, batch->positions[t]);
    write_row(device, row + query_width, row + query_width + key_width, *batch, t, pages);
  });
  return {};
}

}  // namespace quoth::cpu
