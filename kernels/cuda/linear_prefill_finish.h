// The end of a multiplication of many rows: scale, bias, activation, gate, residual.
#pragma once

#include "linear_prefill.h"

namespace quoth::cuda {

inline constexpr float kFloat8 = 256.0f;  // E4M3 bytes are multiplied as halves of 2^-8 their value

// From shared memory ([kTokens, kPitch]) to out, by all `kThreads` threads; each takes four rows of a token at a time. The
// block's rows are kGroups times kTiles times kSpan; where a gate is, the first of two tiles holds it and the second
// what it gates.
template <int32_t kSpan, int32_t kGroups, int32_t kTiles, int32_t kTokens, int32_t kPitch, int32_t kThreads>
__device__ inline void finish(const PrefillProblem& problem, const float* sums, int32_t block, int32_t first_token) {
  const bool is_gated = problem.gate_rows > 0;
  const int32_t end_row = is_gated ? problem.gate_rows : problem.num_rows;
  const int32_t rows = kSpan * kGroups * (is_gated ? 1 : kTiles);
  const int32_t quads = rows / 4;
  const int32_t first_row = block * rows;
  const int32_t num_tokens = min(kTokens, problem.x.num_rows - first_token);
  for (int32_t index = threadIdx.x; index < num_tokens * quads; index += kThreads) {
    const int32_t token = index / quads;
    const int32_t local = index % quads * 4;
    const int32_t row = first_row + local;
    if (row >= end_row) continue;
    // In a gated block, kSpan rows of the gate are followed by those they gate.
    const int32_t place = is_gated ? local / kSpan * 2 * kSpan + local % kSpan : local;
    const float inverse = problem.x.inverse_scales[first_token + token];
    const float4 four = *reinterpret_cast<const float4*>(sums + token * kPitch + place);
    float values[4] = {four.x, four.y, four.z, four.w};
    float gated[4] = {};
    if (is_gated) {
      const float4 other = *reinterpret_cast<const float4*>(sums + token * kPitch + place + kSpan);
      gated[0] = other.x, gated[1] = other.y, gated[2] = other.z, gated[3] = other.w;
    }
    float* to = row_of(problem.out, first_token + token) + row;
    const bool is_whole = problem.is_paired && row + 4 <= end_row;
    float before[4] = {};
    if (problem.adds) {
      if (is_whole) {
        const float4 old = *reinterpret_cast<const float4*>(to);
        before[0] = old.x, before[1] = old.y, before[2] = old.z, before[3] = old.w;
      } else {
        for (int32_t i = 0; i < 4; ++i) before[i] = row + i < end_row ? to[i] : 0.0f;
      }
    }
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t r = min(row + i, end_row - 1);
      float value = values[i] * inverse;
      if (problem.row_scales != nullptr) value *= kFloat8 * problem.row_scales[r];
      if (problem.bias != nullptr) value += problem.bias[r];
      if (problem.activation == Activation::silu) {
        value = value / (1.0f + __expf(-value));
      } else if (problem.activation != Activation::none) {
        value = activation_of(value, problem.activation);
      }
      if (is_gated) {
        float other = gated[i] * inverse;
        if (problem.row_scales != nullptr) other *= kFloat8 * problem.row_scales[problem.gate_rows + r];
        if (problem.bias != nullptr) other += problem.bias[problem.gate_rows + r];
        value *= other;
      }
      if (problem.adds) value += before[i];
      values[i] = value;
    }
    if (is_whole) {
      *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
    } else {
      for (int32_t i = 0; i < 4; ++i) {
        if (row + i < end_row) to[i] = values[i];
      }
    }
  }
}

}  // namespace quoth::cuda
