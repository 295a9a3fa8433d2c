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

}  // namespace quoth::cuda
