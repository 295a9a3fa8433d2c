// The multiplication of many rows on sm_90a: wgmma with weights from registers, x in shared memory.
//
// A block is one or two warpgroups that multiply and a warp that brings: stages of 128 columns of the block's weights
// (as they are in the plan: records of 16 rows) and of x (two pieces of 64 columns, swizzled already), by bulk copies.
// A warpgroup owns kTiles times 64 weight rows; each of its warps unpacks 16 of them while the matrix units work on the
// 32 columns before. The end goes through shared memory, so that out is written in whole lines and the activation's
// code is there once.
#pragma once

#include "linear_prefill.h"
#include "linear_prefill_finish.h"
#include "linear_prefill_weights.h"

namespace quoth::cuda {

// -- instructions ----------------------------------------------------------------------------------------------------

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define QUOTH_HAS_WGMMA 1
#else
#define QUOTH_HAS_WGMMA 0
#endif

__device__ inline uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}
__device__ inline void barrier_init(uint32_t barrier, uint32_t count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
__device__ inline void barrier_expect(uint32_t barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ inline void barrier_arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
__device__ inline void barrier_wait(uint32_t barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}
__device__ inline void copy_bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(barrier)
               : "memory");
}
__device__ inline void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int32_t kPending>
__device__ inline void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}
// Rows of 128 bytes, swizzled, eight of them to 1,024 bytes: what a wgmma reads from shared memory.
__device__ inline uint64_t matrix_of(uint32_t address) {
  return static_cast<uint64_t>((address & 0x3ffffu) >> 4) | uint64_t{1} << 16 | uint64_t{1024 >> 4} << 32 |
         uint64_t{1} << 62;
}

// d += a b: 64 weight rows, 16 columns, kTokens tokens.
template <int32_t kTokens>
struct Wgmma;

#define QUOTH_N10(tens)                                                                                             \
  "%" #tens "0, %" #tens "1, %" #tens "2, %" #tens "3, %" #tens "4, %" #tens "5, %" #tens "6, %" #tens "7, %" #tens \
  "8, %" #tens "9"
#define QUOTH_F8(i)                                                                                           \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define QUOTH_F32(i) QUOTH_F8(i), QUOTH_F8(i + 8), QUOTH_F8(i + 16), QUOTH_F8(i + 24)
#define QUOTH_N8 "%0, %1, %2, %3, %4, %5, %6, %7"
#define QUOTH_N16 QUOTH_N10() ", %10, %11, %12, %13, %14, %15"
#define QUOTH_N32 QUOTH_N10() ", " QUOTH_N10(1) ", " QUOTH_N10(2) ", %30, %31"
#define QUOTH_N64 \
  QUOTH_N10()     \
  ", " QUOTH_N10(1) ", " QUOTH_N10(2) ", " QUOTH_N10(3) ", " QUOTH_N10(4) ", " QUOTH_N10(5) ", %60, %61, %62, %63"
#define QUOTH_N128 \
  QUOTH_N10() ", " QUOTH_N10(1) ", " QUOTH_N10(2) ", " QUOTH_N10(3) ", " QUOTH_N10(4) ", " QUOTH_N10(5) ", " QUOTH_N10( \
      6) ", " QUOTH_N10(7) ", " QUOTH_N10(8) ", " QUOTH_N10(9) ", " QUOTH_N10(10) ", " QUOTH_N10(11) ", %120, %121, %122, %123, %124, %125, %126, %127"
#define QUOTH_WGMMA(tokens, numbers, floats, n0, n1, n2, n3, n4)                                                     \
  template <>                                                                                                        \
  struct Wgmma<tokens> {                                                                                             \
    static __device__ inline void from_registers(float (&d)[tokens / 2], const uint32_t (&a)[4], uint64_t b) {       \
      asm volatile("{.reg .pred p; setp.eq.u32 p, 0, 0; wgmma.mma_async.sync.aligned.m64n" #tokens                   \
                   "k16.f32.f16.f16 {" numbers "}, {%" #n0 ", %" #n1 ", %" #n2 ", %" #n3 "}, %" #n4 ", p, 1, 1, 0;}" \
                   : floats                                                                                          \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                                            \
    }                                                                                                                \
    static __device__ inline void from_shared(float (&d)[tokens / 2], uint64_t a, uint64_t b) {                      \
      asm volatile("{.reg .pred p; setp.eq.u32 p, 0, 0; wgmma.mma_async.sync.aligned.m64n" #tokens                   \
                   "k16.f32.f16.f16 {" numbers "}, %" #n0 ", %" #n1 ", p, 1, 1, 0, 0;}"                              \
                   : floats                                                                                          \
                   : "l"(a), "l"(b));                                                                                \
    }                                                                                                                \
  };
#if QUOTH_HAS_WGMMA
QUOTH_WGMMA(16, QUOTH_N8, QUOTH_F8(0), 8, 9, 10, 11, 12)
#define QUOTH_FLOATS_16 QUOTH_F8(0), QUOTH_F8(8)
QUOTH_WGMMA(32, QUOTH_N16, QUOTH_FLOATS_16, 16, 17, 18, 19, 20)
QUOTH_WGMMA(64, QUOTH_N32, QUOTH_F32(0), 32, 33, 34, 35, 36)
#define QUOTH_FLOATS_64 QUOTH_F32(0), QUOTH_F32(32)
QUOTH_WGMMA(128, QUOTH_N64, QUOTH_FLOATS_64, 64, 65, 66, 67, 68)
#define QUOTH_FLOATS_128 QUOTH_F32(0), QUOTH_F32(32), QUOTH_F32(64), QUOTH_F32(96)
QUOTH_WGMMA(256, QUOTH_N128, QUOTH_FLOATS_128, 128, 129, 130, 131, 132)
#endif

// A place in a ring, and the parity of the round.
template <int32_t kPlaces>
struct Turn {
  int32_t place = 0;
  uint32_t parity = 0;
  __device__ inline void advance(int32_t by = 1) {
    place += by;
    while (place >= kPlaces) place -= kPlaces, parity ^= 1;
  }
};

// How many of up to `most` warps bring: each has places of the ring to itself, so that it sees each of their rounds.
constexpr int32_t bringing_warps(int32_t num_places, int32_t most) {
  while (num_places % most != 0) --most;
  return most;
}
// The most places up to `num_places` that three or four warps share evenly.
constexpr int32_t even_places(int32_t num_places) {
  return num_places > 4 && num_places % 3 != 0 && num_places % 4 != 0 ? num_places - 1 : num_places;
}

// The warps that bring take the stages in turn: one round (a wait, the bytes to expect, the copies) takes a third of a
// microsecond whatever it brings. Each brings the weights of its first stage before it waits for the kernel before.
template <int32_t kStages, int32_t kWarps, typename Weights, typename X>
__device__ inline void bring_stages(int32_t warp, int32_t num_stages, uint32_t empty, const Weights& bring_weights,
                                    const X& bring_x) {
  static_assert(kStages % kWarps == 0);
  if (warp >= kWarps || warp >= num_stages) return wait_for_previous();
  bring_weights(warp, warp);
  wait_for_previous();
  bring_x(warp, warp);
  Turn<kStages> turn;
  turn.advance(warp + kWarps);
  for (int32_t stage = warp + kWarps; stage < num_stages; stage += kWarps, turn.advance(kWarps)) {
    barrier_wait(empty + 8 * turn.place, turn.parity ^ 1);
    bring_weights(stage, turn.place);
    bring_x(stage, turn.place);
  }
}

// -- the kernel ------------------------------------------------------------------------------------------------------

template <Type kType, int32_t kGroups, int32_t kTiles, int32_t kTokens, int32_t kWide>
struct WgmmaPlan {
  static constexpr int32_t kRows = 64 * kGroups * kTiles;
  // Registers are dealt to whole warpgroups: the one that brings gives most of its own to those that multiply.
  static constexpr int32_t kThreads = (kGroups + 1) * 128;
  static constexpr int32_t kBringing = kGroups == 1 ? 40 : 24;
  static constexpr int32_t kMultiplying = kGroups == 1 ? 208 : 240;
  static constexpr int32_t kPieceBytes = kTokens * 2 * kChunkColumns;  // x, 64 columns
  static constexpr int32_t kBlockBytes = RecordBlock<kType, 4>::kBytes;
  static constexpr int32_t kStageBytes = ceil_div(2 * kPieceBytes + kRows / 16 * kBlockBytes, 1024) * 1024;
  static constexpr int32_t kBlocks = kGroups == 1 ? 2 : 1;  // of a multiprocessor, at least
  static constexpr int32_t kRoom = (227 * 1024 / kBlocks - 3072) / 1024 * 1024;
  // Groups of 32 columns that are unpacked at once.
  static constexpr int32_t kAtOnce = kWide;
  static constexpr int32_t kStages = even_places(kRoom / kStageBytes < 8 ? kRoom / kStageBytes : 8);
  static constexpr int32_t kWarps = bringing_warps(kStages, 4);
  static constexpr int32_t kPitch = kRows + 4;  // floats of a token's results in shared memory
  static constexpr int32_t kOutBytes = kPitch * kTokens * 4;
  static constexpr int32_t kBodyBytes = kStages * kStageBytes > kOutBytes ? kStages* kStageBytes : kOutBytes;
  static constexpr int32_t kSharedBytes = kBodyBytes + 1024 + 256 + 4 * kTokens;  // to align; barriers; x's scales
  static_assert(kStages >= 2 && kSharedBytes <= 227 * 1024);
};

// Where the 64 rows of tile `index` of a block of kUnits tiles begin. With a gate, the even tiles are its rows and the
// odd ones what it gates.
template <int32_t kUnits>
__device__ inline int32_t tile_row(const PrefillProblem& problem, int32_t block, int32_t index) {
  if (problem.gate_rows > 0) return (block * (kUnits / 2) + index / 2) * 64 + index % 2 * problem.gate_rows;
  return (block * kUnits + index) * 64;
}

// The blocks of 16 rows that a stage brings.
template <int32_t kUnits>
__device__ inline int32_t count_blocks(const PrefillProblem& problem, int32_t block) {
  int32_t count = 0;
  const int32_t num_blocks = ceil_div(problem.num_rows, kQuantRows);
#pragma unroll
  for (int32_t m = 0; m < kUnits; ++m) {
    count += max(0, min(4, num_blocks - tile_row<kUnits>(problem, block, m) / kQuantRows));
  }
  return count;
}

// The shared memory of a block: a ring of stages, with two barriers each.
struct Ring {
  uint8_t* memory;
  uint32_t stages, full, empty;  // addresses there
};
// How a block begins: its barriers are made, and the kernel after this one may start.
template <typename Plan>
__device__ inline Ring begin_block() {
  extern __shared__ uint8_t dynamic[];
  Ring ring;
  ring.memory = dynamic + (1024 - shared_address(dynamic) % 1024) % 1024;
  ring.stages = shared_address(ring.memory);
  ring.full = ring.stages + Plan::kBodyBytes;
  ring.empty = ring.full + 8 * Plan::kStages;
  if (threadIdx.x == 0) {
    for (int32_t i = 0; i < Plan::kStages; ++i) {
      barrier_init(ring.full + 8 * i, 1);
      barrier_init(ring.empty + 8 * i, (Plan::kThreads - 128) / kWarp);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  let_next_start();
  return ring;
}
// How it ends, for the threads that multiplied: `put(results)` lays the sums down as [kTokens, kPitch] where stages
// were.
template <typename Plan, int32_t kUnits, int32_t kTokens, typename Put>
__device__ inline void end_block(const PrefillProblem& problem, const Ring& ring, int32_t block, int32_t first_token,
                                 const Put& put) {
  constexpr int32_t kThreads = Plan::kThreads - 128;
  asm volatile("bar.sync 1, %0;" ::"n"(kThreads) : "memory");  // every stage has been read
  float* results = reinterpret_cast<float*>(ring.memory);
  put(results);
  float* scales = reinterpret_cast<float*>(ring.memory + Plan::kBodyBytes + 256);
  wait_for_previous();
  bring_inverse_scales<kTokens, kThreads>(problem, first_token, scales);
  asm volatile("bar.sync 1, %0;" ::"n"(kThreads) : "memory");
  finish<64, kUnits, kTokens, Plan::kPitch, kThreads>(problem, results, scales, block, first_token);
}

template <Type kType, int32_t kGroups, int32_t kTiles, int32_t kTokens, int32_t kWide>
__global__ void __launch_bounds__(WgmmaPlan<kType, kGroups, kTiles, kTokens, kWide>::kThreads,
                                  WgmmaPlan<kType, kGroups, kTiles, kTokens, kWide>::kBlocks)
    wgmma_records_kernel(const __grid_constant__ PrefillProblem problem) {
#if QUOTH_HAS_WGMMA
  using Plan = WgmmaPlan<kType, kGroups, kTiles, kTokens, kWide>;
  const Ring ring = begin_block<Plan>();
  uint8_t* shared = ring.memory;
  const uint32_t stages = ring.stages, full = ring.full, empty = ring.empty;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t first_token = static_cast<int32_t>(blockIdx.x) * kTokens;
  const int32_t block = static_cast<int32_t>(blockIdx.y);
  const int32_t num_stages = problem.num_columns / 128;

  if (warp >= kGroups * 4) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Plan::kBringing));
    // Of a warp that brings: lane m the block of 16 rows m, lanes 30 and 31 x.
    const int32_t num_blocks = ceil_div(problem.num_rows, kQuantRows);
    const int32_t my_block = lane < Plan::kRows / 16
                                 ? tile_row<kGroups * kTiles>(problem, block, lane / 4) / kQuantRows + lane % 4
                                 : num_blocks;
    const uint8_t* weights = problem.weights + static_cast<int64_t>(my_block) * num_stages * Plan::kBlockBytes;
    const uint32_t x_bytes = static_cast<uint32_t>(min(kTokens, problem.x.padded_rows - first_token)) * 128;
    const __half* x = problem.x.values + static_cast<int64_t>(first_token) * kChunkColumns;
    const int64_t piece = static_cast<int64_t>(problem.x.padded_rows) * kChunkColumns;
    const uint32_t bytes =
        static_cast<uint32_t>(count_blocks<kGroups * kTiles>(problem, block) * Plan::kBlockBytes) + 2 * x_bytes;
    const auto bring_weights = [&](int32_t stage, int32_t place) {
      if (lane == 0) barrier_expect(full + 8 * place, bytes);
      __syncwarp();
      if (my_block < num_blocks) {
        copy_bulk(stages + place * Plan::kStageBytes + 2 * Plan::kPieceBytes + lane * Plan::kBlockBytes,
                  weights + static_cast<int64_t>(stage) * Plan::kBlockBytes, Plan::kBlockBytes, full + 8 * place);
      }
    };
    const auto bring_x = [&](int32_t stage, int32_t place) {
      if (lane >= 30) {
        copy_bulk(stages + place * Plan::kStageBytes + (lane - 30) * Plan::kPieceBytes,
                  x + (2 * stage + lane - 30) * piece, x_bytes, full + 8 * place);
      }
    };
    bring_stages<Plan::kStages, Plan::kWarps>(warp - kGroups * 4, num_stages, empty, bring_weights, bring_x);
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Plan::kMultiplying));
  const int32_t group = warp / 4;
  const int32_t g = lane / 4;
  const int32_t t = lane % 4;
  uint32_t book[4] = {};
  if constexpr (kType == Type::q4) load_book(problem.codebook, book);
  float sums[kTiles][kTokens / 2];
#pragma unroll
  for (int32_t i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int32_t j = 0; j < kTokens / 2; ++j) sums[i][j] = 0;
  }
  constexpr int32_t kAtOnce = Plan::kAtOnce;
  constexpr int32_t kSteps = 4 / kAtOnce;
  const int32_t my_weights = 2 * Plan::kPieceBytes + (group * kTiles * 4 + warp % 4) * Plan::kBlockBytes;
  // Operands of two steps: one is unpacked while the other is multiplied.
  uint32_t a[2][kTiles][kAtOnce][2][4];
  RowFactors<kType> factors[kTiles];
  // What the next step unpacks is read while this one is multiplied.
  constexpr bool kHasOwnFactors = RecordBlock<kType, 4>::kColumns == 32;  // each 32 columns
  constexpr int32_t kFactors = kHasOwnFactors ? kAtOnce : 1;
  RawWeights<kType> raw[kTiles][kAtOnce];
  RawFactors raw_factors[kTiles][kFactors];
  int32_t place = 0;
  uint32_t parity = 0;
  const auto read = [&](int32_t at, int32_t index) {
    const uint8_t* weights = shared + at * Plan::kStageBytes + my_weights;
#pragma unroll
    for (int32_t i = 0; i < kTiles; ++i) {
      const uint8_t* rows = weights + i * 4 * Plan::kBlockBytes;
#pragma unroll
      for (int32_t j = 0; j < kAtOnce; ++j) {
        raw[i][j] = load_weights<kType, 4>(rows, index * kAtOnce + j, g, t);
        if (kHasOwnFactors || (index == 0 && j == 0)) {
          raw_factors[i][kHasOwnFactors ? j : 0] = load_factors<kType, 4>(rows, index * kAtOnce + j, g);
        }
      }
    }
  };
  const auto step = [&](int32_t stage, int32_t index, uint32_t(&operands)[kTiles][kAtOnce][2][4]) {
    const uint64_t x = matrix_of(stages + place * Plan::kStageBytes);
#pragma unroll
    for (int32_t j = 0; j < kAtOnce; ++j) {
#pragma unroll
      for (int32_t i = 0; i < kTiles; ++i) {
        if (kHasOwnFactors || (index == 0 && j == 0)) {
          factors[i] = factors_of<kType>(raw_factors[i][kHasOwnFactors ? j : 0]);
        }
        unpack<kType>(raw[i][j], factors[i], book, operands[i][j]);
      }
    }
    wgmma_fence();
#pragma unroll
    for (int32_t j = 0; j < kAtOnce; ++j) {
      const int32_t group32 = index * kAtOnce + j;
#pragma unroll
      for (int32_t s = 0; s < 2; ++s) {
#pragma unroll
        for (int32_t i = 0; i < kTiles; ++i) {
          Wgmma<kTokens>::from_registers(sums[i], operands[i][j][s],
                                         x + (group32 / 2 * Plan::kPieceBytes + group32 % 2 * 64 + s * 32) / 16);
        }
      }
    }
    wgmma_commit();
    const int32_t last = place == 0 ? Plan::kStages - 1 : place - 1;
    if (index < kSteps - 1) {
      read(place, index + 1);
    } else {
      if (++place == Plan::kStages) place = 0, parity ^= 1;
      if (stage + 1 < num_stages) {
        barrier_wait(full + 8 * place, parity);
        read(place, 0);
      }
    }
    wgmma_wait<1>();
    if (index == 0 && stage > 0 && lane == 0) barrier_arrive(empty + 8 * last);  // the stage before has been read
  };
  barrier_wait(full, 0);
  read(0, 0);
  if constexpr (kSteps > 1) {
    for (int32_t stage = 0; stage < num_stages; ++stage) {
#pragma unroll
      for (int32_t index = 0; index < kSteps; ++index) step(stage, index, a[index % 2]);
    }
  } else {
    for (int32_t stage = 0; stage + 1 < num_stages; stage += 2) {
      step(stage, 0, a[0]);
      step(stage + 1, 0, a[1]);
    }
    wgmma_wait<0>();
    if (num_stages % 2 != 0) step(num_stages - 1, 0, a[0]);
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
      const int32_t row = (group * kTiles + i) * 64 + warp % 4 * 16 + 2 * g;
#pragma unroll
      for (int32_t j = 0; j < kTokens / 8; ++j) {
#pragma unroll
        for (int32_t h = 0; h < 2; ++h) {
          *reinterpret_cast<float2*>(results + (8 * j + 2 * t + h) * Plan::kPitch + row) =
              make_float2(sums[i][4 * j + h], sums[i][4 * j + 2 + h]);
        }
      }
    }
  });
#endif
}

// Blocks: those of the same weights follow each other.
inline dim3 wgmma_grid(const PrefillProblem& problem, const PrefillShape& shape) {
  const bool is_gated = problem.gate_rows > 0;
  const int32_t rows = is_gated ? problem.gate_rows : problem.num_rows;
  const int32_t block_rows = 64 * shape.groups * shape.tiles / (is_gated ? 2 : 1);
  return dim3(static_cast<unsigned>(ceil_div(problem.x.num_rows, shape.tokens)),
              static_cast<unsigned>(ceil_div(rows, block_rows)));
}
// linear_prefill_wgmma_f16.cu
bool has_wgmma_f16_shape(int32_t index);
PrefillShape wgmma_f16_shape(int32_t index);
Status multiply_wgmma_f16(Device* device, const PrefillProblem& problem, int32_t shape);

}  // namespace quoth::cuda
