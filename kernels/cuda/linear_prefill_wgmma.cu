// The shapes of tile in which wgmma multiplies, for each type of weight.
#include "linear_prefill_wgmma.h"

namespace quoth::cuda {
namespace {

// common: what every type of record has; more: int4_g128 alone. The last number: groups unpacked at once; 0: the kernel
// of linear_prefill_unpack.h.
#define QUOTH_SHAPES(common, more)                                                                                  \
  common(0, 2, 1, 256, 1) more(1, 2, 2, 128, 1) more(2, 2, 1, 256, 2) more(3, 2, 2, 128, 2) more(4, 2, 1, 128, 1)   \
  more(5, 2, 1, 128, 2) more(6, 1, 2, 128, 1) more(7, 1, 1, 128, 1) more(8, 1, 2, 64, 1) more(9, 1, 1, 64, 2)       \
  common(10, 1, 2, 16, 0) common(11, 1, 2, 64, 0) more(12, 1, 1, 16, 0) more(13, 1, 1, 32, 0) more(14, 1, 1, 64, 0) \
  more(15, 1, 1, 128, 0)

constexpr PrefillShape kShapes[] = {
#define QUOTH_ENTRY(index, groups, tiles, tokens, wide) {groups, tiles, tokens, wide},
    QUOTH_SHAPES(QUOTH_ENTRY, QUOTH_ENTRY)};
constexpr int32_t kNumShapes = sizeof kShapes / sizeof kShapes[0];

template <Type kType, int32_t kGroups, int32_t kTiles, int32_t kTokens, int32_t kWide>
Status launch(Device* device, const PrefillProblem& problem) {
  if constexpr (kWide == 0) {
    return multiply_unpack(device, kType, problem, kTiles, kTokens);
  } else {
    using Plan = WgmmaPlan<kType, kGroups, kTiles, kTokens, kWide>;
    const auto kernel = wgmma_records_kernel<kType, kGroups, kTiles, kTokens, kWide>;
    const Status status = status_of(
        device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::kSharedBytes));
    if (!status.ok()) return status;
    return launch_overlapped(device, kernel, wgmma_grid(problem, {kGroups, kTiles, kTokens, kWide}),
                             dim3(Plan::kThreads), Plan::kSharedBytes, problem);
  }
}

template <Type kType>
Status run(Device* device, const PrefillProblem& problem, int32_t shape) {
  switch (shape) {
#define QUOTH_COMMON(index, groups, tiles, tokens, wide) \
  case index:                                            \
    return launch<kType, groups, tiles, tokens, wide>(device, problem);
#define QUOTH_MORE(index, groups, tiles, tokens, wide)                                                             \
  case index:                                                                                                      \
    if constexpr (kType == Type::int4_g128) return launch<kType, groups, tiles, tokens, wide>(device, problem);    \
    break;
    QUOTH_SHAPES(QUOTH_COMMON, QUOTH_MORE)
    default:
      break;
  }
  return {Code::internal, "linear: no such shape of tile"};
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

bool has_wgmma_shape(Type type, int32_t shape) {
#define QUOTH_IS_COMMON(index, groups, tiles, tokens, wide) \
  case index:                                               \
    return type != Type::f16;
#define QUOTH_IS_MORE(index, groups, tiles, tokens, wide) \
  case index:                                             \
    return type == Type::int4_g128;
  if (type == Type::f16) return has_wgmma_f16_shape(shape);
  switch (shape) {
    QUOTH_SHAPES(QUOTH_IS_COMMON, QUOTH_IS_MORE)
    default:
      return false;
  }
}
bool has_wgmma(Type type, int32_t num_columns) {
  return type == Type::f16 || (record_columns(type) > 0 && num_columns % 128 == 0);
}
int32_t num_wgmma_shapes() {
  return kNumShapes;  // f16 has fewer
}
PrefillShape wgmma_shape(Type type, int32_t index) {
  return type == Type::f16 ? wgmma_f16_shape(index) : kShapes[index];
}

Status multiply_wgmma(Device* device, Type type, const PrefillProblem& problem, int32_t shape) {
  if (shape < 0) {
    double least = 0;
    for (int32_t i = 0; i < kNumShapes; ++i) {
      if (!has_wgmma_shape(type, i)) continue;
      const PrefillShape candidate = wgmma_shape(type, i);
      if (problem.gate_rows > 0 && candidate.groups * candidate.tiles % 2 != 0) continue;
      const double cost = cost_of(problem, candidate, device->num_multiprocessors);
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
