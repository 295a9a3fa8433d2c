// The float loops of both vector files, written over the vector that vector_avx2.h or vector_avx512.h defines. Included
// once in each, after it, inside the same unnamed namespace.

inline Vector load_half_first(const uint16_t* p, int32_t n) {
  uint16_t copied[kLanes] = {};
  std::memcpy(copied, p, 2 * static_cast<size_t>(n));
  return load_half(copied);
}

inline Vector load_float8_first(const uint8_t* p, int32_t n) {
  uint8_t copied[kLanes] = {};
  std::memcpy(copied, p, static_cast<size_t>(n));
  return load_float8(copied);
}

// Four sums, each over all places of one vector, always added in the same order.
inline __m128 sums(Vector a, Vector b, Vector c, Vector d) {
  const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(fold(a), fold(b)), _mm256_hadd_ps(fold(c), fold(d)));
  return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
}

inline float sum(Vector v) {
  return _mm_cvtss_f32(sums(v, v, v, v));
}

// The largest place; NaN places may be passed over.
inline float largest(Vector v) {
  const __m256 eight = larger_half(v);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

// exp within 2 units in the last place for -87 <= x <= 88, and its value at those ends beyond them; NaN stays NaN.
// A polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes' coefficients), times a power of two.
inline Vector exponential(Vector x) {
  x = minimum(all(88.0f), maximum(all(-87.0f), x));
  const Vector n = nearest(multiply(x, all(1.44269504088896341f)));
  const Vector r = multiply_add(n, all(2.12194440e-4f), multiply_add(n, all(-0.693359375f), x));
  Vector p = all(1.9875691500e-4f);
  p = multiply_add(p, r, all(1.3981999507e-3f));
  p = multiply_add(p, r, all(8.3334519073e-3f));
  p = multiply_add(p, r, all(4.1665795894e-2f));
  p = multiply_add(p, r, all(1.6666665459e-1f));
  p = multiply_add(p, r, all(5.0000001201e-1f));
  return multiply(add(multiply_add(p, multiply(r, r), r), all(1.0f)), power_of_two(n));
}

// x / (1 + exp(-s)), within 1e-6 max(1, |x|).
inline Vector sigmoid_times(Vector x, Vector s) {
  return divide(x, add(all(1.0f), exponential(subtract(all(0.0f), s))));
}

// Below 0.625 a polynomial (Cephes' coefficients), else 1 - 2 / (exp(2 |x|) + 1) with x's sign; NaN stays NaN.
inline Vector hyperbolic_tangent(Vector x) {
  const Vector z = multiply(x, x);
  Vector p = all(-5.70498872745e-3f);
  p = multiply_add(p, z, all(2.06390887954e-2f));
  p = multiply_add(p, z, all(-5.37397155531e-2f));
  p = multiply_add(p, z, all(1.33314422036e-1f));
  p = multiply_add(p, z, all(-3.33332819422e-1f));
  const Vector near_zero = multiply_add(multiply(p, z), x, x);
  const Vector size = magnitude(x);
  const Vector far = subtract(all(1.0f), divide(all(2.0f), add(exponential(add(size, size)), all(1.0f))));
  return where_below(size, all(0.625f), near_zero, where_below(x, all(0.0f), subtract(all(0.0f), far), far));
}

// max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, with erfc of Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7).
inline Vector gelu(Vector x) {
  const Vector z = multiply(magnitude(x), all(0.70710678118654752f));
  const Vector t = divide(all(1.0f), multiply_add(z, all(0.3275911f), all(1.0f)));
  Vector p = all(1.061405429f);
  p = multiply_add(p, t, all(-1.453152027f));
  p = multiply_add(p, t, all(1.421413741f));
  p = multiply_add(p, t, all(-0.284496736f));
  p = multiply_add(p, t, all(0.254829592f));
  const Vector tail = multiply(multiply(p, t), exponential(subtract(all(0.0f), multiply(z, z))));
  return subtract(maximum(all(0.0f), x), multiply(multiply(magnitude(x), all(0.5f)), tail));
}

inline Vector activated(Vector x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::silu:
      return sigmoid_times(x, x);
    case Activation::gelu:
      return gelu(x);
    case Activation::gelu_tanh: {
      const Vector cubic = multiply_add(multiply(multiply(x, x), x), all(0.044715f), x);
      return sigmoid_times(x, multiply(cubic, all(2 * 0.79788456080286536f)));
    }
    case Activation::relu:
      return maximum(all(0.0f), x);
    case Activation::tanh:
      return hyperbolic_tangent(x);
  }
  return x;
}

void activate_row(const float* x, Activation activation, int32_t width, float* out) {
  int32_t k = 0;
  for (; k + kLanes <= width; k += kLanes) store(out + k, activated(load(x + k), activation));
  if (k < width) store_first(out + k, activated(load_first(x + k, width - k), activation), width - k);
}

void gated_row(const float* gate, const float* up, Activation activation, int32_t width, float* out) {
  int32_t k = 0;
  for (; k + kLanes <= width; k += kLanes) {
    store(out + k, multiply(activated(load(gate + k), activation), load(up + k)));
  }
  if (k < width) {
    const Vector value = activated(load_first(gate + k, width - k), activation);
    store_first(out + k, multiply(value, load_first(up + k, width - k)), width - k);
  }
}

void cap_row(float* x, float cap, int32_t width) {
  const auto capped = [cap](Vector v) { return multiply(all(cap), hyperbolic_tangent(divide(v, all(cap)))); };
  int32_t k = 0;
  for (; k + kLanes <= width; k += kLanes) store(x + k, capped(load(x + k)));
  if (k < width) store_first(x + k, capped(load_first(x + k, width - k)), width - k);
}

void half_row(const float* x, int32_t width, uint16_t* out) {
  int32_t k = 0;
  for (; k + 8 <= width; k += 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + k),
                     _mm256_cvtps_ph(_mm256_loadu_ps(x + k), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  for (; k < width; ++k) out[k] = half_from_float(x[k]);
}

void norm_row(float* x, const float* y, const float* weight, const float* bias, bool subtract_mean, float epsilon,
              int32_t width, float* out) {
  const int32_t whole = width / kLanes * kLanes;
  const int32_t rest = width - whole;
  if (y != nullptr) {
    for (int32_t k = 0; k < whole; k += kLanes) store(x + k, add(load(x + k), load(y + k)));
    if (rest > 0) store_first(x + whole, add(load_first(x + whole, rest), load_first(y + whole, rest)), rest);
  }
  float mean = 0;
  if (subtract_mean) {
    Vector total = all(0.0f);
    for (int32_t k = 0; k < whole; k += kLanes) total = add(total, load(x + k));
    if (rest > 0) total = add(total, load_first(x + whole, rest));
    mean = sum(total) / static_cast<float>(width);
  }
  const Vector means = all(mean);
  Vector even = all(0.0f);
  Vector odd = all(0.0f);
  int32_t k = 0;
  for (; k + 2 * kLanes <= whole; k += 2 * kLanes) {
    const Vector a = subtract(load(x + k), means);
    const Vector b = subtract(load(x + k + kLanes), means);
    even = multiply_add(a, a, even);
    odd = multiply_add(b, b, odd);
  }
  if (k < whole) {
    const Vector a = subtract(load(x + k), means);
    even = multiply_add(a, a, even);
  }
  if (rest > 0) {
    const Vector b = keep_first(subtract(load_first(x + whole, rest), means), rest);
    odd = multiply_add(b, b, odd);
  }
  const double squares = sum(add(even, odd));
  const Vector scale = all(static_cast<float>(1.0 / std::sqrt(squares / width + epsilon)));
  for (k = 0; k < whole; k += kLanes) {
    const Vector normed = multiply(multiply(subtract(load(x + k), means), scale), load(weight + k));
    store(out + k, bias == nullptr ? normed : add(normed, load(bias + k)));
  }
  if (rest > 0) {
    const Vector centred = subtract(load_first(x + whole, rest), means);
    const Vector normed = multiply(multiply(centred, scale), load_first(weight + whole, rest));
    store_first(out + whole, bias == nullptr ? normed : add(normed, load_first(bias + whole, rest)), rest);
  }
}

// Some values of a row of f32, f16 or f8 weights from column k on; f8 without its scale.
template <Type kType>
inline Vector load_weights(const void* row, int64_t k) {
  if constexpr (kType == Type::f8) return load_float8(static_cast<const uint8_t*>(row) + k);
  if constexpr (kType == Type::f16) return load_half(static_cast<const uint16_t*>(row) + k);
  return load(static_cast<const float*>(row) + k);
}
template <Type kType>
inline Vector load_first_weights(const void* row, int64_t k, int32_t n) {
  if constexpr (kType == Type::f8) return load_float8_first(static_cast<const uint8_t*>(row) + k, n);
  if constexpr (kType == Type::f16) return load_half_first(static_cast<const uint16_t*>(row) + k, n);
  return load_first(static_cast<const float*>(row) + k, n);
}

// Four weight rows (the last ones may be the same) times kTokens rows of x: one vector of sums per pair along all of K.
template <int32_t kTokens, Type kType>
void dot_block(const void* const (&w)[4], const float* x, int64_t x_stride, int32_t num_columns, int32_t num_rows,
               float* out, int64_t out_stride) {
  Vector total[4][kTokens];
  for (int32_t r = 0; r < 4; ++r) {
    for (int32_t t = 0; t < kTokens; ++t) total[r][t] = all(0.0f);
  }
  int32_t k = 0;
  for (; k + kLanes <= num_columns; k += kLanes) {
    Vector columns[kTokens];
    for (int32_t t = 0; t < kTokens; ++t) columns[t] = load(x + t * x_stride + k);
    for (int32_t r = 0; r < 4; ++r) {
      const Vector weights = load_weights<kType>(w[r], k);
      for (int32_t t = 0; t < kTokens; ++t) total[r][t] = multiply_add(weights, columns[t], total[r][t]);
    }
  }
  if (const int32_t rest = num_columns - k; rest > 0) {
    for (int32_t r = 0; r < 4; ++r) {
      const Vector weights = load_first_weights<kType>(w[r], k, rest);
      for (int32_t t = 0; t < kTokens; ++t) {
        total[r][t] = multiply_add(weights, load_first(x + t * x_stride + k, rest), total[r][t]);
      }
    }
  }
  for (int32_t t = 0; t < kTokens; ++t) {
    float dots[4];
    _mm_storeu_ps(dots, sums(total[0][t], total[1][t], total[2][t], total[3][t]));
    for (int32_t r = 0; r < num_rows; ++r) out[t * out_stride + r] = dots[r];
  }
}

template <Type kType>
void linear_float_rows(const LinearTask& task, int32_t first_row, int32_t end_row) {
  const Weight& weight = *task.weight;
  const int32_t num_columns = weight.num_columns;
  const int64_t row_bytes = static_cast<int64_t>(num_columns) * (kType == Type::f8 ? 1 : kType == Type::f16 ? 2 : 4);
  // Rows of x that fit half a first-level cache, so that the weight rows sweep over them there.
  const int32_t fitting = 24576 / (4 * num_columns) / kTokensAtOnce * kTokensAtOnce;
  const int32_t sweep = fitting < kTokensAtOnce ? kTokensAtOnce : fitting;
  for (int32_t begin = 0; begin < task.x.num_rows; begin += sweep) {
    const int32_t end = begin + sweep < task.x.num_rows ? begin + sweep : task.x.num_rows;
    for (int32_t n = first_row; n < end_row; n += 4) {
      const int32_t num_rows = end_row - n < 4 ? end_row - n : 4;
      const void* w[4];
      for (int32_t r = 0; r < 4; ++r) {
        w[r] = static_cast<const char*>(weight.data) + row_bytes * (n + (r < num_rows ? r : num_rows - 1));
      }
      for (int32_t t = begin; t < end;) {
        const float* x = task.x.data + static_cast<int64_t>(t) * task.x.stride;
        float* out = task.out.data + static_cast<int64_t>(t) * task.out.stride + n;
        const int64_t x_stride = task.x.stride;
        const int64_t out_stride = task.out.stride;
        if (end - t >= kTokensAtOnce) {
          dot_block<kTokensAtOnce, kType>(w, x, x_stride, num_columns, num_rows, out, out_stride);
          t += kTokensAtOnce;
        } else if (kTokensAtOnce > 4 && end - t >= 4) {
          dot_block<4, kType>(w, x, x_stride, num_columns, num_rows, out, out_stride);
          t += 4;
        } else if (end - t >= 2) {
          dot_block<2, kType>(w, x, x_stride, num_columns, num_rows, out, out_stride);
          t += 2;
        } else {
          dot_block<1, kType>(w, x, x_stride, num_columns, num_rows, out, out_stride);
          t += 1;
        }
      }
    }
  }
  for (int32_t t = 0; t < task.x.num_rows; ++t) {
    float* out = task.out.data + static_cast<int64_t>(t) * task.out.stride + first_row;
    const int32_t width = end_row - first_row;
    if constexpr (kType == Type::f8) {
      const float* scales = f8_scales(weight) + first_row;
      for (int32_t k = 0; k < width; ++k) out[k] *= scales[k] * 256.0f;
    }
    if (task.bias != nullptr) {
      const float* bias = task.bias + first_row;
      int32_t k = 0;
      for (; k + kLanes <= width; k += kLanes) store(out + k, add(load(out + k), load(bias + k)));
      for (; k < width; ++k) out[k] += bias[k];
    }
    if (task.activation != Activation::none) activate_row(out, task.activation, width, out);
  }
}

void linear_float(const LinearTask& task, int32_t first_row, int32_t end_row) {
  if (task.weight->type == Type::f16) {
    linear_float_rows<Type::f16>(task, first_row, end_row);
  } else if (task.weight->type == Type::f8) {
    linear_float_rows<Type::f8>(task, first_row, end_row);
  } else {
    linear_float_rows<Type::f32>(task, first_row, end_row);
  }
}
