// What a CPU and a GPU must reckon alike, so that both choose the same id from the same logits: weights in whole parts,
// whose sums have the same bits in any order, and random numbers. Single operations of IEEE 754 and whole numbers only.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define QUOTH_BOTH __host__ __device__
#else
#define QUOTH_BOTH
#endif

namespace quoth {

inline constexpr int32_t kWeightBits = 41;  // the weight of the best is 2^41: 2^20 of them have room in 64 bits

// One rounding for each, never contracted.
QUOTH_BOTH inline float rounded_product(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
QUOTH_BOTH inline float rounded_sum(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}
QUOTH_BOTH inline float rounded_quotient(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

// Temperatures below are as none: the best is taken.
inline constexpr float kLeastTemperature = 1e-30f;

// What `weight_of` takes for a temperature.
QUOTH_BOTH inline float rate_of(float temperature) {
  return rounded_quotient(1.44269502f, temperature);  // 1 / ln 2
}

// exp(-distance / temperature) in parts of 2^-41, within 3e-7 of it; 0 below one part, and for a NaN.
//   distance   of a logit from the best one, not below 0
//   rate       of the temperature
QUOTH_BOTH inline uint64_t weight_of(float distance, float rate) {
  const float halvings = rounded_product(distance, rate);
  if (!(halvings < static_cast<float>(kWeightBits + 1))) return 0;
  const int32_t whole = static_cast<int32_t>(halvings);
  const float rest = rounded_sum(halvings, -static_cast<float>(whole));
  // 2^-rest on [0, 1), exact at 0: a minimax fit, 2e-9 beside the rounding.
  float part = 0x1.c946ccp-14f;
  part = rounded_sum(rounded_product(part, rest), -0x1.4e2ae8p-10f);
  part = rounded_sum(rounded_product(part, rest), 0x1.39e3fcp-7f);
  part = rounded_sum(rounded_product(part, rest), -0x1.c6948ep-5f);
  part = rounded_sum(rounded_product(part, rest), 0x1.ebfac0p-3f);
  part = rounded_sum(rounded_product(part, rest), -0x1.62e42cp-1f);
  part = rounded_sum(rounded_product(part, rest), 1.0f);
  // From a half to one: a whole number of 2^-24.
  return uint64_t{static_cast<uint32_t>(rounded_product(part, 16777216.0f))} << (kWeightBits - 24) >> whole;
}

// A number from 0 to 2^64 - 1 that depends on the seed and the index alone: Philox4x32-10 (Salmon et al., SC 2011) of
// counter `index`. Its upper 53 bits are random.
QUOTH_BOTH inline uint64_t random_bits(uint64_t seed, uint64_t index) {
  uint32_t counter[4] = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0};
  uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int32_t round = 0; round < 10; ++round) {
    const uint64_t left = uint64_t{0xD2511F53} * counter[0];
    const uint64_t right = uint64_t{0xCD9E8D57} * counter[2];
    counter[0] = static_cast<uint32_t>(right >> 32) ^ counter[1] ^ key[0];
    counter[1] = static_cast<uint32_t>(right);
    counter[2] = static_cast<uint32_t>(left >> 32) ^ counter[3] ^ key[1];
    counter[3] = static_cast<uint32_t>(left);
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return (uint64_t{counter[0]} << 32 | counter[1]) >> 11 << 11;
}

// The upper half of a product of 64 by 64 bits.
QUOTH_BOTH inline uint64_t upper_product(uint64_t a, uint64_t b) {
  const uint64_t a_low = a & 0xffffffffu, a_high = a >> 32, b_low = b & 0xffffffffu, b_high = b >> 32;
  const uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
  const uint64_t other = a_low * b_high + (middle & 0xffffffffu);
  return a_high * b_high + (middle >> 32) + (other >> 32);
}

// A share of the weights, rounded up: of top-p, or as the least weight of min-p.   share in [0, 1]
QUOTH_BOTH inline uint64_t share_of(double share, uint64_t weights) {
#ifdef __CUDA_ARCH__
  const double exact = __dmul_rn(share, __ull2double_rn(weights));
#else
  const double exact = share * static_cast<double>(weights);
#endif
  const uint64_t whole = static_cast<uint64_t>(exact);
  const uint64_t up = static_cast<double>(whole) < exact ? whole + 1 : whole;
  return up < weights ? up : weights;
}

}  // namespace quoth
