// The shapes of tile in which wgmma multiplies, for each type of weight.
#include "linear_prefill_wgmma.h"

namespace quoth::cuda {
namespace {

// common: what every type of record has; more: int4_g128 alone. `wide`: groups of 32 columns unpacked at once. Then,
// measured on an H200: nanoseconds that a tile takes for 128 columns, alone in a multiprocessor and beside another, and
// for its beginning and end.
#define QUOTH_SHAPES(common, more)                                                  \
  common(0, 2, 1, 256, 1, 1400, 1400, 5000) more(1, 2, 2, 128, 2, 1410, 1410, 5000) \
      more(2, 2, 1, 128, 2, 700, 700, 4000) common(3, 1, 2, 64, 1, 880, 940, 4000)  \
          more(4, 1, 1, 64, 2, 530, 540, 3000) more(5, 1, 1, 32, 2, 350, 440, 2000) \
              common(6, 1, 2, 16, 2, 600, 640, 3000) more(7, 1, 1, 16, 2, 340, 420, 2000)

constexpr PrefillShape kShapes[] = {
#define QUOTH_ENTRY(index, groups, tiles, tokens, wide, alone, beside, tile) {groups, tiles, tokens, wide},
    QUOTH_SHAPES(QUOTH_ENTRY, QUOTH_ENTRY)};
struct Times {
  double alone, beside, tile;  // nanoseconds
};
constexpr Times kTimes[] = {
#define QUOTH_TIMES(index, groups, tiles, tokens, wide, alone, beside, tile) {alone, beside, tile},
    QUOTH_SHAPES(QUOTH_TIMES, QUOTH_TIMES)};
// The same of the shapes of linear_prefill_wgmma_f16.cu.
constexpr Times kHalfTimes[] = {{1570, 1570, 5900}, {1150, 1150, 8100}, {700, 1180, 2800},
                                {600, 1030, 3000},  {550, 1000, 700},   {500, 850, 1000}};
constexpr int32_t kNumShapes = sizeof kShapes / sizeof kShapes[0];

template <Type kType, int32_t kGroups, int32_t kTiles, int32_t kTokens, int32_t kWide>
Status launch(Device* device, const PrefillProblem& problem) {
  using Plan = WgmmaPlan<kType, kGroups, kTiles, kTokens, kWide>;
  const auto kernel = wgmma_records_kernel<kType, kGroups, kTiles, kTokens, kWide>;
  const Status status =
      status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::kSharedBytes));
  if (!status.ok()) return status;
  return launch_overlapped(device, kernel, wgmma_grid(problem, {kGroups, kTiles, kTokens, kWide}), dim3(Plan::kThreads),
                           Plan::kSharedBytes, problem);
}

template <Type kType>
Status run(Device* device, const PrefillProblem& problem, int32_t shape) {
  switch (shape) {
#define QUOTH_COMMON(index, groups, tiles, tokens, wide, alone, beside, tile) \
  case index:                                                                 \
    return launch<kType, groups, tiles, tokens, wide>(device, problem);
#define QUOTH_MORE(index, groups, tiles, tokens, wide, alone, beside, tile)                                     \
  case index:                                                                                                   \
    if constexpr (kType == Type::int4_g128) return launch<kType, groups, tiles, tokens, wide>(device, problem); \
    break;
    QUOTH_SHAPES(QUOTH_COMMON, QUOTH_MORE)
    default:
      break;
  }
  return {Code::internal, "linear: no such shape of tile"};
}

// About how long a shape takes, in nanoseconds: as many tiles one after the other as a multiprocessor gets. f16
// weights, of which nothing is known here: by the products.
double cost_of(Type type, const PrefillProblem& problem, int32_t index, int32_t num_multiprocessors) {
  const PrefillShape shape = wgmma_shape(type, index);
  const int32_t rows = 64 * shape.groups * shape.tiles;
  const int32_t num_rows = problem.gate_rows > 0 ? 2 * problem.gate_rows : problem.num_rows;
  const int32_t tiles = ceil_div(num_rows, rows) * ceil_div(problem.x.num_rows, shape.tokens);
  const double chunks = ceil_div(problem.num_columns, 128);
  const bool are_two = shape.groups == 1;  // tiles in a multiprocessor
  const Times times = type == Type::f16 ? kHalfTimes[index] : kTimes[index];
  const int32_t places = num_multiprocessors * (are_two ? 2 : 1);
  const double chunk = tiles > num_multiprocessors ? times.beside : times.alone;
  // Of many tiles the last ones fill what others leave.
  const double rounds = tiles <= 4 * places ? ceil_div(tiles, places) : static_cast<double>(tiles) / places + 0.5;
  return rounds * (chunks * chunk + times.tile);
}

}  // namespace

bool has_wgmma_shape(Type type, int32_t shape) {
#define QUOTH_IS_COMMON(index, groups, tiles, tokens, wide, alone, beside, tile) \
  case index:                                                                    \
    return type != Type::f16;
#define QUOTH_IS_MORE(index, groups, tiles, tokens, wide, alone, beside, tile) \
  case index:                                                                  \
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
      const double cost = cost_of(type, problem, i, device->num_multiprocessors);
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
