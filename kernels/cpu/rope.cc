// Rotary positions (RoFormer, arXiv 2104.09864) and the writing of keys and values to their kv pages.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "device.h"
#include "float16.h"
#include "float8.h"

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

// One token's key or value of one head in i8 or f8, as tensor.h states it.
void write_bytes(Type type, const float* from, int32_t head_size, uint8_t* bytes, uint16_t* scale_of_token) {
  float largest = 0;
  for (int32_t i = 0; i < head_size; ++i) {
    const float magnitude = std::abs(from[i]);
    largest = magnitude <= largest ? largest : magnitude;  // a NaN stays
    if (std::isnan(largest)) break;
  }
  *scale_of_token =
      largest <= kMaxKvByteValue ? half_from_float(largest / (type == Type::i8 ? 127.0f : 448.0f)) : 0x7e00;
  const float scale = float_from_half(*scale_of_token);
  for (int32_t i = 0; i < head_size; ++i) {
    if (!(scale > 0)) {
      bytes[i] = 0;
    } else if (type == Type::i8) {
      const float rounded = std::nearbyint(from[i] / scale);
      bytes[i] = static_cast<uint8_t>(static_cast<int8_t>(std::min(std::max(rounded, -127.0f), 127.0f)));
    } else {
      bytes[i] = float8_from_float(from[i] / scale);
    }
  }
}

void write_row(Device* device, const float* keys, const float* values, const Batch& batch, int32_t row,
               const KvPages& pages) {
  const int32_t position = batch.positions[row];
  const int64_t sequence = sequence_of(batch, row);
  const int64_t page = batch.page_table[sequence * batch.page_table_stride + position / kPageTokens];
  const int64_t token = position % kPageTokens;
  for (int32_t head = 0; head < pages.num_heads; ++head) {
    const int64_t block = (page * pages.num_heads + head) * kv_block_bytes(pages.type, pages.head_size);
    for (const bool is_key : {true, false}) {
      char* to = static_cast<char*>(is_key ? pages.keys : pages.values) + block;
      const float* from = (is_key ? keys : values) + static_cast<int64_t>(head) * pages.head_size;
      if (pages.type == Type::f32) {
        const size_t size_bytes = sizeof(float) * static_cast<size_t>(pages.head_size);
        std::memcpy(to + token * static_cast<int64_t>(size_bytes), from, size_bytes);
      } else if (pages.type == Type::f16) {
        device->loops.half_row(from, pages.head_size, reinterpret_cast<uint16_t*>(to) + token * pages.head_size);
      } else {
        write_bytes(pages.type, from, pages.head_size, reinterpret_cast<uint8_t*>(to) + token * pages.head_size,
                    reinterpret_cast<uint16_t*>(to + int64_t{kPageTokens} * pages.head_size) + token);
      }
    }
  }
}

Status check_pages(const Batch& batch, const KvPages& pages) {
  if (!is_kv_type(pages.type)) return {Code::unsupported, "kv pages must be f32, f16, i8 or f8"};
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
