// Sums, products and activations, element by element: block (row, part of the row), a thread takes kPerThread columns.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int32_t kPerThread = 4;

// body(row, column) for every element.
template <typename Body>
__global__ void __launch_bounds__(kThreads) each_kernel(int32_t width, Body body) {
  const int32_t first = static_cast<int32_t>(blockIdx.y) * kThreads * kPerThread + static_cast<int32_t>(threadIdx.x);
#pragma unroll
  for (int32_t i = 0; i < kPerThread; ++i) {
    const int32_t column = first + i * kThreads;
    if (column < width) body(static_cast<int32_t>(blockIdx.x), column);
  }
}

template <typename Body>
Status for_each(Device* device, const Rows& out, const Body& body) {
  if (!device->lost.ok()) return device->lost;
  if (out.num_rows == 0 || out.width == 0) return {};
  const dim3 grid(static_cast<unsigned>(out.num_rows),
                  static_cast<unsigned>(ceil_div(out.width, kThreads * kPerThread)));
  each_kernel<<<grid, kThreads, 0, device->stream>>>(out.width, body);
  return launched(device);
}

struct Add {
  Rows a, b, out;
  __device__ void operator()(int32_t t, int32_t k) const { row_of(out, t)[k] = row_of(a, t)[k] + row_of(b, t)[k]; }
};

struct Multiply {
  Rows a, b, out;
  __device__ void operator()(int32_t t, int32_t k) const { row_of(out, t)[k] = row_of(a, t)[k] * row_of(b, t)[k]; }
};

struct AddBias {
  Rows x;
  const float* bias;
  __device__ void operator()(int32_t t, int32_t k) const { row_of(x, t)[k] += bias[k]; }
};

struct Activate {
  Rows x;
  Activation activation;
  Rows out;
  __device__ void operator()(int32_t t, int32_t k) const {
    row_of(out, t)[k] = activation_of(row_of(x, t)[k], activation);
  }
};

struct Gated {
  Rows gate_up;
  Activation activation;
  Rows out;
  __device__ void operator()(int32_t t, int32_t k) const {
    const float* gate = row_of(gate_up, t);
    row_of(out, t)[k] = activation_of(gate[k], activation) * gate[out.width + k];
  }
};

struct SoftCap {
  Rows x;
  float cap;
  __device__ void operator()(int32_t t, int32_t k) const { row_of(x, t)[k] = cap * tanhf(row_of(x, t)[k] / cap); }
};

struct Clamp {
  Rows x;
  float limit;
  __device__ void operator()(int32_t t, int32_t k) const {
    const float value = row_of(x, t)[k];
    row_of(x, t)[k] = value < -limit ? -limit : value > limit ? limit : value;  // a NaN stays one
  }
};

// The host cannot look into the index; a column that is not there is read as NaN, never from elsewhere.
struct Permute {
  Rows x;
  const int32_t* index;
  Rows out;
  __device__ void operator()(int32_t t, int32_t k) const {
    const int32_t column = index[k];
    row_of(out, t)[k] = column >= 0 && column < x.width ? row_of(x, t)[column] : NAN;
  }
};

}  // namespace

Status add(Device* device, Rows a, Rows b, Rows out) {
  if (!same_shape(a, b) || !same_shape(a, out)) return {Code::invalid_input, "add: the rows must be of one shape"};
  return for_each(device, out, Add{a, b, out});
}

Status multiply(Device* device, Rows a, Rows b, Rows out) {
  if (!same_shape(a, b) || !same_shape(a, out)) return {Code::invalid_input, "multiply: the rows must be of one shape"};
  return for_each(device, out, Multiply{a, b, out});
}

Status add_bias(Device* device, Rows x, const float* bias) {
  return for_each(device, x, AddBias{x, bias});
}

Status activate(Device* device, Rows x, Activation activation, Rows out) {
  if (!same_shape(x, out)) return {Code::invalid_input, "activate: the rows must be of one shape"};
  return for_each(device, out, Activate{x, activation, out});
}

Status gated(Device* device, Rows gate_up, Activation activation, Rows out) {
  if (gate_up.num_rows != out.num_rows || gate_up.width != 2 * out.width) {
    return {Code::invalid_input, "gated: gate_up must be [T, 2F] for an out of [T, F]"};
  }
  return for_each(device, out, Gated{gate_up, activation, out});
}

Status soft_cap(Device* device, Rows x, float cap) {
  if (!(cap > 0)) return {Code::invalid_input, "soft_cap: the cap must be above zero"};
  return for_each(device, x, SoftCap{x, cap});
}

Status clamp(Device* device, Rows x, float limit) {
  if (!(limit >= 0)) return {Code::invalid_input, "clamp: the limit must not be below zero"};
  return for_each(device, x, Clamp{x, limit});
}

Status permute_columns(Device* device, Rows x, const int32_t* index, Rows out) {
  if (x.num_rows != out.num_rows) return {Code::invalid_input, "permute_columns: out must have as many rows as x"};
  return for_each(device, out, Permute{x, index, out});
}

}  // namespace quoth::cuda
