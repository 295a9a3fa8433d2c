// The multiplication of many rows with mma.sync, for every GPU from sm_80 on: what has no wgmma, and on sm_90a the
// types and widths that wgmma's kernels do not take.
//
// A block of eight warps takes 128 weight rows and kTokens tokens: four warps below each other with 32 rows each, two
// side by side with half of the tokens. Stages of 64 columns come by cp.async. Weights in records are unpacked in
// registers (linear_prefill_weights.h); f16 is read as it lies, f8 is widened (its bits are those of a half).
//
// kHalfSums: sums of 64 columns are f16, then f32. GeForce cards add halves in f16 twice as fast as in f32; elsewhere
// it gains nothing. Off unless `Device::sums_in_halves` says otherwise.
#include "linear_prefill.h"
#include "linear_prefill_finish.h"
#include "linear_prefill_weights.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int32_t kRows = 128;
constexpr int32_t kGroupsOfStage = kChunkColumns / kQuantGroup;
// What a block may hold on the GeForce cards, whose multiprocessors have the least shared memory.
constexpr int32_t kRoom = 99 * 1024;
constexpr int32_t kStageRoom = kRoom - 1024;

template <Type kType>
inline constexpr int32_t kBytesOfBlock = RecordBlock<kType, kGroupsOfStage>::kBytes;  // 16 rows, 64 columns
template <>
inline constexpr int32_t kBytesOfBlock<Type::f16> = 16 * 128;
template <>
inline constexpr int32_t kBytesOfBlock<Type::f8> = 16 * 64;

template <Type kType, int32_t kTokens>
struct MmaPlan {
  static constexpr int32_t kPieceBytes = kTokens * 2 * kChunkColumns;
  static constexpr int32_t kBlockBytes = kBytesOfBlock<kType>;
  static constexpr int32_t kStageBytes = kPieceBytes + kRows / 16 * kBlockBytes;
  static constexpr int32_t kStages = kStageRoom / kStageBytes < 4 ? kStageRoom / kStageBytes : 4;
  static constexpr int32_t kPitch = kRows + 4;
  static constexpr int32_t kOutBytes = kPitch * kTokens * 4;
  static constexpr int32_t kBodyBytes = kStages * kStageBytes > kOutBytes ? kStages* kStageBytes : kOutBytes;
  static constexpr int32_t kSharedBytes = kBodyBytes + 4 * kTokens;  // x's scales
  static_assert(kStages >= 3 && kSharedBytes <= kRoom);
};

__device__ inline uint32_t shared_place(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}
// Sixteen bytes to shared memory, or as many zeros.
__device__ inline void copy_16(uint32_t to, const void* from, bool is_there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(is_there ? 16 : 0) : "memory");
}
__device__ inline void load_matrices(uint32_t (&matrices)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
               : "r"(address)
               : "memory");
}
__device__ inline void multiply_tile(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// The same with sums in f16.
__device__ inline void multiply_tile(uint32_t (&c)[2], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
               : "+r"(c[0]), "+r"(c[1])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four bytes in E4M3 as halves 2^-8 of their value: of bytes s and s + 2.
__device__ inline uint32_t halves_of_e4m3(uint32_t word, int32_t s) {
  const uint32_t bytes = s == 0 ? word << 8 & 0xff00ff00u : word & 0xff00ff00u;
  return (bytes & 0x80008000u) | (bytes & 0x7f007f00u) >> 1;
}

// Where 16 rows begin: those of warp row `group`, tile `tile`.
__device__ inline int32_t first_row_of(const PrefillProblem& problem, int32_t block, int32_t group, int32_t tile) {
  if (problem.gate_rows > 0) return (block * 4 + group) * 16 + tile * problem.gate_rows;
  return (block * 8 + group * 2 + tile) * 16;
}

// Asks for the weights of stage `stage`; what is not there becomes zero, so that it never turns a sum into NaN.
template <Type kType>
__device__ inline void bring_weights(const PrefillProblem& problem, int32_t block, int32_t stage, uint32_t to) {
  constexpr int32_t kBlockBytes = kBytesOfBlock<kType>;
  constexpr int32_t kPieces = kBlockBytes / 16;
  for (int32_t index = threadIdx.x; index < kRows / 16 * kPieces; index += kThreads) {
    const int32_t m = index / kPieces;
    const int32_t piece = index % kPieces;
    const int32_t first_row = first_row_of(problem, block, m / 2, m % 2);
    int64_t from = 0;
    int32_t place = piece * 16;
    bool is_there = first_row < problem.num_rows;
    if constexpr (kType == Type::f16 || kType == Type::f8) {
      constexpr int32_t kRowPieces = kType == Type::f16 ? 8 : 4;
      constexpr int32_t kElement = kType == Type::f16 ? 2 : 1;
      const int32_t row = piece / kRowPieces;
      const int32_t column = stage * kChunkColumns + piece % kRowPieces * (16 / kElement);
      is_there = first_row + row < problem.num_rows && column < problem.num_columns;
      from = (static_cast<int64_t>(first_row + row) * problem.num_columns + column) * kElement;
      if constexpr (kType == Type::f16) place = row * 128 + (piece % 8 ^ row % 8) * 16;
    } else {
      using Block = RecordBlock<kType, kGroupsOfStage>;
      const int64_t num_records = problem.num_columns / Block::kColumns;
      const int64_t records = first_row / kQuantRows * num_records;
      if constexpr (Block::kColumns == 128) {
        constexpr int32_t kGroupPieces = kGroupsOfStage * Block::kGroupBytes / 16;
        const int32_t part = piece < kGroupPieces ? stage % 2 * kGroupPieces + piece : kGroupPieces + piece;
        from = (records + stage / 2) * Block::kRecordBytes + part * 16;
      } else {
        const int32_t record = stage * kGroupsOfStage + piece * 16 / Block::kRecordBytes;
        is_there = is_there && record < num_records;
        from = (records + stage * kGroupsOfStage) * Block::kRecordBytes + piece * 16;
      }
    }
    copy_16(to + m * kBlockBytes + place, problem.weights + (is_there ? from : 0), is_there);
  }
}

template <int32_t kTokens>
__device__ inline void bring_x(const PrefillProblem& problem, int32_t first_token, int32_t stage, uint32_t to) {
  const int64_t first = (static_cast<int64_t>(stage) * problem.x.padded_rows + first_token) * kChunkColumns;
  const int32_t pieces = min(kTokens, problem.x.padded_rows - first_token) * 8;
#pragma unroll
  for (int32_t i = 0; i < ceil_div(kTokens * 8, kThreads); ++i) {
    const int32_t index = threadIdx.x + i * kThreads;
    if (index < kTokens * 8) {
      const bool is_there = index < pieces;
      copy_16(to + index * 16, problem.x.values + (is_there ? first + index * 8 : 0), is_there);
    }
  }
}

template <Type kType, int32_t kTokens, bool kHalfSums>
__global__ void __launch_bounds__(kThreads) mma_kernel(const __grid_constant__ PrefillProblem problem) {
  using Plan = MmaPlan<kType, kTokens>;
  constexpr int32_t kTiles = kTokens / 16;  // of 8 tokens, for each of the two warps side by side
  extern __shared__ __align__(128) uint8_t shared[];
  const uint32_t stages = shared_place(shared);
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t g = lane / 4;
  const int32_t t = lane % 4;
  const int32_t group = warp / 2;
  const int32_t side = warp % 2;
  const int32_t first_token = static_cast<int32_t>(blockIdx.x) * kTokens;
  const int32_t block = static_cast<int32_t>(blockIdx.y);
  const int32_t num_stages = ceil_div(problem.num_columns, kChunkColumns);
  uint32_t book[4] = {};
  if constexpr (kType == Type::q4) load_book(problem.codebook, book);

  const auto bring = [&](int32_t stage) {
    if (stage < num_stages) {
      const uint32_t to = stages + stage % Plan::kStages * Plan::kStageBytes;
      bring_weights<kType>(problem, block, stage, to + Plan::kPieceBytes);
      bring_x<kTokens>(problem, first_token, stage, to);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  let_next_start();
  wait_for_previous();
  for (int32_t stage = 0; stage < Plan::kStages - 1; ++stage) bring(stage);

  float sums[2][kTiles][4] = {};
  uint32_t halves[kHalfSums ? 2 : 1][kHalfSums ? kTiles : 1][2];
  for (int32_t stage = 0; stage < num_stages; ++stage) {
    asm volatile("cp.async.wait_group %0;" ::"n"(Plan::kStages - 2) : "memory");
    __syncthreads();  // this stage is there for all, and the one before has been read by all
    bring(stage + Plan::kStages - 1);
    if constexpr (kHalfSums) memset(halves, 0, sizeof halves);
    const int32_t place = stage % Plan::kStages * Plan::kStageBytes;
    const uint8_t* weights = shared + place + Plan::kPieceBytes + group * 2 * Plan::kBlockBytes;
    // Lane l asks for row l % 8 of matrix l / 8: 16 bytes of a token.
    const uint32_t x = stages + place + (side * kTiles * 8 + lane % 8) * 128;
#pragma unroll
    for (int32_t j = 0; j < kGroupsOfStage; ++j) {
      uint32_t a[2][2][4];
#pragma unroll
      for (int32_t i = 0; i < 2; ++i) {
        const uint8_t* rows = weights + i * Plan::kBlockBytes;
        if constexpr (kType == Type::f16) {
#pragma unroll
          for (int32_t s = 0; s < 2; ++s) {
            const int32_t row = lane % 16;  // matrices: rows 0-7, 8-15 of the first 8 columns, then of the next
            const int32_t piece = 4 * j + 2 * s + lane / 16;
            load_matrices(a[i][s], shared_place(rows) + row * 128 + (piece ^ row % 8) * 16);
          }
        } else if constexpr (kType == Type::f8) {
#pragma unroll
          for (int32_t r = 0; r < 2; ++r) {
            const uint2 words = *reinterpret_cast<const uint2*>(rows + (g + 8 * r) * 64 + 32 * j + 8 * t);
#pragma unroll
            for (int32_t s = 0; s < 2; ++s) {
              a[i][s][r] = halves_of_e4m3(words.x, s);
              a[i][s][2 + r] = halves_of_e4m3(words.y, s);
            }
          }
        } else {
          const auto factors = factors_of<kType>(load_factors<kType, kGroupsOfStage>(rows, j, g));
          unpack<kType>(load_weights<kType, kGroupsOfStage>(rows, j, g, t), factors, book, a[i]);
        }
      }
#pragma unroll
      for (int32_t n = 0; n < kTiles; ++n) {
        uint32_t b[4];  // 8 tokens, 32 columns
        load_matrices(b, x + n * 1024 + ((4 * j + lane / 8) ^ (lane % 8)) * 16);
#pragma unroll
        for (int32_t s = 0; s < 2; ++s) {
#pragma unroll
          for (int32_t i = 0; i < 2; ++i) {
            if constexpr (kHalfSums) {
              multiply_tile(halves[i][n], a[i][s], b[2 * s], b[2 * s + 1]);
            } else {
              multiply_tile(sums[i][n], a[i][s], b[2 * s], b[2 * s + 1]);
            }
          }
        }
      }
    }
    if constexpr (kHalfSums) {
#pragma unroll
      for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
        for (int32_t n = 0; n < kTiles; ++n) {
#pragma unroll
          for (int32_t r = 0; r < 2; ++r) {
            const float2 pair = floats_of(halves[i][n][r]);
            sums[i][n][2 * r] += pair.x;
            sums[i][n][2 * r + 1] += pair.y;
          }
        }
      }
    }
  }
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  constexpr bool kIsPaired = kType != Type::f16 && kType != Type::f8;  // rows 2 g and 2 g + 1, or g and g + 8
  float* results = reinterpret_cast<float*>(shared);
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    const int32_t row = (group * 2 + i) * 16;
#pragma unroll
    for (int32_t n = 0; n < kTiles; ++n) {
#pragma unroll
      for (int32_t h = 0; h < 2; ++h) {
        float* to = results + ((side * kTiles + n) * 8 + 2 * t + h) * Plan::kPitch + row;
        if constexpr (kIsPaired) {
          *reinterpret_cast<float2*>(to + 2 * g) = make_float2(sums[i][n][h], sums[i][n][2 + h]);
        } else {
          to[g] = sums[i][n][h];
          to[g + 8] = sums[i][n][2 + h];
        }
      }
    }
  }
  float* scales = reinterpret_cast<float*>(shared + Plan::kBodyBytes);
  bring_inverse_scales<kTokens, kThreads>(problem, first_token, scales);
  __syncthreads();
  finish<16, 8, kTokens, Plan::kPitch, kThreads>(problem, results, scales, block, first_token);
}

template <Type kType, int32_t kTokens, bool kHalfSums>
Status launch(Device* device, const PrefillProblem& problem) {
  using Plan = MmaPlan<kType, kTokens>;
  const auto kernel = mma_kernel<kType, kTokens, kHalfSums>;
  const Status status =
      status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::kSharedBytes));
  if (!status.ok()) return status;
  const bool is_gated = problem.gate_rows > 0;
  const dim3 grid(
      static_cast<unsigned>(ceil_div(problem.x.num_rows, kTokens)),
      static_cast<unsigned>(is_gated ? ceil_div(problem.gate_rows, kRows / 2) : ceil_div(problem.num_rows, kRows)));
  return launch_overlapped(device, kernel, grid, dim3(kThreads), Plan::kSharedBytes, problem);
}

template <Type kType>
Status choose(Device* device, const PrefillProblem& problem, int32_t shape) {
  const int64_t large = static_cast<int64_t>(ceil_div(problem.num_rows, kRows)) * ceil_div(problem.x.num_rows, 128);
  const bool is_large =
      shape < 0 ? problem.x.num_rows > 32 && large * 4 >= 3 * device->num_multiprocessors : shape == 0;
  if constexpr (record_columns(kType) > 0) {
    if (device->sums_in_halves) return launch<kType, 128, true>(device, problem);
  }
  return is_large ? launch<kType, 128, false>(device, problem) : launch<kType, 32, false>(device, problem);
}

}  // namespace

Status multiply_mma(Device* device, Type type, const PrefillProblem& problem, int32_t shape) {
  switch (type) {
    case Type::int4_g128:
      return choose<Type::int4_g128>(device, problem, shape);
    case Type::int4_g32:
      return choose<Type::int4_g32>(device, problem, shape);
    case Type::q8:
      return choose<Type::q8>(device, problem, shape);
    case Type::q4:
      return choose<Type::q4>(device, problem, shape);
    case Type::f16:
      return choose<Type::f16>(device, problem, shape);
    default:
      return choose<Type::f8>(device, problem, shape);
  }
}

}  // namespace quoth::cuda
