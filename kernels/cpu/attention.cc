// Attention over kv pages (causal, decode and prefill alike) and over a step's own rows (encoders).
//
// A thread takes up to 32 lanes (a lane = one query row of one head) that share one kv head, and walks the keys 64 at a
// time, so that a tile of keys is read and widened once for all its lanes.
#include <algorithm>
#include <cmath>

#include "device.h"
#include "float16.h"
#include "float8.h"

namespace quoth::cpu {
namespace {

// Of what one page of one head holds (tensor.h, KvPages), or of a step's own rows.
struct Columns {
  Type type;
  const char* data;  // of a token
  float scale;
  float operator[](int32_t index) const {
    switch (type) {
      case Type::f32:
        return reinterpret_cast<const float*>(data)[index];
      case Type::f16:
        return float_from_half(reinterpret_cast<const uint16_t*>(data)[index]);
      case Type::i8:
        return scale * static_cast<float>(static_cast<int8_t>(data[index]));
      default:
        return scale * float_from_float8(static_cast<uint8_t>(data[index]));
    }
  }
};
Columns columns_of(const AttentionTask& task, const void* array, int32_t key) {
  const int64_t tile = key / kPageTokens;
  const int64_t start = (task.pages == nullptr ? tile : task.pages[tile]) * task.tile_stride;
  const int64_t row = key % kPageTokens * task.row_stride;
  const auto* bytes = static_cast<const char*>(array);
  if (task.type == Type::f32 || task.type == Type::f16) {
    return {task.type, bytes + (start + row) * (task.type == Type::f32 ? 4 : 2), 1};
  }
  const auto* scales = reinterpret_cast<const uint16_t*>(bytes + start + kPageTokens * task.row_stride);
  return {task.type, bytes + start + row, float_from_half(scales[key % kPageTokens])};
}

// The specification: softmax(score) v with score = q . k * scale, capped and with its slope if asked for; each lane by
// itself, scores computed twice instead of stored.
void plain_attend_lanes(const AttentionTask& task, float*) {
  for (int32_t lane = task.first_lane; lane < task.end_lane; ++lane) {
    const int64_t row = lane / task.group_size;
    const int64_t column = static_cast<int64_t>(lane % task.group_size) * task.head_size;
    const float* query = task.queries + row * task.query_stride + column;
    float* out = task.out + row * task.out_stride + column;
    const int32_t end = task.positions == nullptr ? task.num_keys : task.positions[row] + 1;
    const int32_t first = task.window > 0 ? std::max(0, end - task.window) : 0;
    const auto score = [&](int32_t key) {
      const Columns columns = columns_of(task, task.keys, key);
      float sum = 0;
      for (int32_t i = 0; i < task.head_size; ++i) sum += query[i] * columns[i];
      sum *= task.scale;
      if (task.soft_cap > 0) sum = task.soft_cap * std::tanh(sum / task.soft_cap);
      if (task.slopes != nullptr) sum += task.slopes[lane % task.group_size] * static_cast<float>(key - end + 1);
      return sum;
    };
    float largest = -INFINITY;
    for (int32_t key = first; key < end; ++key) largest = std::max(largest, score(key));
    float total = 0;
    std::fill(out, out + task.head_size, 0.0f);
    for (int32_t key = first; key < end; ++key) {
      const float weight = std::exp(score(key) - largest);
      const Columns columns = columns_of(task, task.values, key);
      for (int32_t i = 0; i < task.head_size; ++i) out[i] += weight * columns[i];
      total += weight;
    }
    for (int32_t i = 0; i < task.head_size; ++i) out[i] /= total;
  }
}

// How many lanes a thread takes at once: as many as share a tile well, unless that leaves threads without work.
int32_t lanes_at_once(Device* device, int64_t num_lanes) {
  return static_cast<int32_t>(std::clamp<int64_t>(num_lanes / (device->pool.num_threads() * 3), 4, kMaxLanes));
}

// make_task(sequence, kv head) for every one, cut into shares of lanes; shares of one sequence follow each other.
template <typename MakeTask>
void share_lanes(Device* device, const Batch& batch, int32_t num_kv_heads, int32_t group_size,
                 const MakeTask& make_task) {
  const int64_t all_lanes = static_cast<int64_t>(batch.num_tokens) * num_kv_heads * group_size;
  const int32_t share = lanes_at_once(device, all_lanes);
  int32_t num_units = 0;
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    const int32_t lanes = (batch.first_row[b + 1] - batch.first_row[b]) * group_size;
    num_units += (lanes + share - 1) / share * num_kv_heads;
  }
  parallel(device, num_units, [&](int32_t unit, int32_t thread) {
    for (int32_t b = 0;; ++b) {
      const int32_t lanes = (batch.first_row[b + 1] - batch.first_row[b]) * group_size;
      const int32_t shares = (lanes + share - 1) / share;
      if (unit >= shares * num_kv_heads) {
        unit -= shares * num_kv_heads;
        continue;
      }
      AttentionTask task = make_task(b, unit / shares);
      task.group_size = group_size;
      task.first_lane = unit % shares * share;
      task.end_lane = std::min(lanes, task.first_lane + share);
      // The vector loops know no bytes.
      const bool is_vector = task.type == Type::f32 || task.type == Type::f16;
      (is_vector ? device->loops.attend_lanes : plain_attend_lanes)(task, static_cast<float*>(device->scratch(thread)));
      return;
    }
  });
}

bool covers_rows(const Batch& batch, int32_t num_rows) {
  return batch.num_tokens == num_rows && batch.num_sequences >= 0 && batch.first_row[0] == 0 &&
         batch.first_row[batch.num_sequences] == num_rows;
}

}  // namespace

void set_plain_attention(Loops* loops) {
  loops->attend_lanes = plain_attend_lanes;
}

Status attention(Device* device, Rows queries, const Attention* shape, const Batch* batch, KvPages pages, Rows out) {
  const int32_t head_size = shape->head_size;
  if (head_size < 1 || head_size > kMaxHeadSize) return {Code::unsupported, "attention: heads must be 1 to 256 wide"};
  if (!is_kv_type(pages.type)) return {Code::unsupported, "kv pages must be f32, f16, i8 or f8"};
  if (shape->num_kv_heads < 1 || shape->num_heads % shape->num_kv_heads != 0 ||
      queries.width != shape->num_heads * head_size || !same_shape(queries, out) ||
      pages.num_heads != shape->num_kv_heads || pages.head_size != head_size ||
      !covers_rows(*batch, queries.num_rows)) {
    return {Code::invalid_input, "attention: queries and out must be [T, H * d] and the pages [P, G, 64, d]"};
  }
  for (int32_t t = 0; t < batch->num_tokens; ++t) {
    if (batch->positions[t] < 0 || batch->positions[t] / kPageTokens >= batch->page_table_stride) {
      return {Code::invalid_input, "a position lies outside its sequence's page table"};
    }
  }
  const int32_t group_size = shape->num_heads / shape->num_kv_heads;
  const int64_t block_bytes = kv_block_bytes(pages.type, head_size);
  const int64_t element_bytes = pages.type == Type::f32 ? 4 : pages.type == Type::f16 ? 2 : 1;
  share_lanes(device, *batch, shape->num_kv_heads, group_size, [&](int32_t b, int32_t kv_head) {
    const int32_t first_row = batch->first_row[b];
    const int64_t column = static_cast<int64_t>(kv_head) * group_size * head_size;
    AttentionTask task;
    task.queries = row_of(queries, first_row) + column;
    task.query_stride = queries.stride;
    task.out = row_of(out, first_row) + column;
    task.out_stride = out.stride;
    task.head_size = head_size;
    task.scale = shape->scale;
    task.soft_cap = shape->soft_cap;
    if (shape->slopes != nullptr) task.slopes = shape->slopes + static_cast<int64_t>(kv_head) * group_size;
    task.positions = batch->positions + first_row;
    task.window = shape->window;
    task.type = pages.type;
    task.keys = static_cast<const char*>(pages.keys) + kv_head * block_bytes;
    task.values = static_cast<const char*>(pages.values) + kv_head * block_bytes;
    task.pages = batch->page_table + static_cast<int64_t>(b) * batch->page_table_stride;
    task.tile_stride = block_bytes / element_bytes * shape->num_kv_heads;
    task.row_stride = head_size;
    return task;
  });
  return {};
}

Status attention_full(Device* device, Rows queries, Rows keys, Rows values, const Attention* shape, const Batch* batch,
                      Rows out) {
  const int32_t head_size = shape->head_size;
  if (head_size < 1 || head_size > kMaxHeadSize) {
    return {Code::unsupported, "attention_full: heads must be 1 to 256 wide"};
  }
  if (queries.width != shape->num_heads * head_size || !same_shape(queries, keys) || !same_shape(queries, values) ||
      !same_shape(queries, out) || keys.stride != values.stride || !covers_rows(*batch, queries.num_rows)) {
    return {Code::invalid_input, "attention_full: q, k, v and out must be [T, H * d], k and v with one stride"};
  }
  share_lanes(device, *batch, shape->num_heads, 1, [&](int32_t b, int32_t head) {
    const int32_t first_row = batch->first_row[b];
    const int64_t column = static_cast<int64_t>(head) * head_size;
    AttentionTask task;
    task.queries = row_of(queries, first_row) + column;
    task.query_stride = queries.stride;
    task.out = row_of(out, first_row) + column;
    task.out_stride = out.stride;
    task.head_size = head_size;
    task.scale = shape->scale;
    task.soft_cap = shape->soft_cap;
    task.num_keys = batch->first_row[b + 1] - first_row;
    task.type = Type::f32;
    task.keys = row_of(keys, first_row) + column;
    task.values = row_of(values, first_row) + column;
    task.tile_stride = static_cast<int64_t>(kPageTokens) * keys.stride;
    task.row_stride = keys.stride;
    return task;
  });
  return {};
}

}  // namespace quoth::cpu
