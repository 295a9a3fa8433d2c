// out = act(norm(x) W^T + bias) for up to eight rows of x, at the speed of memory.
//
// A persistent block per multiprocessor takes tiles of 16 weight rows, one after another. One warp brings the weights
// through a ring of slots in shared memory; the others share out each slot's columns and multiply with the tensor
// cores, whose eight columns are the tokens. They meet only when a group of tiles is done, to add their sums up in
// ascending order. The order of sums is a function of K alone, and what one token gets depends on no other: a row of x
// has the same bits alone and among seven others. How x is rounded: decode_formats.h.
//
// A block takes a multiprocessor for itself: the ring holds what the memory brings in the time in which the kernel
// before ends and x is read and rounded. Two smaller blocks, of this kernel and the next, were slower: what the other
// one reads is in the way of x.
#include <algorithm>
#include <type_traits>

#include "decode_rows.h"

namespace quoth::cuda {
namespace {

// What both sides of the ring go through in the same order: groups of tiles; the held slots of them; tiles; slots.
template <typename Body>
__device__ inline void for_each_tile(const DecodeLinear& p, int32_t num_tiles, const Body& body) {
  for (int32_t group = 0; group < num_tiles; group += p.group_tiles) {
    const int32_t group_end = min(group + p.group_tiles, num_tiles);
    for (int32_t slot = 0; slot < p.tile_slots; slot += p.held_slots) {
      const int32_t slot_end = min(slot + p.held_slots, p.tile_slots);
      for (int32_t tile = group; tile < group_end; ++tile)
        body(tile, slot, slot_end, tile - group, tile + 1 == group_end);
    }
  }
}

template <Type kType, bool kBulk>
struct Ring {
  using F = Format<kType>;
  static constexpr int32_t kSlotUnits = F::kSlotUnits * F::kWarps;
  // Row-major: two rows of one lane pair are half of the banks apart.
  static constexpr int32_t kRowBytes = kSlotUnits * F::kUnitBytes;  // of a slot; types in records: all of it
  static constexpr int32_t kRowStride = F::kIsRowMajor ? kRowBytes + 32 : kRowBytes;
  static constexpr int32_t kSlotBytes = (F::kIsRowMajor ? kQuantRows * kRowStride : kRowBytes);
  static_assert(kSlotBytes % 16 == 0);

  uint32_t slots, full, empty;  // shared addresses
  int32_t num_stages;
  int32_t slot = 0;
  uint32_t parity = 0;

  __device__ Ring(const DecodeLinear& p, uint8_t* shared)
      : slots(shared_address(shared)),
        full(shared_address(shared + p.barriers_at)),
        empty(full + 8 * static_cast<uint32_t>(p.num_stages)),
        num_stages(p.num_stages) {}
  __device__ void init() const {
    for (int32_t i = 0; i < num_stages; ++i) {
      init_barrier(full + 8 * static_cast<uint32_t>(i), kBulk ? 1 : kWarp);
      init_barrier(empty + 8 * static_cast<uint32_t>(i), F::kWarps);
    }
    publish_barriers();
  }
  __device__ uint32_t slot_at() const { return static_cast<uint32_t>(slot * kSlotBytes); }
  __device__ uint32_t full_at() const { return full + 8 * static_cast<uint32_t>(slot); }
  __device__ uint32_t empty_at() const { return empty + 8 * static_cast<uint32_t>(slot); }
  __device__ void step() {
    if (++slot == num_stages) {
      slot = 0;
      parity ^= 1;
    }
  }

  // By all lanes of the warp that brings: slot `index` of the tile whose first row is `first_row`.
  __device__ void bring(const DecodeLinear& p, int32_t first_row, int32_t index, int32_t lane, uint64_t policy) const {
    const int64_t start = static_cast<int64_t>(index) * kRowBytes;
    const auto bytes = static_cast<uint32_t>(min(static_cast<int64_t>(kRowBytes), p.row_bytes - start));
    const int32_t rows = F::kIsRowMajor ? min(kQuantRows, p.weight_rows - first_row) : 1;
    const uint8_t* from =
        p.weight + static_cast<int64_t>(F::kIsRowMajor ? first_row : first_row / kQuantRows) * p.row_bytes + start;
    const uint32_t to = slots + slot_at();
    if constexpr (kBulk) {
      if (lane == 0) expect_bytes(full_at(), bytes * static_cast<uint32_t>(rows));
      __syncwarp();
      if (lane < rows) {
        copy_bulk(to + static_cast<uint32_t>(lane * kRowStride), from + static_cast<int64_t>(lane) * p.row_bytes, bytes,
                  full_at(), policy);
      }
    } else {
      for (int32_t row = 0; row < rows; ++row) {
        for (uint32_t at = static_cast<uint32_t>(lane) * 16; at < bytes; at += kWarp * 16) {
          copy_16(to + static_cast<uint32_t>(row * kRowStride) + at,
                  from + static_cast<int64_t>(row) * p.row_bytes + at, 16, policy);
        }
      }
      arrive_after_copies(full_at());
    }
  }
};

// One unit of a tile; `x_at` and `factors_at`: from where the lane stands.
template <Type kType, bool kWhole, bool kMany>
__device__ inline void multiply(Sums<kMany>& sums, const uint8_t* unit, Lane lane, int32_t x_at, int32_t factors_at) {
  using F = Format<kType>;
  lane.x += x_at;
  lane.factors += factors_at;
  if constexpr (F::kIsRowMajor) {
    F::template multiply<kWhole, kMany>(sums, unit, Ring<kType, true>::kRowStride, lane);
  } else {
    F::template multiply<kWhole, kMany>(sums, unit, lane);
  }
}

template <Type kType, bool kMany, bool kBulk>
__global__ void __launch_bounds__((Format<kType>::kWarps + 1) * kWarp, 1)
    decode_kernel(const __grid_constant__ DecodeLinear p) {
#if __CUDA_ARCH__ < 900
  if constexpr (kBulk) return;  // never launched there
#else
  if constexpr (!kBulk) return;
#endif
  using F = Format<kType>;
  constexpr int32_t kWarps = F::kWarps;
  extern __shared__ __align__(128) uint8_t shared[];
  const int32_t warp = static_cast<int32_t>(threadIdx.x) / kWarp;
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % kWarp;
  const int32_t num_pairs = ceil_div(p.num_tiles - static_cast<int32_t>(blockIdx.x), static_cast<int32_t>(gridDim.x));
  const int32_t num_tiles = num_pairs * p.pair_tiles;
  const int32_t num_tokens = p.x.num_rows;
  Ring<kType, kBulk> ring(p, shared);
  if (threadIdx.x == kWarps * kWarp) ring.init();
  __syncthreads();

  if (warp == kWarps) {
    const uint64_t policy = read_once_policy();
    bool is_first_round = true;
    Ring<kType, kBulk> arrived = ring;  // `num_ahead` slots behind
    int32_t ahead = p.num_ahead;
    let_next_start();
    for_each_tile(p, num_tiles, [&](int32_t tile, int32_t slot, int32_t slot_end, int32_t, bool) {
      const int32_t first_row = first_row_of(p, tile);
      for (; slot < slot_end; ++slot) {
        if (!is_first_round) wait_barrier(ring.empty_at(), ring.parity ^ 1);
        if (ahead > 0) {
          --ahead;
        } else {
          wait_barrier(arrived.full_at(), arrived.parity);
          arrived.step();
        }
        ring.bring(p, first_row, slot, lane, policy);
        ring.step();
        if (ring.slot == 0) is_first_round = false;
      }
    });
    return;
  }

  auto* const squares = reinterpret_cast<float*>(shared + p.squares_at);
  if (lane < kDecodeTokens) squares[warp * kDecodeTokens + lane] = 0;
  const bool has_norm = p.fusion.norm != LinearFusion::Norm::none;
  if (has_norm) {
    const uint64_t keep = keep_policy();
    for (int32_t k = warp * kUnitColumns; k < p.num_columns; k += kWarps * kUnitColumns) {
      if (k + 4 * lane < p.num_columns) touch(p.fusion.norm_weight + k + 4 * lane, keep);
    }
  }
  // Columns of B that are no token's read the first one's: what they give is not looked at.
  const int32_t g = lane / 4, t = lane % 4;
  constexpr bool kHasDigits = !F::kIsRowMajor;
  const int32_t num_lines = kHasDigits && !kMany ? 2 * num_tokens : num_tokens;
  Lane place{};
  place.g = g;
  place.t = t;
  place.x_stride = p.x_stride;
  const uint8_t* const x = shared + p.x_at + warp * p.x_bytes +
                           (g < num_lines ? g : 0) * (kHasDigits && kMany ? 2 : 1) * p.x_stride +
                           (kHasDigits ? 8 : 16) * t;
  const float2* const factors =
      reinterpret_cast<const float2*>(shared + p.factors_at + warp * p.factors_bytes) + (kMany ? 2 * t : t);
  if constexpr (kType == Type::q4) {
    const auto* book = reinterpret_cast<const uint32_t*>(p.codebook);
    place.book = uint4{__ldg(book), __ldg(book + 1), __ldg(book + 2), __ldg(book + 3)};
  }
  __syncwarp();

  wait_for_previous();
  if (p.fusion.adds) fetch_residual<kWarps>(p, shared, num_pairs);
  if (p.fusion.norm == LinearFusion::Norm::layer) {
    auto* moments = reinterpret_cast<float*>(shared + p.moments_at);
    find_moments<kWarps>(p, moments, moments + 2 * kDecodeTokens, warp, lane);
  }

  const int32_t tile_floats = kWarps * num_tokens * kQuantRows;
  constexpr int32_t kXBytes = kHasDigits ? kUnitColumns : 2 * kUnitColumns;
  constexpr int32_t kFactors = kUnitColumns / F::kSumColumns * kDecodeTokens;
  int32_t buffer = 0;
  for_each_tile(p, num_tiles, [&](int32_t tile, int32_t slot, int32_t slot_end, int32_t in_group, bool is_last) {
    if (in_group == 0 && (tile == 0 || p.held_slots < p.tile_slots)) {
      __syncwarp();  // x of the slots before has been read
      if (has_norm) {
        stage_units<kType, true>(p, shared, warp, lane, slot, tile == 0);
      } else {
        stage_units<kType, false>(p, shared, warp, lane, slot, false);
      }
    }
    float* const sums = reinterpret_cast<float*>(shared + p.sums_at + buffer * p.sums_bytes);
    float* const to = sums + in_group * tile_floats + warp * num_tokens * kQuantRows + 2 * g;
    Sums<kMany> total;
#pragma unroll
    for (int32_t i = 0; i < (kMany ? 2 : 1); ++i) {
      const int32_t token = kMany ? 2 * t + i : t;
      if (slot == 0 || token >= num_tokens) continue;
      const float2 before = *reinterpret_cast<const float2*>(to + token * kQuantRows);
      total.of[2 * i] = before.x;
      total.of[2 * i + 1] = before.y;
    }
    int32_t column = (slot * Ring<kType, kBulk>::kSlotUnits + warp) * kUnitColumns;
    place.x = x;
    place.factors = factors;
    constexpr int32_t kColumnStep = kWarps * kUnitColumns;
    const auto multiply_slots = [&](auto count) {  // `count` slots with all their columns
      const uint8_t* units[count.value];
      uint32_t freed[count.value];
#pragma unroll
      for (int32_t j = 0; j < count.value; ++j) {
        wait_barrier(ring.full_at(), ring.parity);
        units[j] = shared + ring.slot_at() + warp * F::kUnitBytes;
        freed[j] = ring.empty_at();
        ring.step();
      }
#pragma unroll
      for (int32_t i = 0; i < count.value * F::kSlotUnits; ++i) {
        multiply<kType, true>(total, units[i / F::kSlotUnits] + i % F::kSlotUnits * kWarps * F::kUnitBytes, place,
                              i * kXBytes, i * kFactors);
      }
      __syncwarp();
      if (lane == 0) {
#pragma unroll
        for (int32_t j = 0; j < count.value; ++j) arrive(freed[j]);
      }
      place.x += count.value * F::kSlotUnits * kXBytes;
      place.factors += count.value * F::kSlotUnits * kFactors;
      column += count.value * F::kSlotUnits * kColumnStep;
      slot += count.value;
    };
    // So many slots that one warp has enough to do at once, but for the last ones.
    constexpr int32_t kAtOnce = F::kIsRowMajor ? 1 : 2;
    const auto has_columns = [&](int32_t count) {
      return slot + count <= slot_end &&
             column + (count * F::kSlotUnits - 1) * kColumnStep + kUnitColumns <= p.num_columns;
    };
    while (has_columns(kAtOnce)) multiply_slots(std::integral_constant<int32_t, kAtOnce>());
    for (; slot < slot_end; ++slot) {
      wait_barrier(ring.full_at(), ring.parity);
      const uint8_t* unit = shared + ring.slot_at() + warp * F::kUnitBytes;
      for (int32_t i = 0; i < F::kSlotUnits; ++i) {
        place.num_columns = p.num_columns - column;
        if (place.num_columns >= kUnitColumns) {
          multiply<kType, true>(total, unit, place, 0, 0);
        } else if (place.num_columns > 0) {
          multiply<kType, false>(total, unit, place, 0, 0);
        }
        unit += kWarps * F::kUnitBytes;
        place.x += kXBytes;
        place.factors += kFactors;
        column += kColumnStep;
      }
      __syncwarp();
      if (lane == 0) arrive(ring.empty_at());
      ring.step();
    }
#pragma unroll
    for (int32_t i = 0; i < (kMany ? 2 : 1); ++i) {
      const int32_t token = kMany ? 2 * t + i : t;
      if (token < num_tokens) {
        *reinterpret_cast<float2*>(to + token * kQuantRows) = float2{total.of[2 * i], total.of[2 * i + 1]};
      }
    }
    if (slot_end < p.tile_slots || !is_last) return;
    if (p.fusion.adds) wait_all_copies();
    sync_multipliers<kWarps>();
    finish_group<kWarps>(p, shared, sums, tile - in_group, tile + 1);
    buffer ^= 1;
  });
}

int32_t round_up(int32_t value, int32_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

// Places everything in shared memory; returns the bytes in all.
template <Type kType, bool kMany, bool kBulk>
int32_t place(DecodeLinear& p, int32_t most_tiles) {
  using F = Format<kType>;
  const int32_t tokens = p.x.num_rows;
  int32_t at = p.num_stages * Ring<kType, kBulk>::kSlotBytes;
  const auto take = [&](int32_t bytes) {
    const int32_t start = round_up(at, 128);
    at = start + bytes;
    return start;
  };
  const int32_t units = p.held_slots * F::kSlotUnits;
  // Lanes of four columns of B (halves: two) read 32 bytes (64) of each at once: they must not meet in a bank.
  p.x_stride = units * kUnitColumns * (F::kIsRowMajor ? 2 : 1) + (F::kIsRowMajor ? 64 : kMany ? 16 : 32);
  p.x_bytes = tokens * p.x_stride * (F::kIsRowMajor ? 1 : 2);
  p.x_at = take(F::kWarps * p.x_bytes);
  p.factors_bytes = units * (kUnitColumns / F::kSumColumns) * kDecodeTokens * 8;
  p.factors_at = take(F::kWarps * p.factors_bytes);
  p.sums_bytes = p.group_tiles * F::kWarps * tokens * kQuantRows * 4;
  p.sums_at = take(p.sums_bytes * (most_tiles > p.group_tiles ? 2 : 1));
  p.squares_at = take(F::kWarps * kDecodeTokens * 4);
  p.moments_at = take((2 * kDecodeTokens + F::kWarps) * 4);
  p.residual_count = p.fusion.adds ? std::min(2048, p.group_tiles / p.pair_tiles * tokens * kQuantRows) : 0;
  p.residual_at = take(4 * p.residual_count);
  p.barriers_at = take(2 * p.num_stages * 8);
  return at;
}

// What is on its way to a multiprocessor at once: enough for the memory's full speed. More would only make all reads
// wait longer, those of x first of all.
constexpr int32_t kAheadBytes = 32 * 1024;

template <Type kType, bool kMany, bool kBulk>
Status launch(Device* device, DecodeLinear p, const DecodeChoice& choice) {
  using F = Format<kType>;
  const int32_t units = ceil_div(p.num_columns, kUnitColumns);
  const int32_t slot_units = F::kSlotUnits * F::kWarps;
  const int32_t blocks = std::min(p.num_tiles, device->num_multiprocessors);
  const int32_t most_tiles = ceil_div(p.num_tiles, blocks) * p.pair_tiles;
  p.tile_slots = ceil_div(units, slot_units);
  p.held_slots = p.tile_slots;
  const int32_t budget =
      choice.shared_bytes > 0 ? std::min(choice.shared_bytes, device->shared_bytes) : device->shared_bytes;
  // The sums of a group take at most 16 KB, of two groups 32.
  const int32_t tile_bytes = F::kWarps * p.x.num_rows * kQuantRows * 4;
  p.group_tiles = std::min(most_tiles, std::max(1, 16384 / tile_bytes / p.pair_tiles) * p.pair_tiles);
  p.num_stages = choice.stages > 0 ? choice.stages : 3;
  const auto fits = [&] { return place<kType, kMany, kBulk>(p, most_tiles) <= budget; };
  while (!fits() && p.held_slots > 1) p.held_slots = ceil_div(p.held_slots, 2);
  while (!fits() && p.num_stages > 1) --p.num_stages;
  while (choice.stages == 0 && p.num_stages < 16 && fits()) ++p.num_stages;
  while (!fits() && p.num_stages > 1) --p.num_stages;
  const int32_t shared_bytes = place<kType, kMany, kBulk>(p, most_tiles);
  if (shared_bytes > device->shared_bytes) return {Code::unsupported, "linear: the GPU has too little shared memory"};
  const int32_t slot_bytes = p.row_bytes * (F::kIsRowMajor ? kQuantRows : 1) / p.tile_slots;  // on average
  const int32_t ahead = choice.ahead > 0 ? choice.ahead : std::max(2, ceil_div(kAheadBytes, slot_bytes));
  p.num_ahead = std::min(ahead, p.num_stages);
  const auto kernel = decode_kernel<kType, kMany, kBulk>;
  static bool has_room = false;  // of this kernel; set again to the same by whoever comes at the same time
  if (!has_room) {
    const Status status = status_of(
        device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, device->shared_bytes));
    if (!status.ok()) return status;
    has_room = true;
  }
  return launch_overlapped(device, kernel, dim3(static_cast<unsigned>(blocks)), dim3((F::kWarps + 1) * kWarp),
                           shared_bytes, p);
}

template <Type kType>
Status launch(Device* device, const DecodeLinear& p, const DecodeChoice& choice) {
  if constexpr (Format<kType>::kIsRowMajor) {
    return device->overlaps ? launch<kType, true, true>(device, p, choice)
                            : launch<kType, true, false>(device, p, choice);
  } else {
    const bool is_many = p.x.num_rows > kDecodeTokens / 2;
    if (device->overlaps) {
      return is_many ? launch<kType, true, true>(device, p, choice) : launch<kType, false, true>(device, p, choice);
    }
    return is_many ? launch<kType, true, false>(device, p, choice) : launch<kType, false, false>(device, p, choice);
  }
}

}  // namespace

bool decodes(const Rows& x, const Weight& weight, const LinearFusion& fusion) {
  if (x.num_rows > kDecodeTokens) return false;
  const int32_t columns = record_columns(weight.type);
  if (columns > 0 && weight.num_columns % columns != 0) return false;
  if (weight.type == Type::q4 && weight.codebook == nullptr) return false;
  const bool is_aligned = reinterpret_cast<uintptr_t>(weight.data) % 16 == 0;
  switch (weight.type) {
    case Type::f16:
      return is_aligned && weight.num_columns % 8 == 0;
    case Type::f8:
      return is_aligned && weight.num_columns % 16 == 0;
    case Type::q8:
    case Type::q4:
    case Type::int4_g32:
    case Type::int4_g128:
      return is_aligned && (!fusion.is_gated || weight.num_rows % (2 * kQuantRows) == 0);
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
  p.inverse_columns = 1.0f / static_cast<float>(weight->num_columns);
  p.num_outputs = out.width;
  p.num_tiles = ceil_div(out.width, kQuantRows);
  p.pair_tiles = fusion.is_gated ? 2 : 1;
  p.weight_rows = weight->num_rows;
  p.is_x_aligned = reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.stride % 4 == 0;
  p.is_norm_aligned = reinterpret_cast<uintptr_t>(fusion.norm_weight) % 16 == 0 &&
                      reinterpret_cast<uintptr_t>(fusion.norm_bias) % 16 == 0;
  const int32_t columns = record_columns(weight->type);
  p.row_bytes = columns > 0 ? weight->num_columns / columns * record_bytes(weight->type)
                            : weight->num_columns * (weight->type == Type::f16 ? 2 : 1);
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
