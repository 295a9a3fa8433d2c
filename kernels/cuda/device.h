// A GPU as a device: one stream, the scratch of a step, and what every file of this folder shares.
//
// Every operation enqueues kernels on the device's stream and returns; nothing here waits but `upload`, `download` and
// `synchronize`. All host threads use the first GPU, CUDA's default, so no call has to choose one.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "../ops.h"

namespace quoth::cuda {

// The integers of one step on the GPU: what Batch holds on the host, and the sequence that each row belongs to.
struct DeviceBatch {
  const int32_t* ids = nullptr;          // [T]
  const int32_t* positions = nullptr;    // [T]
  const int32_t* sequences = nullptr;    // [T]
  const int32_t* first_row = nullptr;    // [B + 1]
  const int32_t* segments = nullptr;     // [T]
  const int32_t* output_rows = nullptr;  // [O]
  const int32_t* page_table = nullptr;   // [B, M]
};

inline constexpr int32_t kStagingSlots = 2;
inline constexpr int32_t kFrameSlots = 3;    // steps whose arrays may be on their way
inline constexpr int32_t kMaxChosen = 1024;  // rows of one `sample`
struct StepRecorder;                         // step.cu
struct SampleBuffers;                        // sample.cu
struct Downloads;                            // download.cu
struct StretchBuilder;                       // stretch.h
struct Ways;                                 // tuning.cu
// Entries of a step's page tables: 128 sequences of 262,144 tokens.
inline constexpr int64_t kMaxPageTable = 128 * 4096;
// Floats of partial attention results: one page of one query row needs d + 2. With clusters of blocks only pages of f32
// and odd heads need them.
inline constexpr int64_t kMaxPartials = int64_t{8} << 20;
inline constexpr int64_t kMaxClusterPartials = int64_t{1} << 20;
// Rows that a composed `linear_fused` takes at once.
inline constexpr int32_t kFusedRows = 32;
// Counters of the blocks that share the context of a sequence's lanes.
inline constexpr int64_t kMaxArrivals = int64_t{1} << 16;

}  // namespace quoth::cuda

namespace quoth {

struct Device {
  cudaStream_t stream = nullptr;
  int32_t num_multiprocessors = 0;
  int32_t shared_bytes = 0;  // of one block, at most
  int32_t capability = 0;    // 90: sm_90
  bool overlaps = false;     // programmatic dependent launch: Hopper and newer
  Status lost;               // not ok once the GPU gave an error that does not go away

  int32_t max_tokens = 0;
  int32_t max_columns = 0;
  // The integers of a step travel through pinned slots used in turn, each with an event after its copy.
  int64_t staging_capacity = 0;  // in int32
  int32_t* slots[cuda::kStagingSlots] = {};
  cudaEvent_t copied[cuda::kStagingSlots] = {};
  int32_t next_slot = 0;
  int32_t* staged = nullptr;  // on the GPU
  int64_t staged_count = 0;   // valid integers there, the same as in the slot that was filled last; 0 = none
  // Of recorded steps: pinned slots in turn, each with an event after it was read.
  int32_t* frame_slots[cuda::kFrameSlots] = {};
  cudaEvent_t brought[cuda::kFrameSlots] = {};
  int32_t next_frame_slot = 0;
  cuda::StepRecorder* recorder = nullptr;
  cuda::SampleBuffers* samples = nullptr;
  cuda::Downloads* downloads = nullptr;
  cuda::StretchBuilder* stretch = nullptr;  // null: no stretches on this GPU
  cuda::Ways* ways = nullptr;
  int32_t* chosen = nullptr;  // i32 [kMaxChosen]: what the last `sample` chose
  float* partials = nullptr;  // f32 [num_partials]
  int64_t num_partials = 0;
  float* normed = nullptr;          // f32 [kFusedRows, max_columns]
  float* result = nullptr;          // f32 [kFusedRows, 2 * max_columns]
  bool has_wgmma = false;           // sm_90a's matrix instructions
  bool sums_in_halves = false;      // linear_prefill_mma.cu
  bool tries_each = false;          // attention_each.cu wherever it can, for tests
  __half* rounded = nullptr;        // x of one linear of many rows: see linear_prefill.h
  float* inverse_scales = nullptr;  // f32 [T rounded up to 8]: of its rows
  int32_t* arrivals = nullptr;      // [kMaxArrivals], zero between two operations
};

}  // namespace quoth

namespace quoth::cuda {

inline constexpr int32_t kWarp = 32;

// What an error of the runtime means. An error of a kernel stays until the process ends: the device is then lost.
Status status_of(Device* device, cudaError_t error);
// After a launch: whether it was accepted.
inline Status launched(Device* device) {
  return status_of(device, cudaGetLastError());
}

// Programmatic dependent launch. A kernel that is started by `launch_overlapped` may begin while the one before it
// still runs: every one of its threads that reads what an earlier kernel wrote, or writes what one may still read,
// first calls `wait_for_previous`, and every block calls it before it ends. What never changes (weights, tables) may be
// read before. `let_next_start` says that the next kernel's blocks may take what is free of the multiprocessors; it
// orders nothing.
__device__ inline void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ inline void let_next_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
template <typename... Parameters, typename... Arguments>
Status launch_overlapped(Device* device, void (*kernel)(Parameters...), dim3 grid, dim3 block, int32_t shared_bytes,
                         const Arguments&... arguments) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = device->stream;
  config.attrs = &attribute;
  config.numAttrs = device->overlaps ? 1 : 0;
  return status_of(device, cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

// Which arrays of a batch an operation reads.
struct Uses {
  bool ids = false, positions = false, first_row = false, segments = false, output_rows = false, page_table = false;
};
// Brings the arrays of a step to the GPU, once for all operations of a step: what is there already is not sent again.
// Checks that sequences cover the rows where they are used.
// In a recorded step they are there already.
Status stage(Device* device, const Batch& batch, Uses uses, DeviceBatch* staged);
// Where these arrays lie on the GPU.
DeviceBatch places_of(const Device* device);

// A recorded step is done again for other batches, so what is launched may depend on these bounds of a batch and not on
// its arrays: kv pages of the longest context, rounded up to a power of two, and rows of the longest sequence.
inline int32_t pages_bound(const Batch& batch) {
  int32_t pages = 1;
  for (int32_t t = 0; t < batch.num_tokens; ++t) {
    while (batch.positions[t] / kPageTokens >= pages) pages *= 2;
  }
  return pages;
}
int32_t rows_bound(const Device* device, const Batch& batch);

inline bool same_shape(const Rows& a, const Rows& b) {
  return a.num_rows == b.num_rows && a.width == b.width;
}
// Whether rows can be read four columns at a time.
inline bool has_fours(const Rows& rows) {
  return rows.width % 4 == 0 && rows.stride % 4 == 0 && reinterpret_cast<uintptr_t>(rows.data) % 16 == 0;
}
template <typename Integer>
__host__ __device__ constexpr Integer ceil_div(Integer a, Integer b) {
  return (a + b - 1) / b;
}

// Row `index` of an activation.
__device__ inline float* row_of(const Rows& rows, int32_t index) {
  return rows.data + static_cast<int64_t>(index) * rows.stride;
}

// Sixteen bytes of read-only memory into `to`, which holds as many.
__device__ inline void load_16(const void* from, void* to) {
  const uint4 bytes = __ldg(static_cast<const uint4*>(from));
  memcpy(to, &bytes, sizeof bytes);
}
// Two halves that travel in one word.
__device__ inline float2 floats_of(uint32_t halves) {
  __half2 pair;
  memcpy(&pair, &halves, sizeof pair);
  return __half22float2(pair);
}

// x without its low eight bits, rounded; what is not finite stays so.
__device__ inline uint32_t shortened(uint32_t bits) {
  const uint32_t rounded = bits + 0x80u;
  return ((rounded ^ bits) >> 31 ? bits : rounded) & 0xffffff00u;
}
__device__ inline float shortened(float x) {
  return __uint_as_float(shortened(__float_as_uint(x)));
}

// Sums over a warp in a fixed tree; every lane gets the result.
template <typename Number>
__device__ inline Number warp_sum(Number value) {
#pragma unroll
  for (int32_t step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}
__device__ inline float warp_max(float value) {
#pragma unroll
  for (int32_t step = kWarp / 2; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

// Sums over a block of `kThreads` in a fixed tree; every thread gets the result. All threads must call it.
template <int32_t kThreads, typename Number>
__device__ inline Number block_sum(Number value) {
  __shared__ Number parts[kThreads / kWarp];
  value = warp_sum(value);
  __syncthreads();  // an earlier sum has been read by all
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
  Number total = 0;
#pragma unroll
  for (int32_t warp = 0; warp < kThreads / kWarp; ++warp) total += parts[warp];
  return total;
}

// act(x), as kernels/cpu/elementwise.cc states it.
__device__ inline float activation_of(float x, Activation activation) {
  switch (activation) {
    case Activation::silu:
      return x / (1.0f + expf(-x));
    case Activation::gelu:
      return 0.5f * x * erfcf(-x * 0.70710678118654752f);
    case Activation::gelu_tanh: {
      const float u = 0.79788456080286536f * (x + 0.044715f * x * x * x);
      return x / (1.0f + expf(-2.0f * u));
    }
    case Activation::relu:
      return x < 0.0f ? 0.0f : x;  // a NaN stays one
    case Activation::tanh:
      return tanhf(x);
    default:
      return x;
  }
}

// OCP E4M3, without the scale of its row. Its bits are those of half precision, seven places lower, with a bias that is
// eight less.
struct Float8 {
  uint8_t bits;
};

// Element `index` of an f32, f16 or f8 array.
template <typename Element>
__device__ inline float element(const Element* data, int64_t index) {
  if constexpr (sizeof(Element) == 4) {
    return data[index];
  } else if constexpr (sizeof(Element) == 2) {
    return __half2float(data[index]);
  } else {
    const uint32_t bits = data[index].bits;
    return __half2float(__ushort_as_half(static_cast<unsigned short>((bits & 0x80u) << 8 | (bits & 0x7fu) << 7))) *
           256.0f;
  }
}

// Where the scales of an f8 weight are: f32 [N].
__host__ __device__ inline const float* f8_scales(const void* data, int64_t num_rows, int64_t num_columns) {
  return reinterpret_cast<const float*>(static_cast<const char*>(data) +
                                        ceil_div(num_rows * num_columns, int64_t{64}) * 64);
}

// The operations, as ops.h states them.
Status embed(Device*, const Weight* table, const Batch*, float scale, Rows out);
Status add_positions(Device*, const Weight* table, const Batch*, int32_t offset, Rows x);
Status add_segments(Device*, const Weight* table, const Batch*, Rows x);
Status gather_outputs(Device*, Rows x, const Batch*, Rows out);
Status linear(Device*, Rows x, const Weight* weight, const float* bias, Activation, Rows out);
Status linear_fused(Device*, Rows x, const Weight* weight, const float* bias, Activation, const LinearFusion*,
                    Rows out);
Status rms_norm(Device*, Rows x, const float* weight, float epsilon, Rows out);
Status layer_norm(Device*, Rows x, const float* weight, const float* bias, float epsilon, Rows out);
Status rms_norm_heads(Device*, Rows x, int32_t num_heads, int32_t head_size, const float* weight, float epsilon);
Status add_rms_norm(Device*, Rows x, Rows y, const float* weight, float epsilon, Rows out);
Status add_layer_norm(Device*, Rows x, Rows y, const float* weight, const float* bias, float epsilon, Rows out);
Status add(Device*, Rows a, Rows b, Rows out);
Status multiply(Device*, Rows a, Rows b, Rows out);
Status add_bias(Device*, Rows x, const float* bias);
Status activate(Device*, Rows x, Activation, Rows out);
Status gated(Device*, Rows gate_up, Activation, Rows out);
Status soft_cap(Device*, Rows x, float cap);
Status clamp(Device*, Rows x, float limit);
Status permute_columns(Device*, Rows x, const int32_t* index, Rows out);
Status rope(Device*, Rows x, int32_t num_heads, int32_t head_size, const Rope*, const Batch*);
Status kv_write(Device*, Rows keys, Rows values, const Batch*, KvPages);
Status rope_kv_write(Device*, Rows qkv, const Attention*, const Rope*, const Batch*, KvPages);
Status attention(Device*, Rows queries, const Attention*, const Batch*, KvPages, Rows out);
Status rope_kv_attention(Device*, Rows qkv, const Attention*, const Rope*, const Batch*, KvPages, Rows out);
Status attention_full(Device*, Rows queries, Rows keys, Rows values, const Attention*, const Batch*, Rows out);
Status pool_mean(Device*, Rows x, const Batch*, Rows out);
Status pool_first(Device*, Rows x, const Batch*, Rows out);
Status normalize(Device*, Rows x);
// Of linear.cu: weights in f32, f16 or f8, in linear_float.cu.
Status linear_float(Device*, Rows x, const Weight* weight, const float* bias, Activation, Rows out);

}  // namespace quoth::cuda
