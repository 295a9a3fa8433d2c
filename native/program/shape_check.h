// What one step of a program asks of its views, its tensors and its attributes.
#pragma once

#include <string>
#include <vector>

#include "json.h"
#include "plan_file.h"
#include "program.h"

namespace quoth {

class ShapeCheck {
 public:
  // Both must outlive it; `program` is being read: its buffers are there before the first check.
  ShapeCheck(const PlanFile& plan, Program& program);

  // Reads the attributes of `step` and checks them with its views and tensors, which are set. Steps come in order: a
  // layer of the kv cache is written before it is read. Throws Fault invalid_plan.
  void check(Instruction& step, const Json& json);

 private:
  [[noreturn]] void fail(const std::string& what) const;
  RowsOf rows_of(const View& view) const;
  void need_rows(const View& view, RowsOf rows) const;
  void need_same_rows(const View& a, const View& b) const;
  void need_width(const View& view, int64_t width) const;
  const PlanTensor& tensor(size_t i) const;
  void need_vector(size_t i, int64_t width) const;
  void need_matrix(size_t i, int64_t least_rows, int64_t columns) const;
  void need_numbers(size_t i) const;
  void need_index(size_t i, int64_t count, int32_t end) const;
  void need_table_of_floats(const char* what) const;
  void need_kv_heads() const;
  float read_positive(const Json& json, const char* name) const;
  void read_epsilon(const Json& json);
  void read_soft_cap(const Json& json);
  void read_activation(const Json& json);
  void read_heads(const Json& json, bool with_kv_heads);
  void read_rope(const Json& json);
  void read_layer(const Json& json, bool writes);

  const PlanFile& plan_;
  Program& program_;
  Instruction* at_ = nullptr;  // the step that is read
  std::vector<bool> layers_written_;
};

}  // namespace quoth
