// The shapes of linear_prefill_unpack.h.
#include "linear_prefill_unpack.h"

namespace quoth::cuda {
namespace {

template <Type kType, int32_t kTiles, int32_t kTokens>
Status launch(Device* device, const PrefillProblem& problem) {
  using Plan = UnpackPlan<kType, kTiles, kTokens>;
  const auto kernel = wgmma_unpack_kernel<kType, kTiles, kTokens>;
  const Status status =
      status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::kSharedBytes));
  if (!status.ok()) return status;
  return launch_overlapped(device, kernel, wgmma_grid(problem, {1, kTiles, kTokens, 0}), dim3(Plan::kThreads),
                           Plan::kSharedBytes, problem);
}

template <Type kType>
Status run(Device* device, const PrefillProblem& problem, int32_t tiles, int32_t tokens) {
  if (tiles == 2 && tokens == 16) return launch<kType, 2, 16>(device, problem);
  if (tiles == 2 && tokens == 64) return launch<kType, 2, 64>(device, problem);
  if constexpr (kType == Type::int4_g128) {
    if (tiles == 1 && tokens == 16) return launch<kType, 1, 16>(device, problem);
    if (tiles == 1 && tokens == 32) return launch<kType, 1, 32>(device, problem);
    if (tiles == 1 && tokens == 64) return launch<kType, 1, 64>(device, problem);
    if (tiles == 1 && tokens == 128) return launch<kType, 1, 128>(device, problem);
  }
  return {Code::internal, "linear: no such shape of tile"};
}

}  // namespace

Status multiply_unpack(Device* device, Type type, const PrefillProblem& problem, int32_t tiles, int32_t tokens) {
  switch (type) {
    case Type::int4_g128:
      return run<Type::int4_g128>(device, problem, tiles, tokens);
    case Type::int4_g32:
      return run<Type::int4_g32>(device, problem, tiles, tokens);
    case Type::q8:
      return run<Type::q8>(device, problem, tiles, tokens);
    default:
      return run<Type::q4>(device, problem, tiles, tokens);
  }
}

}  // namespace quoth::cuda
