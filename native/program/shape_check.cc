#include "shape_check.h"

#include <algorithm>
#include <cstring>

namespace quoth {

ShapeCheck::ShapeCheck(const PlanFile& plan, Program& program)
    : plan_(plan),
      program_(program),
      layers_written_(plan.has_kv ? static_cast<size_t>(plan.kv.num_layers) : 0, false) {}

void ShapeCheck::fail(const std::string& what) const {
  fail_plan(at_->place + " " + what);
}

RowsOf ShapeCheck::rows_of(const View& view) const {
  return program_.buffers[static_cast<size_t>(view.buffer)].rows;
}

void ShapeCheck::need_rows(const View& view, RowsOf rows) const {
  if (rows_of(view) != rows) fail("has a view with the wrong kind of rows");
}

void ShapeCheck::need_same_rows(const View& a, const View& b) const {
  if (rows_of(a) != rows_of(b)) fail("joins views with different kinds of rows");
}

void ShapeCheck::need_width(const View& view, int64_t width) const {
  if (view.width != width) {
    fail("has a view of width " + std::to_string(view.width) + " where " + std::to_string(width) + " is asked for");
  }
}

const PlanTensor& ShapeCheck::tensor(size_t i) const {
  return plan_.tensors[static_cast<size_t>(at_->weights[i])];
}

// A vector: f32, one row.
void ShapeCheck::need_vector(size_t i, int64_t width) const {
  const PlanTensor& vector = tensor(i);
  if (vector.type != Type::f32 || vector.num_rows != 1 || vector.num_columns != width) {
    fail("asks for f32 [1, " + std::to_string(width) + "]; " + vector.name + " is something else");
  }
}

void ShapeCheck::need_matrix(size_t i, int64_t least_rows, int64_t columns) const {
  const PlanTensor& matrix = tensor(i);
  if (matrix.num_rows < least_rows || matrix.num_columns != columns) {
    fail("asks for a tensor of at least " + std::to_string(least_rows) + " rows and of " + std::to_string(columns) +
         " columns; " + matrix.name + " is [" + std::to_string(matrix.num_rows) + ", " +
         std::to_string(matrix.num_columns) + "]");
  }
}

void ShapeCheck::need_numbers(size_t i) const {
  if (tensor(i).type == Type::i32) fail("asks for weights; " + tensor(i).name + " holds whole numbers");
}

// An index of columns: i32, one row, each inside [0, end).
void ShapeCheck::need_index(size_t i, int64_t count, int32_t end) const {
  const PlanTensor& index = tensor(i);
  if (index.type != Type::i32 || index.num_columns != count) {
    fail("asks for i32 [1, " + std::to_string(count) + "]; " + index.name + " is something else");
  }
  const uint8_t* bytes = plan_.bytes_of(index);
  for (int64_t k = 0; k < count; ++k) {
    int32_t column = 0;
    std::memcpy(&column, bytes + 4 * k, sizeof column);
    if (column < 0 || column >= end) fail("is sent to a column that is not there by " + index.name);
  }
}

void ShapeCheck::need_table_of_floats(const char* what) const {
  const Type type = tensor(0).type;
  if (type != Type::f32 && type != Type::f16) fail(std::string("takes ") + what + " as f32 or f16 only");
}

// Above zero, and a number of f32.
float ShapeCheck::read_positive(const Json& json, const char* name) const {
  const float value = static_cast<float>(json_number(json, name, at_->place));
  if (!(value > 0)) fail(std::string("has a ") + name + " that is not above zero");
  return value;
}

void ShapeCheck::read_epsilon(const Json& json) {
  at_->epsilon = static_cast<float>(json_number(json, "epsilon", at_->place));
  if (!(at_->epsilon >= 0)) fail("has an epsilon below zero");
}

void ShapeCheck::read_soft_cap(const Json& json) {
  at_->attention.soft_cap = static_cast<float>(json_number_or(json, "softCap", 0, at_->place));
  if (!(at_->attention.soft_cap >= 0)) fail("has a softCap below zero");
}

void ShapeCheck::read_activation(const Json& json) {
  const std::string& name = json_string(json, "activation", at_->place);
  if (name == "none") {
    at_->activation = Activation::none;
  } else if (name == "silu") {
    at_->activation = Activation::silu;
  } else if (name == "gelu") {
    at_->activation = Activation::gelu;
  } else if (name == "gelu_tanh") {
    at_->activation = Activation::gelu_tanh;
  } else if (name == "relu") {
    at_->activation = Activation::relu;
  } else if (name == "tanh") {
    at_->activation = Activation::tanh;
  } else {
    fail("has the unknown activation \"" + name + "\"");
  }
}

void ShapeCheck::read_heads(const Json& json, bool with_kv_heads) {
  Attention& a = at_->attention;
  a.num_heads = static_cast<int32_t>(json_integer(json, "numHeads", 1, 4096, at_->place));
  a.head_size = static_cast<int32_t>(json_integer(json, "headSize", 1, 4096, at_->place));
  a.num_kv_heads = a.num_heads;
  if (with_kv_heads) a.num_kv_heads = static_cast<int32_t>(json_integer(json, "numKvHeads", 1, 4096, at_->place));
  if (a.num_heads % a.num_kv_heads != 0) fail("has query heads that its key heads do not divide");
}

void ShapeCheck::read_rope(const Json& json) {
  at_->rotary_size = static_cast<int32_t>(json_integer(json, "rotarySize", 2, at_->attention.head_size, at_->place));
  if (at_->rotary_size % 2 != 0) fail("turns an odd number of columns");
  at_->adjacent_pairs = json_boolean(json, "adjacentPairs", at_->place);
  at_->rope_factor = static_cast<float>(json_number_or(json, "factor", 1, at_->place));
  if (!(at_->rope_factor > 0 && at_->rope_factor <= 100)) fail("has a factor that is not between 0 and 100");
  need_vector(0, at_->rotary_size / 2);
}

void ShapeCheck::read_layer(const Json& json, bool writes) {
  if (!plan_.has_kv) fail("uses the kv cache; the plan has none");
  at_->layer = static_cast<int32_t>(json_integer(json, "layer", 0, plan_.kv.num_layers - 1, at_->place));
  auto written = layers_written_.begin() + at_->layer;
  if (writes) *written = true;
  if (!*written) fail("reads layer " + std::to_string(at_->layer) + " of the kv cache before a step wrote it");
}

void ShapeCheck::need_kv_heads() const {
  if (at_->attention.num_kv_heads != plan_.kv.num_heads || at_->attention.head_size != plan_.kv.head_size) {
    fail("has other heads than the kv cache");
  }
}

void ShapeCheck::check(Instruction& step, const Json& json) {
  at_ = &step;
  const View& x = step.in[0];
  const View& y = step.out;
  const int64_t heads_width = int64_t{plan_.kv.num_heads} * plan_.kv.head_size;  // G d
  switch (step.op) {
    case Op::embed:
      step.scale = static_cast<float>(json_number(json, "scale", step.place));
      need_rows(y, RowsOf::tokens);
      need_matrix(0, plan_.num_embedded != 0 ? plan_.num_embedded : plan_.vocabulary_size, y.width);
      need_numbers(0);
      return;
    case Op::add_positions:
      step.offset = static_cast<int32_t>(json_integer(json, "offset", 0, 1 << 20, step.place));
      need_rows(y, RowsOf::tokens);
      need_matrix(0, int64_t{plan_.context_tokens} + step.offset, y.width);
      need_table_of_floats("positions");
      return;
    case Op::add_segments:
      need_rows(y, RowsOf::tokens);
      // Only a pair has a second segment.
      need_matrix(0, plan_.role == Role::reranker ? 2 : 1, y.width);
      need_table_of_floats("segments");
      return;
    case Op::gather_outputs:
      need_rows(x, RowsOf::tokens);
      need_rows(y, RowsOf::outputs);
      need_width(y, x.width);
      return;
    case Op::linear: {
      read_activation(json);
      need_same_rows(x, y);
      need_numbers(0);
      const PlanTensor& weight = tensor(0);
      if (weight.num_columns != x.width || weight.num_rows != y.width) {
        fail("turns " + std::to_string(x.width) + " columns into " + std::to_string(y.width) + "; " + weight.name +
             " is [" + std::to_string(weight.num_rows) + ", " + std::to_string(weight.num_columns) + "]");
      }
      if (step.weights[1] >= 0) need_vector(1, y.width);
      program_.max_columns = std::max(program_.max_columns, weight.num_columns);
      return;
    }
    case Op::rms_norm_heads:
      read_epsilon(json);
      read_heads(json, false);
      need_width(y, int64_t{step.attention.num_heads} * step.attention.head_size);
      need_vector(0, step.attention.head_size);
      return;
    case Op::rms_norm:
    case Op::layer_norm:
    case Op::add_rms_norm:
    case Op::add_layer_norm:
      read_epsilon(json);
      need_same_rows(x, y);
      need_width(y, x.width);
      if (step.num_in == 2) {
        need_same_rows(x, step.in[1]);
        need_width(step.in[1], x.width);
      }
      need_vector(0, y.width);
      if (step.weights[1] >= 0) need_vector(1, y.width);
      return;
    case Op::add:
    case Op::multiply:
      need_same_rows(x, step.in[1]);
      need_same_rows(x, y);
      need_width(step.in[1], x.width);
      need_width(y, x.width);
      return;
    case Op::add_bias:
      need_vector(0, y.width);
      return;
    case Op::activate:
      read_activation(json);
      need_same_rows(x, y);
      need_width(y, x.width);
      return;
    case Op::gated:
      read_activation(json);
      need_same_rows(x, y);
      need_width(x, 2 * int64_t{y.width});
      return;
    case Op::soft_cap:
      step.limit = read_positive(json, "cap");
      return;
    case Op::clamp:
      step.limit = read_positive(json, "limit");
      return;
    case Op::permute_columns:
      need_same_rows(x, y);
      need_index(0, y.width, x.width);
      return;
    case Op::rope:
      read_heads(json, false);
      read_rope(json);
      need_rows(y, RowsOf::tokens);
      need_width(y, int64_t{step.attention.num_heads} * step.attention.head_size);
      return;
    case Op::kv_write:
      read_layer(json, true);
      need_rows(x, RowsOf::tokens);
      need_rows(step.in[1], RowsOf::tokens);
      need_width(x, heads_width);
      need_width(step.in[1], heads_width);
      return;
    case Op::rope_kv_write:
      read_layer(json, true);
      read_heads(json, true);
      need_kv_heads();
      read_rope(json);
      need_rows(y, RowsOf::tokens);
      need_width(y, int64_t{step.attention.num_heads} * step.attention.head_size + 2 * heads_width);
      return;
    case Op::attention:
      read_layer(json, false);
      read_heads(json, true);
      need_kv_heads();
      step.attention.scale = static_cast<float>(json_number(json, "scale", step.place));
      step.attention.window = static_cast<int32_t>(json_integer(json, "window", 0, 1 << 24, step.place));
      read_soft_cap(json);
      if (step.weights[0] >= 0) need_vector(0, step.attention.num_heads);
      need_rows(x, RowsOf::tokens);
      need_rows(y, RowsOf::tokens);
      need_width(x, int64_t{step.attention.num_heads} * step.attention.head_size);
      need_width(y, x.width);
      return;
    case Op::attention_full:
      read_heads(json, false);
      step.attention.scale = static_cast<float>(json_number(json, "scale", step.place));
      read_soft_cap(json);
      for (const View& view : step.in) {
        need_rows(view, RowsOf::tokens);
        need_width(view, int64_t{step.attention.num_heads} * step.attention.head_size);
      }
      need_rows(y, RowsOf::tokens);
      need_width(y, x.width);
      return;
    case Op::pool_mean:
    case Op::pool_first:
      need_rows(x, RowsOf::tokens);
      need_rows(y, RowsOf::sequences);
      need_width(y, x.width);
      return;
    case Op::normalize:
      return;
  }
}

}  // namespace quoth
