// Each plan is run as it is written and fused, on the CPU: the outputs of every step must have the same bits. Prints a
// line for each plan, "ok <calls written> <calls fused> <path>" or "FAILED <path>: <why>".
//   quoth_fusion_cases <plan>...
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../native/engine/device.h"
#include "../../native/fault.h"
#include "../../native/program/fuse.h"
#include "../../native/program/runner.h"
#include "fused_ops.h"

using namespace quoth;

namespace {

struct Part {
  int32_t sequence, first, count;
  int32_t num_outputs;  // of its last rows
};

struct Arrays {
  std::vector<int32_t> ids, positions, segments, first_row{0}, page_table, output_rows;
  Batch batch;
};

// Sequence s has the pages 2 s and 2 s + 1, turned around.
void fill(Arrays& arrays, const std::vector<Part>& parts, const PlanFile& plan) {
  for (const Part& part : parts) {
    for (int32_t i = part.first; i < part.first + part.count; ++i) {
      arrays.ids.push_back((i * 7 + part.sequence * 3 + i / 5) % plan.vocabulary_size);
      arrays.positions.push_back(i);
      arrays.segments.push_back(i > part.count / 2 ? 1 : 0);
    }
    const int32_t end = static_cast<int32_t>(arrays.ids.size());
    for (int32_t row = end - part.num_outputs; row < end; ++row) arrays.output_rows.push_back(row);
    arrays.first_row.push_back(end);
    arrays.page_table.push_back(2 * part.sequence + 1);
    arrays.page_table.push_back(2 * part.sequence);
  }
  Batch& batch = arrays.batch;
  batch.num_tokens = static_cast<int32_t>(arrays.ids.size());
  batch.ids = arrays.ids.data();
  batch.positions = arrays.positions.data();
  if (plan.role == Role::reranker) batch.segments = arrays.segments.data();
  batch.num_sequences = static_cast<int32_t>(parts.size());
  batch.first_row = arrays.first_row.data();
  batch.page_table = arrays.page_table.data();
  batch.page_table_stride = 2;
  batch.num_outputs = static_cast<int32_t>(arrays.output_rows.size());
  batch.output_rows = arrays.output_rows.data();
}

const Ops* plain = nullptr;
int num_gathered = 0;
Status counted_gather(Device* device, Rows x, const Batch* batch, Rows out) {
  ++num_gathered;
  return plain->gather_outputs(device, x, batch, out);
}

std::string check(const std::string& path, OpenDevice& device, const Ops& fused_ops) {
  const PlanFile plan = open_plan(path);
  const Capacity capacity{160, 4, 4};
  const Program program = read_program(plan);
  Program fewer = program;
  fuse(fewer, fusions_of(fused_ops));
  const size_t num_fewer = fewer.instructions.size();
  const auto is_gather = [](const Instruction& step) { return step.op == Op::gather_outputs; };
  const auto num_gathers = std::count_if(fewer.narrow_end.begin(), fewer.narrow_end.end(), is_gather);
  // Only what was gathered is computed behind the last attention.
  if ((plan.role == Role::chat) != (num_gathers > 0)) return "there is no end for few outputs";
  for (const Instruction& step : fewer.narrow_end) {
    const RowsOf rows = fewer.buffers[static_cast<size_t>(step.out.buffer)].rows;
    if (step.op == Op::attention || step.op == Op::rope_kv_attention) return "its end holds an attention";
    if (rows != RowsOf::outputs) return "its end has rows that are no outputs";
  }
  const uint64_t fewer_bytes = Runner::activation_bytes_of(plan, fewer, capacity);
  // Of its end for few outputs some rows may find no place among others.
  const auto bytes_of = [&](const Program& one) { return Runner::activation_bytes_of(plan, one, capacity); };
  if (100 * fewer_bytes > 102 * bytes_of(program)) return "it takes more memory";
  Runner written(plan, program, device.device, device.ops, true, capacity, 8);
  Runner fused(plan, std::move(fewer), device.device, &fused_ops, true, capacity, 8);

  const int32_t longest = std::min(70, plan.context_tokens);
  std::vector<std::vector<Part>> steps;
  if (plan.role == Role::chat) {
    steps = {{{0, 0, longest - 4, 1}},
             {{0, longest - 4, 1, 1}, {1, 0, longest / 2, 1}},
             {{0, longest - 3, 2, 0}},
             {{0, longest - 1, 1, 1}, {1, longest / 2, 3, 3}, {2, 0, 5, 0}},
             {{2, 5, 1, 1}, {1, longest / 2 + 3, 1, 1}},
             {{3, 0, 4, 4}}};
  } else {
    steps = {{{0, 0, longest / 2, 0}, {1, 0, 1, 0}, {2, 0, longest / 3, 0}}, {{0, 0, longest, 0}}};
  }
  const std::atomic<bool> never{false};
  for (size_t i = 0; i < steps.size(); ++i) {
    Arrays arrays;
    fill(arrays, steps[i], plan);
    const int32_t num_rows = plan.role == Role::chat ? arrays.batch.num_outputs : arrays.batch.num_sequences;
    std::vector<float> expected(static_cast<size_t>(num_rows) * static_cast<size_t>(written.output_width()));
    std::vector<float> found(expected.size());
    if (!written.run(arrays.batch, never) || !fused.run(arrays.batch, never)) return "a step was abandoned";
    if (num_rows == 0) continue;
    written.read_outputs(0, num_rows, expected.data());
    fused.read_outputs(0, num_rows, found.data());
    if (std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)) != 0) {
      return "other bits in step " + std::to_string(i);
    }
    for (const float number : found) {
      if (number != number) return "not a number in step " + std::to_string(i);
    }
  }

  // Three steps have rows that are no outputs, one of them has none at all.
  if (plan.role == Role::chat && num_gathered != 3 * num_gathers) return "outputs were gathered where every row is one";

  std::printf(
      "ok %zu %zu %.2f %s\n", program.instructions.size(), num_fewer,
      static_cast<double>(fewer_bytes) / static_cast<double>(Runner::activation_bytes_of(plan, program, capacity)),
      path.c_str());
  return "";
}

}  // namespace

int main(int count, char** arguments) {
  int num_failed = 0;
  for (int i = 1; i < count; ++i) {
    std::string why;
    try {
      const std::unique_ptr<OpenDevice> device = open_device(DeviceChoice::cpu, 1);
      Ops fused_ops = test::with_fused_ops(device->ops);
      plain = device->ops;
      num_gathered = 0;
      fused_ops.gather_outputs = counted_gather;
      why = check(arguments[i], *device, fused_ops);
    } catch (const Fault& fault) {
      why = fault.what();
    }
    if (why.empty()) continue;
    std::printf("FAILED %s: %s\n", arguments[i], why.c_str());
    ++num_failed;
  }
  std::printf("%s\n", num_failed == 0 ? "all ok" : "FAILED");
  return num_failed == 0 ? 0 : 1;
}
