// Sums, products and activations, element by element: a thread takes four columns of a row that lie side by side, or
// one where rows are not in fours.
#include "device.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kThreads = 256;

// out = body(a, b) for every element; without kHasB, body(a, 0).
template <bool kInFours, bool kHasB, typename Body>
__global__ void __launch_bounds__(kThreads) each_kernel(Rows a, Rows b, Rows out, Body body) {
  let_next_start();
  wait_for_previous();
  const int32_t parts = kInFours ? out.width / 4 : out.width;  // of a row
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t row = index / parts;
  if (row >= out.num_rows) return;
  const int32_t part = static_cast<int32_t>(index - row * parts);
  const int32_t t = static_cast<int32_t>(row);
  if constexpr (kInFours) {
    const float4 x = reinterpret_cast<const float4*>(row_of(a, t))[part];
    float4 y{};
    if constexpr (kHasB) y = reinterpret_cast<const float4*>(row_of(b, t))[part];
    reinterpret_cast<float4*>(row_of(out, t))[part] =
        make_float4(body(x.x, y.x), body(x.y, y.y), body(x.z, y.z), body(x.w, y.w));
  } else {
    row_of(out, t)[part] = body(row_of(a, t)[part], kHasB ? row_of(b, t)[part] : 0.0f);
  }
}

template <bool kHasB, typename Body>
Status for_each(Device* device, const Rows& a, const Rows& b, const Rows& out, const Body& body) {
  if (!device->lost.ok()) return device->lost;
  if (out.num_rows == 0 || out.width == 0) return {};
  const bool in_fours = has_fours(a) && has_fours(out) && (!kHasB || has_fours(b));
  const int64_t parts = static_cast<int64_t>(out.num_rows) * (in_fours ? out.width / 4 : out.width);
  const dim3 grid(static_cast<unsigned>(ceil_div(parts, int64_t{kThreads})));
  return in_fours
             ? launch_overlapped(device, each_kernel<true, kHasB, Body>, grid, dim3(kThreads), 0, a, b, out, body)
             : launch_overlapped(device, each_kernel<false, kHasB, Body>, grid, dim3(kThreads), 0, a, b, out, body);
}

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Multiply {
  __device__ float operator()(float a, float b) const { return a * b; }
};
template <Activation kActivation>
struct Activate {
  __device__ float operator()(float x, float) const { return activation_of(x, kActivation); }
};
template <Activation kActivation>
struct Gate {
  __device__ float operator()(float gate, float up) const { return activation_of(gate, kActivation) * up; }
};
struct SoftCap {
  float cap;
  __device__ float operator()(float x, float) const { return cap * tanhf(x / cap); }
};
struct Clamp {
  float limit;
  __device__ float operator()(float x, float) const {
    return x < -limit ? -limit : x > limit ? limit : x;  // a NaN stays one
  }
};

// Body<activation>() for the one that is asked for.
template <template <Activation> typename Body, bool kHasB>
Status for_each_activated(Device* device, Activation activation, const Rows& a, const Rows& b, const Rows& out) {
  switch (activation) {
    case Activation::silu:
      return for_each<kHasB>(device, a, b, out, Body<Activation::silu>());
    case Activation::gelu:
      return for_each<kHasB>(device, a, b, out, Body<Activation::gelu>());
    case Activation::gelu_tanh:
      return for_each<kHasB>(device, a, b, out, Body<Activation::gelu_tanh>());
    case Activation::relu:
      return for_each<kHasB>(device, a, b, out, Body<Activation::relu>());
    case Activation::tanh:
      return for_each<kHasB>(device, a, b, out, Body<Activation::tanh>());
    default:
      return for_each<kHasB>(device, a, b, out, Body<Activation::none>());
  }
}

// out[t, i] = x[t, index[i]]. The host cannot look into the index; a column that is not there is read as NaN, never
// from elsewhere.
__global__ void __launch_bounds__(kThreads) permute_kernel(Rows x, const int32_t* index, Rows out) {
  let_next_start();
  wait_for_previous();
  const int32_t k = static_cast<int32_t>(blockIdx.y) * kThreads + static_cast<int32_t>(threadIdx.x);
  if (k >= out.width) return;
  const int32_t t = static_cast<int32_t>(blockIdx.x);
  const int32_t column = index[k];
  row_of(out, t)[k] = column >= 0 && column < x.width ? row_of(x, t)[column] : NAN;
}

}  // namespace

Status add(Device* device, Rows a, Rows b, Rows out) {
  if (!same_shape(a, b) || !same_shape(a, out)) return {Code::invalid_input, "add: the rows must be of one shape"};
  return for_each<true>(device, a, b, out, Add());
}

Status multiply(Device* device, Rows a, Rows b, Rows out) {
  if (!same_shape(a, b) || !same_shape(a, out)) return {Code::invalid_input, "multiply: the rows must be of one shape"};
  return for_each<true>(device, a, b, out, Multiply());
}

Status add_bias(Device* device, Rows x, const float* bias) {
  const Rows same_for_all{const_cast<float*>(bias), x.num_rows, x.width, 0};
  return for_each<true>(device, x, same_for_all, x, Add());
}

Status activate(Device* device, Rows x, Activation activation, Rows out) {
  if (!same_shape(x, out)) return {Code::invalid_input, "activate: the rows must be of one shape"};
  return for_each_activated<Activate, false>(device, activation, x, Rows{}, out);
}

Status gated(Device* device, Rows gate_up, Activation activation, Rows out) {
  if (gate_up.num_rows != out.num_rows || gate_up.width != 2 * out.width) {
    return {Code::invalid_input, "gated: gate_up must be [T, 2F] for an out of [T, F]"};
  }
  Rows gate = gate_up, up = gate_up;
  gate.width = up.width = out.width;
  up.data += out.width;
  return for_each_activated<Gate, true>(device, activation, gate, up, out);
}

Status soft_cap(Device* device, Rows x, float cap) {
  if (!(cap > 0)) return {Code::invalid_input, "soft_cap: the cap must be above zero"};
  return for_each<false>(device, x, Rows{}, x, SoftCap{cap});
}

Status clamp(Device* device, Rows x, float limit) {
  if (!(limit >= 0)) return {Code::invalid_input, "clamp: the limit must not be below zero"};
  return for_each<false>(device, x, Rows{}, x, Clamp{limit});
}

Status permute_columns(Device* device, Rows x, const int32_t* index, Rows out) {
  if (x.num_rows != out.num_rows) return {Code::invalid_input, "permute_columns: out must have as many rows as x"};
  if (!device->lost.ok()) return device->lost;
  if (out.num_rows == 0 || out.width == 0) return {};
  const dim3 grid(static_cast<unsigned>(out.num_rows), static_cast<unsigned>(ceil_div(out.width, kThreads)));
  return launch_overlapped(device, permute_kernel, grid, dim3(kThreads), 0, x, index, out);
}

}  // namespace quoth::cuda
