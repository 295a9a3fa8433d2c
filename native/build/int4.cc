#include "int4.h"

#include <algorithm>

#include "clones.h"
#include "dequantize.h"

namespace quoth {
namespace {

constexpr int kLanes = 16;
constexpr float kLargestHalf = 65504;

// Adding and taking away 1.5 * 2^23 rounds to a whole number, ties to even, in every instruction set; |x| < 2^22.
constexpr float kRounder = 12582912.0f;

struct Range {
  float low, high;
};

QUOTH_CLONES Range range_of(const float* weights, int32_t count, float limit) {
  float low[kLanes] = {}, high[kLanes] = {};
  for (int32_t i = 0; i < count; i += kLanes) {
    for (int j = 0; j < kLanes; j++) {
      const float w = weights[i + j];
      low[j] = w < low[j] ? w : low[j];
      high[j] = w > high[j] ? w : high[j];
    }
  }
  Range range{0, 0};
  for (int j = 0; j < kLanes; j++) {
    range.low = std::min(range.low, low[j]);
    range.high = std::max(range.high, high[j]);
  }
  return {std::max(range.low, -limit), std::min(range.high, limit)};
}

// The code of a weight before it is a byte: one expression, so that codes and meanings never differ.
inline float code_of(float weight, float limit, float divisor, float zero) {
  weight = weight < -limit ? -limit : weight;
  weight = weight > limit ? limit : weight;
  float code = (weight / divisor + kRounder) - kRounder + zero;
  code = code < 0.0f ? 0.0f : code;
  return code > 15.0f ? 15.0f : code;
}

QUOTH_CLONES void codes_loop(const float* weights, int32_t count, float limit, float divisor, float zero,
                             uint8_t* codes) {
  for (int32_t i = 0; i < count; i++) {
    codes[i] = static_cast<uint8_t>(static_cast<int32_t>(code_of(weights[i], limit, divisor, zero)));
  }
}

QUOTH_CLONES void round_loop(const float* weights, int32_t count, float limit, float divisor, Int4Fit fit,
                             float* rounded) {
  for (int32_t i = 0; i < count; i++) {
    rounded[i] = (code_of(weights[i], limit, divisor, fit.zero) - fit.zero) * fit.scale;
  }
}

QUOTH_CLONES float magnitude_loop(const float* numbers, int32_t count) {
  float high[kLanes] = {};
  for (int32_t i = 0; i < count; i += kLanes) {
    for (int j = 0; j < kLanes; j++) {
      const float x = numbers[i + j] < 0 ? -numbers[i + j] : numbers[i + j];
      high[j] = x > high[j] ? x : high[j];
    }
  }
  return *std::max_element(high, high + kLanes);
}

// A group of zeros has the scale 0, and the code 0 throughout.
float divisor_of(const Int4Fit& fit) {
  return fit.scale == 0 ? 1 : fit.scale;
}

}  // namespace

Int4Fit fit_int4(const float* weights, int32_t count, float limit) {
  const Range range = range_of(weights, count, limit);
  uint16_t half = half_from_float(std::min((range.high - range.low) / 15, kLargestHalf));
  Int4Fit fit;
  fit.scale = float_from_half(half);
  // Below the normal numbers an f16 may be far too small: the next one reaches the ends of the range.
  if (half < 0x0400 && fit.scale * 15 < range.high - range.low)
    fit.scale = float_from_half(static_cast<uint16_t>(half + 1));
  fit.zero = std::clamp((-range.low / divisor_of(fit) + kRounder) - kRounder, 0.0f, 15.0f);
  return fit;
}

void int4_codes(const float* weights, int32_t count, float limit, const Int4Fit& fit, uint8_t* codes) {
  codes_loop(weights, count, limit, divisor_of(fit), fit.zero, codes);
}

void rounded_int4(const float* weights, int32_t count, float limit, float* rounded) {
  const Int4Fit fit = fit_int4(weights, count, limit);
  round_loop(weights, count, limit, divisor_of(fit), fit, rounded);
}

float largest_magnitude(const float* numbers, int32_t count) {
  return magnitude_loop(numbers, count);
}

}  // namespace quoth
