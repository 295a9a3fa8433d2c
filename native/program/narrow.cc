#include "narrow.h"

#include <algorithm>
#include <cstddef>

#include "access.h"

namespace quoth {
namespace {

// Whether each row of what the step writes follows from the same row of what it reads, and from nothing else.
bool keeps_rows_apart(Op op) {
  switch (op) {
    case Op::linear:
    case Op::linear_fused:
    case Op::rms_norm:
    case Op::layer_norm:
    case Op::rms_norm_heads:
    case Op::add_rms_norm:
    case Op::add_layer_norm:
    case Op::add:
    case Op::multiply:
    case Op::add_bias:
    case Op::activate:
    case Op::gated:
    case Op::soft_cap:
    case Op::clamp:
    case Op::permute_columns:
      return true;
    default:
      return false;
  }
}

// Which columns of each buffer hold what is wanted of them.
class Columns {
 public:
  explicit Columns(const Program& program) {
    for (const Buffer& buffer : program.buffers) held_.emplace_back(static_cast<size_t>(buffer.width), false);
  }
  bool has(const View& view) const {
    return std::all_of(begin(view), begin(view) + view.width, [](bool b) { return b; });
  }
  void add(const View& view) {
    const auto first = held_[static_cast<size_t>(view.buffer)].begin() + view.first_column;
    std::fill(first, first + view.width, true);
  }

 private:
  std::vector<bool>::const_iterator begin(const View& view) const {
    return held_[static_cast<size_t>(view.buffer)].begin() + view.first_column;
  }
  std::vector<std::vector<bool>> held_;
};

template <typename Change>
void each_view(Instruction& step, const Change& change) {
  for (int i = 0; i < step.num_in; ++i) change(step.in[static_cast<size_t>(i)]);
  if (step.num_out == 1) change(step.out);
}

}  // namespace

void narrow(Program& program) {
  const std::vector<Instruction>& steps = program.instructions;
  const auto is_gather = [](const Instruction& step) { return step.op == Op::gather_outputs; };
  const auto found = std::find_if(steps.begin(), steps.end(), is_gather);
  if (found == steps.end() || std::any_of(found + 1, steps.end(), is_gather)) return;
  const size_t gather = static_cast<size_t>(found - steps.begin());
  size_t first = gather;
  while (first > 0 && keeps_rows_apart(steps[first - 1].op)) --first;
  const View from = found->in[0], to = found->out;
  const auto rows_of = [&](const View& view) { return program.buffers[static_cast<size_t>(view.buffer)].rows; };
  if (first == gather || to.buffer == program.output) return;

  // What comes from before, and what nobody has written yet when it is read.
  Columns held(program);
  std::vector<View> brought;
  for (size_t i = first; i < gather; ++i) {
    const Access access = access_of(steps[i]);
    for (int r = 0; r < access.num_reads; ++r) {
      if (held.has(access.reads[r])) continue;
      brought.push_back(access.reads[r]);
      held.add(access.reads[r]);
    }
    for (int w = 0; w < access.num_writes; ++w) held.add(access.writes[w]);
  }
  if (!held.has(from)) return;
  // Behind the gathering: rows of outputs, of which what was gathered is now where it was made.
  for (size_t i = gather + 1; i < steps.size(); ++i) {
    const Access access = access_of(steps[i]);
    const auto fits = [&](const View& view) {
      const bool is_inside =
          view.first_column >= to.first_column && view.first_column + view.width <= to.first_column + to.width;
      return rows_of(view) == RowsOf::outputs && (view.buffer != to.buffer || is_inside);
    };
    for (int r = 0; r < access.num_reads; ++r) {
      if (!fits(access.reads[r]) && !(steps[i].source && same(access.reads[r], *steps[i].source))) return;
    }
    for (int w = 0; w < access.num_writes; ++w) {
      if (!fits(access.writes[w])) return;
    }
  }

  std::vector<int32_t> places(program.buffers.size(), -1);  // of rows of tokens: where those of outputs are
  const auto place_of = [&](const View& view) {
    int32_t& place = places[static_cast<size_t>(view.buffer)];
    if (place < 0) {
      place = static_cast<int32_t>(program.buffers.size());
      program.buffers.push_back({RowsOf::outputs, program.buffers[static_cast<size_t>(view.buffer)].width});
    }
    return place;
  };
  std::vector<Instruction> end;
  for (const View& view : brought) {
    Instruction step = *found;
    step.source.reset();
    step.in[0] = step.out = view;
    step.out.buffer = place_of(view);
    end.push_back(std::move(step));
  }
  for (size_t i = first; i < steps.size(); ++i) {
    if (i == gather) continue;
    Instruction step = steps[i];
    step.source.reset();
    each_view(step, [&](View& view) {
      if (i < gather) {
        view.buffer = place_of(view);
      } else if (view.buffer == to.buffer) {
        view.first_column += from.first_column - to.first_column;
        view.buffer = place_of(from);
      }
    });
    end.push_back(std::move(step));
  }
  program.narrow_end = std::move(end);
  program.first_of_end = first;
}

}  // namespace quoth
