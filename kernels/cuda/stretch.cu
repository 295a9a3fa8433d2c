// See stretch.h. One block on each multiprocessor, all at once: 16 warps multiply, one brings the weights of all
// operations, one after another, and copies each operation's description to where the others read it.
#include "stretch.h"

#include <algorithm>
#include <new>
#include <type_traits>

#include "linear_decode.h"
#include "stretch_attention.h"

namespace quoth::cuda {
namespace stretch {
namespace {

// What both sides of the ring go through in the same order: groups of tiles; parts of K; tiles.
template <typename Body>
__device__ inline void for_each_slot(const LinearWork& work, int32_t num_tiles, const Body& body) {
  for (int32_t group = 0; group < num_tiles; group += work.group_tiles) {
    const int32_t group_end = min(group + work.group_tiles, num_tiles);
    for (int32_t first = 0; first < work.num_records; first += work.part_records) {
      for (int32_t tile = group; tile < group_end; ++tile) body(tile, first);
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

// Pairs of tiles of this block.
__device__ inline int32_t pairs_of(const LinearWork& work) {
  return work.block_pairs + (static_cast<int32_t>(blockIdx.x) < work.blocks_with_more ? 1 : 0);
}

// The warp that brings: the descriptions of the operations, then their weights.
__device__ inline void bring_all(const Stretch& p, uint8_t* shared, Ring ring, uint32_t described, uint32_t forgotten,
                                 int32_t lane) {
  auto* const operations = reinterpret_cast<StretchOperation*>(shared + p.operations_at);
  const uint64_t policy = read_once_policy();
  bool is_first_round = true;
  Ring arrived = ring;  // `num_ahead` slots behind
  int32_t ahead = p.num_ahead;
  constexpr int32_t kOperationWords = sizeof(StretchOperation) / 4;
  uint32_t next_word = lane < kOperationWords ? reinterpret_cast<const uint32_t*>(p.operations)[lane] : 0;
  for (int32_t index = 0; index < p.num_operations; ++index) {
    const uint32_t place = static_cast<uint32_t>(index) % kOperationsAhead;
    const uint32_t round = static_cast<uint32_t>(index) / kOperationsAhead;
    if (round > 0) wait_barrier(forgotten + 8 * place, (round - 1) & 1);
    if (lane < kOperationWords) reinterpret_cast<uint32_t*>(operations + place)[lane] = next_word;
    __syncwarp();
    if (lane == 0) arrive(described + 8 * place);
    // The next one is on its way while this one's weights are.
    if (lane < kOperationWords && index + 1 < p.num_operations) {
      next_word = reinterpret_cast<const uint32_t*>(p.operations + index + 1)[lane];
    }
    const StretchOperation& operation = operations[place];
    if (operation.is_attention) continue;
    const LinearWork& work = operation.linear;
    if (work.norm_weight != nullptr) {  // into the L2 cache
      for (int32_t k = (static_cast<int32_t>(blockIdx.x) * kWarp + lane) * 32; k < work.num_records * kUnitColumns;
           k += static_cast<int32_t>(gridDim.x) * kWarp * 32) {
        fetch_and_keep(work.norm_weight + k);
      }
    }
    if (lane > 0) continue;
    const int64_t tile_bytes = static_cast<int64_t>(work.num_records) * kRecordBytes;
    for_each_slot(work, pairs_of(work) * work.pair_tiles, [&](int32_t tile, int32_t first) {
      const int32_t pair =
          static_cast<int32_t>(blockIdx.x) + (tile >> (work.pair_tiles - 1)) * static_cast<int32_t>(gridDim.x);
      const int64_t row = pair + static_cast<int64_t>(tile & (work.pair_tiles - 1)) * work.num_pairs;
      const uint32_t bytes =
          static_cast<uint32_t>(min(work.part_records, work.num_records - first)) * kRecordBytes;
      const uint8_t* from = work.weight + row * tile_bytes + static_cast<int64_t>(first) * kRecordBytes;
#ifdef QUOTH_STRETCH_PROBE
      if (p.probe & 2) from = p.operations[0].linear.weight + blockIdx.x % 64 * 34816;
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
        copy_bulk(shared_address(shared + p.ring_at) + static_cast<uint32_t>(ring.slot * p.slot_bytes), from, bytes,
                  ring.full_at(), policy);
      }
      ring.step();
      if (ring.slot == 0) is_first_round = false;
    });
  }
}

// One linear, by the warps that multiply.
template <int32_t kTokens>
__device__ inline void multiply_all(const Stretch& p, const StretchOperation& operation, uint8_t* shared, Ring& ring,
                                    int32_t index) {
  const LinearWork& work = operation.linear;
  const int32_t num_pairs = pairs_of(work);
  if (num_pairs == 0) return;
  // Two squares in turn: what ends the operation before still reads the other.
  const Places places{shared + p.x_at, reinterpret_cast<float2*>(shared + p.factors_at),
                      reinterpret_cast<float*>(shared + p.sums_at),
                      reinterpret_cast<float*>(shared + p.squares_at) + index % 2 * kWarps * kStretchTokens};
  const int32_t group_pairs = work.group_tiles >> (work.pair_tiles - 1);
  float residual = 0;
  if (const int32_t i = thread_index(); work.adds && i < min(group_pairs, num_pairs) * kTokens * kQuantRows) {
    const Finished<kTokens> is(i, 0);
    residual = __ldcg(operation.out + static_cast<int64_t>(is.token) * operation.out_stride + is.column);
  }
  float squares[kTokens] = {};
  {
    const int32_t thread = thread_index();
    if (work.norm_weight != nullptr) {
      stage_x<kTokens, true>(p, operation, work, places, thread / kWarp, thread % kWarp, squares);
    } else {
      stage_x<kTokens, false>(p, operation, work, places, thread / kWarp, thread % kWarp, squares);
    }
  }
  QUOTH_TIME(1);
  sync_multipliers();
  QUOTH_TIME(2);
  const int32_t thread = thread_index();
  const int32_t warp = thread / kWarp, lane = thread % kWarp;
  if (work.norm_weight != nullptr) {  // looked at when the tiles are done
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) {
      const float total = warp_sum(squares[t]);
      if (lane == 0) places.squares[warp * kTokens + t] = total;
    }
  }

  const int32_t g = lane / 4, t = lane % 4;
  const int32_t lane_at = 64 * t + 8 * g, row_at = 4 * g;
  constexpr int32_t kRecordLines = 2 * kTokens * kLineBytes;
  const uint8_t* const x = places.x + (g < 2 * kTokens ? g : 0) * kLineBytes + 32 * t;
  const float2* const factors = places.factors + (t < kTokens ? t : 0);
  const bool has_token = t < kTokens;
  const int32_t num_tiles = num_pairs * work.pair_tiles;
  const int32_t num_records = work.num_records, part_records = work.part_records;
  const uint8_t* const slots = shared + p.ring_at;
  // Records left over of a tile in one part go to other warps for every tile.
  const int32_t turn_by = part_records >= num_records ? num_records % kWarps : 0;
  for (int32_t group = 0; group < num_tiles; group += work.group_tiles) {
    const int32_t group_tiles = min(work.group_tiles, num_tiles - group);
    for (int32_t first = 0; first < num_records; first += part_records) {
      const int32_t count = min(part_records, num_records - first);
      if (count == 2 * kWarps) {
        RecordOfX x_one, x_two;
        x_one.load(x + (first + warp) * kRecordLines, factors + (first + warp) * kTokens);
        x_two.load(x + (first + warp + kWarps) * kRecordLines, factors + (first + warp + kWarps) * kTokens);
        float* to = places.sums + (warp * kTokens + t) * kQuantRows + 2 * g;
        const uint8_t* const from = slots + warp * kRecordBytes;
        for (int32_t tile = 0; tile < group_tiles; ++tile, to += kTileFloats<kTokens>) {
          float2 sums{0, 0};
          if (first > 0 && has_token) sums = *reinterpret_cast<const float2*>(to);
          wait_barrier(ring.full_at(), ring.parity);
          Record one, two;
          one.load(from + ring.slot * p.slot_bytes, lane_at, row_at);
          two.load(from + ring.slot * p.slot_bytes + kWarps * kRecordBytes, lane_at, row_at);
          one.multiply(sums, x_one);
          two.multiply(sums, x_two);
          __syncwarp();
          if (lane == 0) arrive(ring.empty_at());
          ring.step();
          if (has_token) *reinterpret_cast<float2*>(to) = sums;
        }
        continue;
      }
      int32_t turned = (warp + group * turn_by) % kWarps;
      for (int32_t tile = 0; tile < group_tiles; ++tile) {
        float* const to = places.sums + tile * kTileFloats<kTokens> + (turned * kTokens + t) * kQuantRows + 2 * g;
        float2 sums{0, 0};
        if (first > 0 && has_token) sums = *reinterpret_cast<const float2*>(to);
        wait_barrier(ring.full_at(), ring.parity);
        const uint8_t* const slot = slots + ring.slot * p.slot_bytes;
        int32_t record = turned;
        for (; record + kWarps < count; record += 2 * kWarps) {
          Record one, two;
          RecordOfX x_one, x_two;
          one.load(slot + record * kRecordBytes, lane_at, row_at);
          two.load(slot + (record + kWarps) * kRecordBytes, lane_at, row_at);
          x_one.load(x + (first + record) * kRecordLines, factors + (first + record) * kTokens);
          x_two.load(x + (first + record + kWarps) * kRecordLines, factors + (first + record + kWarps) * kTokens);
          one.multiply(sums, x_one);
          two.multiply(sums, x_two);
        }
        if (record < count) {
          Record one;
          RecordOfX x_one;
          one.load(slot + record * kRecordBytes, lane_at, row_at);
          x_one.load(x + (first + record) * kRecordLines, factors + (first + record) * kTokens);
          one.multiply(sums, x_one);
        }
        __syncwarp();
        if (lane == 0) arrive(ring.empty_at());
        ring.step();
        if (has_token) *reinterpret_cast<float2*>(to) = sums;
        turned = (turned + turn_by) % kWarps;
      }
    }
    QUOTH_TIME(3);
    sync_multipliers();
    QUOTH_TIME(4);
    finish_group<kTokens>(p, operation, work, places, group >> (work.pair_tiles - 1),
                          group_tiles >> (work.pair_tiles - 1), residual);
    if (group + group_tiles < num_tiles) sync_multipliers();
    QUOTH_TIME(5);
  }
}

template <int32_t kTokens>
__global__ void __launch_bounds__(kThreads, 1) stretch_kernel(const __grid_constant__ Stretch p) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ __align__(128) uint8_t shared[];
  const int32_t warp = static_cast<int32_t>(threadIdx.x) / kWarp;
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % kWarp;
  const uint32_t barriers = shared_address(shared + p.barriers_at);
  Ring ring{barriers, barriers + 8 * static_cast<uint32_t>(p.num_slots), p.num_slots};
  const uint32_t described = barriers + 16 * static_cast<uint32_t>(p.num_slots);
  const uint32_t forgotten = described + 8 * kOperationsAhead;
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
  let_next_start();

  if (warp >= kWarps) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 32;");
    if (warp == kWarps) bring_all(p, shared, ring, described, forgotten, lane);
    return;
  }
  asm volatile("setmaxnreg.inc.sync.aligned.u32 112;");
  const uint32_t first_tag = p.step != nullptr ? __ldcg(p.step) << 8 : 0;
  const auto* const operations = reinterpret_cast<const StretchOperation*>(shared + p.operations_at);
  bool is_prepared = false;  // the table of attention, one for all layers
  for (int32_t index = 0; index < p.num_operations; ++index) {
    const uint32_t place = static_cast<uint32_t>(index) % kOperationsAhead;
    wait_barrier(described + 8 * place, (static_cast<uint32_t>(index) / kOperationsAhead) & 1);
    const StretchOperation& operation = operations[place];
    QUOTH_TIME(0);
    if (operation.is_attention) {
      AttentionTable& table = *reinterpret_cast<AttentionTable*>(shared + p.table_at);
      const AttentionWork& work = operation.attention;
      if (!is_prepared) prepare(p, work, table);
      is_prepared = true;
      attend_all(p, operation, shared + p.x_at, table, first_tag | operation.out_tag, index);
      QUOTH_TIME(5);
    } else {
      multiply_all<kTokens>(p, operation, shared, ring, index);
    }
    __syncwarp();
    if (lane == 0) arrive(forgotten + 8 * place);
  }
#endif
}
using Kernel = void (*)(Stretch);
constexpr Kernel kKernels[kStretchTokens] = {stretch_kernel<1>, stretch_kernel<2>, stretch_kernel<3>,
                                             stretch_kernel<4>};

constexpr int32_t kSlotRecords = 40;
constexpr int32_t kMinSlots = 2, kMaxSlots = 16;
constexpr int32_t kAheadBytes = 64 * 1024;
constexpr int32_t kSumsBytes = 16 * 1024;

int32_t round_up(int32_t value, int32_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

// Shared memory of the stretch; how many slots the ring has follows from what is left.
int32_t place(const Device* device, Stretch& p) {
  int32_t records = 0, slot_records = 0, sums = 0, attention = 0;
  const int32_t tile_floats = kWarps * p.num_tokens * kQuantRows + kQuantRows;
  for (int32_t i = 0; i < p.num_operations; ++i) {
    const StretchOperation& operation = p.operations[i];
    if (operation.is_attention) {
      attention = std::max(attention, attention_bytes(operation.attention.group_size));
      continue;
    }
    records = std::max(records, operation.linear.num_records);
    slot_records = std::max(slot_records, operation.linear.part_records);
    sums = std::max(sums, operation.linear.group_tiles * tile_floats * 4);
  }
  p.slot_bytes = round_up(slot_records * kRecordBytes, 128);
  int32_t at = 0;
  const auto take = [&](int32_t bytes) {
    const int32_t start = at;
    at = round_up(start + bytes, 128);
    return start;
  };
  // Attention has the memory of x and of the sums to itself.
  p.x_at = take(records * 2 * p.num_tokens * kLineBytes);
  p.factors_at = take(records * p.num_tokens * 8);
  p.sums_at = take(sums);
  at = std::max(at, round_up(attention, 128));
  p.squares_at = take(2 * kWarps * kStretchTokens * 4);
  p.table_at = take(attention == 0 ? 0 : static_cast<int32_t>(sizeof(AttentionTable)));
  p.operations_at = take(kOperationsAhead * static_cast<int32_t>(sizeof(StretchOperation)));
  p.barriers_at = take(8 * (2 * kMaxSlots + 2 * kOperationsAhead));
  p.ring_at = at;
  p.num_slots = p.slot_bytes == 0 ? kMaxSlots : std::min(kMaxSlots, (device->shared_bytes - at) / p.slot_bytes);
  return p.ring_at + p.num_slots * p.slot_bytes;
}

// An operation of the open stretch whose x and out are known; false if the stretch cannot take it.
bool join(Device* device, const Rows& x, const Rows& out, bool adds, StretchOperation operation) {
  StretchBuilder& builder = *device->stretch;
  Stretch& p = builder.stretch;
  const auto overlap = [](const Rows& a, const Rows& b) {
    const auto end_of = [](const Rows& rows) {
      return rows.data + (rows.num_rows - 1) * static_cast<int64_t>(rows.stride) + rows.width;
    };
    return a.data < end_of(b) && b.data < end_of(a);
  };
  const int32_t region = builder.region_floats;
  operation.x = x.data;
  operation.x_stride = static_cast<int32_t>(x.stride);
  operation.out = out.data;
  operation.out_stride = static_cast<int32_t>(out.stride);
  operation.out_tag = static_cast<uint32_t>(1 + builder.step_operations % 251);
  operation.out_exchange = builder.step_operations % kExchangeRegions * region;
  for (int32_t i = 0; i < builder.num_results; ++i) {
    const StretchBuilder::Result& result = builder.results[i];
    if (overlap(result.rows, x)) {
      if (result.rows.data != x.data || result.rows.stride != x.stride || result.rows.width < x.width ||
          builder.step_operations - result.operation > kExchangeRegions - 3) {
        return false;
      }
      operation.x_tag = static_cast<uint32_t>(1 + result.operation % 251);
      operation.x_exchange = result.operation % kExchangeRegions * region;
    }
    // What is added to was written by the same blocks.
    if (overlap(result.rows, out) && adds && (result.rows.data != out.data || result.rows.width != out.width)) return false;
  }
  p.operations[p.num_operations++] = operation;
  p.num_tokens = x.num_rows;
  if (place(device, p); p.num_slots < kMinSlots) {
    --p.num_operations;
    return false;
  }
  int32_t kept = 0;
  for (int32_t i = builder.num_results == 8 ? 1 : 0; i < builder.num_results; ++i) {
    if (!overlap(builder.results[i].rows, out)) builder.results[kept++] = builder.results[i];
  }
  builder.results[kept++] = {out, builder.step_operations++};
  builder.num_results = kept;
  return true;
}

bool is_open_to(const Device* device, int32_t num_tokens) {
  if (device->stretch == nullptr || !device->stretch->is_open || num_tokens > kStretchTokens) return false;
  const Stretch& p = device->stretch->stretch;
  return p.num_operations == 0 || (p.num_tokens == num_tokens && p.num_operations < kStretchOperations);
}

}  // namespace
}  // namespace stretch

Status make_stretches(Device* device) {
  if (device->capability / 10 != 9) return {};
  int cooperates = 0;
  int blocks = 0;
  Status status = status_of(device, cudaDeviceGetAttribute(&cooperates, cudaDevAttrCooperativeLaunch, 0));
  if (status.ok()) {
    for (const stretch::Kernel kernel : stretch::kKernels) {
      status = status_of(
          device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, device->shared_bytes));
      if (!status.ok()) return status;
    }
    status = status_of(device, cudaOccupancyMaxActiveBlocksPerMultiprocessor(
                                   &blocks, stretch::kKernels[0], stretch::kThreads,
                                   static_cast<size_t>(device->shared_bytes)));
  }
  if (!status.ok() || cooperates == 0 || blocks < 1) return status;
  device->stretch = new (std::nothrow) StretchBuilder{};
  if (device->stretch == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  return {};
}

Status reserve_stretches(Device* device, int32_t max_columns) {
  if (device->stretch == nullptr) return {};
  StretchBuilder& builder = *device->stretch;
  builder.region_floats = ceil_div(max_columns, 32) * 32;
  Stretch& p = builder.stretch;
  p.exchange_stride = kExchangeRegions * builder.region_floats;
  const auto take = [&](auto** place, int64_t count) {
    void* memory = nullptr;
    const size_t size_bytes = sizeof(**place) * static_cast<size_t>(count);
    Status status = status_of(device, cudaMalloc(&memory, size_bytes));
    if (!status.ok()) return status;
    *place = static_cast<std::remove_reference_t<decltype(*place)>>(memory);
    return status_of(device, cudaMemsetAsync(memory, 0, size_bytes, device->stream));
  };
  Status status = take(&p.exchange, int64_t{kStretchTokens} * p.exchange_stride);
  if (status.ok()) status = take(&p.partials, kStretchPartials * stretch::kHeadSize);
  if (status.ok()) status = take(&p.partial_ends, kStretchPartials * 2);
  if (status.ok()) status = take(&p.step, 1);
  return status;
}

void release_stretches(Device* device) {
  if (device->stretch == nullptr) return;
  close_stretches(device);
  Stretch& p = device->stretch->stretch;
  for (void* memory : {static_cast<void*>(p.exchange), static_cast<void*>(p.partials),
                       static_cast<void*>(p.partial_ends), static_cast<void*>(p.step)}) {
    (void)cudaFree(memory);
  }
  p.exchange = nullptr;
  p.partials = p.partial_ends = nullptr;
  p.step = nullptr;
  device->stretch->region_floats = 0;
}

StretchStart begin_stretches(Device* device, int32_t num_tokens) {
  close_stretches(device);
  if (device->stretch == nullptr || num_tokens > kStretchTokens) return {};
  StretchBuilder& builder = *device->stretch;
  builder.is_open = builder.region_floats > 0;
  builder.step_operations = 0;
  const Stretch& p = builder.stretch;
  return {reinterpret_cast<uint4*>(p.exchange), num_tokens * p.exchange_stride / 4, p.step, ++builder.num_steps};
}

void close_stretches(Device* device) {
  if (device->stretch == nullptr) return;
  device->stretch->is_open = false;
  device->stretch->stretch.num_operations = 0;
  device->stretch->num_results = 0;
}

void free_stretches(Device* device) {
  delete device->stretch;
  device->stretch = nullptr;
}

bool join_stretch(Device* device, const Rows& x, const Weight& weight, const float* bias, Activation activation,
                  const LinearFusion& fusion, const Rows& out) {
  if (!stretch::is_open_to(device, x.num_rows) || weight.type != Type::int4_g128 ||
      fusion.norm == LinearFusion::Norm::layer ||
      (activation != Activation::none && activation != Activation::silu) || !decodes(x, weight, fusion) || weight.num_rows % kQuantRows != 0 ||
      !has_fours(x) || out.width > device->stretch->region_floats ||
      reinterpret_cast<uintptr_t>(fusion.norm_weight) % 16 != 0) {
    return false;
  }
  StretchOperation operation{};
  LinearWork& work = operation.linear;
  work.weight = static_cast<const uint8_t*>(weight.data);
  work.norm_weight = fusion.norm == LinearFusion::Norm::rms ? fusion.norm_weight : nullptr;
  work.bias = bias;
  work.num_records = weight.num_columns / kUnitColumns;
  work.part_records = work.num_records <= stretch::kSlotRecords ? work.num_records : 2 * stretch::kWarps;
  work.num_outputs = out.width;
  work.num_pairs = out.width / kQuantRows;
  work.block_pairs = work.num_pairs / device->num_multiprocessors;
  work.blocks_with_more = work.num_pairs % device->num_multiprocessors;
  work.pair_tiles = fusion.is_gated ? 2 : 1;
  work.epsilon = fusion.epsilon;
  work.inverse_columns = 1.0f / static_cast<float>(weight.num_columns);
  work.has_silu = activation == Activation::silu;
  work.adds = fusion.adds;
  work.is_gated = fusion.is_gated;
  const int32_t most = ceil_div(work.num_pairs, device->num_multiprocessors) * work.pair_tiles;
  const int32_t tile_bytes = stretch::kWarps * x.num_rows * kQuantRows * 4;
  work.group_tiles = std::min(most, std::max(1, stretch::kSumsBytes / tile_bytes / work.pair_tiles) * work.pair_tiles);
  return stretch::join(device, x, out, fusion.adds, operation);
}

bool join_stretch(Device* device, const Rows& qkv, const Attention& shape, const Rope& rope, const DeviceBatch& staged,
                  int32_t page_table_stride, int32_t num_pages, const KvPages& pages, const Rows& out) {
  if (!stretch::is_open_to(device, qkv.num_rows) || pages.type != Type::f16 || shape.head_size != stretch::kHeadSize ||
      shape.num_heads / shape.num_kv_heads > stretch::kMaxGroup || shape.window > 0 || shape.soft_cap > 0 ||
      shape.slopes != nullptr || rope.rotary_size != shape.head_size || out.stride % 4 != 0 ||
      reinterpret_cast<uintptr_t>(out.data) % 16 != 0 || out.width > device->stretch->region_floats) {
    return false;
  }
  Stretch& p = device->stretch->stretch;
  const int32_t max_splits = few::split_of(num_pages - 1) + 1;
  const int64_t items = int64_t{qkv.num_rows} * shape.num_kv_heads * max_splits;
  if (items * (shape.num_heads / shape.num_kv_heads) > kStretchPartials ||
      items > int64_t{stretch::kMaxItems} * device->num_multiprocessors) {
    return false;
  }
  StretchOperation operation{};
  operation.is_attention = true;
  operation.attention = {pages.keys, pages.values, rope.inverse_frequencies, shape.num_heads, shape.num_kv_heads,
                         shape.num_heads / shape.num_kv_heads, shape.scale / kQueryPart, rope.factor, rope.adjacent_pairs};
  for (int32_t i = 0; i < p.num_operations; ++i) {  // one table for all layers
    const AttentionWork& other = p.operations[i].attention;
    if (p.operations[i].is_attention &&
        (other.inverse_frequencies != rope.inverse_frequencies || other.rope_factor != rope.factor ||
         other.adjacent_pairs != rope.adjacent_pairs || other.num_kv_heads != shape.num_kv_heads)) {
      return false;
    }
  }
  p.positions = staged.positions;
  p.page_table = staged.page_table;
  p.page_table_stride = page_table_stride;
  p.max_splits = max_splits;
  return stretch::join(device, qkv, out, false, operation);
}

Status end_stretch(Device* device) {
  StretchBuilder* builder = device->stretch;
  if (builder == nullptr || builder->stretch.num_operations == 0) return {};
  Stretch& p = builder->stretch;
  const int32_t shared_bytes = stretch::place(device, p);
  p.num_ahead = std::min(p.num_slots, std::max(2, stretch::kAheadBytes / std::max(1, p.slot_bytes)));
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
  config.blockDim = dim3(stretch::kThreads);
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = device->stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  const Status status = status_of(device, cudaLaunchKernelEx(&config, stretch::kKernels[p.num_tokens - 1], p));
  p.num_operations = 0;
  builder->num_results = 0;
  return status;
}

}  // namespace quoth::cuda
