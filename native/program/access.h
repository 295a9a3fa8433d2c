// What an instruction reads and writes: for those who rewrite a checked program.
#pragma once

#include "program.h"

namespace quoth {

inline bool overlaps(const View& a, const View& b) {
  return a.buffer == b.buffer && a.first_column < b.first_column + b.width && b.first_column < a.first_column + a.width;
}

inline bool same(const View& a, const View& b) {
  return a.buffer == b.buffer && a.first_column == b.first_column && a.width == b.width;
}

// What an instruction reads and writes. A view may stand in both.
struct Access {
  View reads[5];
  int num_reads = 0;
  View writes[2];
  int num_writes = 0;
};

inline Access access_of(const Instruction& step) {
  Access access;
  for (int i = 0; i < step.num_in; ++i) access.reads[access.num_reads++] = step.in[static_cast<size_t>(i)];
  if (step.source) access.reads[access.num_reads++] = *step.source;
  if (step.num_out == 1) {
    access.writes[access.num_writes++] = step.out;
    const bool changes_out = (step.num_in == 0 && step.op != Op::embed) || step.adds;
    if (changes_out) access.reads[access.num_reads++] = step.out;
  }
  // These change what they read.
  if (step.op == Op::add_rms_norm || step.op == Op::add_layer_norm || step.op == Op::rope_kv_attention) {
    access.writes[access.num_writes++] = step.in[0];
  }
  return access;
}

}  // namespace quoth
