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

// The copies of a warp: for each group of tiles, for each part of its slice (or the slice whole), for each tile of the
// group, the records in pairs (kChunk). They go through a ring of slots.
template <Type kType, bool kBulk>
struct Stream {
  using F = Format<kType>;
  static constexpr int32_t kSlotBytes = F::kChunk * F::kBytes;

  const DecodeLinear& p;
  int32_t warp, lane, num_tiles;
  Range slice;
  uint32_t slots, barriers;  // shared addresses of this warp's
  uint64_t policy;
  // The next copy.
  const uint8_t* source = nullptr;  // its first record
  int32_t record = 0, run_end = 0;  // of the run: slice or part
  int32_t tile = 0, group = 0, part = 0;
  uint32_t asked_slot = 0, used_slot = 0;  // offsets of slots
  uint32_t asked_barrier = 0, used_barrier = 0;
  uint32_t parity = 0;  // of the phase to wait for
  int32_t left;         // tiles whose last copy has not been asked for, counted once for each part

  __device__ Stream(const DecodeLinear& linear, uint8_t* shared, int32_t tiles)
      : p(linear),
        warp(static_cast<int32_t>(threadIdx.x) / kWarp),
        lane(static_cast<int32_t>(threadIdx.x) % kWarp),
        num_tiles(tiles),
        slice(slice_of(linear, warp)),
        slots(shared_address(shared) + static_cast<uint32_t>(warp * p.num_stages * kSlotBytes)),
        barriers(shared_address(shared + p.barriers_at) + static_cast<uint32_t>(8 * warp * p.num_stages)),
        policy(read_once_policy()),
        left(slice.begin == slice.end ? 0 : tiles * runs_of_tile()) {
    find_run();
  }
  __device__ int32_t runs_of_tile() const {
    return p.held_parts == p.num_parts ? 1 : ceil_div(slice.end - slice.begin, kPartRecords<F>);
  }
  __device__ void find_run() {
    const bool is_whole = p.held_parts == p.num_parts;
    record = slice.begin + part * kPartRecords<F>;
    run_end = is_whole ? slice.end : min(record + kPartRecords<F>, slice.end);
    const int64_t first_row = first_row_of(p, tile);
    if constexpr (F::kIsRowMajor) {
      source = p.weight + (first_row + lane / 8) * row_bytes() + record * 128 + lane % 8 * 16;
    } else {
      source = p.weight + (first_row / kQuantRows * p.num_records + record) * F::kBytes;
    }
  }
  __device__ void next_run() {
    --left;
    if (++tile == min(group + p.group_tiles, num_tiles)) {
      if (++part >= runs_of_tile()) {
        part = 0;
        group = tile;
      }
      tile = group;
    }
    if (left > 0) find_run();
  }
  __device__ int64_t row_bytes() const { return static_cast<int64_t>(p.num_columns) * (128 / F::kColumns); }

  __device__ void ask() {
    if (left <= 0) return;
    const uint32_t slot = slots + asked_slot;
    const uint32_t barrier = barriers + asked_barrier;
    if constexpr (F::kIsRowMajor) {
      const int32_t first_row = first_row_of(p, tile) + lane / 8;
#pragma unroll
      for (int32_t r = 0; r < F::kChunk; ++r) {
        const bool is_column = static_cast<int64_t>(record + r) * 128 + lane % 8 * 16 < row_bytes();
#pragma unroll
        for (int32_t i = 0; i < 4; ++i) {  // eight lanes bring 128 bytes of a row
          const bool is_inside = is_column && first_row + 4 * i < p.weight_rows && record + r < run_end;
          copy_16(slot + static_cast<uint32_t>(r * F::kBytes + F::place_of(4 * i + lane / 8, lane % 8)),
                  is_inside ? source + 4 * i * row_bytes() + r * 128 : p.weight, is_inside ? 16 : 0, policy);
        }
      }
      arrive_after_copies(barrier);
      source += F::kChunk * 128;
    } else {
      const int32_t bytes = min(F::kChunk, run_end - record) * F::kBytes;
      if constexpr (kBulk) {
        if (lane == 0) copy_bulk(slot, source, static_cast<uint32_t>(bytes), barrier, policy);
      } else {
        for (int32_t at = lane * 16; at < bytes; at += kWarp * 16) {
          copy_16(slot + static_cast<uint32_t>(at), source + at, 16, policy);
        }
        arrive_after_copies(barrier);
      }
      source += kSlotBytes;
    }
    asked_slot += kSlotBytes;
    asked_barrier += 8;
    if (asked_slot == static_cast<uint32_t>(p.num_stages * kSlotBytes)) asked_slot = asked_barrier = 0;
    record += F::kChunk;
    if (record >= run_end) next_run();
  }

  __device__ void start() {
    if (lane == 0) {
      for (int32_t i = 0; i < p.num_stages; ++i) {
        init_barrier(barriers + static_cast<uint32_t>(8 * i), kBulk ? 1 : kWarp);
      }
      publish_barriers();
    }
    __syncwarp();
    for (int32_t i = 0; i < p.num_stages; ++i) ask();
  }
  // Offset in shared memory of the copy that is next to be used, once it is there.
  __device__ int32_t wait() {
    wait_barrier(barriers + used_barrier, parity);
    return warp * p.num_stages * kSlotBytes + static_cast<int32_t>(used_slot);
  }
  // It has been read: its slot takes the next copy.
  __device__ void release() {
    __syncwarp();
    ask();
    used_slot += kSlotBytes;
    used_barrier += 8;
    if (used_slot == static_cast<uint32_t>(p.num_stages * kSlotBytes)) {
      used_slot = used_barrier = 0;
      parity ^= 1;
    }
  }
};

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
  const Range slice = stream.slice;
  stream.start();
  bool has_triggered = p.trigger_ahead < 0 || stream.left <= p.trigger_ahead;
  if (has_triggered) let_next_start();

  // What does not depend on the kernel before.
  const Staged staged = staged_of(p, shared, warp);
  for (int32_t i = lane; i < p.offsets_bytes / 4; i += kWarp) staged.offsets[i] = 0;
  for (int32_t i = lane; i < p.held_parts * kDecodeTokens; i += kWarp) staged.inverse[i] = 0;
  if (lane < kDecodeTokens) staged.squares[lane] = 0;
  const bool has_norm = p.fusion.norm != LinearFusion::Norm::none;
  if (has_norm) {
    const int32_t end = min(slice.end * F::kColumns, p.num_columns);
    for (int32_t k = slice.begin * F::kColumns + lane; k < end; k += kWarp) touch(p.fusion.norm_weight + k);
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
  const uint8_t* const x = staged.x + (place.has_x ? place.g : 0) * p.x_stride + 16 * place.t;
  const float4* const lane_offsets = reinterpret_cast<const float4*>(staged.offsets) + place.t;
  const int32_t tile_floats = kDecodeWarps * num_tokens * kQuantRows;
  constexpr int32_t kSumsOfRecord = F::kSumColumns > 0 ? F::kColumns / F::kSumColumns * 4 : 0;  // in float4
  int32_t buffer = 0;
  for (int32_t group = 0; group < num_tiles; group += p.group_tiles) {
    const int32_t group_end = min(group + p.group_tiles, num_tiles);
    float* const sums = reinterpret_cast<float*>(shared + p.sums_at + buffer * p.sums_bytes);
    for (int32_t first_part = 0; first_part < p.num_parts; first_part += p.held_parts) {
      if (p.held_parts < p.num_parts || group == 0) {
        if (has_norm) {
          stage_parts<kType, true>(p, staged, lane, slice, first_part, group == 0);
        } else {
          stage_parts<kType, false>(p, staged, lane, slice, first_part, false);
        }
      }
      const int32_t first = slice.begin + first_part * kPartRecords<F>;
      const int32_t end = min(slice.end, first + p.held_parts * kPartRecords<F>);
      for (int32_t tile = group; tile < group_end; ++tile) {
        float* const to = sums + (tile - group) * tile_floats + warp * num_tokens * kQuantRows + 2 * place.g;
        float total[4] = {};
        if (first_part > 0) {
#pragma unroll
          for (int32_t i = 0; i < 2; ++i) {
            const int32_t token = 2 * place.t + i;
            if (token >= num_tokens) continue;
            const float2 sum = *reinterpret_cast<const float2*>(to + token * kQuantRows);
            total[i] = sum.x;
            total[2 + i] = sum.y;
          }
        }
        const float2* inverse = reinterpret_cast<const float2*>(staged.inverse) + place.t;
        const uint8_t* x_record = x;
        const float4* sums_record = lane_offsets;
        for (int32_t part = first; part < end; part += kPartRecords<F>) {
          const int32_t part_end = min(part + kPartRecords<F>, end);
          float c[4] = {};
          for (int32_t record = part; record < part_end; record += F::kChunk) {
            const uint8_t* slot = shared + stream.wait();
            if (record + F::kChunk <= part_end) {
#pragma unroll
              for (int32_t i = 0; i < F::kChunk; ++i) {
                F::multiply(c, slot + i * F::kBytes, x_record + i * F::kColumns * 2, sums_record + i * kSumsOfRecord,
                            book, place);
              }
            } else {
              for (int32_t i = 0; record + i < part_end; ++i) {
                F::multiply(c, slot + i * F::kBytes, x_record + i * F::kColumns * 2, sums_record + i * kSumsOfRecord,
                            book, place);
              }
            }
            x_record += F::kChunk * F::kColumns * 2;
            sums_record += F::kChunk * kSumsOfRecord;
            stream.release();
          }
          const float2 factor = *inverse;
          inverse += kDecodeTokens / 2;
          total[0] += c[0] * factor.x;
          total[1] += c[1] * factor.y;
          total[2] += c[2] * factor.x;
          total[3] += c[3] * factor.y;
        }
#pragma unroll
        for (int32_t i = 0; i < 2; ++i) {
          const int32_t token = 2 * place.t + i;
          if (token < num_tokens) {
            *reinterpret_cast<float2*>(to + token * kQuantRows) = float2{total[i], total[2 + i]};
          }
        }
        if (!has_triggered && stream.left <= p.trigger_ahead) {
          has_triggered = true;
          if (warp == 0) let_next_start();
        }
      }
      __syncwarp();  // x has been read before the next parts are put
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
  const int32_t held_columns = std::min(p.held_parts * kPartColumns, p.num_slice_columns);
  p.x_stride = held_columns * 2 % 128 == 0 ? held_columns * 2 + 64 : held_columns * 2;  // two tokens never meet in a bank
  p.x_at = take(kDecodeWarps * tokens * p.x_stride);
  p.offsets_bytes = F::kSumColumns > 0 ? held_columns / F::kSumColumns * 64 : 0;
  p.offsets_at = take(kDecodeWarps * p.offsets_bytes);
  p.sums_bytes = p.group_tiles * kDecodeWarps * tokens * kQuantRows * 4;
  p.sums_at = take(p.sums_bytes * (num_tiles > p.group_tiles ? 2 : 1));
  p.squares_at = take(kDecodeWarps * kDecodeTokens * 4);
  p.inverse_at = take(kDecodeWarps * p.held_parts * kDecodeTokens * 4);
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
  p.num_slice_columns = slice * F::kColumns;
  p.num_parts = ceil_div(slice, kPartRecords<F>);
  p.held_parts = p.num_parts;
  p.num_stages = choice.stages > 0 ? choice.stages : 4;
  int32_t shared_bytes = place<kType, kBulk>(p, num_tiles);
  if (shared_bytes > budget && p.num_parts > 1) {
    p.held_parts = 1;
    shared_bytes = place<kType, kBulk>(p, num_tiles);
  }
  while (shared_bytes > (p.num_stages > 2 ? budget : limit) && p.num_stages > 1) {
    --p.num_stages;
    shared_bytes = place<kType, kBulk>(p, num_tiles);
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
  const int32_t columns = record_columns(weight.type);
  if (columns > 0 && weight.num_columns % columns != 0) return false;
  if (weight.type == Type::q4 && weight.codebook == nullptr) return false;
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
  p.is_norm_aligned = reinterpret_cast<uintptr_t>(fusion.norm_weight) % 16 == 0 &&
                      reinterpret_cast<uintptr_t>(fusion.norm_bias) % 16 == 0;
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
