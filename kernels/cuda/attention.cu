// Attention: what is asked for, and which kernel does it.
//
// Sequences of up to 8 rows in the step (kFewRows) and those of more go to kernels of their own, in the same step.
// Which of them run, and their grids, follow from what a recorded step is keyed by: the number of rows and of
// sequences, whether no sequence has more than 8 rows and whether all have, whether those that have fewer have one, and
// the longest context in pages, rounded up.
#include <algorithm>

#include "attention.h"
#include "step.h"
#include "stretch.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kMaxHeadSize = 256;

Status check(const char* const (&complaints)[2], const Attention& shape, const Batch& batch, const KvPages& pages,
             int32_t num_rows, int32_t width, int32_t expected_width) {
  const int32_t head_size = shape.head_size;
  if (head_size < 1 || head_size > kMaxHeadSize) return {Code::unsupported, complaints[0]};
  if (!is_kv_type(pages.type)) return {Code::unsupported, "kv pages must be f32, f16, i8 or f8"};
  if (shape.num_kv_heads < 1 || shape.num_heads % shape.num_kv_heads != 0 || width != expected_width ||
      pages.num_heads != shape.num_kv_heads || pages.head_size != head_size || num_rows != batch.num_tokens) {
    return {Code::invalid_input, complaints[1]};
  }
  for (int32_t t = 0; t < batch.num_tokens; ++t) {
    if (batch.positions[t] < 0 || batch.positions[t] / kPageTokens >= batch.page_table_stride) {
      return {Code::invalid_input, "a position lies outside its sequence's page table"};
    }
  }
  return {};
}

// The tensor cores' kernels bring 8 columns at once.
bool is_simple(const KvPages& pages) {
  return pages.type == Type::f32 || pages.head_size % 8 != 0 || reinterpret_cast<uintptr_t>(pages.keys) % 16 != 0 ||
         reinterpret_cast<uintptr_t>(pages.values) % 16 != 0;
}

// Rows of a sequence follow each other without a gap.
bool are_consecutive(const Batch& batch) {
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    for (int32_t t = batch.first_row[b] + 1; t < batch.first_row[b + 1]; ++t) {
      if (batch.positions[t] != batch.positions[t - 1] + 1) return false;
    }
  }
  return true;
}

StepShape shape_of(const Device* device, const Batch& batch) {
  StepShape shape;
  shape.num_pages = 1;
  bool all_one = true, few_are_one = true;
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    const int32_t rows = batch.first_row[b + 1] - batch.first_row[b];
    all_one = all_one && rows == 1;
    if (rows == 0) continue;
    (rows <= kFewRows ? shape.has_few : shape.has_many) = true;
    if (rows > kFewRows) ++shape.num_many;
    few_are_one = few_are_one && (rows == 1 || rows > kFewRows);
    if (rows <= kFewRows) shape.num_keys += batch.positions[batch.first_row[b]] + 1;
    while (batch.positions[batch.first_row[b + 1] - 1] / kPageTokens >= shape.num_pages) shape.num_pages *= 2;
  }
  if (is_recording(device)) shape.num_many = batch.num_tokens / (kFewRows + 1);
  shape.is_one_row = all_one;
  shape.few_rows = few_are_one ? 1 : std::min(kFewRows, batch.num_tokens);
  return shape;
}

PagedTask task_of(const Rows& queries, const Rows& out, const Attention& shape, const Batch& batch,
                  const DeviceBatch& staged, const KvPages& pages) {
  PagedTask task{};
  task.queries = queries;
  task.out = out;
  task.pages = pages;
  task.num_heads = shape.num_heads;
  task.group_size = shape.num_heads / shape.num_kv_heads;
  task.head_size = shape.head_size;
  task.scale = shape.scale / kQueryPart;
  task.soft_cap = shape.soft_cap;
  task.slopes = shape.slopes;
  task.window = shape.window;
  task.batch = staged;
  task.page_table_stride = batch.page_table_stride;
  return task;
}

constexpr Uses kPagedUses{.positions = true, .first_row = true, .page_table = true};

}  // namespace

Status attention(Device* device, Rows queries, const Attention* shape, const Batch* batch, KvPages pages, Rows out) {
  constexpr const char* kComplaints[] = {"attention: heads must be 1 to 256 wide",
                                         "attention: queries and out must be [T, H * d] and the pages [P, G, 64, d]"};
  Status status =
      check(kComplaints, *shape, *batch, pages, queries.num_rows, queries.width, shape->num_heads * shape->head_size);
  if (!status.ok()) return status;
  if (!same_shape(queries, out)) return {Code::invalid_input, kComplaints[1]};
  DeviceBatch staged;
  status = stage(device, *batch, kPagedUses, &staged);
  if (!status.ok() || queries.num_rows == 0 || shape->num_heads == 0) return status;
  if (is_simple(pages) || !are_consecutive(*batch)) {
    if (pages.type != Type::f32 && pages.type != Type::f16) {
      return {Code::unsupported, "attention: heads of i8 or f8 pages must be a multiple of 8 wide"};
    }
    return simple_attention(device, queries, *shape, *batch, staged, pages, out);
  }
  const PagedTask task = task_of(queries, out, *shape, *batch, staged, pages);
  const StepShape step = shape_of(device, *batch);
  if (step.has_many) status = attention_many(device, task, step, batch->num_sequences);
  if (step.has_few && status.ok()) status = attention_few(device, task, nullptr, step, batch->num_sequences);
  return status;
}

Status rope_kv_attention(Device* device, Rows qkv, const Attention* shape, const Rope* rope, const Batch* batch,
                         KvPages pages, Rows out) {
  constexpr const char* kComplaints[] = {"rope_kv_attention: heads must be 1 to 256 wide",
                                         "rope_kv_attention: qkv must be [T, (H + 2G) * d], out [T, H * d], the pages "
                                         "[P, G, 64, d], R even and at most d"};
  const int32_t query_width = shape->num_heads * shape->head_size;
  Status status = check(kComplaints, *shape, *batch, pages, qkv.num_rows, qkv.width,
                        query_width + 2 * shape->num_kv_heads * shape->head_size);
  if (!status.ok()) return status;
  if (out.num_rows != qkv.num_rows || out.width != query_width || rope->rotary_size < 0 ||
      rope->rotary_size > shape->head_size || rope->rotary_size % 2 != 0) {
    return {Code::invalid_input, kComplaints[1]};
  }
  DeviceBatch staged;
  status = stage(device, *batch, kPagedUses, &staged);
  if (!status.ok() || qkv.num_rows == 0 || shape->num_heads == 0) return status;
  const StepShape step = shape_of(device, *batch);
  const auto joins = [&] {
    return step.is_one_row && !is_simple(pages) &&
           join_stretch(device, qkv, *shape, *rope, staged, batch->page_table_stride, step.num_pages, pages, out);
  };
  if (joins()) return {};
  status = end_stretch(device);
  if (!status.ok() || joins()) return status;
  close_stretches(device);  // cut into pieces by attention they gain nothing
  if (step.has_many || is_simple(pages) || !are_consecutive(*batch)) {
    status = rope_kv_write(device, qkv, shape, rope, batch, pages);
    if (!status.ok()) return status;
    Rows queries = qkv;
    queries.width = query_width;
    return attention(device, queries, shape, batch, pages, out);
  }
  return attention_few(device, task_of(qkv, out, *shape, *batch, staged, pages), rope, step, batch->num_sequences);
}

Status attention_full(Device* device, Rows queries, Rows keys, Rows values, const Attention* shape, const Batch* batch,
                      Rows out) {
  const int32_t head_size = shape->head_size;
  if (head_size < 1 || head_size > kMaxHeadSize) {
    return {Code::unsupported, "attention_full: heads must be 1 to 256 wide"};
  }
  if (queries.width != shape->num_heads * head_size || !same_shape(queries, keys) || !same_shape(queries, values) ||
      !same_shape(queries, out) || keys.stride != values.stride || queries.num_rows != batch->num_tokens) {
    return {Code::invalid_input, "attention_full: q, k, v and out must be [T, H * d], k and v with one stride"};
  }
  DeviceBatch staged;
  const Status status = stage(device, *batch, {.first_row = true}, &staged);
  if (!status.ok() || queries.num_rows == 0 || shape->num_heads == 0) return status;
  if (head_size % 8 != 0) {
    return simple_encoder_attention(device, queries, keys, values, *shape, *batch, staged, out);
  }
  return encoder_attention(device, queries, keys, values, *shape, staged, batch->num_sequences, out);
}

}  // namespace quoth::cuda
