// Linear for few rows (T <= 8): what linear.cu asks, and what the benchmark varies.
#pragma once

#include "device.h"

namespace quoth::cuda {

inline constexpr int32_t kDecodeTokens = 8;

// How one call is cut. 0 = chosen by `linear_decode`.
struct DecodeChoice {
  int32_t stages = 0;        // slots of the ring
  int32_t shared_bytes = 0;  // of a block, at most
  int32_t ahead = 0;         // of them on their way at once
};

// The choices that tuning tries, for all weights and GPUs: which is best depends on the memory's latency.
inline constexpr DecodeChoice kDecodeWays[] = {{0, 0, 1}, {0, 0, 2}, {0, 0, 3}, {0, 0, 4}, {0, 0, 6}, {0, 0, 8}};

// Whether `linear_decode` takes this weight and so many rows; false also for a weight that no kernel may take.
bool decodes(const Rows& x, const Weight& weight, const LinearFusion& fusion);
// out = act(norm(x) W^T + bias), gated, added: as LinearFusion says. Shapes have been checked.
Status linear_decode(Device*, Rows x, const Weight* weight, const float* bias, Activation, const LinearFusion&,
                     Rows out, const DecodeChoice& choice = {});

}  // namespace quoth::cuda
