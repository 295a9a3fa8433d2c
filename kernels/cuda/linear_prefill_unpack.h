// The multiplication of some dozens of rows on sm_90a: few blocks, each of which must be fast by itself.
//
// A warpgroup that unpacks between its own matrix instructions leaves the matrix units idle meanwhile (an instruction
// that takes weights from registers holds its warp until it starts), which many warpgroups hide and few do not. So here
// two warpgroups do nothing but unpack, into shared memory, and one does nothing but multiply. Bits are those of
// linear_prefill_wgmma.h: the same operands in the same order.
//
//   warp 12 brings the weights as they are in the plan     -> raw ring   -> warpgroups 1 and 2 unpack
//   warps 13 to 15 bring x, in turn                        -> x ring     -> warpgroup 0 multiplies
//   warpgroups 1 and 2 write halves, swizzled              -> half ring  -> warpgroup 0
//
// One round of a warp that brings (a wait, the bytes to expect, the copies) takes a third of a microsecond whatever it
// brings, so a round brings much: kRawChunks times 128 columns of weights, kXChunks of x.
#pragma once

#include "linear_prefill_wgmma.h"

namespace quoth::cuda {

template <Type kType, int32_t kTiles, int32_t kTokens>
struct UnpackPlan {
  static constexpr int32_t kRows = 64 * kTiles;
  static constexpr int32_t kThreads = 512;
  static constexpr int32_t kPieceBytes = kTokens * 2 * kChunkColumns;
  static constexpr int32_t kTileBytes = 64 * 2 * kChunkColumns;
  static constexpr int32_t kHalfBytes = 2 * kTiles * kTileBytes;  // weights as halves, 128 columns
  static constexpr int32_t kBlockBytes = RecordBlock<kType, 4>::kBytes;
  static constexpr int32_t kRawChunks = kTiles == 1 ? 4 : 2;
  static constexpr int32_t kRunBytes = kRawChunks * kBlockBytes;  // of 16 rows
  static constexpr int32_t kRawBytes = kRows / 16 * kRunBytes;
  static constexpr int32_t kRawStages = 2;
  static constexpr int32_t kHalfStages = kTiles == 1 ? 6 : 3;
  static constexpr int32_t kXChunks = kTokens <= 32 ? 4 : kTokens == 64 && kTiles == 1 ? 2 : 1;
  static constexpr int32_t kXBytes = kXChunks * 2 * kPieceBytes;
  static constexpr int32_t kRoom = 227 * 1024 - 3072 - kHalfStages * kHalfBytes - kRawStages * kRawBytes;
  static constexpr int32_t kXStages = even_places(kRoom / kXBytes < 6 ? kRoom / kXBytes : 6);
  static constexpr int32_t kXWarps = bringing_warps(kXStages, 3);
  static constexpr int32_t kXAt = kHalfStages * kHalfBytes;
  static constexpr int32_t kRawAt = kXAt + kXStages * kXBytes;
  static constexpr int32_t kPitch = kRows + 4;
  static constexpr int32_t kOutBytes = kPitch * kTokens * 4;
  static constexpr int32_t kUsed = kRawAt + ceil_div(kRawStages * kRawBytes, 128) * 128;
  static constexpr int32_t kBodyBytes = kUsed > kOutBytes ? kUsed : kOutBytes;
  static constexpr int32_t kSharedBytes = kBodyBytes + 1024 + 512 + 4 * kTokens;
  static_assert(kXStages >= 2 && kRawChunks % 2 == 0 && kSharedBytes <= 227 * 1024 && kPieceBytes % 1024 == 0);
};

// Four 8 x 8 matrices of halves, as a matrix instruction holds them, to rows of 16 bytes.
__device__ inline void store_matrices(uint32_t address, const uint32_t (&matrices)[4]) {
#if QUOTH_HAS_WGMMA
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(matrices[0]),
               "r"(matrices[1]), "r"(matrices[2]), "r"(matrices[3])
               : "memory");
#endif
}

template <Type kType, int32_t kTiles, int32_t kTokens>
__global__ void __launch_bounds__(512, 1) wgmma_unpack_kernel(const __grid_constant__ PrefillProblem problem) {
#if QUOTH_HAS_WGMMA
  using Plan = UnpackPlan<kType, kTiles, kTokens>;
  extern __shared__ uint8_t raw_shared[];
  uint8_t* shared = raw_shared + (1024 - shared_address(raw_shared) % 1024) % 1024;
  const uint32_t base = shared_address(shared);
  const uint32_t raw_full = base + Plan::kBodyBytes;
  const uint32_t raw_empty = raw_full + 8 * Plan::kRawStages;
  const uint32_t x_full = raw_empty + 8 * Plan::kRawStages;
  const uint32_t x_empty = x_full + 8 * Plan::kXStages;
  const uint32_t half_full = x_empty + 8 * Plan::kXStages;
  const uint32_t half_empty = half_full + 8 * Plan::kHalfStages;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t first_token = static_cast<int32_t>(blockIdx.x) * kTokens;
  const int32_t block = static_cast<int32_t>(blockIdx.y);
  const int32_t num_stages = problem.num_columns / 128;
  if (threadIdx.x == 0) {
    for (int32_t i = 0; i < Plan::kRawStages; ++i) {
      barrier_init(raw_full + 8 * i, 1);
      barrier_init(raw_empty + 8 * i, 8);
    }
    for (int32_t i = 0; i < Plan::kXStages; ++i) {
      barrier_init(x_full + 8 * i, 1);
      barrier_init(x_empty + 8 * i, 4);
    }
    for (int32_t i = 0; i < Plan::kHalfStages; ++i) {
      barrier_init(half_full + 8 * i, 4 * kTiles);
      barrier_init(half_empty + 8 * i, 4);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  let_next_start();

  if (warp >= 12) {
    if (warp == 12) {
      const int32_t num_blocks = ceil_div(problem.num_rows, kQuantRows);
      const int32_t my_block =
          lane < Plan::kRows / 16 ? tile_row<kTiles>(problem, block, lane / 4) / kQuantRows + lane % 4 : num_blocks;
      const uint8_t* weights = problem.weights + static_cast<int64_t>(my_block) * num_stages * Plan::kBlockBytes;
      const uint32_t bytes = static_cast<uint32_t>(count_blocks<kTiles>(problem, block) * Plan::kBlockBytes);
      Turn<Plan::kRawStages> turn;
      for (int32_t chunk = 0; chunk < num_stages; chunk += Plan::kRawChunks, turn.advance()) {
        barrier_wait(raw_empty + 8 * turn.place, turn.parity ^ 1);
        const int32_t chunks = min(Plan::kRawChunks, num_stages - chunk);
        if (lane == 0) barrier_expect(raw_full + 8 * turn.place, bytes * chunks);
        __syncwarp();
        if (my_block < num_blocks) {
          copy_bulk(base + Plan::kRawAt + turn.place * Plan::kRawBytes + lane * Plan::kRunBytes,
                    weights + static_cast<int64_t>(chunk) * Plan::kBlockBytes, chunks * Plan::kBlockBytes,
                    raw_full + 8 * turn.place);
        }
      }
    } else {
      constexpr int32_t kPieces = 2 * Plan::kXChunks;
      const uint32_t bytes = static_cast<uint32_t>(min(kTokens, problem.x.padded_rows - first_token)) * 128;
      const __half* x = problem.x.values + static_cast<int64_t>(first_token) * kChunkColumns;
      const int64_t piece = static_cast<int64_t>(problem.x.padded_rows) * kChunkColumns;
      wait_for_previous();
      Turn<Plan::kXStages> turn;
      for (int32_t chunk = 0, round = 0; chunk < num_stages; chunk += Plan::kXChunks, ++round, turn.advance()) {
        if (round % Plan::kXWarps != warp - 13) continue;
        barrier_wait(x_empty + 8 * turn.place, turn.parity ^ 1);
        const uint32_t full = x_full + 8 * turn.place;
        const int32_t pieces = min(kPieces, 2 * (num_stages - chunk));
        if (lane == 0) barrier_expect(full, bytes * pieces);
        __syncwarp();
        if (lane < pieces) {
          copy_bulk(base + Plan::kXAt + turn.place * Plan::kXBytes + lane * Plan::kPieceBytes,
                    x + (2 * chunk + lane) * piece, bytes, full);
        }
      }
    }
    return;
  }

  const int32_t g = lane / 4;
  const int32_t t = lane % 4;
  if (warp >= 4) {
    // With two tiles each warpgroup has its own; with one they take the stages in turn.
    constexpr int32_t kBy = kTiles == 1 ? 2 : 1;
    const int32_t unpacker = warp / 4 - 1;
    const int32_t tile = kTiles == 1 ? 0 : unpacker;
    uint32_t book[4] = {};
    if constexpr (kType == Type::q4) load_book(problem.codebook, book);
    Turn<Plan::kRawStages> from;
    Turn<Plan::kHalfStages> to;
    // Lane l gives row l % 8 of matrix l / 8: rows 0 - 7, rows 8 - 15, then both again 8 columns on.
    const int32_t row = warp % 4 * 16 + lane % 16;
    const uint32_t row_at = base + tile * Plan::kTileBytes + row * 128;
    for (int32_t chunk = 0; chunk < num_stages; ++chunk, to.advance()) {
      const int32_t part = chunk % Plan::kRawChunks;
      if (part == 0) barrier_wait(raw_full + 8 * from.place, from.parity);
      if (chunk % kBy == (kBy == 1 ? 0 : unpacker)) {
        const uint8_t* rows = shared + Plan::kRawAt + from.place * Plan::kRawBytes +
                              (tile * 4 + warp % 4) * Plan::kRunBytes + part * Plan::kBlockBytes;
        barrier_wait(half_empty + 8 * to.place, to.parity ^ 1);
        RowFactors<kType> factors;
#pragma unroll
        for (int32_t j = 0; j < 4; ++j) {
          uint32_t a[2][4];
          if (j == 0 || RecordBlock<kType, 4>::kColumns == 32) factors = load_factors<kType, 4>(rows, j, g);
          load_fragments<kType, 4>(rows, j, g, t, factors, book, a);
#pragma unroll
          for (int32_t s = 0; s < 2; ++s) {
            const int32_t piece = j % 2 * 4 + 2 * s + lane / 16;
            store_matrices(
                row_at + to.place * Plan::kHalfBytes + j / 2 * kTiles * Plan::kTileBytes + (piece ^ row % 8) * 16,
                a[s]);
          }
        }
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        __syncwarp();
        if (lane == 0) barrier_arrive(half_full + 8 * to.place);
      }
      if (part == Plan::kRawChunks - 1) {
        __syncwarp();
        if (lane == 0) barrier_arrive(raw_empty + 8 * from.place);
        from.advance();
      }
    }
    // They end with the others below.
  }

  float* results = reinterpret_cast<float*>(shared);
  float* scales = reinterpret_cast<float*>(shared + Plan::kBodyBytes + 512);
  constexpr int32_t kEnding = 384;  // threads that write out
  if (warp < 4) {
    float sums[kTiles][kTokens / 2];
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int32_t j = 0; j < kTokens / 2; ++j) sums[i][j] = 0;
    }
    Turn<Plan::kXStages> x_turn;
    Turn<Plan::kHalfStages> half_turn;
    int32_t last_x = 0, last_half = 0;
    for (int32_t chunk = 0; chunk < num_stages; ++chunk) {
      const int32_t part = chunk % Plan::kXChunks;
      if (part == 0) barrier_wait(x_full + 8 * x_turn.place, x_turn.parity);
      barrier_wait(half_full + 8 * half_turn.place, half_turn.parity);
      const uint64_t x = matrix_of(base + Plan::kXAt + x_turn.place * Plan::kXBytes + part * 2 * Plan::kPieceBytes);
      const uint64_t weights = matrix_of(base + half_turn.place * Plan::kHalfBytes);
      wgmma_fence();
#pragma unroll
      for (int32_t step = 0; step < 8; ++step) {
#pragma unroll
        for (int32_t i = 0; i < kTiles; ++i) {
          Wgmma<kTokens>::from_shared(sums[i],
                                      weights + ((step / 4 * kTiles + i) * Plan::kTileBytes + step % 4 * 32) / 16,
                                      x + (step / 4 * Plan::kPieceBytes + step % 4 * 32) / 16);
        }
      }
      wgmma_commit();
      wgmma_wait<1>();
      if (chunk > 0 && lane == 0) {  // what the chunk before took has been read
        barrier_arrive(half_empty + 8 * last_half);
        if (part == 0) barrier_arrive(x_empty + 8 * last_x);
      }
      last_x = x_turn.place, last_half = half_turn.place;
      half_turn.advance();
      if (part == Plan::kXChunks - 1) x_turn.advance();
    }
    wgmma_wait<0>();
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int32_t j = 0; j < kTokens / 2; ++j) asm volatile("" : "+f"(sums[i][j])::"memory");
    }
    asm volatile("bar.sync 1, 128;" ::: "memory");  // every stage has been read
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
      const int32_t row = i * 64 + warp * 16 + 2 * g;
#pragma unroll
      for (int32_t j = 0; j < kTokens / 8; ++j) {
#pragma unroll
        for (int32_t h = 0; h < 2; ++h) {
          *reinterpret_cast<float2*>(results + (8 * j + 2 * t + h) * Plan::kPitch + row) =
              make_float2(sums[i][4 * j + h], sums[i][4 * j + 2 + h]);
        }
      }
    }
  }
  wait_for_previous();
  bring_inverse_scales<kTokens, kEnding>(problem, first_token, scales);
  asm volatile("bar.sync 2, %0;" ::"n"(kEnding) : "memory");
  finish<64, kTiles, kTokens, Plan::kPitch, kEnding>(problem, results, scales, block, first_token);
#endif
}

}  // namespace quoth::cuda
