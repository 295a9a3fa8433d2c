// The program of a plan, read and checked whole: every view inside its buffer, every tensor of the shape and type that
// its operation takes, every row written before it is read. What passes here runs without a check.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../../kernels/ops.h"
#include "plan_file.h"

namespace quoth {

enum class Op {
  embed,
  add_positions,
  add_segments,
  gather_outputs,
  linear,
  rms_norm,
  layer_norm,
  rms_norm_heads,
  add_rms_norm,
  add_layer_norm,
  add,
  multiply,
  add_bias,
  activate,
  gated,
  soft_cap,
  clamp,
  permute_columns,
  rope,
  kv_write,
  rope_kv_write,
  attention,
  attention_full,
  pool_mean,
  pool_first,
  normalize,
  // Not of a plan: made by fuse.h.
  linear_fused,
  rope_kv_attention,
};

// What a buffer has one row for, in a step.
enum class RowsOf { tokens, outputs, sequences };

struct Buffer {
  RowsOf rows = RowsOf::tokens;
  int32_t width = 0;
  int32_t lies_in = -1;  // another buffer, of tokens and no narrower, whose memory this one takes; made by fuse.h
};

// Columns [first_column, first_column + width) of a buffer.
struct View {
  int32_t buffer = 0;
  int32_t first_column = 0;
  int32_t width = 0;
};

struct Instruction {
  Op op = Op::embed;
  std::string place;  // "step 3 (linear)", for sentences
  int num_in = 0;
  int num_out = 0;
  std::array<View, 3> in{};
  View out{};
  std::array<int32_t, 2> weights{-1, -1};  // indices of tensors, -1 = none
  Activation activation = Activation::none;
  float scale = 1;
  float epsilon = 0;
  float limit = 0;  // soft_cap: cap; clamp: limit
  int32_t offset = 0;
  int32_t layer = 0;
  int32_t rotary_size = 0;
  bool adjacent_pairs = false;
  float rope_factor = 1;
  Attention attention{};
  // linear_fused: as LinearFusion; `epsilon` is the norm's.
  LinearFusion::Norm norm = LinearFusion::Norm::none;
  std::array<int32_t, 2> norm_weights{-1, -1};
  bool is_gated = false;
  bool adds = false;
  // gather_outputs and the one that reads what it gathered: `source` is what it is gathered from. Where every row is an
  // output, the one is left out and the other reads there.
  std::optional<View> source;
};

struct Program {
  std::vector<Buffer> buffers;
  std::vector<Instruction> instructions;
  int32_t output = 0;       // the buffer with the logits, the embeddings or the scores
  int32_t max_columns = 0;  // of all weights of `linear`
  // Not of a plan: made by narrow.h. Where some rows of a step are no outputs, what is done instead of the instructions
  // from number `first_of_end` on; empty: nothing is.
  std::vector<Instruction> narrow_end;
  size_t first_of_end = 0;
};

// Throws Fault invalid_plan with a sentence that names the file and the step.
Program read_program(const PlanFile& plan);

}  // namespace quoth
