// The shapes of tile in which wgmma multiplies, for each type of weight.
#include "linear_prefill_wgmma.h"

namespace quoth::cuda {
namespace {

// kCommon: the shapes that every type of record has; the others are for int4_g128 alone.
#define QUOTH_SHAPES(common, more) \
  common(0, 2, 2, 128) more(1, 2, 1, 256) more(2, 1, 2, 128) more(3, 2, 1, 128) more(4, 1, 1, 128) \
  common(5, 1, 2, 64) more(6, 1, 1, 64) more(7, 1, 2, 32) more(8, 1, 1, 32) common(9, 1, 2, 16) more(10, 1, 1, 16)

constexpr PrefillShape kShapes[] = {
#define QUOTH_ENTRY(index, groups, tiles, tokens) {groups, tiles, tokens},
    QUOTH_SHAPES(QUOTH_ENTRY, QUOTH_ENTRY)};
constexpr int32_t kNumShapes = sizeof kShapes / sizeof kShapes[0];

template <Type kType, int32_t kGroups, int32_t kTiles, int32_t kTokens>
Status launch(Device* device, const PrefillProblem& problem) {
  using Plan = WgmmaPlan<kType, kGroups, kTiles, kTokens>;
  const auto kernel = wgmma_records_kernel<kType, kGroups, kTiles, kTokens>;
  Status status =
      status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::kSharedBytes));
  if (!status.ok()) return status;
  return launch_overlapped(device, kernel, wgmma_grid(problem, {kGroups, kTiles, kTokens}), dim3(Plan::kThreads), Plan::kSharedBytes, problem);
}

template <Type kType>
Status run(Device* device, const PrefillProblem& problem, int32_t shape) {
  switch (shape) {
#define QUOTH_COMMON(index, groups, tiles, tokens) \
  case index:                                      \
    return launch<kType, groups, tiles, tokens>(device, problem);
#define QUOTH_MORE(index, groups, tiles, tokens)                                                             \
  case index:                                                                                                \
    if constexpr (kType == Type::int4_g128) return launch<kType, groups, tiles, tokens>(device, problem);    \
    break;
    QUOTH_SHAPES(QUOTH_COMMON, QUOTH_MORE)
    default:
      break;
  }
  return {Code::internal, "linear: no such shape of tile"};
}

bool has_shape(Type type, int32_t shape) {
  if (type == Type::f16 && (shape == 1 || shape == 4 || shape == 6)) return true;
  return type == Type::int4_g128 || shape == 0 || shape == 5 || shape == 9;
}

// About how long a shape takes, in clocks of a multiprocessor: tiles one after the other, each as long as its products
// or its weights take to come, whichever is longer, and as long again as a tile's beginning and end.
double cost_of(const PrefillProblem& problem, const PrefillShape& shape, int32_t num_multiprocessors) {
  const bool is_gated = problem.gate_rows > 0;
  const double rows = 64.0 * shape.groups * shape.tiles;
  const int32_t num_rows = is_gated ? 2 * problem.gate_rows : problem.num_rows;
  const int32_t tiles = ceil_div(num_rows, static_cast<int32_t>(rows)) * ceil_div(problem.x.num_rows, shape.tokens);
  const int32_t together = shape.groups == 1 ? 2 : 1;
  const int32_t waves = ceil_div(tiles, num_multiprocessors);
  const double products = rows * shape.tokens * problem.num_columns / 2048.0 * 1.15;
  const double unpacking = rows * problem.num_columns / (shape.groups * together > 1 ? 24.0 : 16.0);
  const double tile = (products > unpacking ? products : unpacking) + rows * shape.tokens / 24.0 / together + 1500.0 / together;
  return waves * tile;
}

}  // namespace

bool has_wgmma(Type type, int32_t num_columns) {
  return type == Type::f16 || (record_columns(type) > 0 && num_columns % 128 == 0);
}
int32_t num_wgmma_shapes() {
  return kNumShapes;
}
PrefillShape wgmma_shape(int32_t index) {
  return kShapes[index];
}

Status multiply_wgmma(Device* device, Type type, const PrefillProblem& problem, int32_t shape) {
  if (shape < 0) {
    double least = 0;
    for (int32_t i = 0; i < kNumShapes; ++i) {
      if (!has_shape(type, i) || (problem.gate_rows > 0 && kShapes[i].groups * kShapes[i].tiles % 2 != 0)) continue;
      const double cost = cost_of(problem, kShapes[i], device->num_multiprocessors);
      if (shape < 0 || cost < least) shape = i, least = cost;
    }
  }
  switch (type) {
    case Type::f16:
      return multiply_wgmma_f16(device, problem, shape);
    case Type::int4_g128:
      return run<Type::int4_g128>(device, problem, shape);
    case Type::int4_g32:
      return run<Type::int4_g32>(device, problem, shape);
    case Type::q8:
      return run<Type::q8>(device, problem, shape);
    default:
      return run<Type::q4>(device, problem, shape);
  }
}

}  // namespace quoth::cuda
