// out = act(norm(x) W^T + bias) for up to eight rows of x, at the speed of memory.
//
// A persistent block per multiprocessor takes tiles of 16 weight rows. Its warps share out K: each streams its own slice
// of every tile through a ring of copies of its own in shared memory, and multiplies with the tensor cores, whose eight
// columns are the tokens (so one row costs as much as eight). Warps meet only when a group of tiles is done, to add
// their sums up in ascending order. The order of sums is a function of K and of the tile alone: a row of x has the same
// bits alone and among seven others.
//
// x is rounded to f16, each slice first brought into range by a power of two; sums are f32 (decode_formats.h).
//
// The ring is filled before `wait_for_previous`: two of these kernels fit on a multiprocessor, so the memory is busy
// while x of the next one is being made.
#include <algorithm>

#include "decode_rows.h"

namespace quoth::cuda {
namespace {

// Where a warp is in its list of copies: tiles of a group, for each part of its slice, for each group.
struct Cursor {
  int32_t group, pass, tile, record;
  Range part;
};

template <Type kType, bool kBulk>
struct Stream {
  using F = Format<kType>;
  static constexpr int32_t kSlotBytes = F::kChunk * F::kBytes;

  const DecodeLinear& p;
  int32_t warp, lane, num_tiles;
  uint32_t slots, barriers;  // shared addresses of this warp's
  uint64_t policy;
  Cursor next;          // to be asked for
  int32_t asked_slot = 0, used_slot = 0;
  uint32_t parity = 0;  // of the phase to wait for
  int32_t left = 0;     // copies to be asked for

  __device__ Stream(const DecodeLinear& linear, uint8_t* shared, int32_t tiles)
      : p(linear),
        warp(static_cast<int32_t>(threadIdx.x) / kWarp),
        lane(static_cast<int32_t>(threadIdx.x) % kWarp),
        num_tiles(tiles),
        slots(shared_address(shared) + static_cast<uint32_t>(warp * p.num_stages * kSlotBytes)),
        barriers(shared_address(shared + p.barriers_at) + static_cast<uint32_t>(8 * warp * p.num_stages)),
        policy(read_once_policy()),
        next{0, 0, 0, 0, part_of(linear, warp, 0)} {
    next.record = next.part.begin;
    settle(next);
    for (int32_t pass = 0; pass < p.num_passes; ++pass) {
      const Range part = part_of(p, warp, pass);
      left += num_tiles * ceil_div(part.end - part.begin, F::kChunk);
    }
  }

  // Moves a cursor that is past its part to the next that is not empty, or past the end.
  __device__ void settle(Cursor& c) const {
    while (c.record >= c.part.end && c.tile < num_tiles) {
      if (++c.tile == min(c.group + p.group_tiles, num_tiles)) {
        if (++c.pass == p.num_passes) {
          c.pass = 0;
          c.group = c.tile;
        }
        c.tile = c.group;
        if (p.num_passes > 1) c.part = part_of(p, warp, c.pass);
      }
      c.record = c.part.begin;
    }
  }
  __device__ void step(Cursor& c) const {
    c.record += F::kChunk;
    if (c.record >= c.part.end) settle(c);
  }
  __device__ const uint8_t* source_of(const Cursor& c) const {
    const int64_t block = first_row_of(p, c.tile) / kQuantRows;
    return p.weight + (block * p.num_records + c.record) * F::kBytes;
  }

  __device__ void ask() {
    if (next.tile >= num_tiles) return;
    const int32_t count = min(F::kChunk, next.part.end - next.record);
    const uint32_t slot = slots + static_cast<uint32_t>(asked_slot * kSlotBytes);
    const uint32_t barrier = barriers + static_cast<uint32_t>(8 * asked_slot);
    if constexpr (kBulk) {
      if (lane == 0) copy_bulk(slot, source_of(next), static_cast<uint32_t>(count * F::kBytes), barrier, policy);
    } else if constexpr (F::kIsRowMajor) {
      constexpr int32_t kElementBytes = 128 / F::kColumns;
      const int64_t row_bytes = static_cast<int64_t>(p.num_columns) * kElementBytes;
      const int32_t first_row = first_row_of(p, next.tile);
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {  // eight lanes bring 128 bytes of a row
        const int32_t row = 4 * i + lane / 8;
        const int64_t column_byte = static_cast<int64_t>(next.record) * 128 + lane % 8 * 16;
        const bool is_inside = first_row + row < p.weight_rows && column_byte < row_bytes;
        copy_16(slot + static_cast<uint32_t>(F::place_of(row, lane % 8)),
                is_inside ? p.weight + (first_row + row) * row_bytes + column_byte : p.weight, is_inside ? 16 : 0,
                policy);
      }
      arrive_after_copies(barrier);
    } else {
      const uint8_t* from = source_of(next);
      for (int32_t at = lane * 16; at < count * F::kBytes; at += kWarp * 16) {
        copy_16(slot + static_cast<uint32_t>(at), from + at, 16, policy);
      }
      arrive_after_copies(barrier);
    }
    if (++asked_slot == p.num_stages) asked_slot = 0;
    --left;
    step(next);
  }

  __device__ void start() {
    if (lane == 0) {
      for (int32_t i = 0; i < p.num_stages; ++i) init_barrier(barriers + static_cast<uint32_t>(8 * i), kBulk ? 1 : kWarp);
      publish_barriers();
    }
    __syncwarp();
    for (int32_t i = 0; i < p.num_stages; ++i) ask();
    if constexpr (kBulk) {
      Cursor ahead = next;
      for (int32_t i = 0; i < p.num_prefetched && ahead.tile < num_tiles; ++i) {
        const int32_t count = min(F::kChunk, ahead.part.end - ahead.record);
        if (lane == 0) prefetch_bulk(source_of(ahead), static_cast<uint32_t>(count * F::kBytes));
        step(ahead);
      }
    }
  }
  // Offset of the next copy's slot in shared memory, once it is there.
  __device__ int32_t wait() {
    wait_barrier(barriers + static_cast<uint32_t>(8 * used_slot), parity);
    return (warp * p.num_stages + used_slot) * kSlotBytes;
  }
  // The slot has been read: it takes the next copy.
  __device__ void release() {
    __syncwarp();
    ask();
    if (++used_slot == p.num_stages) {
      used_slot = 0;
      parity ^= 1;
    }
  }
};

template <Type kType>
__device__ void stage(const DecodeLinear& p, uint8_t* shared, int32_t warp, int32_t lane, Range part, bool is_first) {
  const int32_t pieces = ceil_div((part.end - part.begin) * Format<kType>::kColumns, kPieceColumns);
  if (pieces <= 1) {
    stage_part<kType, 1>(p, shared, warp, lane, part, is_first);
  } else if (pieces == 2) {
    stage_part<kType, 2>(p, shared, warp, lane, part, is_first);
  } else if (pieces <= 4) {
    stage_part<kType, 4>(p, shared, warp, lane, part, is_first);
  } else {
    stage_part<kType, kMaxPieces>(p, shared, warp, lane, part, is_first);
  }
}

template <Type kType, bool kBulk>
__global__ void __launch_bounds__(kDecodeThreads, 2) decode_kernel(const __grid_constant__ DecodeLinear p) {
#if __CUDA_ARCH__ < 900
  if constexpr (kBulk) return;  // never launched there
#endif
  using F = Format<kType>;
  extern __shared__ __align__(128) uint8_t shared[];
  const int32_t num_units = ceil_div(p.num_units - static_cast<int32_t>(blockIdx.x), static_cast<int32_t>(gridDim.x));
  const int32_t num_tiles = num_units * p.unit_tiles;
  const int32_t num_tokens = p.x.num_rows;
  Stream<kType, kBulk> stream(p, shared, num_tiles);
  const int32_t warp = stream.warp;
  const int32_t lane = stream.lane;
  stream.start();
  bool has_triggered = p.trigger_ahead < 0 || stream.left <= p.trigger_ahead;
  if (has_triggered) let_next_start();

  // What does not depend on the kernel before.
  float* const offsets = reinterpret_cast<float*>(shared + p.offsets_at + warp * p.offsets_bytes);
  for (int32_t i = lane; i < p.offsets_bytes / 4; i += kWarp) offsets[i] = 0;
  if (lane < kDecodeTokens) {
    reinterpret_cast<float*>(shared + p.squares_at)[warp * kDecodeTokens + lane] = 0;
    reinterpret_cast<float*>(shared + p.inverse_at)[warp * kDecodeTokens + lane] = 0;
  }
  if (p.fusion.norm != LinearFusion::Norm::none) {
    for (int32_t k = threadIdx.x * 32; k < p.num_columns; k += kDecodeThreads * 32) {
      prefetch_line(p.fusion.norm_weight + k);
    }
  }
  uint4 book[1] = {};
  if constexpr (kType == Type::q4) {
    uint32_t words[4];
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) {
      words[i] = __ldg(reinterpret_cast<const uint32_t*>(p.codebook) + i) ^ 0x80808080u;
    }
    book[0] = uint4{words[0], words[1], words[2], words[3]};
  }
  __syncwarp();

  wait_for_previous();
  if (p.fusion.adds) fetch_residual(p, shared, num_units);
  if (p.fusion.norm == LinearFusion::Norm::layer) find_moments(p, shared);

  const Lane place{lane / 4, lane % 4, lane / 4 < num_tokens};
  const uint8_t* const x = shared + p.x_at + (warp * num_tokens + (place.has_x ? place.g : 0)) * p.x_stride + 16 * place.t;
  const float4* const lane_offsets = reinterpret_cast<const float4*>(offsets) + place.t;
  const float* const inverse = reinterpret_cast<const float*>(shared + p.inverse_at) + warp * kDecodeTokens;
  const int32_t tile_floats = kDecodeWarps * num_tokens * kQuantRows;
  int32_t buffer = 0;
  for (int32_t group = 0; group < num_tiles; group += p.group_tiles) {
    const int32_t group_end = min(group + p.group_tiles, num_tiles);
    float* const sums = reinterpret_cast<float*>(shared + p.sums_at + buffer * p.sums_bytes);
    for (int32_t pass = 0; pass < p.num_passes; ++pass) {
      const Range part = part_of(p, warp, pass);
      if (p.num_passes > 1 || group == 0) stage<kType>(p, shared, warp, lane, part, group == 0);
      for (int32_t tile = group; tile < group_end; ++tile) {
        float c[4] = {};
        for (int32_t record = part.begin; record < part.end; record += F::kChunk) {
          const uint8_t* slot = shared + stream.wait();
          const int32_t inside = record - part.begin;
          if (record + F::kChunk <= part.end) {
#pragma unroll
            for (int32_t i = 0; i < F::kChunk; ++i) {
              F::multiply(c, slot + i * F::kBytes, x + (inside + i) * F::kColumns * 2, lane_offsets + (inside + i) * 4,
                          book, place);
            }
          } else {
            for (int32_t i = 0; record + i < part.end; ++i) {
              F::multiply(c, slot + i * F::kBytes, x + (inside + i) * F::kColumns * 2, lane_offsets + (inside + i) * 4,
                          book, place);
            }
          }
          stream.release();
          if (!has_triggered && stream.left <= p.trigger_ahead) {
            has_triggered = true;
            if (warp == 0) let_next_start();
          }
        }
        float* to = sums + (tile - group) * tile_floats + warp * num_tokens * kQuantRows + 2 * place.g;
#pragma unroll
        for (int32_t i = 0; i < 2; ++i) {
          const int32_t token = 2 * place.t + i;
          if (token >= num_tokens) continue;
          float2* at = reinterpret_cast<float2*>(to + token * kQuantRows);
          float2 sum = pass == 0 ? float2{0, 0} : *at;
          sum.x += c[i] * inverse[token];
          sum.y += c[2 + i] * inverse[token];
          *at = sum;
        }
        __syncwarp();  // `inverse` has been read before the next part's is put
      }
    }
    if (p.fusion.adds) wait_all_copies();
    __syncthreads();
    finish_group(p, shared, sums, group, group_end);
    buffer ^= 1;
  }
}

int32_t round_up(int32_t value, int32_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

// Places everything in shared memory; returns the bytes in all.
template <Type kType, bool kBulk>
int32_t place(DecodeLinear& p, int32_t num_tiles) {
  using F = Format<kType>;
  const int32_t tokens = p.x.num_rows;
  int32_t at = kDecodeWarps * p.num_stages * Stream<kType, kBulk>::kSlotBytes;
  const auto take = [&](int32_t bytes) {
    const int32_t start = at;
    at += round_up(bytes, 128);
    return start;
  };
  at = round_up(at, 128);
  const int32_t part_bytes = p.slice_records * F::kColumns * 2;
  p.x_stride = part_bytes % 128 == 0 ? part_bytes + 64 : part_bytes;  // two tokens never meet in a bank
  p.x_at = take(kDecodeWarps * tokens * p.x_stride);
  p.offsets_bytes = F::kSumColumns > 0 ? p.slice_records * F::kColumns / F::kSumColumns * 64 : 0;
  p.offsets_at = take(kDecodeWarps * p.offsets_bytes);
  p.sums_bytes = p.group_tiles * kDecodeWarps * tokens * kQuantRows * 4;
  p.sums_at = take(p.sums_bytes * (num_tiles > p.group_tiles ? 2 : 1));
  p.squares_at = take(kDecodeWarps * kDecodeTokens * 4);
  p.inverse_at = take(kDecodeWarps * kDecodeTokens * 4);
  p.moments_at = take(2 * kDecodeTokens * 4);
  p.residual_count = p.fusion.adds ? std::min(2048, p.group_tiles / p.unit_tiles * tokens * kQuantRows) : 0;
  p.residual_at = take(4 * p.residual_count);
  p.barriers_at = take(kDecodeWarps * p.num_stages * 8);
  return at;
}

// Blocks of two kernels share a multiprocessor's 228 KB, of which each block loses one; and `block_sum` has its own.
constexpr int32_t kSharedOfBlockSum = 256;
constexpr int32_t kSharedOfTwo = (228 * 1024 - 2 * 1024) / 2 / 128 * 128 - kSharedOfBlockSum;

template <Type kType, bool kBulk>
Status launch(Device* device, DecodeLinear p, const DecodeChoice& choice) {
  using F = Format<kType>;
  p.num_records = ceil_div(p.num_columns, F::kColumns);
  const int32_t blocks = std::min(p.num_units, device->num_multiprocessors);
  const int32_t num_tiles = ceil_div(p.num_units, blocks) * p.unit_tiles;
  const int32_t slice = ceil_div(p.num_records, kDecodeWarps);
  const int32_t limit = device->shared_bytes - kSharedOfBlockSum;
  const int32_t budget = std::min(choice.shared_bytes > 0 ? choice.shared_bytes : kSharedOfTwo, limit);
  // The sums of a group take at most 16 KB, two of them.
  const int32_t tile_bytes = kDecodeWarps * p.x.num_rows * kQuantRows * 4;
  p.group_tiles = std::min(num_tiles, std::max(1, 16384 / tile_bytes / p.unit_tiles) * p.unit_tiles);
  constexpr int32_t kMaxSlice = kMaxPieces * kPieceColumns / F::kColumns;
  const int32_t wanted = choice.stages > 0 ? choice.stages : 4;
  int32_t shared_bytes = 0;
  p.num_passes = ceil_div(slice, kMaxSlice);
  for (;; ++p.num_passes) {
    p.slice_records = ceil_div(slice, p.num_passes);
    p.num_stages = wanted;
    shared_bytes = place<kType, kBulk>(p, num_tiles);
    if (shared_bytes <= budget) break;
    if (p.num_passes >= slice) {
      while (shared_bytes > limit && p.num_stages > 1) {
        --p.num_stages;
        shared_bytes = place<kType, kBulk>(p, num_tiles);
      }
      break;
    }
  }
  while (choice.stages == 0 && p.num_stages < 8) {
    DecodeLinear more = p;
    ++more.num_stages;
    const int32_t bytes = place<kType, kBulk>(more, num_tiles);
    if (bytes > budget) break;
    p = more;
    shared_bytes = bytes;
  }
  p.trigger_ahead = choice.trigger_ahead;
  p.num_prefetched = choice.prefetch;
  const auto kernel = decode_kernel<kType, kBulk>;
  static bool has_room = false;  // of this kernel, by any thread: the same value
  if (!has_room) {
    const Status status =
        status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, limit));
    if (!status.ok()) return status;
    has_room = true;
  }
  return launch_overlapped(device, kernel, dim3(static_cast<unsigned>(blocks)), dim3(kDecodeThreads), shared_bytes, p);
}

template <Type kType>
Status launch(Device* device, const DecodeLinear& p, const DecodeChoice& choice) {
  if constexpr (!Format<kType>::kIsRowMajor) {
    if (device->overlaps) return launch<kType, true>(device, p, choice);
  }
  return launch<kType, false>(device, p, choice);
}

}  // namespace

bool decodes(const Rows& x, const Weight& weight, const LinearFusion& fusion) {
  if (x.num_rows > kDecodeTokens) return false;
  const bool is_aligned = reinterpret_cast<uintptr_t>(weight.data) % 16 == 0;
  const int32_t half = weight.num_rows / 2;
  switch (weight.type) {
    case Type::f16:
      return is_aligned && weight.num_columns % 8 == 0;
    case Type::f8:
      return is_aligned && weight.num_columns % 16 == 0;
    case Type::q8:
    case Type::q4:
    case Type::int4_g32:
    case Type::int4_g128:
      return is_aligned && (!fusion.is_gated || half % kQuantRows == 0);
    default:
      return false;
  }
}

Status linear_decode(Device* device, Rows x, const Weight* weight, const float* bias, Activation activation,
                     const LinearFusion& fusion, Rows out, const DecodeChoice& choice) {
  DecodeLinear p{};
  p.weight = static_cast<const uint8_t*>(weight->data);
  p.codebook = weight->codebook;
  p.bias = bias;
  p.x = x;
  p.out = out;
  p.activation = activation;
  p.fusion = fusion;
  p.num_columns = weight->num_columns;
  p.num_outputs = out.width;
  p.num_units = ceil_div(out.width, kQuantRows);
  p.unit_tiles = fusion.is_gated ? 2 : 1;
  p.weight_rows = weight->num_rows;
  p.is_x_aligned = reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.stride % 4 == 0;
  switch (weight->type) {
    case Type::f16:
      return launch<Type::f16>(device, p, choice);
    case Type::f8:
      p.row_scales = f8_scales(weight->data, weight->num_rows, weight->num_columns);
      return launch<Type::f8>(device, p, choice);
    case Type::q8:
      return launch<Type::q8>(device, p, choice);
    case Type::q4:
      return launch<Type::q4>(device, p, choice);
    case Type::int4_g32:
      return launch<Type::int4_g32>(device, p, choice);
    case Type::int4_g128:
      return launch<Type::int4_g128>(device, p, choice);
    default:
      return {Code::internal, "linear: a weight that the few-row kernel does not take"};
  }
}

}  // namespace quoth::cuda
