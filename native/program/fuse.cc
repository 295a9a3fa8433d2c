#include "fuse.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "access.h"
#include "narrow.h"

namespace quoth {
namespace {

bool reads(const Instruction& step, const View& view) {
  const Access access = access_of(step);
  return std::any_of(access.reads, access.reads + access.num_reads,
                     [&](const View& one) { return overlaps(one, view); });
}

bool writes(const Instruction& step, const View& view) {
  const Access access = access_of(step);
  return std::any_of(access.writes, access.writes + access.num_writes,
                     [&](const View& one) { return overlaps(one, view); });
}

bool touches(const Instruction& step, const View& view) {
  return reads(step, view) || writes(step, view);
}

bool uses_pages_of(const Instruction& step, int32_t layer) {
  const bool uses_pages = step.op == Op::kv_write || step.op == Op::rope_kv_write || step.op == Op::attention ||
                          step.op == Op::rope_kv_attention;
  return uses_pages && step.layer == layer;
}

class Fuser {
 public:
  explicit Fuser(const Program& program) : program_(program), steps_(program.instructions) {}

  std::vector<Instruction> run(Fusions fusions) {
    if (fusions.attention) each(&Fuser::fuse_attention);
    if (fusions.linears) {
      // Norms before gates: a gate's result may lie where the normed rows were.
      each(&Fuser::fuse_addition);
      each(&Fuser::fuse_norm);
      each(&Fuser::fuse_gate);
      each(&Fuser::shorten_gathering);
    }
    return std::move(steps_);
  }

 private:
  // rewrite(i) changes the steps from number i on, and may erase some.
  void each(bool (Fuser::*rewrite)(size_t)) {
    for (size_t i = 0; i < steps_.size();) {
      if (!(this->*rewrite)(i)) ++i;
    }
  }

  // The first step after `after` that reads or writes some of the view.
  std::optional<size_t> next_touch(size_t after, const View& view) const {
    for (size_t i = after + 1; i < steps_.size(); ++i) {
      if (touches(steps_[i], view)) return i;
    }
    return std::nullopt;
  }

  // Whether no step between the two has to do with the view; with `writes_only`, none changes it.
  bool is_quiet(size_t after, size_t before, const View& view, bool writes_only = false) const {
    for (size_t i = after + 1; i < before; ++i) {
      if (writes_only ? writes(steps_[i], view) : touches(steps_[i], view)) return false;
    }
    return true;
  }

  // Whether nobody reads what the view holds after this step.
  bool is_dead(size_t after, const View& view) const {
    std::vector<bool> holds(static_cast<size_t>(view.width), true);  // a column that nobody wrote over yet
    const auto any_of = [&](const View& other) {
      if (!overlaps(view, other)) return false;
      const int32_t first = std::max(view.first_column, other.first_column);
      const int32_t end = std::min(view.first_column + view.width, other.first_column + other.width);
      return std::any_of(holds.begin() + (first - view.first_column), holds.begin() + (end - view.first_column),
                         [](bool one) { return one; });
    };
    for (size_t i = after + 1; i < steps_.size(); ++i) {
      const Access access = access_of(steps_[i]);
      if (std::any_of(access.reads, access.reads + access.num_reads, any_of)) return false;
      for (int w = 0; w < access.num_writes; ++w) {
        const View& written = access.writes[w];
        if (!overlaps(view, written)) continue;
        const int32_t first = std::max(view.first_column, written.first_column);
        const int32_t end = std::min(view.first_column + view.width, written.first_column + written.width);
        std::fill(holds.begin() + (first - view.first_column), holds.begin() + (end - view.first_column), false);
      }
    }
    const Buffer& output = program_.buffers[static_cast<size_t>(program_.output)];
    return !any_of(View{program_.output, 0, output.width});
  }

  void erase(size_t index, Instruction& into) {
    into.place = steps_[index].place + " and " + into.place;
    steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  static bool is_linear(const Instruction& step) { return step.op == Op::linear || step.op == Op::linear_fused; }

  // rope_kv_write(qkv); attention(queries of qkv) -> y
  bool fuse_attention(size_t i) {
    const Instruction& write = steps_[i];
    if (write.op != Op::rope_kv_write) return false;
    const View qkv = write.out;
    const std::optional<size_t> found = next_touch(i, qkv);
    if (!found) return false;
    Instruction& step = steps_[*found];
    const View queries{qkv.buffer, qkv.first_column, write.attention.num_heads * write.attention.head_size};
    const bool fits = step.op == Op::attention && step.layer == write.layer && same(step.in[0], queries) &&
                      step.attention.num_heads == write.attention.num_heads &&
                      step.attention.num_kv_heads == write.attention.num_kv_heads &&
                      step.attention.head_size == write.attention.head_size && !overlaps(step.out, qkv);
    if (!fits || !is_dead(*found, qkv)) return false;
    for (size_t k = i + 1; k < *found; ++k) {
      if (uses_pages_of(steps_[k], write.layer)) return false;
    }
    step.op = Op::rope_kv_attention;
    step.in[0] = qkv;
    step.weights = {write.weights[0], step.weights[0]};  // frequencies, slopes
    step.rotary_size = write.rotary_size;
    step.adjacent_pairs = write.adjacent_pairs;
    step.rope_factor = write.rope_factor;
    erase(i, step);
    return true;
  }

  // linear -> y; add_norm(x, y) -> n, or add(x, y) -> x
  bool fuse_addition(size_t i) {
    Instruction& linear = steps_[i];
    if (!is_linear(linear) || linear.adds) return false;
    const View y = linear.out;
    const std::optional<size_t> found = next_touch(i, y);
    if (!found) return false;
    Instruction& step = steps_[*found];
    View x = step.in[0];
    switch (step.op) {
      case Op::add_rms_norm:
      case Op::add_layer_norm:
        if (!same(step.in[1], y)) return false;
        break;
      case Op::add:
        if (same(step.in[0], y)) x = step.in[1];
        if (!same(step.in[0], y) && !same(step.in[1], y)) return false;
        if (!same(step.out, x)) return false;
        break;
      default:
        return false;
    }
    if (overlaps(x, y) || overlaps(x, linear.in[0]) || !is_quiet(i, *found, x)) return false;
    if (!is_dead(*found, y)) return false;
    linear.op = Op::linear_fused;
    linear.adds = true;
    linear.out = x;
    if (step.op == Op::add) {
      erase(*found, linear);
      return true;
    }
    step.op = step.op == Op::add_rms_norm ? Op::rms_norm : Op::layer_norm;
    step.num_in = 1;
    linear.place += " and the addition of " + step.place;
    return true;
  }

  // norm(x) -> n; linear(n), or the same with gather_outputs between
  bool fuse_norm(size_t i) {
    const Instruction norm = steps_[i];
    if (norm.op != Op::rms_norm && norm.op != Op::layer_norm) return false;
    const View x = norm.in[0];
    const View n = norm.out;
    std::optional<size_t> found = next_touch(i, n);
    if (!found || !same(steps_[*found].in[0], n) || steps_[*found].num_in != 1) return false;
    const size_t reader = *found;
    const auto moves_to = [&](size_t place) {
      return same(x, n) ? is_dead(reader, n) : is_quiet(i, place, x, true) && is_dead(reader, n);
    };
    if (steps_[reader].op == Op::gather_outputs) {
      const View gathered = steps_[reader].out;
      found = next_touch(reader, gathered);
      if (!found || !takes_norm(steps_[*found], gathered, gathered) || !is_dead(*found, gathered) || !moves_to(reader))
        return false;
      if (overlaps(gathered, x)) return false;
      steps_[reader].in[0] = x;
    } else {
      if (!takes_norm(steps_[reader], n, x) || !moves_to(reader)) return false;
      steps_[reader].in[0] = x;
    }
    Instruction& linear = steps_[*found];
    linear.op = Op::linear_fused;
    linear.norm = norm.op == Op::rms_norm ? LinearFusion::Norm::rms : LinearFusion::Norm::layer;
    linear.norm_weights = norm.weights;
    linear.epsilon = norm.epsilon;
    erase(i, linear);
    return true;
  }

  // A linear that reads `in` and could read `instead` and norm it.
  static bool takes_norm(const Instruction& step, const View& in, const View& instead) {
    return is_linear(step) && step.norm == LinearFusion::Norm::none && same(step.in[0], in) &&
           !overlaps(step.out, instead);
  }

  // gather_outputs(x) -> m; linear(m)
  bool shorten_gathering(size_t i) {
    Instruction& gather = steps_[i];
    if (gather.op != Op::gather_outputs || gather.source) return false;
    const View x = gather.in[0];
    const std::optional<size_t> found = next_touch(i, gather.out);
    if (!found || !is_linear(steps_[*found]) || !same(steps_[*found].in[0], gather.out)) return false;
    if (overlaps(steps_[*found].out, x) || !is_quiet(i, *found, x, true) || !is_dead(*found, gather.out)) return false;
    gather.source = steps_[*found].source = x;
    return false;  // nothing was erased
  }

  // linear -> g; gated(g) -> o
  bool fuse_gate(size_t i) {
    Instruction& linear = steps_[i];
    if (!is_linear(linear) || linear.adds || linear.is_gated || linear.activation != Activation::none) return false;
    const View g = linear.out;
    const std::optional<size_t> found = next_touch(i, g);
    if (!found) return false;
    const Instruction& gate = steps_[*found];
    if (gate.op != Op::gated || !same(gate.in[0], g) || overlaps(gate.out, linear.in[0]) ||
        !is_quiet(i, *found, gate.out) || !is_dead(*found, g)) {
      return false;
    }
    linear.op = Op::linear_fused;
    linear.is_gated = true;
    linear.activation = gate.activation;
    linear.out = gate.out;
    erase(*found, linear);
    return true;
  }

  const Program& program_;
  std::vector<Instruction> steps_;
};

}  // namespace

namespace {

// What else lies where the output will be must not be harder to read for it: rows begin at whole vectors.
constexpr int32_t kAlignedColumns = 32;

// meets[a][b]: a is written while b holds something wanted.
using Meetings = std::vector<std::vector<bool>>;

void find_meetings(const Program& program, const std::vector<Instruction>& steps, Meetings& meets) {
  const size_t count = program.buffers.size();
  const auto at = [](const View& view) { return static_cast<size_t>(view.buffer); };
  std::vector<bool> is_live(count, false);  // after the step that is looked at
  is_live[static_cast<size_t>(program.output)] = true;
  for (size_t i = steps.size(); i-- > 0;) {
    const Access access = access_of(steps[i]);
    std::vector<bool> is_used = is_live;
    for (int r = 0; r < access.num_reads; ++r) is_used[at(access.reads[r])] = true;
    for (int w = 0; w < access.num_writes; ++w) is_used[at(access.writes[w])] = true;
    for (int w = 0; w < access.num_writes; ++w) {
      for (size_t other = 0; other < count; ++other) {
        if (is_used[other]) meets[at(access.writes[w])][other] = meets[other][at(access.writes[w])] = true;
      }
    }
    for (int w = 0; w < access.num_writes; ++w) {
      const View& view = access.writes[w];
      if (view.width == program.buffers[at(view)].width) is_live[at(view)] = false;
    }
    for (int r = 0; r < access.num_reads; ++r) is_live[at(access.reads[r])] = true;
  }
}

// The instructions when some rows are no outputs.
std::vector<Instruction> narrow_way(const Program& program) {
  const auto first = program.instructions.begin();
  std::vector<Instruction> steps(first, first + static_cast<std::ptrdiff_t>(program.first_of_end));
  steps.insert(steps.end(), program.narrow_end.begin(), program.narrow_end.end());
  return steps;
}

// Every view of the program's instructions.
template <typename Use>
void each_view(Program& program, const Use& use) {
  for (std::vector<Instruction>* steps : {&program.instructions, &program.narrow_end}) {
    for (Instruction& step : *steps) {
      for (int i = 0; i < step.num_in; ++i) use(step.in[static_cast<size_t>(i)]);
      if (step.num_out == 1) use(step.out);
      if (step.source) use(*step.source);
    }
  }
}

// Buffers that never hold something wanted at the same time become one. The plan's were shared before steps were
// joined.
// `joins`: else only what narrow.h added finds a place.
void share_buffers(Program& program, bool joins) {
  const size_t count = program.buffers.size();
  Meetings meets(count, std::vector<bool>(count, false));
  find_meetings(program, program.instructions, meets);
  if (!program.narrow_end.empty()) find_meetings(program, narrow_way(program), meets);

  std::vector<size_t> order(count), group(count);
  for (size_t i = 0; i < count; ++i) order[i] = group[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return program.buffers[a].width > program.buffers[b].width; });
  std::vector<size_t> leaders;
  for (const size_t buffer : order) {
    const auto fits = [&](size_t leader) {
      if (program.buffers[leader].rows != program.buffers[buffer].rows) return false;
      for (size_t other = 0; other < count; ++other) {
        if (group[other] == leader && other != buffer && meets[other][buffer]) return false;
      }
      return true;
    };
    const Buffer& one = program.buffers[buffer];
    if (one.width == 0) continue;
    const bool is_output = static_cast<int32_t>(buffer) == program.output;
    const auto leader = is_output || !joins ? leaders.end() : std::find_if(leaders.begin(), leaders.end(), fits);
    if (leader != leaders.end()) {
      group[buffer] = *leader;
    } else if (!is_output || one.width % kAlignedColumns == 0) {
      leaders.push_back(buffer);
    }
  }
  // Rows of outputs, of which there are no more than of tokens, lie where such do.
  Meetings groups_meet(count, std::vector<bool>(count, false));
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = 0; b < count; ++b) {
      if (meets[a][b]) groups_meet[group[a]][group[b]] = true;
    }
  }
  std::vector<std::vector<size_t>> guests(count);
  const auto can_lie_in = [&](size_t buffer, size_t place) {
    return program.buffers[place].rows == RowsOf::tokens &&
           program.buffers[place].width >= program.buffers[buffer].width && !groups_meet[buffer][place] &&
           std::none_of(guests[place].begin(), guests[place].end(),
                        [&](size_t guest) { return groups_meet[buffer][guest]; });
  };
  for (const size_t buffer : leaders) {
    if (program.buffers[buffer].rows != RowsOf::outputs || static_cast<int32_t>(buffer) == program.output) continue;
    const auto place =
        std::find_if(leaders.begin(), leaders.end(), [&](size_t one) { return can_lie_in(buffer, one); });
    if (place == leaders.end()) continue;
    program.buffers[buffer].lies_in = static_cast<int32_t>(*place);
    guests[*place].push_back(buffer);
  }
  each_view(program, [&](View& view) { view.buffer = static_cast<int32_t>(group[static_cast<size_t>(view.buffer)]); });
  for (size_t i = 0; i < count; ++i) {
    if (group[i] != i) program.buffers[i].width = 0;
  }
}

}  // namespace

void fuse(Program& program, Fusions fusions) {
  const bool joins = fusions.linears || fusions.attention;
  if (joins) program.instructions = Fuser(program).run(fusions);
  narrow(program);
  if (joins) {
    std::vector<int32_t> widths(program.buffers.size(), 0);
    each_view(program, [&](const View& view) {
      int32_t& width = widths[static_cast<size_t>(view.buffer)];
      width = std::max(width, view.first_column + view.width);
    });
    const size_t output = static_cast<size_t>(program.output);
    widths[output] = program.buffers[output].width;
    for (size_t i = 0; i < widths.size(); ++i) program.buffers[i].width = widths[i];
  }
  share_buffers(program, joins);
}

}  // namespace quoth
