// Random weights on the GPU, and a linear in float64 to compare with: engines/plan/format.md, not the kernels' layout.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "kernels/cuda/device.h"

namespace {

using namespace quoth;

__device__ uint32_t mixed(uint32_t x) {
  x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13, x *= 0xc2b2ae35u, x ^= x >> 16;
  return x;
}
__device__ float unit(uint32_t x) {  // [0, 1)
  return static_cast<float>(mixed(x) >> 8) / 16777216.0f;
}

__global__ void fill_bytes(uint32_t* data, uint64_t count, uint32_t seed) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i < count; i += step) {
    data[i] = mixed(static_cast<uint32_t>(i) * 2654435761u + seed);
  }
}
// x = shift + spread * uniform(-1, 1); every 50th a thousand times more with `outliers`.
__global__ void fill_floats(float* data, uint64_t count, float shift, float spread, bool outliers, uint32_t seed) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i < count; i += step) {
    const uint32_t index = static_cast<uint32_t>(i) * 2246822519u + seed;
    float value = shift + spread * (2 * unit(index) - 1);
    if (outliers && mixed(index ^ 0x5555u) % 50 == 0) value *= 1000;
    data[i] = value;
  }
}
__global__ void fill_halves(__half* data, uint64_t count, float spread, uint32_t seed) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i < count; i += step) {
    data[i] = __float2half(spread * (2 * unit(static_cast<uint32_t>(i) * 2246822519u + seed) - 1));
  }
}
// Scales and zero points of records whose nibbles or bytes are random already.
__global__ void fill_scales(uint8_t* records, uint64_t count, int32_t bytes, int32_t weight_bytes, uint32_t seed) {
  const uint64_t step = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = blockIdx.x * static_cast<uint64_t>(blockDim.x) + threadIdx.x; i < count * 16; i += step) {
    const uint32_t index = static_cast<uint32_t>(i) * 3266489917u + seed;
    auto* halves = reinterpret_cast<__half*>(records + i / 16 * bytes + weight_bytes) + i % 16;
    const float sign = mixed(index + 7) % 8 == 0 ? -1.0f : 1.0f;
    *halves = __float2half(sign * (0.001f + 0.002f * unit(index)));
    const uint32_t kind = mixed(index + 3) % 5;
    const float zero = kind == 0 ? 0 : kind == 1 ? 15 : kind == 2 ? 16 * unit(index + 11) : 8;
    if (bytes - weight_bytes == 64) halves[16] = __float2half(zero);
  }
}

__device__ double half_at(const uint8_t* bytes) {
  __half value;
  memcpy(&value, bytes, 2);
  return static_cast<double>(__half2float(value));
}
// Weight [n, k] as engines/plan/format.md says.
__device__ double weight_at(const Weight& w, int64_t n, int64_t k) {
  const auto* data = static_cast<const uint8_t*>(w.data);
  if (w.type == Type::f16) return half_at(data + 2 * (n * w.num_columns + k));
  if (w.type == Type::f8) {
    const uint8_t byte = data[n * w.num_columns + k];
    const int exponent = byte >> 3 & 15, fraction = byte & 7;
    const double size = exponent == 0 ? fraction * exp2(-9.0) : (8 + fraction) * exp2(exponent - 10.0);
    float scale;
    scale = cuda::f8_scales(data, w.num_rows, w.num_columns)[n];
    return (byte & 128 ? -size : size) * scale;
  }
  const int64_t columns = w.type == Type::int4_g128 ? 128 : 32;
  const int64_t weight_bytes = w.type == Type::q8 ? 512 : columns * 8;
  const bool has_zeros = w.type == Type::int4_g128 || w.type == Type::int4_g32;
  const int64_t bytes = weight_bytes + (has_zeros ? 64 : 32);
  const uint8_t* record = data + (n / 16 * (w.num_columns / columns) + k / columns) * bytes;
  const int64_t row = n % 16, column = k % columns;
  const double scale = half_at(record + weight_bytes + 2 * row);
  if (w.type == Type::q8) return (record[column / 4 * 64 + 4 * row + column % 4] - 128.0) * scale;
  const uint8_t byte = record[column / 8 * 64 + 4 * row + column % 4];
  const int nibble = column % 8 < 4 ? byte & 15 : byte >> 4;
  if (w.type == Type::q4) return w.codebook[nibble] * scale;
  return (nibble - half_at(record + weight_bytes + 32 + 2 * row)) * scale;
}
// out [T, N] in f64, a warp per element; x [T, K] normed by the caller.
__global__ void exact_linear(Weight w, const double* x, int32_t num_tokens, double* out) {
  const int64_t warp = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) / 32;
  const int32_t lane = threadIdx.x % 32;
  if (warp >= w.num_rows) return;
  double sums[8] = {};
  for (int64_t k = lane; k < w.num_columns; k += 32) {
    const double value = weight_at(w, warp, k);
    for (int32_t t = 0; t < num_tokens; ++t) sums[t] += value * x[t * w.num_columns + k];
  }
  for (int32_t t = 0; t < num_tokens; ++t) {
    for (int32_t step = 16; step > 0; step /= 2) sums[t] += __shfl_xor_sync(0xffffffffu, sums[t], step);
    if (lane == 0) out[static_cast<int64_t>(t) * w.num_rows + warp] = sums[t];
  }
}

}  // namespace
