// The multiplication of many rows with f16 weights on sm_90a: both operands in shared memory, nothing to unpack.
//
// As linear_prefill_wgmma.h, but that stages have 64 columns and that the weights, which lie row-major, come through a
// tensor map: the copy engine swizzles them and puts zeros where there is no row and no column.
#include <cuda.h>

#include "linear_prefill_wgmma.h"

namespace quoth::cuda {
template <int32_t kGroups, int32_t kTiles, int32_t kTokens>
struct HalvesPlan {
  static constexpr int32_t kRows = 64 * kGroups * kTiles;
  static constexpr int32_t kThreads = (kGroups + 1) * 128;
  static constexpr int32_t kBringing = kGroups == 1 ? 40 : 24;
  static constexpr int32_t kMultiplying = kGroups == 1 ? 208 : 240;
  static constexpr int32_t kPieceBytes = kTokens * 2 * kChunkColumns;
  static constexpr int32_t kTileBytes = 64 * 2 * kChunkColumns;
  static constexpr int32_t kStageBytes = kPieceBytes + kRows / 64 * kTileBytes;
  static constexpr int32_t kBlocks = kGroups == 1 ? 2 : 1;
  static constexpr int32_t kRoom = (227 * 1024 / kBlocks - 3072) / 1024 * 1024;
  static constexpr int32_t kStages = even_places(kRoom / kStageBytes < 8 ? kRoom / kStageBytes : 8);
  static constexpr int32_t kWarps = bringing_warps(kStages, 4);
  static constexpr int32_t kPitch = kRows + 4;
  static constexpr int32_t kOutBytes = kPitch * kTokens * 4;
  static constexpr int32_t kBodyBytes = kStages * kStageBytes > kOutBytes ? kStages* kStageBytes : kOutBytes;
  static constexpr int32_t kSharedBytes = kBodyBytes + 1024 + 256 + 4 * kTokens;
  static_assert(kStages >= 2 && kSharedBytes <= 227 * 1024 && kPieceBytes % 1024 == 0);
};

namespace {

template <int32_t kGroups, int32_t kTiles, int32_t kTokens>
__global__ void __launch_bounds__(HalvesPlan<kGroups, kTiles, kTokens>::kThreads,
                                  HalvesPlan<kGroups, kTiles, kTokens>::kBlocks)
    wgmma_halves_kernel(const __grid_constant__ PrefillProblem problem, const __grid_constant__ CUtensorMap map) {
#if QUOTH_HAS_WGMMA
  using Plan = HalvesPlan<kGroups, kTiles, kTokens>;
  const Ring ring = begin_block<Plan>();
  const uint32_t stages = ring.stages, full = ring.full, empty = ring.empty;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t first_token = static_cast<int32_t>(blockIdx.x) * kTokens;
  const int32_t block = static_cast<int32_t>(blockIdx.y);
  const int32_t num_stages = ceil_div(problem.num_columns, kChunkColumns);

  if (warp >= kGroups * 4) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Plan::kBringing));
    if (lane != 0) {
      wait_for_previous();
      return;
    }
    const uint32_t x_bytes = static_cast<uint32_t>(min(kTokens, problem.x.padded_rows - first_token)) * 128;
    const __half* x = problem.x.values + static_cast<int64_t>(first_token) * kChunkColumns;
    const int64_t piece = static_cast<int64_t>(problem.x.padded_rows) * kChunkColumns;
    const auto bring_weights = [&](int32_t stage, int32_t place) {
      // A tile that is wholly past the last row comes as zeros and counts all the same.
      barrier_expect(full + 8 * place, x_bytes + Plan::kRows / 64 * Plan::kTileBytes);
#pragma unroll
      for (int32_t m = 0; m < kGroups * kTiles; ++m) {
        const int32_t row = tile_row<kGroups * kTiles>(problem, block, m);
        asm volatile(
            "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::
                "r"(stages + place * Plan::kStageBytes + Plan::kPieceBytes + m * Plan::kTileBytes),
            "l"(&map), "r"(stage * kChunkColumns), "r"(row), "r"(full + 8 * place)
            : "memory");
      }
    };
    const auto bring_x = [&](int32_t stage, int32_t place) {
      copy_bulk(stages + place * Plan::kStageBytes, x + stage * piece, x_bytes, full + 8 * place);
    };
    bring_stages<Plan::kStages, Plan::kWarps>(warp - kGroups * 4, num_stages, empty, bring_weights, bring_x);
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Plan::kMultiplying));
  const int32_t group = warp / 4;
  float sums[kTiles][kTokens / 2];
#pragma unroll
  for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int32_t j = 0; j < kTokens / 2; ++j) sums[i][j] = 0;
  }
  int32_t place = 0;
  uint32_t parity = 0;
  for (int32_t stage = 0; stage < num_stages; ++stage) {
    barrier_wait(full + 8 * place, parity);
    const uint32_t at = stages + place * Plan::kStageBytes;
    const uint64_t x = matrix_of(at);
    const uint64_t weights = matrix_of(at + Plan::kPieceBytes + group * kTiles * Plan::kTileBytes);
    wgmma_fence();
#pragma unroll
    for (int32_t step = 0; step < kChunkColumns / 16; ++step) {
#pragma unroll
      for (int32_t i = 0; i < kTiles; ++i) {
        Wgmma<kTokens>::from_shared(sums[i], weights + (i * Plan::kTileBytes + step * 32) / 16, x + step * 32 / 16);
      }
    }
    wgmma_commit();
    wgmma_wait<1>();
    if (stage > 0 && lane == 0) barrier_arrive(empty + 8 * (place == 0 ? Plan::kStages - 1 : place - 1));
    if (++place == Plan::kStages) place = 0, parity ^= 1;
  }
  wgmma_wait<0>();
#pragma unroll
  for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int32_t j = 0; j < kTokens / 2; ++j) asm volatile("" : "+f"(sums[i][j])::"memory");
  }
  end_block<Plan, kGroups * kTiles, kTokens>(problem, ring, block, first_token, [&](float* results) {
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
      const int32_t row = (group * kTiles + i) * 64 + warp % 4 * 16 + lane / 4;
#pragma unroll
      for (int32_t j = 0; j < kTokens / 8; ++j) {
#pragma unroll
        for (int32_t h = 0; h < 2; ++h) {
          float* to = results + (8 * j + 2 * (lane % 4) + h) * Plan::kPitch + row;
          to[0] = sums[i][4 * j + h];
          to[8] = sums[i][4 * j + 2 + h];
        }
      }
    }
  });
#endif
}

// The driver's own function, asked for by name: nothing here links to the driver.
Status map_weights(const PrefillProblem& problem, CUtensorMap* map) {
  using Encode = decltype(&cuTensorMapEncodeTiled);
  static const Encode encode = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
    const cudaError_t error =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result);
    return error == cudaSuccess && result == cudaDriverEntryPointSuccess ? reinterpret_cast<Encode>(found) : nullptr;
  }();
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(problem.num_columns), static_cast<cuuint64_t>(problem.num_rows)};
  const cuuint64_t strides[1] = {2 * sizes[0]};
  const cuuint32_t box[2] = {kChunkColumns, 64};
  const cuuint32_t steps[2] = {1, 1};
  const bool is_made = encode != nullptr &&
                       encode(map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, const_cast<uint8_t*>(problem.weights), sizes,
                              strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                              CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
  return is_made ? Status{} : Status{Code::internal, "linear: the driver made no tensor map"};
}

template <int32_t kGroups, int32_t kTiles, int32_t kTokens>
Status launch(Device* device, const PrefillProblem& problem) {
  using Plan = HalvesPlan<kGroups, kTiles, kTokens>;
  CUtensorMap map;
  Status status = map_weights(problem, &map);
  if (!status.ok()) return status;
  const auto kernel = wgmma_halves_kernel<kGroups, kTiles, kTokens>;
  status =
      status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::kSharedBytes));
  if (!status.ok()) return status;
  return launch_overlapped(device, kernel, wgmma_grid(problem, {kGroups, kTiles, kTokens, 0}), dim3(Plan::kThreads),
                           Plan::kSharedBytes, problem, map);
}

}  // namespace

#define QUOTH_SHAPES(shape) \
  shape(0, 2, 2, 128) shape(1, 2, 1, 256) shape(2, 1, 1, 128) shape(3, 1, 2, 64) shape(4, 1, 1, 64) shape(5, 1, 2, 16)
constexpr PrefillShape kShapes[] = {
#define QUOTH_ENTRY(index, groups, tiles, tokens) {groups, tiles, tokens, 0},
    QUOTH_SHAPES(QUOTH_ENTRY)};

bool has_wgmma_f16_shape(int32_t index) {
  return index >= 0 && index < static_cast<int32_t>(sizeof kShapes / sizeof kShapes[0]);
}
PrefillShape wgmma_f16_shape(int32_t index) {
  return kShapes[index];
}
Status multiply_wgmma_f16(Device* device, const PrefillProblem& problem, int32_t shape) {
  switch (shape) {
#define QUOTH_CASE(index, groups, tiles, tokens) \
  case index:                                    \
    return launch<groups, tiles, tokens>(device, problem);
    QUOTH_SHAPES(QUOTH_CASE)
    default:
      return {Code::internal, "linear: no such shape of tile"};
  }
}

}  // namespace quoth::cuda
