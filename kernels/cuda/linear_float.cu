// out = act(x W^T + bias) for f32, f16 and f8 weights, products and sums in f32 on the ordinary units.
//
// K is cut into at most 32 chunks of a multiple of 16 columns. A sum goes through the columns of a chunk in ascending
// order, then the chunks' sums are added in ascending order: the same bits from both kernels.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kFewTokens = 8;
constexpr int32_t kWarps = 4;  // of the kernel for few tokens
constexpr int32_t kTile = 64;  // rows and tokens of a block of the other
constexpr int32_t kStep = 16;  // columns that it takes at once
constexpr int32_t kThreads = 256;

__host__ __device__ constexpr int32_t chunk_columns(int32_t num_columns) {
  return ceil_div(ceil_div(num_columns, kWarp), kStep) * kStep;
}

// A warp takes one weight row and all (few) tokens; a lane one chunk. kAligned: 16-byte loads of x and weight.
template <typename Element, bool kAligned>
__global__ void __launch_bounds__(kWarps* kWarp)
    few_tokens_kernel(Rows x, const Element* __restrict__ weight, const float* scales, const float* bias,
                      Activation activation, Rows out) {
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t row = static_cast<int32_t>((blockIdx.x * kWarps * kWarp + threadIdx.x) / kWarp);
  if (row >= out.width) return;
  const int32_t num_columns = x.width;
  const int32_t length = chunk_columns(num_columns);
  const int32_t end = min((lane + 1) * length, num_columns);
  const Element* w = weight + static_cast<int64_t>(row) * num_columns;
  float sums[kFewTokens] = {};
  if constexpr (kAligned) {
    constexpr int32_t kAtOnce = sizeof(Element) == 1 ? 16 : 8;
    for (int32_t k = lane * length; k < end; k += kAtOnce) {
      alignas(16) Element columns[kAtOnce];
#pragma unroll
      for (int32_t i = 0; i < kAtOnce * static_cast<int32_t>(sizeof(Element)) / 16; ++i) {
        constexpr int32_t kOneLoad = 16 / static_cast<int32_t>(sizeof(Element));
        load_16(w + k + i * kOneLoad, columns + i * kOneLoad);
      }
#pragma unroll
      for (int32_t t = 0; t < kFewTokens; ++t) {
        if (t >= x.num_rows) break;
#pragma unroll
        for (int32_t i = 0; i < kAtOnce; i += 4) {
          const float4 four = *reinterpret_cast<const float4*>(row_of(x, t) + k + i);
          sums[t] = fmaf(element(columns, i), four.x, sums[t]);
          sums[t] = fmaf(element(columns, i + 1), four.y, sums[t]);
          sums[t] = fmaf(element(columns, i + 2), four.z, sums[t]);
          sums[t] = fmaf(element(columns, i + 3), four.w, sums[t]);
        }
      }
    }
  } else {
    for (int32_t k = lane * length; k < end; ++k) {
      const float value = element(w, k);
#pragma unroll
      for (int32_t t = 0; t < kFewTokens; ++t) {
        if (t < x.num_rows) sums[t] = fmaf(value, row_of(x, t)[k], sums[t]);
      }
    }
  }
  const int32_t num_chunks = ceil_div(num_columns, length);
#pragma unroll
  for (int32_t t = 0; t < kFewTokens; ++t) {
    if (t >= x.num_rows) break;
    float total = 0;
    for (int32_t chunk = 0; chunk < num_chunks; ++chunk) total += __shfl_sync(0xffffffffu, sums[t], chunk);
    if (lane != 0) continue;
    if (scales != nullptr) total *= scales[row];
    if (bias != nullptr) total += bias[row];
    row_of(out, t)[row] = activation_of(total, activation);
  }
}

// A block takes 64 weight rows and 64 tokens, a thread 4 by 4 of them.
template <typename Element>
__global__ void __launch_bounds__(kThreads)
    many_tokens_kernel(Rows x, const Element* __restrict__ weight, const float* scales, const float* bias,
                       Activation activation, Rows out) {
  __shared__ __align__(16) float weights[kStep][kTile + 4];
  __shared__ __align__(16) float values[kStep][kTile + 4];
  const int32_t first_token = static_cast<int32_t>(blockIdx.x) * kTile;
  const int32_t first_row = static_cast<int32_t>(blockIdx.y) * kTile;
  const int32_t num_columns = x.width;
  const int32_t length = chunk_columns(num_columns);
  // What this thread brings: four columns of one weight row and of one token.
  const int32_t brought = threadIdx.x / 4;
  const int32_t first_column = threadIdx.x % 4 * 4;
  const Element* w = weight + static_cast<int64_t>(first_row + brought) * num_columns;
  const float* v = row_of(x, first_token + brought);
  const bool has_row = first_row + brought < out.width;
  const bool has_token = first_token + brought < x.num_rows;
  const int32_t row = threadIdx.x % 16 * 4;
  const int32_t token = threadIdx.x / 16 * 4;
  float sums[4][4] = {};
  float totals[4][4] = {};
  for (int32_t k = 0; k < num_columns; k += kStep) {
    __syncthreads();  // the last step has been read by all
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t column = k + first_column + i;
      const bool is_inside = column < num_columns;
      weights[first_column + i][brought] = has_row && is_inside ? element(w, column) : 0.0f;
      values[first_column + i][brought] = has_token && is_inside ? v[column] : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int32_t i = 0; i < kStep; ++i) {
      const float4 a = *reinterpret_cast<const float4*>(&values[i][token]);
      const float4 b = *reinterpret_cast<const float4*>(&weights[i][row]);
      const float left[4] = {a.x, a.y, a.z, a.w};
      const float right[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int32_t m = 0; m < 4; ++m) {
#pragma unroll
        for (int32_t n = 0; n < 4; ++n) sums[m][n] = fmaf(right[n], left[m], sums[m][n]);
      }
    }
    if ((k + kStep) % length == 0 || k + kStep >= num_columns) {
#pragma unroll
      for (int32_t m = 0; m < 4; ++m) {
#pragma unroll
        for (int32_t n = 0; n < 4; ++n) {
          totals[m][n] += sums[m][n];
          sums[m][n] = 0;
        }
      }
    }
  }
#pragma unroll
  for (int32_t m = 0; m < 4; ++m) {
#pragma unroll
    for (int32_t n = 0; n < 4; ++n) {
      const int32_t t = first_token + token + m;
      const int32_t o = first_row + row + n;
      if (t >= x.num_rows || o >= out.width) continue;
      float total = totals[m][n];
      if (scales != nullptr) total *= scales[o];
      if (bias != nullptr) total += bias[o];
      row_of(out, t)[o] = activation_of(total, activation);
    }
  }
}

template <typename Element>
Status run(Device* device, const Rows& x, const Element* weight, const float* scales, const float* bias,
           Activation activation, const Rows& out) {
  if (x.num_rows <= kFewTokens) {
    const bool is_aligned = reinterpret_cast<uintptr_t>(x.data) % 16 == 0 &&
                            reinterpret_cast<uintptr_t>(weight) % 16 == 0 && x.stride % 4 == 0 &&
                            x.width % (sizeof(Element) == 1 ? 16 : 8) == 0;
    const auto kernel = is_aligned ? few_tokens_kernel<Element, true> : few_tokens_kernel<Element, false>;
    kernel<<<ceil_div(out.width, kWarps), kWarps * kWarp, 0, device->stream>>>(x, weight, scales, bias, activation,
                                                                               out);
  } else {
    const dim3 grid(static_cast<unsigned>(ceil_div(x.num_rows, kTile)),
                    static_cast<unsigned>(ceil_div(out.width, kTile)));
    many_tokens_kernel<<<grid, kThreads, 0, device->stream>>>(x, weight, scales, bias, activation, out);
  }
  return launched(device);
}

}  // namespace

Status linear_float(Device* device, Rows x, const Weight* weight, const float* bias, Activation activation, Rows out) {
  if (weight->type == Type::f8) {
    const float* scales = f8_scales(weight->data, weight->num_rows, weight->num_columns);
    return run(device, x, static_cast<const Float8*>(weight->data), scales, bias, activation, out);
  }
  return weight->type == Type::f32
             ? run(device, x, static_cast<const float*>(weight->data), nullptr, bias, activation, out)
             : run(device, x, static_cast<const __half*>(weight->data), nullptr, bias, activation, out);
}

}  // namespace quoth::cuda
