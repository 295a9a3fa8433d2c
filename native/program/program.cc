#include "program.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "../fault.h"
#include "shape_check.h"

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
  explicit Checker(const PlanFile& plan) : plan_(plan), shapes_(plan, program_) {}

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

    shapes_.check(step, json);
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
  ShapeCheck shapes_;
  Instruction* at_ = nullptr;                  // the step that is read
  std::vector<std::vector<uint8_t>> written_;  // for each column of each buffer: a step before wrote it
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
