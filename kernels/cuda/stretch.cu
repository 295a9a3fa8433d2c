// See stretch.h. One block on each multiprocessor, all at once: 16 warps multiply, one brings the weights of all
// operations, one after another, and copies each operation's description to where the others read it.
#include "stretch.h"

#include <algorithm>
#include <new>

#include "linear_decode.h"
#include "stretch_linear.h"

namespace quoth::cuda {
namespace stretch {
namespace {

// What both sides of the ring go through in the same order: groups of tiles; parts of K; tiles.
template <typename Body>
__device__ inline void for_each_slot(const StretchOperation& operation, int32_t num_tiles, const Body& body) {
  for (int32_t group = 0; group < num_tiles; group += operation.group_tiles) {
    const int32_t group_end = min(group + operation.group_tiles, num_tiles);
    for (int32_t first = 0; first < operation.num_records; first += operation.part_records) {
      for (int32_t tile = group; tile < group_end; ++tile) body(group, group_end, tile, first);
    }
  }
}

struct Ring {
  uint32_t full, empty;
  int32_t num_slots;
  int32_t slot = 0;
  uint32_t parity = 0;
  __device__ void step() {
    if (++slot == num_slots) {
      slot = 0;
      parity ^= 1;
    }
  }
  __device__ uint32_t full_at() const { return full + 8 * static_cast<uint32_t>(slot); }
  __device__ uint32_t empty_at() const { return empty + 8 * static_cast<uint32_t>(slot); }
};

__device__ inline int32_t tiles_of(const StretchOperation& operation) {
  const int32_t pairs = operation.num_pairs - static_cast<int32_t>(blockIdx.x);
  return pairs <= 0 ? 0 : ceil_div(pairs, static_cast<int32_t>(gridDim.x)) * operation.pair_tiles;
}

#ifdef QUOTH_STRETCH_PROBE
#define QUOTH_TIME(i)                                                                             \
  if (p.times != nullptr && blockIdx.x == 5 && threadIdx.x == 0) p.times[index * 8 + (i)] = clock64()
#else
#define QUOTH_TIME(i)
#endif

__global__ void __launch_bounds__((kWarps + 1) * kWarp, 1) stretch_kernel(const __grid_constant__ Stretch p) {
#if __CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1000
  extern __shared__ __align__(128) uint8_t shared[];
  const int32_t warp = static_cast<int32_t>(threadIdx.x) / kWarp;
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % kWarp;
  const uint32_t barriers = shared_address(shared + p.barriers_at);
  Ring ring{barriers, barriers + 8 * static_cast<uint32_t>(p.num_slots), p.num_slots};
  const uint32_t described = barriers + 16 * static_cast<uint32_t>(p.num_slots);
  const uint32_t forgotten = described + 8 * kOperationsAhead;
  auto* const operations = reinterpret_cast<StretchOperation*>(shared + p.operations_at);
  if (threadIdx.x == 0) {
    for (int32_t i = 0; i < p.num_slots; ++i) {
      init_barrier(ring.full + 8 * static_cast<uint32_t>(i), 1);
      init_barrier(ring.empty + 8 * static_cast<uint32_t>(i), kWarps);
    }
    for (uint32_t i = 0; i < kOperationsAhead; ++i) {
      init_barrier(described + 8 * i, 1);
      init_barrier(forgotten + 8 * i, kWarps);
    }
    publish_barriers();
  }
  __syncthreads();

  if (warp == kWarps) {
    const uint64_t policy = read_once_policy();
    const uint64_t keep = keep_policy();
    bool is_first_round = true;
    Ring arrived = ring;  // `num_ahead` slots behind
    int32_t ahead = p.num_ahead;
    for (int32_t index = 0; index < p.num_operations; ++index) {
      const uint32_t place = static_cast<uint32_t>(index) % kOperationsAhead;
      const uint32_t round = static_cast<uint32_t>(index) / kOperationsAhead;
      if (round > 0) wait_barrier(forgotten + 8 * place, (round - 1) & 1);
      reinterpret_cast<uint32_t*>(operations + place)[lane] =
          reinterpret_cast<const uint32_t*>(p.operations + index)[lane];
      __syncwarp();
      if (lane == 0) arrive(described + 8 * place);
      const StretchOperation& operation = operations[place];
      if (operation.norm_weight != nullptr) {  // into the L2 cache
        for (int32_t k = (static_cast<int32_t>(blockIdx.x) * kWarp + lane) * 8; k < operation.num_records * kUnitColumns;
             k += static_cast<int32_t>(gridDim.x) * kWarp * 8) {
          touch(operation.norm_weight + k, keep);
        }
      }
      const int64_t tile_bytes = static_cast<int64_t>(operation.num_records) * kRecordBytes;
      if (lane > 0) continue;
      for_each_slot(operation, tiles_of(operation), [&](int32_t, int32_t, int32_t tile, int32_t first) {
        const int32_t pair =
            static_cast<int32_t>(blockIdx.x) + (tile >> (operation.pair_tiles - 1)) * static_cast<int32_t>(gridDim.x);
        const int64_t row = pair + static_cast<int64_t>(tile & (operation.pair_tiles - 1)) * operation.num_pairs;
        const uint32_t bytes = static_cast<uint32_t>(min(operation.part_records, operation.num_records - first)) * kRecordBytes;
        const uint8_t* from = operation.weight + row * tile_bytes + static_cast<int64_t>(first) * kRecordBytes;
#ifdef QUOTH_STRETCH_PROBE
        if (p.probe & 2) from = p.operations[0].weight + blockIdx.x % 64 * 34816;
#endif
        if (!is_first_round) wait_barrier(ring.empty_at(), ring.parity ^ 1);
        if (ahead > 0) {
          --ahead;
        } else {
          wait_barrier(arrived.full_at(), arrived.parity);
          arrived.step();
        }
#ifdef QUOTH_STRETCH_PROBE
        if (p.probe & 4) {
          arrive(ring.full_at());
        } else
#endif
        {
          expect_bytes(ring.full_at(), bytes);
          copy_bulk(shared_address(shared) + static_cast<uint32_t>(ring.slot * p.slot_bytes), from, bytes,
                    ring.full_at(), policy);
        }
        ring.step();
        if (ring.slot == 0) is_first_round = false;
      });
    }
    return;
  }

  Places places{shared + p.x_at, reinterpret_cast<float2*>(shared + p.factors_at),
                      reinterpret_cast<float*>(shared + p.sums_at), reinterpret_cast<float*>(shared + p.squares_at)};
  const int32_t num_tokens = p.num_tokens;
  const int32_t g = lane / 4, t = lane % 4;
  const int32_t line = g < 2 * num_tokens ? g : 0;
  const uint8_t* const x = places.x + line * kLineBytes + 32 * t;
  const int32_t record_lines = 2 * num_tokens * kLineBytes;
  const float2* const factors = places.factors + (t < num_tokens ? t : 0);
  const int32_t tile_floats = kWarps * num_tokens * kQuantRows + kQuantRows;
  for (int32_t index = 0; index < p.num_operations; ++index) {
    const uint32_t place = static_cast<uint32_t>(index) % kOperationsAhead;
    wait_barrier(described + 8 * place, (static_cast<uint32_t>(index) / kOperationsAhead) & 1);
    const StretchOperation& operation = operations[place];
    const int32_t num_tiles = tiles_of(operation);
    // Two in turn: what ends the operation before still reads the other.
    places.squares = reinterpret_cast<float*>(shared + p.squares_at) + index % 2 * kWarps * kStretchTokens;
    QUOTH_TIME(0);
    if (num_tiles > 0) {
      float residual = 0;
      if (operation.adds) {
        const int32_t count = (min(operation.group_tiles, num_tiles) >> (operation.pair_tiles - 1)) * num_tokens * kQuantRows;
        if (static_cast<int32_t>(threadIdx.x) < count) {
          const int32_t of_pair = static_cast<int32_t>(threadIdx.x) / kQuantRows;
          const int32_t pair = num_tokens == 1 ? of_pair : of_pair / num_tokens;
          const int32_t column = (static_cast<int32_t>(blockIdx.x) + pair * static_cast<int32_t>(gridDim.x)) * kQuantRows +
                                 static_cast<int32_t>(threadIdx.x) % kQuantRows;
          if (column < operation.num_outputs) {
            residual = __ldcg(operation.out + static_cast<int64_t>(of_pair - pair * num_tokens) * operation.out_stride + column);
          }
        }
      }
      if (operation.norm_weight != nullptr) {
        stage_x<true>(p, operation, places, warp, lane);
      } else {
        stage_x<false>(p, operation, places, warp, lane);
      }
      QUOTH_TIME(1);
      sync_multipliers();
      QUOTH_TIME(2);
      const int32_t left_over = operation.num_records % kWarps;
      for_each_slot(operation, num_tiles, [&](int32_t group, int32_t group_end, int32_t tile, int32_t first) {
        // Records that are left over go to other warps for every tile.
        const int32_t turned = (warp + tile * left_over) % kWarps;
        const int32_t count = min(operation.part_records, operation.num_records - first);
        float* const to = places.sums + (tile - group) * tile_floats + (turned * num_tokens + t) * kQuantRows + 2 * g;
        float2 sums{0, 0};
        if (first > 0 && t < num_tokens) sums = *reinterpret_cast<const float2*>(to);
        wait_barrier(ring.full_at(), ring.parity);
        const uint8_t* const slot = shared + ring.slot * p.slot_bytes;
        int32_t record = turned;
        for (; record + kWarps < count; record += 2 * kWarps) {
          Record one, two;
          one.load(slot + record * kRecordBytes, g, t);
          two.load(slot + (record + kWarps) * kRecordBytes, g, t);
          const int32_t at = first + record;
          one.multiply(sums, x + at * record_lines, factors + at * kStretchTokens);
          two.multiply(sums, x + (at + kWarps) * record_lines, factors + (at + kWarps) * kStretchTokens);
        }
        if (record < count) {
          Record one;
          one.load(slot + record * kRecordBytes, g, t);
          one.multiply(sums, x + (first + record) * record_lines, factors + (first + record) * kStretchTokens);
        }
        __syncwarp();
        if (lane == 0) arrive(ring.empty_at());
        ring.step();
        if (t < num_tokens) *reinterpret_cast<float2*>(to) = sums;
        if (first + count < operation.num_records || tile + 1 < group_end) return;
        QUOTH_TIME(3);
        sync_multipliers();
        QUOTH_TIME(4);
        finish_group(p, operation, places, group, group_end, residual);
        if (group_end < num_tiles) sync_multipliers();
        QUOTH_TIME(5);
      });
    }
    __syncwarp();
    if (lane == 0) arrive(forgotten + 8 * place);
  }
#endif
}

constexpr int32_t kSlotRecords = 40;
constexpr int32_t kAheadBytes = 64 * 1024;
constexpr int32_t kSumsBytes = 16 * 1024;

int32_t round_up(int32_t value, int32_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

// Shared memory of the stretch; how many slots the ring has follows from what is left.
int32_t place(const Device* device, Stretch& p) {
  int32_t records = 0, slot_records = 0, sums = 0;
  const int32_t tile_floats = kWarps * p.num_tokens * kQuantRows + kQuantRows;
  for (int32_t i = 0; i < p.num_operations; ++i) {
    const StretchOperation& operation = p.operations[i];
    records = std::max(records, operation.num_records);
    slot_records = std::max(slot_records, operation.part_records);
    sums = std::max(sums, operation.group_tiles * tile_floats * 4);
  }
  p.slot_bytes = round_up(slot_records * kRecordBytes, 128);
  const int32_t x_bytes = round_up(records * 2 * p.num_tokens * kLineBytes, 128);
  const int32_t factor_bytes = round_up(records * kStretchTokens * 8, 128);
  const int32_t rest = x_bytes + factor_bytes + round_up(sums, 128) + 2 * kWarps * kStretchTokens * 4 +
                       kOperationsAhead * static_cast<int32_t>(sizeof(StretchOperation)) + 8 * (2 * 16 + 2 * kOperationsAhead) + 512;
  p.num_slots = std::min(16, (device->shared_bytes - rest) / p.slot_bytes);
  int32_t at = p.num_slots * p.slot_bytes;
  const auto take = [&](int32_t bytes) {
    const int32_t start = round_up(at, 128);
    at = start + bytes;
    return start;
  };
  p.x_at = take(x_bytes);
  p.factors_at = take(factor_bytes);
  p.sums_at = take(sums);
  p.squares_at = take(2 * kWarps * kStretchTokens * 4);
  p.operations_at = take(kOperationsAhead * static_cast<int32_t>(sizeof(StretchOperation)));
  p.barriers_at = take(8 * (2 * p.num_slots + 2 * kOperationsAhead));
  return at;
}

}  // namespace
}  // namespace stretch

Status make_stretches(Device* device) {
  if (device->capability / 10 != 9) return {};
  int cooperates = 0;
  int blocks = 0;
  Status status = status_of(device, cudaDeviceGetAttribute(&cooperates, cudaDevAttrCooperativeLaunch, 0));
  if (status.ok()) {
    status = status_of(device, cudaFuncSetAttribute(stretch::stretch_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                    device->shared_bytes));
  }
  if (status.ok()) {
    status = status_of(device, cudaOccupancyMaxActiveBlocksPerMultiprocessor(
                                   &blocks, stretch::stretch_kernel, (stretch::kWarps + 1) * kWarp,
                                   static_cast<size_t>(device->shared_bytes)));
  }
  if (!status.ok() || cooperates == 0 || blocks < 1) return status;
  device->stretch = new (std::nothrow) StretchBuilder{};
  if (device->stretch == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  return {};
}

void free_stretches(Device* device) {
  delete device->stretch;
  device->stretch = nullptr;
}

bool join_stretch(Device* device, const Rows& x, const Weight& weight, const float* bias, Activation activation,
                  const LinearFusion& fusion, const Rows& out) {
  StretchBuilder* builder = device->stretch;
  if (builder == nullptr || x.num_rows > kStretchTokens || weight.type != Type::int4_g128 ||
      fusion.norm == LinearFusion::Norm::layer || !decodes(x, weight, fusion) || weight.num_rows % kQuantRows != 0 ||
      !has_fours(x) || out.width > builder->exchange_floats || out.width % 4 != 0 ||
      reinterpret_cast<uintptr_t>(fusion.norm_weight) % 16 != 0) {
    return false;
  }
  Stretch& p = builder->stretch;
  if (p.num_operations > 0 && (p.num_tokens != x.num_rows || p.num_operations == kStretchOperations)) return false;
  StretchOperation operation{};
  operation.weight = static_cast<const uint8_t*>(weight.data);
  operation.x = x.data;
  operation.x_stride = static_cast<int32_t>(x.stride);
  operation.norm_weight = fusion.norm == LinearFusion::Norm::rms ? fusion.norm_weight : nullptr;
  operation.bias = bias;
  operation.out = out.data;
  operation.out_stride = static_cast<int32_t>(out.stride);
  operation.num_records = weight.num_columns / kUnitColumns;
  operation.part_records =
      operation.num_records <= stretch::kSlotRecords ? operation.num_records : 32;
  operation.num_outputs = out.width;
  operation.num_pairs = out.width / kQuantRows;
  operation.pair_tiles = fusion.is_gated ? 2 : 1;
  operation.epsilon = fusion.epsilon;
  operation.inverse_columns = 1.0f / static_cast<float>(weight.num_columns);
  operation.activation = static_cast<int16_t>(activation);
  operation.adds = fusion.adds;
  operation.is_gated = fusion.is_gated;
  const int32_t most = ceil_div(operation.num_pairs, device->num_multiprocessors) * operation.pair_tiles;
  const int32_t tile_bytes = stretch::kWarps * x.num_rows * kQuantRows * 4;
  operation.group_tiles =
      std::min(most, std::max(1, stretch::kSumsBytes / tile_bytes / operation.pair_tiles) * operation.pair_tiles);

  // Who wrote x, and what is added to.
  const int32_t region_floats = builder->exchange_floats * kStretchTokens;
  const auto overlaps = [&](const StretchBuilder::Result& result, const Rows& rows) {
    const float* end = rows.data + (rows.num_rows - 1) * static_cast<int64_t>(rows.stride) + rows.width;
    const float* result_end =
        result.data + (p.num_tokens - 1) * static_cast<int64_t>(result.stride) + result.width;
    return rows.data < result_end && result.data < end;
  };
  const int32_t first = builder->step_operations - p.num_operations;  // of the open stretch
  for (int32_t i = 0; i < builder->num_results; ++i) {
    const StretchBuilder::Result& result = builder->results[i];
    if (overlaps(result, x)) {
      if (result.data != x.data || result.stride != static_cast<int32_t>(x.stride) || result.width < x.width ||
          builder->step_operations - result.operation > kExchangeRegions - 3) {
        return false;
      }
      operation.x_tag = static_cast<uint32_t>(1 + result.operation % 251);
      operation.x_exchange = result.operation % kExchangeRegions * region_floats;
      operation.x_exchange_stride = builder->exchange_floats;
    }
    if (overlaps(result, out) && fusion.adds && (result.data != out.data || result.width != out.width)) return false;
  }
  (void)first;
  operation.out_tag = static_cast<uint32_t>(1 + builder->step_operations % 251);
  operation.out_exchange = builder->step_operations % kExchangeRegions * region_floats;
  operation.out_exchange_stride = builder->exchange_floats;
  p.operations[p.num_operations] = operation;
  p.num_tokens = x.num_rows;
  ++p.num_operations;
  if (stretch::place(device, p); p.num_slots < 2) {
    --p.num_operations;
    return false;
  }
  const StretchBuilder::Result made{out.data, out.width, static_cast<int32_t>(out.stride), builder->step_operations, fusion.is_gated};
  int32_t kept = 0;
  for (int32_t i = 0; i < builder->num_results; ++i) {
    if (!overlaps(builder->results[i], out) && kept < 7) builder->results[kept++] = builder->results[i];
  }
  builder->results[kept++] = made;
  builder->num_results = kept;
  ++builder->step_operations;
  return true;
}

Status end_stretch(Device* device) {
  StretchBuilder* builder = device->stretch;
  if (builder == nullptr || builder->stretch.num_operations == 0) return {};
  Stretch& p = builder->stretch;
  const int32_t shared_bytes = stretch::place(device, p);
  p.num_ahead = std::min(p.num_slots, std::max(2, stretch::kAheadBytes / p.slot_bytes));
#ifdef QUOTH_STRETCH_PROBE
  extern int32_t probe_ahead, probe_mode;
  extern int64_t* probe_times;
  if (probe_ahead > 0) p.num_ahead = std::min(p.num_slots, probe_ahead);
  p.probe = probe_mode;
  p.times = probe_times;
#endif
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(device->num_multiprocessors));
  config.blockDim = dim3((stretch::kWarps + 1) * kWarp);
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = device->stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  const Status status = status_of(device, cudaLaunchKernelEx(&config, stretch::stretch_kernel, p));
  p.num_operations = 0;
  builder->num_results = 0;
  return status;
}

}  // namespace quoth::cuda
