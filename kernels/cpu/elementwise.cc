// Sums, products and activations, element by element.
#include <cmath>

#include "device.h"
#include "float16.h"

namespace quoth::cpu {

float activation_of(float x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::silu:
      return x / (1.0f + std::exp(-x));
    case Activation::gelu:
      return 0.5f * x * std::erfc(-x * 0.70710678118654752f);
    case Activation::gelu_tanh: {
      // 0.5 x (1 + tanh u) = x / (1 + exp(-2u)), which keeps its precision for negative x.
      const float u = 0.79788456080286536f * (x + 0.044715f * x * x * x);
      return x / (1.0f + std::exp(-2.0f * u));
    }
    case Activation::relu:
      return x < 0.0f ? 0.0f : x;  // a NaN stays one
    case Activation::tanh:
      return std::tanh(x);
  }
  return x;
}

namespace {

void plain_activate_row(const float* x, Activation activation, int32_t width, float* out) {
  for (int32_t k = 0; k < width; ++k) out[k] = activation_of(x[k], activation);
}

void plain_gated_row(const float* gate, const float* up, Activation activation, int32_t width, float* out) {
  for (int32_t k = 0; k < width; ++k) out[k] = activation_of(gate[k], activation) * up[k];
}

void plain_cap_row(float* x, float cap, int32_t width) {
  for (int32_t k = 0; k < width; ++k) x[k] = cap * std::tanh(x[k] / cap);
}

void plain_half_row(const float* x, int32_t width, uint16_t* out) {
  for (int32_t k = 0; k < width; ++k) out[k] = half_from_float(x[k]);
}

}  // namespace

void set_plain_elementwise(Loops* loops) {
  loops->activate_row = plain_activate_row;
  loops->gated_row = plain_gated_row;
  loops->cap_row = plain_cap_row;
  loops->half_row = plain_half_row;
}

Status add(Device* device, Rows a, Rows b, Rows out) {
  if (!same_shape(a, b) || !same_shape(a, out)) return {Code::invalid_input, "add: the rows must be of one shape"};
  for_rows(device, a.num_rows, a.width, [&](int32_t t) {
    const float* left = row_of(a, t);
    const float* right = row_of(b, t);
    float* sum = row_of(out, t);
    for (int32_t k = 0; k < a.width; ++k) sum[k] = left[k] + right[k];
  });
  return {};
}

Status multiply(Device* device, Rows a, Rows b, Rows out) {
  if (!same_shape(a, b) || !same_shape(a, out)) return {Code::invalid_input, "multiply: the rows must be of one shape"};
  for_rows(device, a.num_rows, a.width, [&](int32_t t) {
    const float* left = row_of(a, t);
    const float* right = row_of(b, t);
    float* product = row_of(out, t);
    for (int32_t k = 0; k < a.width; ++k) product[k] = left[k] * right[k];
  });
  return {};
}

Status add_bias(Device* device, Rows x, const float* bias) {
  for_rows(device, x.num_rows, x.width, [&](int32_t t) {
    float* row = row_of(x, t);
    for (int32_t k = 0; k < x.width; ++k) row[k] += bias[k];
  });
  return {};
}

Status activate(Device* device, Rows x, Activation activation, Rows out) {
  if (!same_shape(x, out)) return {Code::invalid_input, "activate: the rows must be of one shape"};
  for_rows(device, x.num_rows, 4 * x.width,
           [&](int32_t t) { device->loops.activate_row(row_of(x, t), activation, x.width, row_of(out, t)); });
  return {};
}

Status gated(Device* device, Rows gate_up, Activation activation, Rows out) {
  if (gate_up.num_rows != out.num_rows || gate_up.width != 2 * out.width) {
    return {Code::invalid_input, "gated: gate_up must be [T, 2F] for an out of [T, F]"};
  }
  for_rows(device, out.num_rows, 4 * out.width, [&](int32_t t) {
    const float* gate = row_of(gate_up, t);
    device->loops.gated_row(gate, gate + out.width, activation, out.width, row_of(out, t));
  });
  return {};
}

Status soft_cap(Device* device, Rows x, float cap) {
  if (!(cap > 0)) return {Code::invalid_input, "soft_cap: the cap must be above zero"};
  for_rows(device, x.num_rows, 4 * x.width, [&](int32_t t) { device->loops.cap_row(row_of(x, t), cap, x.width); });
  return {};
}

Status clamp(Device* device, Rows x, float limit) {
  if (!(limit >= 0)) return {Code::invalid_input, "clamp: the limit must not be below zero"};
  for_rows(device, x.num_rows, x.width, [&](int32_t t) {
    float* row = row_of(x, t);
    for (int32_t k = 0; k < x.width; ++k) row[k] = row[k] < -limit ? -limit : row[k] > limit ? limit : row[k];
  });
  return {};
}

Status permute_columns(Device* device, Rows x, const int32_t* index, Rows out) {
  if (x.num_rows != out.num_rows) return {Code::invalid_input, "permute_columns: out must have as many rows as x"};
  for (int32_t k = 0; k < out.width; ++k) {
    if (index[k] < 0 || index[k] >= x.width) return {Code::invalid_input, "permute_columns: no such column"};
  }
  for_rows(device, out.num_rows, out.width, [&](int32_t t) {
    const float* row = row_of(x, t);
    float* permuted = row_of(out, t);
    for (int32_t k = 0; k < out.width; ++k) permuted[k] = row[index[k]];
  });
  return {};
}

}  // namespace quoth::cpu
