// Attention of sequences with 1 to 8 rows in the step: which kernel of attention_few_kernel.h, and its launch.
#include <algorithm>

#include "attention_few_kernel.h"
#include "tuning.h"

namespace quoth::cuda {
namespace few {
namespace {

template <int32_t kBytes, int32_t kColumns, Kind kKind>
Status launch(Device* device, FewTask& task, int32_t num_splits, dim3 grid) {
  using Memory = Shared<kBytes, kColumns>;
  const auto kernel = few_kernel<kBytes, kColumns, kKind>;
  const bool has_clusters = device->capability >= 90;
  const auto bytes_for = [&](int32_t num_blocks) {
    if (!has_clusters || num_blocks == 1) return static_cast<int32_t>(sizeof(Memory));
    const int32_t slice = ceil_div(kLanes * (kColumns / 4), num_blocks);
    return static_cast<int32_t>(sizeof(Memory)) + num_splits * (kLanes * 8 + slice * 16);
  };
  // How many blocks share a context changes no bit of the results. A power of two of them: other clusters were slower.
  const int64_t lanes = static_cast<int64_t>(grid.y) * grid.z;
  const int32_t most = kColumns <= 128 && device->capability / 10 == 9 ? kMaxCluster : kPortableCluster;
  int32_t num_blocks = 1;
  if (has_clusters) {
    // A lean one leaves room for a second block on a multiprocessor; other blocks should not have to wait for one
    // another.
    const int64_t at_once = device->num_multiprocessors * int64_t{kKind != Kind::any ? 8 : 5} / 4;
    while (num_blocks < most && num_blocks < num_splits && 2 * num_blocks * lanes <= at_once) num_blocks *= 2;
    while (num_blocks > 1 && bytes_for(num_blocks) > device->shared_bytes) {
      num_blocks = num_blocks < most ? 2 * num_blocks : 1;
    }
  } else if (task.max_splits > 0 && lanes < int64_t{4} * device->num_multiprocessors) {
    num_blocks = num_splits;
  }
  // A way that this call has not is its own one.
  if (task.way != kOwnWay && has_clusters) {
    const int32_t wanted = 1 << task.way;
    if (wanted <= most && wanted <= num_splits && bytes_for(wanted) <= device->shared_bytes) num_blocks = wanted;
  } else if (task.way != kOwnWay && (task.way == 0 || task.max_splits > 0)) {
    num_blocks = task.way == 0 ? 1 : num_splits;
  }
  task.inverse = (1 << 16) / num_blocks + 1;
  const int32_t shared_bytes = bytes_for(num_blocks);
  if (shared_bytes > device->shared_bytes) return {Code::unsupported, "attention: the heads are too wide for this GPU"};
  if (shared_bytes > 48 << 10) {
    const Status status =
        status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
    if (!status.ok()) return status;
  }
  if (has_clusters && num_blocks > kPortableCluster) {
    const Status status =
        status_of(device, cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
    if (!status.ok()) return status;
  }
  grid.x = static_cast<unsigned>(num_blocks);
  cudaLaunchAttribute attributes[2]{};
  uint32_t num_attributes = 0;
  if (has_clusters && num_blocks > 1) {
    attributes[num_attributes].id = cudaLaunchAttributeClusterDimension;
    attributes[num_attributes++].val.clusterDim = {grid.x, 1, 1};
  }
  if (device->overlaps) {
    attributes[num_attributes].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[num_attributes++].val.programmaticStreamSerializationAllowed = 1;
  }
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = device->stream;
  config.attrs = attributes;
  config.numAttrs = num_attributes;
  return status_of(device, cudaLaunchKernelEx(&config, kernel, task));
}

template <int32_t kBytes, int32_t kColumns>
Status launch_kind(Device* device, FewTask& task, int32_t num_splits, Kind kind, dim3 grid) {
  if (task.base.head_size == kColumns && kind == Kind::lean)
    return launch<kBytes, kColumns, Kind::lean>(device, task, num_splits, grid);
  if (task.base.head_size == kColumns && kind == Kind::lean_mixed)
    return launch<kBytes, kColumns, Kind::lean_mixed>(device, task, num_splits, grid);
  return launch<kBytes, kColumns, Kind::any>(device, task, num_splits, grid);
}

template <int32_t kBytes>
Status launch_any(Device* device, FewTask& task, int32_t num_splits, Kind kind, dim3 grid) {
  if (task.base.head_size <= 64) return launch_kind<kBytes, 64>(device, task, num_splits, kind, grid);
  if (task.base.head_size <= 128) return launch_kind<kBytes, 128>(device, task, num_splits, kind, grid);
  return launch<kBytes, 256, Kind::any>(device, task, num_splits, grid);
}

}  // namespace
}  // namespace few

Status attention_few(Device* device, const PagedTask& base, const Rope* rope, const StepShape& shape,
                     int32_t num_sequences) {
  const int32_t head_size = base.head_size;
  const int32_t num_lanes = shape.few_rows * base.group_size;
  const int32_t tiles = ceil_div(num_lanes, few::kLanes);
  const int32_t num_splits = few::split_of(shape.num_pages - 1) + 1;
  few::FewTask task{};
  task.base = base;
  if (rope != nullptr) task.rope = *rope;
  task.is_fused = rope != nullptr;
  task.is_one_row = shape.is_one_row;
  task.is_aligned = reinterpret_cast<uintptr_t>(base.out.data) % 16 == 0 && base.out.stride % 4 == 0;
  task.arrivals = device->arrivals;
  task.way =
      shape.is_one_row ? attention_way_of(device, base.pages, base.num_heads, shape.num_pages, num_sequences) : kOwnWay;
  const int64_t partials = static_cast<int64_t>(base.queries.num_rows) * base.num_heads * num_splits;
  const int64_t shares = static_cast<int64_t>(num_sequences) * tiles * base.pages.num_heads;
  task.ends = reinterpret_cast<float2*>(device->partials);
  task.partials = device->partials + ceil_div<int64_t>(2 * partials, 4) * 4;
  const bool fits = partials * (head_size + 2) + 4 <= device->num_partials && shares <= kMaxArrivals;
  task.max_splits = fits ? num_splits : 0;
  const bool is_plain = tiles == 1 && base.window <= 0 && base.soft_cap <= 0 && base.slopes == nullptr;
  few::Kind kind = few::Kind::any;
  if (is_plain && task.is_fused && task.is_one_row && task.rope.rotary_size == head_size) kind = few::Kind::lean;
  if (is_plain && !task.is_fused && shape.few_rows == 1) kind = few::Kind::lean_mixed;
  if (kind != few::Kind::any && task.way == kOwnWay && suits_each(device, base, rope, shape, num_sequences)) {
    return attention_each(device, base, rope, num_sequences);
  }
  const dim3 grid(1, static_cast<unsigned>(tiles * base.pages.num_heads), static_cast<unsigned>(num_sequences));
  if (base.pages.type == Type::f16) return few::launch_any<2>(device, task, num_splits, kind, grid);
  return few::launch_any<1>(device, task, num_splits, kind, grid);
}

}  // namespace quoth::cuda
