// Eight floats at a time. Included once, inside the unnamed namespace of loops_avx2.cc: nothing here may be shared with
// files compiled for other processors.

using Vector = __m256;
constexpr int32_t kLanes = 8;
constexpr int32_t kLanesAtOnce = 2;   // attention: 2 lanes x 4 vectors of sums of the 16 registers
constexpr int32_t kTokensAtOnce = 3;  // linear_float: 4 weight rows x 3 rows of x

// -1 in the first n of eight places: from kFirst + 8 - n.
alignas(64) constexpr int32_t kFirst[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

inline __m256i first(int32_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst + 8 - n));
}
inline Vector load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline Vector load_first(const float* p, int32_t n) {
  return _mm256_maskload_ps(p, first(n));
}
inline void store(float* p, Vector v) {
  _mm256_storeu_ps(p, v);
}
inline void store_first(float* p, Vector v, int32_t n) {
  _mm256_maskstore_ps(p, first(n), v);
}
inline Vector keep_first(Vector v, int32_t n) {
  return _mm256_and_ps(v, _mm256_castsi256_ps(first(n)));
}
inline Vector load_half(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Vector all(float x) {
  return _mm256_set1_ps(x);
}
inline Vector add(Vector a, Vector b) {
  return _mm256_add_ps(a, b);
}
inline Vector subtract(Vector a, Vector b) {
  return _mm256_sub_ps(a, b);
}
inline Vector multiply(Vector a, Vector b) {
  return _mm256_mul_ps(a, b);
}
inline Vector divide(Vector a, Vector b) {
  return _mm256_div_ps(a, b);
}
inline Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vector maximum(Vector a, Vector b) {
  return _mm256_max_ps(a, b);
}  // b where one is NaN
inline Vector minimum(Vector a, Vector b) {
  return _mm256_min_ps(a, b);
}
inline Vector magnitude(Vector a) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
inline Vector nearest(Vector a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Vector power_of_two(Vector n) {  // n whole, -126 .. 127
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_add_ps(n, all(127.0f))), 23));
}
inline __m256 fold(Vector v) {
  return v;
}
inline __m256 larger_half(Vector v) {
  return v;
}
// a where x < limit, else b (also where x is a NaN).
inline Vector where_below(Vector x, Vector limit, Vector a, Vector b) {
  return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, limit, _CMP_LT_OQ));
}
// E4M3 / 256, exactly: its bits moved to where half precision has them, whose bias is eight more.
inline Vector load_float8(const uint8_t* p) {
  const __m128i wide = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  const __m128i mask = _mm_set1_epi16(static_cast<int16_t>(0xbf80));
  return _mm256_cvtph_ps(_mm_and_si128(_mm_slli_epi16(wide, 7), mask));
}
// v where first <= place < end, else `other`; the vector's first place is `base`.
inline Vector within(Vector v, int32_t base, int32_t first_place, int32_t end, Vector other) {
  const __m256i place = _mm256_add_epi32(_mm256_set1_epi32(base), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  const __m256i inside = _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(first_place), place),
                                             _mm256_cmpgt_epi32(_mm256_set1_epi32(end), place));
  return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(inside));
}
