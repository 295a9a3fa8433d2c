#include "program.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "../fault.h"

namespace quoth {
namespace {

constexpr size_t kMaxBuffers = 4096;
constexpr size_t kMaxSteps = 1 << 16;
constexpr int64_t kMaxWidth = 1 << 20;  // columns of a buffer; logits are the widest: a vocabulary of 2^18 today

// How many views and weights an operation takes. `may_alias`: out may be exactly its first or second input.
struct Signature {
  const char* name;
  Op op;
  int num_in;
  int num_out;
  int num_weights;
  bool may_alias;
};

constexpr Signature kSignatures[] = {
    {"embed", Op::embed, 0, 1, 1, false},
    {"add_positions", Op::add_positions, 0, 1, 1, false},
    {"add_segments", Op::add_segments, 0, 1, 1, false},
    {"gather_outputs", Op::gather_outputs, 1, 1, 0, false},
    {"linear", Op::linear, 1, 1, 2, false},
    {"rms_norm", Op::rms_norm, 1, 1, 1, true},
    {"layer_norm", Op::layer_norm, 1, 1, 2, true},
    {"rms_norm_heads", Op::rms_norm_heads, 0, 1, 1, false},
    {"add_rms_norm", Op::add_rms_norm, 2, 1, 1, false},
    {"add_layer_norm", Op::add_layer_norm, 2, 1, 2, false},
    {"add", Op::add, 2, 1, 0, true},
    {"multiply", Op::multiply, 2, 1, 0, true},
    {"add_bias", Op::add_bias, 0, 1, 1, false},
    {"activate", Op::activate, 1, 1, 0, true},
    {"gated", Op::gated, 1, 1, 0, false},
    {"soft_cap", Op::soft_cap, 0, 1, 0, false},
    {"clamp", Op::clamp, 0, 1, 0, false},
    {"permute_columns", Op::permute_columns, 1, 1, 1, false},
    {"rope", Op::rope, 0, 1, 1, false},
    {"kv_write", Op::kv_write, 2, 0, 0, false},
    {"rope_kv_write", Op::rope_kv_write, 0, 1, 1, false},
    {"attention", Op::attention, 1, 1, 1, false},
    {"attention_full", Op::attention_full, 3, 1, 0, false},
    {"pool_mean", Op::pool_mean, 1, 1, 0, false},
    {"pool_first", Op::pool_first, 1, 1, 0, false},
    {"normalize", Op::normalize, 0, 1, 0, false},
};

bool overlaps(const View& a, const View& b) {
  return a.buffer == b.buffer && a.first_column < b.first_column + b.width && b.first_column < a.first_column + a.width;
}

bool same(const View& a, const View& b) {
  return a.buffer == b.buffer && a.first_column == b.first_column && a.width == b.width;
}

class Checker {
 public:
  explicit Checker(const PlanFile& plan) : plan_(plan) {}

  Program read() {
    read_buffers();
    const Json& steps = json_array(plan_.program, "steps", "the program");
    if (steps.items.empty() || steps.items.size() > kMaxSteps) fail_plan("the program has no steps, or too many");
    program_.instructions.reserve(steps.items.size());
    for (size_t i = 0; i < steps.items.size(); ++i) read_step(steps.items[i], i);
    check_output();
    return std::move(program_);
  }

 private:
  void read_buffers() {
    const Json& buffers = json_array(plan_.program, "buffers", "the program");
    if (buffers.items.empty() || buffers.items.size() > kMaxBuffers)
      fail_plan("the program has no buffers, or too many");
    for (size_t i = 0; i < buffers.items.size(); ++i) {
      const std::string where = "buffer " + std::to_string(i);
      Buffer buffer;
      const std::string& rows = json_string(buffers.items[i], "rows", where);
      if (rows == "tokens") {
        buffer.rows = RowsOf::tokens;
      } else if (rows == "outputs") {
        buffer.rows = RowsOf::outputs;
      } else if (rows == "sequences") {
        buffer.rows = RowsOf::sequences;
      } else {
        fail_plan(where + " has the unknown rows \"" + rows + "\"");
      }
      buffer.width = static_cast<int32_t>(json_integer(buffers.items[i], "width", 1, kMaxWidth, where));
      program_.buffers.push_back(buffer);
      written_.emplace_back(static_cast<size_t>(buffer.width), uint8_t{0});
    }
    layers_written_.assign(plan_.has_kv ? static_cast<size_t>(plan_.kv.num_layers) : 0, false);
  }

  [[noreturn]] void fail(const std::string& what) const { fail_plan(at_->place + " " + what); }

  View read_view(const Json& json) const {
    if (json.kind != Json::Kind::array || json.items.size() != 3)
      fail("has a view that is not [buffer, column, width]");
    int64_t numbers[3];
    for (size_t i = 0; i < 3; ++i) {
      const Json& item = json.items[i];
      if (item.kind != Json::Kind::number || std::trunc(item.number) != item.number || item.number < 0 ||
          item.number > static_cast<double>(kMaxWidth)) {
        fail("has a view that is not [buffer, column, width]");
      }
      numbers[i] = static_cast<int64_t>(item.number);
    }
    if (numbers[0] >= static_cast<int64_t>(program_.buffers.size())) fail("names a buffer that is not there");
    const int32_t buffer_width = program_.buffers[static_cast<size_t>(numbers[0])].width;
    if (numbers[2] < 1 || numbers[1] + numbers[2] > buffer_width) fail("has a view outside its buffer");
    return View{static_cast<int32_t>(numbers[0]), static_cast<int32_t>(numbers[1]), static_cast<int32_t>(numbers[2])};
  }

  const Signature& read_signature(const Json& json) const {
    const std::string& name = json_string(json, "op", at_->place);
    for (const Signature& signature : kSignatures) {
      if (name == signature.name) return signature;
    }
    fail("is the unknown operation \"" + name + "\"");
  }

  void read_weights(const Json& json, int num_weights) {
    const Json* weights = json.find("weights");
    const size_t given = weights != nullptr && weights->kind == Json::Kind::array ? weights->items.size() : 0;
    // The last weight of these may be null or not there: a linear's bias, an attention's slopes.
    const bool last_is_optional = at_->op == Op::linear || at_->op == Op::attention;
    const size_t most = static_cast<size_t>(num_weights);
    if (given != most && !(last_is_optional && given + 1 == most)) {
      fail("takes " + std::to_string(num_weights) + " weights, not " + std::to_string(given));
    }
    for (size_t i = 0; i < given; ++i) {
      const Json& index = weights->items[i];
      if (index.kind == Json::Kind::null && last_is_optional && i + 1 == most) continue;
      if (index.kind != Json::Kind::number || std::trunc(index.number) != index.number || index.number < 0 ||
          index.number >= static_cast<double>(plan_.tensors.size())) {
        fail("names a tensor that is not there");
      }
      at_->weights[i] = static_cast<int32_t>(index.number);
    }
  }

  void read_step(const Json& json, size_t number) {
    Instruction& step = program_.instructions.emplace_back();
    at_ = &step;
    step.place = "step " + std::to_string(number);
    if (json.kind != Json::Kind::object) fail("is not an object");
    const Signature& signature = read_signature(json);
    step.op = signature.op;
    step.place += std::string(" (") + signature.name + ")";
    step.num_in = signature.num_in;
    step.num_out = signature.num_out;

    const auto views = [&](const char* name) -> const std::vector<Json>& {
      static const std::vector<Json> none;
      const Json* list = json.find(name);
      return list != nullptr && list->kind == Json::Kind::array ? list->items : none;
    };
    const auto& in = views("in");
    const auto& out = views("out");
    if (in.size() != static_cast<size_t>(step.num_in) || out.size() != static_cast<size_t>(step.num_out)) {
      fail("takes " + std::to_string(step.num_in) + " views in and " + std::to_string(step.num_out) + " out, not " +
           std::to_string(in.size()) + " and " + std::to_string(out.size()));
    }
    for (size_t i = 0; i < in.size(); ++i) step.in[i] = read_view(in[i]);
    if (step.num_out == 1) step.out = read_view(out[0]);
    read_weights(json, signature.num_weights);

    check(json);
    check_order(signature);
  }

  // -- what a step reads was written before, and what it writes is not what it reads
  // ---------------------------------------
  void check_order(const Signature& signature) {
    const Instruction& step = *at_;
    for (int i = 0; i < step.num_in; ++i) need_written(step.in[static_cast<size_t>(i)]);
    const bool changes_out = step.num_out == 1 && step.num_in == 0 && step.op != Op::embed;
    if (changes_out) need_written(step.out);
    if (step.num_out == 0) return;
    for (int i = 0; i < step.num_in; ++i) {
      const View& in = step.in[static_cast<size_t>(i)];
      if (overlaps(in, step.out) && !(signature.may_alias && same(in, step.out))) fail("writes over what it reads");
    }
    const bool adds_into_first = step.op == Op::add_rms_norm || step.op == Op::add_layer_norm;
    if (adds_into_first && overlaps(step.in[0], step.in[1])) fail("adds a buffer to itself");
    auto& columns = written_[static_cast<size_t>(step.out.buffer)];
    std::fill_n(columns.begin() + step.out.first_column, step.out.width, uint8_t{1});
  }

  void need_written(const View& view) const {
    const auto& columns = written_[static_cast<size_t>(view.buffer)];
    const auto first = columns.begin() + view.first_column;
    if (std::find(first, first + view.width, uint8_t{0}) != first + view.width) {
      fail("reads columns of buffer " + std::to_string(view.buffer) + " that no step before it wrote");
    }
  }

  // -- shapes
  // -----------------------------------------------------------------------------------------------------------------
  RowsOf rows_of(const View& view) const { return program_.buffers[static_cast<size_t>(view.buffer)].rows; }

  void need_rows(const View& view, RowsOf rows) const {
    if (rows_of(view) != rows) fail("has a view with the wrong kind of rows");
  }

  void need_same_rows(const View& a, const View& b) const {
    if (rows_of(a) != rows_of(b)) fail("joins views with different kinds of rows");
  }

  void need_width(const View& view, int64_t width) const {
    if (view.width != width) {
      fail("has a view of width " + std::to_string(view.width) + " where " + std::to_string(width) + " is asked for");
    }
  }

  const PlanTensor& tensor(size_t i) const { return plan_.tensors[static_cast<size_t>(at_->weights[i])]; }

  // A vector: f32, one row.
  void need_vector(size_t i, int64_t width) const {
    const PlanTensor& vector = tensor(i);
    if (vector.type != Type::f32 || vector.num_rows != 1 || vector.num_columns != width) {
      fail("asks for f32 [1, " + std::to_string(width) + "]; " + vector.name + " is something else");
    }
  }

  void need_matrix(size_t i, int64_t least_rows, int64_t columns) const {
    const PlanTensor& matrix = tensor(i);
    if (matrix.num_rows < least_rows || matrix.num_columns != columns) {
      fail("asks for a tensor of at least " + std::to_string(least_rows) + " rows and of " + std::to_string(columns) +
           " columns; " + matrix.name + " is [" + std::to_string(matrix.num_rows) + ", " +
           std::to_string(matrix.num_columns) + "]");
    }
  }

  void need_numbers(size_t i) const {
    if (tensor(i).type == Type::i32) fail("asks for weights; " + tensor(i).name + " holds whole numbers");
  }

  // An index of columns: i32, one row, each inside [0, end).
  void need_index(size_t i, int64_t count, int32_t end) const {
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

  void need_table_of_floats(const char* what) const {
    const Type type = tensor(0).type;
    if (type != Type::f32 && type != Type::f16) fail(std::string("takes ") + what + " as f32 or f16 only");
  }

  // Above zero, and a number of f32.
  float read_positive(const Json& json, const char* name) const {
    const float value = static_cast<float>(json_number(json, name, at_->place));
    if (!(value > 0)) fail(std::string("has a ") + name + " that is not above zero");
    return value;
  }

  void read_soft_cap(const Json& json) {
    at_->attention.soft_cap = static_cast<float>(json_number_or(json, "softCap", 0, at_->place));
    if (!(at_->attention.soft_cap >= 0)) fail("has a softCap below zero");
  }

  void read_activation(const Json& json) {
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

  void read_heads(const Json& json, bool with_kv_heads) {
    Attention& a = at_->attention;
    a.num_heads = static_cast<int32_t>(json_integer(json, "numHeads", 1, 4096, at_->place));
    a.head_size = static_cast<int32_t>(json_integer(json, "headSize", 1, 4096, at_->place));
    a.num_kv_heads = a.num_heads;
    if (with_kv_heads) a.num_kv_heads = static_cast<int32_t>(json_integer(json, "numKvHeads", 1, 4096, at_->place));
    if (a.num_heads % a.num_kv_heads != 0) fail("has query heads that its key heads do not divide");
  }

  void read_rope(const Json& json) {
    at_->rotary_size = static_cast<int32_t>(json_integer(json, "rotarySize", 2, at_->attention.head_size, at_->place));
    if (at_->rotary_size % 2 != 0) fail("turns an odd number of columns");
    at_->adjacent_pairs = json_boolean(json, "adjacentPairs", at_->place);
    need_vector(0, at_->rotary_size / 2);
  }

  void read_layer(const Json& json, bool writes) {
    if (!plan_.has_kv) fail("uses the kv cache; the plan has none");
    at_->layer = static_cast<int32_t>(json_integer(json, "layer", 0, plan_.kv.num_layers - 1, at_->place));
    auto written = layers_written_.begin() + at_->layer;
    if (writes) *written = true;
    if (!*written) fail("reads layer " + std::to_string(at_->layer) + " of the kv cache before a step wrote it");
  }

  void need_kv_heads() const {
    if (at_->attention.num_kv_heads != plan_.kv.num_heads || at_->attention.head_size != plan_.kv.head_size) {
      fail("has other heads than the kv cache");
    }
  }

  void check(const Json& json) {
    Instruction& step = *at_;
    const View& x = step.in[0];
    const View& y = step.out;
    const int64_t heads_width = int64_t{plan_.kv.num_heads} * plan_.kv.head_size;  // G d
    switch (step.op) {
      case Op::embed:
        step.scale = static_cast<float>(json_number(json, "scale", step.place));
        need_rows(y, RowsOf::tokens);
        need_matrix(0, plan_.vocabulary_size, y.width);
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
        step.epsilon = static_cast<float>(json_number(json, "epsilon", step.place));
        if (!(step.epsilon >= 0)) fail("has an epsilon below zero");
        read_heads(json, false);
        need_width(y, int64_t{step.attention.num_heads} * step.attention.head_size);
        need_vector(0, step.attention.head_size);
        return;
      case Op::rms_norm:
      case Op::layer_norm:
      case Op::add_rms_norm:
      case Op::add_layer_norm:
        step.epsilon = static_cast<float>(json_number(json, "epsilon", step.place));
        if (!(step.epsilon >= 0)) fail("has an epsilon below zero");
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

  void check_output() {
    const auto last = static_cast<int64_t>(program_.buffers.size()) - 1;
    program_.output = static_cast<int32_t>(json_integer(plan_.program, "output", 0, last, "the program"));
    const Buffer& output = program_.buffers[static_cast<size_t>(program_.output)];
    const bool chat = plan_.role == Role::chat;
    const int32_t width = chat ? plan_.vocabulary_size : plan_.role == Role::embedder ? plan_.embedding_size : 1;
    if (output.rows != (chat ? RowsOf::outputs : RowsOf::sequences) || output.width != width) {
      fail_plan(std::string("the program's output is not ") + (chat ? "outputs" : "sequences") + " of width " +
                std::to_string(width));
    }
    const auto& columns = written_[static_cast<size_t>(program_.output)];
    if (std::find(columns.begin(), columns.end(), uint8_t{0}) != columns.end()) {
      fail_plan("no step writes the whole output of the program");
    }
  }

  const PlanFile& plan_;
  Program program_;
  Instruction* at_ = nullptr;                  // the step that is read
  std::vector<std::vector<uint8_t>> written_;  // for each column of each buffer: a step before wrote it
  std::vector<bool> layers_written_;
};

}  // namespace

Program read_program(const PlanFile& plan) {
  try {
    return Checker(plan).read();
  } catch (const Fault& fault) {
    throw Fault(fault.code(), "The plan " + plan.path + " is damaged: " + fault.what() + ".");
  }
}

}  // namespace quoth
