// The end of a multiplication of many rows: scale, bias, activation, gate, residual.
#pragma once

#include "linear_prefill.h"

namespace quoth::cuda {

inline constexpr float kFloat8 = 256.0f;  // E4M3 bytes are multiplied as halves of 2^-8 their value

// What a block's results become: which of them are one row of out, and what comes after the bias.
enum class Ending { plain, silu, gelu, other };

// x times the normal distribution below x, by Abramowitz and Stegun's 7.1.26 (of erf: within 1.5e-7): beside it erfcf
// took longer than the multiplication of an encoder.
__device__ inline float quick_gelu(float x) {
  const float z = fabsf(x) * 0.70710678118654752f;
  const float t = __fdividef(1.0f, fmaf(0.3275911f, z, 1.0f));
  const float poly =
      fmaf(fmaf(fmaf(fmaf(1.061405429f, t, -1.453152027f), t, 1.421413741f), t, -0.284496736f), t, 0.254829592f);
  const float above = 0.5f * poly * t * __expf(-z * z);  // of a normal distribution above |x|
  return x * (x < 0 ? above : 1.0f - above);
}

// A block has kUnits tiles of kSpan weight rows; where a gate is, the first of two tiles holds it and the second what
// it gates. `sums` [kTokens, kPitch] and the rows' `inverse_scales` are in shared memory. A thread keeps to four rows.
template <bool kIsGated, Ending kEnding, int32_t kSpan, int32_t kUnits, int32_t kTokens, int32_t kPitch,
          int32_t kThreads>
__device__ inline void finish_as(const PrefillProblem& problem, const float* sums, const float* inverse_scales,
                                 int32_t block, int32_t first_token) {
  constexpr int32_t kRows = kSpan * kUnits / (kIsGated ? 2 : 1);
  constexpr int32_t kQuads = kRows / 4;
  constexpr int32_t kStep = kThreads / kQuads;
  constexpr int32_t kBatch = kEnding == Ending::other ? 1 : 4;  // tokens at once: their loads overlap
  static_assert(kThreads % kQuads == 0);
  const int32_t end_row = kIsGated ? problem.gate_rows : problem.num_rows;
  const int32_t local = static_cast<int32_t>(threadIdx.x) % kQuads * 4;
  const int32_t row = block * kRows + local;
  if (row >= end_row) return;
  const int32_t count = min(4, end_row - row);
  const bool is_whole = problem.is_paired && count == 4;
  const float* from = sums + (kIsGated ? local / kSpan * 2 * kSpan + local % kSpan : local);
  const int32_t num_tokens = min(kTokens, problem.x.num_rows - first_token);
  float biases[kIsGated ? 2 : 1][4] = {}, scales[kIsGated ? 2 : 1][4];
#pragma unroll
  for (int32_t half = 0; half < (kIsGated ? 2 : 1); ++half) {
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t r = half * problem.gate_rows + min(row + i, end_row - 1);
      scales[half][i] = problem.row_scales == nullptr ? 1.0f : kFloat8 * problem.row_scales[r];
      if (problem.bias != nullptr) biases[half][i] = problem.bias[r];
    }
  }
  for (int32_t first = static_cast<int32_t>(threadIdx.x) / kQuads; first < num_tokens; first += kStep * kBatch) {
    float values[kBatch][4], before[kBatch][4] = {};
    if (problem.adds) {
#pragma unroll
      for (int32_t b = 0; b < kBatch; ++b) {
        const int32_t token = first + b * kStep;
        if (token >= num_tokens) continue;
        const float* old = row_of(problem.out, first_token + token) + row;
        if (is_whole) {
          const float4 four = *reinterpret_cast<const float4*>(old);
          before[b][0] = four.x, before[b][1] = four.y, before[b][2] = four.z, before[b][3] = four.w;
        } else {
#pragma unroll
          for (int32_t i = 0; i < 4; ++i) before[b][i] = i < count ? old[i] : 0.0f;
        }
      }
    }
#pragma unroll
    for (int32_t b = 0; b < kBatch; ++b) {
      const int32_t token = min(first + b * kStep, kTokens - 1);
      const float inverse = inverse_scales[token];
      const float4 four = *reinterpret_cast<const float4*>(from + token * kPitch);
      values[b][0] = four.x, values[b][1] = four.y, values[b][2] = four.z, values[b][3] = four.w;
      float gated[4] = {};
      if constexpr (kIsGated) {
        const float4 other = *reinterpret_cast<const float4*>(from + token * kPitch + kSpan);
        gated[0] = other.x, gated[1] = other.y, gated[2] = other.z, gated[3] = other.w;
      }
#pragma unroll
      for (int32_t i = 0; i < 4; ++i) {
        float value = fmaf(values[b][i] * inverse, scales[0][i], biases[0][i]);
        if constexpr (kEnding == Ending::silu) value = __fdividef(value, 1.0f + __expf(-value));
        if constexpr (kEnding == Ending::gelu) value = quick_gelu(value);
        if constexpr (kEnding == Ending::other) value = activation_of(value, problem.activation);
        if constexpr (kIsGated) value *= fmaf(gated[i] * inverse, scales[1][i], biases[1][i]);
        values[b][i] = value + before[b][i];
      }
    }
#pragma unroll
    for (int32_t b = 0; b < kBatch; ++b) {
      const int32_t token = first + b * kStep;
      if (token >= num_tokens) continue;
      float* to = row_of(problem.out, first_token + token) + row;
      if (is_whole) {
        *reinterpret_cast<float4*>(to) = make_float4(values[b][0], values[b][1], values[b][2], values[b][3]);
      } else {
#pragma unroll
        for (int32_t i = 0; i < 4; ++i) {
          if (i < count) to[i] = values[b][i];
        }
      }
    }
  }
}

template <int32_t kSpan, int32_t kUnits, int32_t kTokens, int32_t kPitch, int32_t kThreads>
__device__ inline void finish(const PrefillProblem& problem, const float* sums, const float* inverse_scales,
                              int32_t block, int32_t first_token) {
  const auto end = [&](auto as) { as(problem, sums, inverse_scales, block, first_token); };
  const bool is_plain = problem.activation == Activation::none;
  const bool is_silu = problem.activation == Activation::silu;
  if constexpr (kUnits % 2 == 0) {
    if (problem.gate_rows > 0) {
      if (is_silu) return end(finish_as<true, Ending::silu, kSpan, kUnits, kTokens, kPitch, kThreads>);
      return end(finish_as<true, Ending::other, kSpan, kUnits, kTokens, kPitch, kThreads>);
    }
  }
  if (is_plain) return end(finish_as<false, Ending::plain, kSpan, kUnits, kTokens, kPitch, kThreads>);
  if (is_silu) return end(finish_as<false, Ending::silu, kSpan, kUnits, kTokens, kPitch, kThreads>);
  if (problem.activation == Activation::gelu) {
    return end(finish_as<false, Ending::gelu, kSpan, kUnits, kTokens, kPitch, kThreads>);
  }
  end(finish_as<false, Ending::other, kSpan, kUnits, kTokens, kPitch, kThreads>);
}

// Brings the tokens' scales to shared memory, for all threads after the next barrier. Rows past the last are not there.
template <int32_t kTokens, int32_t kThreads>
__device__ inline void bring_inverse_scales(const PrefillProblem& problem, int32_t first_token, float* to) {
  for (int32_t i = threadIdx.x; i < kTokens; i += kThreads) {
    to[i] = first_token + i < problem.x.padded_rows ? problem.x.inverse_scales[first_token + i] : 0.0f;
  }
}

}  // namespace quoth::cuda
