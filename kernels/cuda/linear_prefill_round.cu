// Rows of x to f16, for the multiplication of many rows: normed, scaled by a power of two, rounded once, and laid out
// as linear_prefill.h says. A group of threads takes a row and keeps it in registers, so x is read once; rows too wide
// for that are read again.
#include "linear_prefill.h"

namespace quoth::cuda {
namespace {

// A row is scaled so that its largest magnitude is in [2^this, 2^(this + 1)); where 64 products are added in f16, so
// that they do not leave it unless weights are above 30.
int32_t largest_exponent(const Device* device) {
  return device->sums_in_halves ? 4 : 14;
}

// Threads of a block: a row is a warp's, or a whole block's.
template <int32_t kGroup>
constexpr int32_t block_threads = kGroup == kWarp ? 256 : kGroup;
constexpr int32_t kColumns = 8;  // of a thread, at once

struct Norm {
  LinearFusion::Norm kind;
  const float* weight;
  const float* bias;
  float epsilon;
};

// Sum and largest over the `kGroup` threads of a row, in a fixed order; all threads of the block must call it.
template <int32_t kGroup>
__device__ inline float group_sum(float value) {
  if constexpr (kGroup == kWarp) return warp_sum(value);
  return block_sum<kGroup>(value);
}
template <int32_t kGroup>
__device__ inline uint32_t group_max(uint32_t value) {
  value = __reduce_max_sync(0xffffffffu, value);
  if constexpr (kGroup == kWarp) return value;
  __shared__ uint32_t parts[kGroup / kWarp];
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
#pragma unroll
  for (int32_t warp = 0; warp < kGroup / kWarp; ++warp) value = max(value, parts[warp]);
  return value;
}

// Eight columns of a row from `first` on; zero past its end.
__device__ inline void load_columns(const float* row, int32_t first, int32_t width, bool is_aligned,
                                    float (&values)[kColumns]) {
  if (is_aligned && first + kColumns <= width) {
    const float4 a = *reinterpret_cast<const float4*>(row + first);
    const float4 b = *reinterpret_cast<const float4*>(row + first + 4);
    values[0] = a.x, values[1] = a.y, values[2] = a.z, values[3] = a.w;
    values[4] = b.x, values[5] = b.y, values[6] = b.z, values[7] = b.w;
  } else {
#pragma unroll
    for (int32_t i = 0; i < kColumns; ++i) values[i] = first + i < width ? row[first + i] : 0.0f;
  }
}

// Word `place` of each of four lanes that stand together becomes words 0 .. 3 of lane `place` of them.
__device__ inline void transpose_words(uint32_t (&words)[4], int32_t lane) {
#pragma unroll
  for (int32_t step = 1; step <= 2; step *= 2) {
    const bool is_upper = (lane & step) != 0;
#pragma unroll
    for (int32_t pair = 0; pair < 2; ++pair) {
      const int32_t low = step == 1 ? 2 * pair : pair;
      const int32_t high = low + step;
      const uint32_t sent = is_upper ? words[low] : words[high];
      const uint32_t received = __shfl_xor_sync(0xffffffffu, sent, step);
      (is_upper ? words[low] : words[high]) = received;
    }
  }
}

__device__ inline uint32_t pair_of(float a, float b) {
  const __half2 pair = __floats2half2_rn(a, b);
  uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}

// kGroup threads to a row, kSteps times 8 columns of each are kept.
template <int32_t kGroup, int32_t kSteps, bool kIsNormed>
__global__ void __launch_bounds__(block_threads<kGroup>, kGroup == 512 && !kIsNormed ? 2 : 1)
    round_kernel(Rows x, Norm norm, int32_t largest_exponent, bool is_permuted, bool is_aligned, int32_t padded_rows,
                 int32_t padded_columns, __half* values, float* inverse_scales) {
  constexpr int32_t kThreads = block_threads<kGroup>;
  let_next_start();
  wait_for_previous();
  const int32_t row = static_cast<int32_t>(blockIdx.x * (kThreads / kGroup) + threadIdx.x / kGroup);
  const int32_t member = threadIdx.x % kGroup;
  const bool is_row = row < x.num_rows;
  const int32_t width = is_row ? x.width : 0;
  const float* from = row_of(x, is_row ? row : 0);

  float kept[kSteps][kColumns];
#pragma unroll
  for (int32_t step = 0; step < kSteps; ++step) {
    load_columns(from, (step * kGroup + member) * kColumns, width, is_aligned, kept[step]);
  }
  // What is done to a column: (x - mean) * scale * weight + bias, as norm.cu does it.
  float mean = 0, scale = 1;
  if constexpr (kIsNormed) {
    if (norm.kind == LinearFusion::Norm::layer) {
      float sum = 0;
#pragma unroll
      for (int32_t step = 0; step < kSteps; ++step) {
#pragma unroll
        for (int32_t i = 0; i < kColumns; ++i) sum += kept[step][i];
      }
      mean = group_sum<kGroup>(sum) / static_cast<float>(x.width);
    }
    float squares = 0;
#pragma unroll
    for (int32_t step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int32_t i = 0; i < kColumns; ++i) {
        const int32_t column = (step * kGroup + member) * kColumns + i;
        const float distance = column < width ? kept[step][i] - mean : 0.0f;
        squares = fmaf(distance, distance, squares);
      }
    }
    scale = 1.0f / sqrtf(group_sum<kGroup>(squares) / static_cast<float>(x.width) + norm.epsilon);
#pragma unroll
    for (int32_t step = 0; step < kSteps; ++step) {
      const int32_t first = (step * kGroup + member) * kColumns;
      float weights[kColumns], biases[kColumns] = {};
      load_columns(norm.weight, first, width, is_aligned, weights);
      if (norm.bias != nullptr) load_columns(norm.bias, first, width, is_aligned, biases);
#pragma unroll
      for (int32_t i = 0; i < kColumns; ++i) {
        kept[step][i] = first + i < width ? (kept[step][i] - mean) * scale * weights[i] + biases[i] : 0.0f;
      }
    }
  }
  // The bits of |x| order as |x| does, with NaN above all.
  uint32_t largest = 0;
#pragma unroll
  for (int32_t step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int32_t i = 0; i < kColumns; ++i) largest = max(largest, __float_as_uint(kept[step][i]) & 0x7fffffffu);
  }
  largest = group_max<kGroup>(largest);
  // A row with a NaN or an infinity is left as it is, and so is one of zeros.
  const int32_t exponent = max(static_cast<int32_t>(largest >> 23) - 127, -100);
  const bool is_scaled = largest != 0 && largest < 0x7f800000u;
  const float factor = is_scaled ? __uint_as_float(static_cast<uint32_t>(largest_exponent - exponent + 127) << 23) : 1;
  if (member == 0 && row < padded_rows) {
    inverse_scales[row] =
        is_scaled ? __uint_as_float(static_cast<uint32_t>(exponent - largest_exponent + 127) << 23) : 1;
  }
#pragma unroll
  for (int32_t step = 0; step < kSteps; ++step) {
    const int32_t first = (step * kGroup + member) * kColumns;
    const float(&v)[kColumns] = kept[step];
    uint32_t words[4];
    int32_t piece = first / kColumns % 8;
    if (is_permuted) {
      // Word 2 s + h is columns 8 t + 4 h + s and 8 t + 4 h + 2 + s, t being this lane among four.
#pragma unroll
      for (int32_t s = 0; s < 2; ++s) {
#pragma unroll
        for (int32_t h = 0; h < 2; ++h) words[2 * s + h] = pair_of(v[4 * h + s] * factor, v[4 * h + 2 + s] * factor);
      }
      transpose_words(words, static_cast<int32_t>(threadIdx.x) % 4);
    } else {
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) words[i] = pair_of(v[2 * i] * factor, v[2 * i + 1] * factor);
    }
    if (first < padded_columns && row < padded_rows) {
      __half* to = values + (static_cast<int64_t>(first / kChunkColumns) * padded_rows + row) * kChunkColumns;
      piece ^= row % 8;
      *reinterpret_cast<uint4*>(to + 8 * piece) = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
}

template <int32_t kGroup, int32_t kSteps>
Status launch(Device* device, const Rows& x, const Norm& norm, bool is_permuted, bool is_aligned, int32_t padded_rows,
              int32_t padded_columns) {
  constexpr int32_t kThreads = block_threads<kGroup>;
  const dim3 grid(static_cast<unsigned>(ceil_div(padded_rows, kThreads / kGroup)));
  auto kernel = round_kernel<kGroup, kSteps, false>;
  if constexpr (kGroup * kSteps * kColumns <= kMostNormedColumns) {
    if (norm.kind != LinearFusion::Norm::none) kernel = round_kernel<kGroup, kSteps, true>;
  }
  return launch_overlapped(device, kernel, grid, dim3(kThreads), 0, x, norm, largest_exponent(device), is_permuted,
                           is_aligned, padded_rows, padded_columns, device->rounded, device->inverse_scales);
}

}  // namespace

Status round_rows(Device* device, const Rows& x, const LinearFusion& fusion, bool is_permuted, RoundedRows* rounded) {
  const int32_t padded_rows = ceil_div(x.num_rows, 8) * 8;
  const int32_t padded_columns = ceil_div(x.width, 2 * kChunkColumns) * 2 * kChunkColumns;
  const auto is_even = [](const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; };
  const bool is_aligned =
      is_even(x.data) && x.stride % 4 == 0 && is_even(fusion.norm_weight) && is_even(fusion.norm_bias);
  const Norm norm{fusion.norm, fusion.norm_weight, fusion.norm_bias, fusion.epsilon};
  *rounded = {device->rounded, device->inverse_scales, x.num_rows, padded_rows, padded_columns / kChunkColumns};
  const auto run = [&](auto launcher) {
    return launcher(device, x, norm, is_permuted, is_aligned, padded_rows, padded_columns);
  };
  if (padded_columns <= 512) return run(launch<kWarp, 2>);
  if (padded_columns <= 1024) return run(launch<kWarp, 4>);
  if (padded_columns <= 2048) return run(launch<256, 1>);
  if (padded_columns <= 4096) return run(launch<256, 2>);
  if (padded_columns <= 8192) return run(launch<256, 4>);
  if (padded_columns <= 16384) return run(launch<512, 4>);
  if (padded_columns <= 32768) return run(launch<1024, 4>);
  return {Code::unsupported, "linear: rows of more than 32,768 columns"};
}

}  // namespace quoth::cuda
