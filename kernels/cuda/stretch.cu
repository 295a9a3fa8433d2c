// Which operations join a stretch, and its launch: see stretch.h.
#include <algorithm>
#include <new>
#include <type_traits>

#include "linear_decode.h"
#include "step.h"
#include "stretch.h"
#include "stretch_kernel.h"

namespace quoth::cuda {
namespace stretch {
namespace {

using Kernel = void (*)(Stretch);
constexpr Kernel kKernels[kStretchTokens] = {stretch_kernel<1>, stretch_kernel<2>, stretch_kernel<3>,
                                             stretch_kernel<4>};

constexpr int32_t kMinSlots = 2, kMaxSlots = 16;

int32_t round_up(int32_t value, int32_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

int32_t region_of(int32_t max_columns) {
  return round_up(std::min(max_columns, kStretchColumns), 32);
}

// Shared memory of the stretch; how many slots the ring has follows from what is left.
int32_t place(const Device* device, Stretch& p) {
  int32_t records = 0, slot_bytes = 0, sums = 0, attention = 0;
  p.first_attention = -1;
  for (int32_t i = 0; i < p.num_operations; ++i) {
    const StretchOperation& operation = p.operations[i];
    if (operation.is_attention) {
      if (p.first_attention < 0) p.first_attention = i;
      attention = std::max(attention, attention_bytes(operation.attention.group_size));
      slot_bytes = std::max(slot_bytes, kChunkPages * kPageBytes);
      continue;
    }
    const LinearWork& linear = operation.linear;
    records = std::max(records, linear.num_records);
    const int32_t slot_records =
        linear.num_records >= kSlotRecords ? kSlotRecords : linear.rest_tiles * linear.rest_records;
    slot_bytes = std::max(slot_bytes, slot_records * kRecordBytes);
    sums = std::max(sums, linear.group_tiles * tile_floats(linear, p.num_tokens) * 4);
  }
  p.slot_bytes = round_up(slot_bytes, 128);
  int32_t at = 0;
  const auto take = [&](int32_t bytes) {
    const int32_t start = at;
    at = round_up(start + bytes, 128);
    return start;
  };
  // Attention has the memory of x and of the sums to itself.
  // One row: a part of K after another, and each warp keeps what it multiplies in places of its own.
  if (p.num_tokens == 1) records = kSlotRecords;
  p.x_at = take(records * 2 * p.num_tokens * kLineBytes);
  p.factors_at = take(records * p.num_tokens * 8);
  p.sums_at = take(sums);
  at = std::max(at, round_up(attention, 128));
  p.squares_at = take(2 * kWarps * kStretchTokens * 4);
  p.table_at = take(attention == 0 ? 0 : static_cast<int32_t>(sizeof(AttentionTable)));
  p.operations_at = take(kOperationsAhead * static_cast<int32_t>(sizeof(StretchOperation)));
  p.barriers_at = take(8 * (2 * kMaxSlots + 2 * kOperationsAhead) + 16);
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
  int32_t writer = -1;
  for (int32_t i = 0; i < builder.num_results; ++i) {
    const StretchBuilder::Result& result = builder.results[i];
    if (overlap(result.rows, x)) {
      if (result.rows.data != x.data || result.rows.stride != x.stride || result.rows.width < x.width ||
          builder.step_operations - result.operation > kExchangeRegions - 3) {
        return false;
      }
      operation.x_tag = static_cast<uint32_t>(1 + result.operation % 251);
      operation.x_exchange = result.operation % kExchangeRegions * region;
      writer = p.num_operations - (builder.step_operations - result.operation);
    }
    // What is added to was written by the same threads.
    if (overlap(result.rows, out) && adds &&
        (result.rows.data != out.data || result.rows.width != out.width || result.is_attention ||
         result.first_block != operation.linear.first_block)) {
      return false;
    }
  }
  // x from before comes first. Every other operation waits for one of the last, so all blocks are done with what came
  // before that; but the second may need only a part of the first one's result.
  if (operation.x_tag == 0 && p.num_operations > 0) return false;
  if (p.num_operations == 1 && overlap(builder.first_x, out)) return false;
  if (operation.is_attention && writer >= 0) {
    if (p.operations[writer].is_attention) return false;
    p.operations[writer].linear.is_exact = true;
  }
  int32_t kept = 0;
  StretchBuilder::Result results[8];
  for (int32_t i = 0; i < builder.num_results; ++i) {
    if (!overlap(builder.results[i].rows, out)) results[kept++] = builder.results[i];
  }
  if (kept == 8) return false;  // none may be forgotten
  p.operations[p.num_operations++] = operation;
  p.num_tokens = x.num_rows;
  if (place(device, p); p.num_slots < kMinSlots) {
    --p.num_operations;
    return false;
  }
  if (p.num_operations == 1) builder.first_x = x;
  results[kept++] = {out, builder.step_operations++, operation.is_attention,
                     operation.is_attention ? 0 : operation.linear.first_block};
  std::copy_n(results, kept, builder.results);
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
    status = status_of(device,
                       cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, stretch::kKernels[0], stretch::kThreads,
                                                                     static_cast<size_t>(device->shared_bytes)));
  }
  if (!status.ok() || cooperates == 0 || blocks < 1) return status;
  device->stretch = new (std::nothrow) StretchBuilder{};
  if (device->stretch == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  return {};
}

uint64_t stretch_bytes(const Device* device, int32_t max_columns) {
  if (device->stretch == nullptr) return 0;
  const int64_t exchange = int64_t{kStretchTokens} * stretch::region_of(max_columns) * (4 * kExchangeRegions + 8);
  return static_cast<uint64_t>(exchange + kStretchPartials * 8 * (stretch::kHeadSize + 2) + 4);
}

Status reserve_stretches(Device* device, int32_t max_columns) {
  if (device->stretch == nullptr) return {};
  StretchBuilder& builder = *device->stretch;
  builder.region_floats = stretch::region_of(max_columns);
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
  if (status.ok()) status = take(&p.exact, int64_t{kStretchTokens} * builder.region_floats);
  if (status.ok()) status = take(&p.partials, kStretchPartials * stretch::kHeadSize);
  if (status.ok()) status = take(&p.partial_ends, kStretchPartials * 2);
  if (status.ok()) status = take(&p.step, 1);
  return status;
}

void release_stretches(Device* device) {
  if (device->stretch == nullptr) return;
  close_stretches(device);
  Stretch& p = device->stretch->stretch;
  for (void* memory : {static_cast<void*>(p.exchange), static_cast<void*>(p.exact), static_cast<void*>(p.partials),
                       static_cast<void*>(p.partial_ends), static_cast<void*>(p.step)}) {
    (void)cudaFree(memory);
  }
  p.exchange = nullptr;
  p.exact = p.partials = p.partial_ends = nullptr;
  p.step = nullptr;
  device->stretch->region_floats = 0;
}

StretchStart begin_stretches(Device* device, int32_t num_tokens) {
  close_stretches(device);
  if (device->stretch == nullptr || num_tokens > kStretchTokens) return {};
  StretchBuilder& builder = *device->stretch;
  builder.is_open = builder.region_floats > 0 && !builder.is_refused;
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
      fusion.norm == LinearFusion::Norm::layer || (activation != Activation::none && activation != Activation::silu) ||
      !decodes(x, weight, fusion) || weight.num_rows % kQuantRows != 0 || !has_fours(x) ||
      out.width > device->stretch->region_floats || reinterpret_cast<uintptr_t>(fusion.norm_weight) % 16 != 0) {
    return false;
  }
  if (weight.num_columns < kStretchLeastColumns) {
    device->stretch->is_open = false;  // until the next step: parts of a layer alone would not pay
    return false;
  }
  StretchOperation operation{};
  LinearWork& work = operation.linear;
  work.weight = static_cast<const uint8_t*>(weight.data);
  work.norm_weight = fusion.norm == LinearFusion::Norm::rms ? fusion.norm_weight : nullptr;
  work.bias = bias;
  work.num_records = weight.num_columns / kUnitColumns;
  work.rest_records = static_cast<int16_t>(work.num_records % kSlotRecords);
  work.rest_tiles = static_cast<int16_t>(work.rest_records == 0 ? 0 : kSlotRecords / work.rest_records);
  work.rest_inverse = static_cast<int16_t>(work.rest_records == 0 ? 0 : ceil_div(1024, int32_t{work.rest_records}));
  work.tile_sums = static_cast<int16_t>(stretch::kWarps + (work.rest_tiles > 1 ? work.rest_records : 0));
  work.num_outputs = out.width;
  work.num_pairs = out.width / kQuantRows;
  work.block_pairs = work.num_pairs / device->num_multiprocessors;
  work.blocks_with_more = work.num_pairs % device->num_multiprocessors;
  // Those who have one more than others take turns; but what is added to stays with the threads that wrote it.
  int32_t& next_block = device->stretch->next_block;
  work.first_block = fusion.adds ? 0 : next_block;
  const int32_t last_block = next_block;
  next_block = (work.first_block + work.blocks_with_more) % device->num_multiprocessors;
  work.pair_tiles = fusion.is_gated ? 2 : 1;
  work.epsilon = fusion.epsilon;
  work.inverse_columns = 1.0f / static_cast<float>(weight.num_columns);
  work.has_silu = activation == Activation::silu;
  work.adds = fusion.adds;
  work.is_gated = fusion.is_gated;
  const int32_t most = ceil_div(work.num_pairs, device->num_multiprocessors) * work.pair_tiles;
  const int32_t tile_bytes = 4 * stretch::tile_floats(work, x.num_rows);
  const int32_t sums_bytes = x.num_rows == 1 ? 24 * 1024 : 17 * 1024;
  work.group_tiles = std::min(most, std::max(1, sums_bytes / tile_bytes / work.pair_tiles) * work.pair_tiles);
  if (stretch::join(device, x, out, fusion.adds, operation)) return true;
  next_block = last_block;
  return false;
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
      items > int64_t{stretch::kMaxItems} * device->num_multiprocessors ||
      shape.num_kv_heads > device->num_multiprocessors ||
      qkv.num_rows * shape.num_heads * (stretch::kHeadSize / kWarp) > stretch::kWarps * device->num_multiprocessors) {
    return false;
  }
  StretchOperation operation{};
  operation.is_attention = true;
  operation.attention = {pages.keys,
                         pages.values,
                         rope.inverse_frequencies,
                         shape.num_heads,
                         shape.num_kv_heads,
                         shape.num_heads / shape.num_kv_heads,
                         shape.scale / kQueryPart,
                         rope.factor,
                         rope.adjacent_pairs};
  for (int32_t i = 0; i < p.num_operations; ++i) {  // one table for all layers
    const AttentionWork& other = p.operations[i].attention;
    if (p.operations[i].is_attention &&
        (other.inverse_frequencies != rope.inverse_frequencies || other.rope_factor != rope.factor ||
         other.adjacent_pairs != rope.adjacent_pairs || other.num_kv_heads != shape.num_kv_heads ||
         other.num_heads != shape.num_heads)) {
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
  // Measured: what waits in the L2 cache beyond these slows the stream itself.
  p.num_ahead = 2;
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
  const cudaError_t error = cudaLaunchKernelEx(&config, stretch::kKernels[p.num_tokens - 1], p);
  p.num_operations = 0;
  builder->num_results = 0;
  if (error == cudaErrorCooperativeLaunchTooLarge) {  // not all blocks at once: the step again, without
    (void)cudaGetLastError();
    builder->is_refused = true;
    refuse_recording(device);
    return {Code::internal, "the GPU does not take all blocks at once"};
  }
  return status_of(device, error);
}

}  // namespace quoth::cuda
