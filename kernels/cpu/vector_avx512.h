// Sixteen floats at a time. Included once, inside the unnamed namespace of loops_avx512.cc: nothing here may be shared
// with files compiled for other processors.

using Vector = __m512;
constexpr int32_t kLanes = 16;
constexpr int32_t kLanesAtOnce = 4;   // attention: 4 lanes x 4 vectors of sums of the 32 registers
constexpr int32_t kTokensAtOnce = 6;  // linear_float: 4 weight rows x 6 rows of x

inline __mmask16 first(int32_t n) {
  return static_cast<__mmask16>((1u << n) - 1);
}
inline Vector load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline Vector load_first(const float* p, int32_t n) {
  return _mm512_maskz_loadu_ps(first(n), p);
}
inline void store(float* p, Vector v) {
  _mm512_storeu_ps(p, v);
}
inline void store_first(float* p, Vector v, int32_t n) {
  _mm512_mask_storeu_ps(p, first(n), v);
}
inline Vector keep_first(Vector v, int32_t n) {
  return _mm512_maskz_mov_ps(first(n), v);
}
inline Vector load_half(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Vector all(float x) {
  return _mm512_set1_ps(x);
}
inline Vector add(Vector a, Vector b) {
  return _mm512_add_ps(a, b);
}
inline Vector subtract(Vector a, Vector b) {
  return _mm512_sub_ps(a, b);
}
inline Vector multiply(Vector a, Vector b) {
  return _mm512_mul_ps(a, b);
}
inline Vector divide(Vector a, Vector b) {
  return _mm512_div_ps(a, b);
}
inline Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vector maximum(Vector a, Vector b) {
  return _mm512_max_ps(a, b);
}  // b where one is NaN
inline Vector minimum(Vector a, Vector b) {
  return _mm512_min_ps(a, b);
}
inline Vector magnitude(Vector a) {
  return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}
inline Vector nearest(Vector a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Vector power_of_two(Vector n) {  // n whole, -126 .. 127
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtps_epi32(_mm512_add_ps(n, all(127.0f))), 23));
}
inline __m256 fold(Vector v) {
  return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
}
inline __m256 larger_half(Vector v) {
  return _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
}
// a where x < limit, else b (also where x is a NaN).
inline Vector where_below(Vector x, Vector limit, Vector a, Vector b) {
  return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(x, limit, _CMP_LT_OQ), a);
}
// E4M3 / 256, exactly: its bits moved to where half precision has them, whose bias is eight more.
inline Vector load_float8(const uint8_t* p) {
  const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i mask = _mm256_set1_epi16(static_cast<int16_t>(0xbf80));
  return _mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(wide, 7), mask));
}
// v where first <= place < end, else `other`; the vector's first place is `base`.
inline Vector within(Vector v, int32_t base, int32_t first_place, int32_t end, Vector other) {
  const __m512i place = _mm512_add_epi32(_mm512_set1_epi32(base),
                                         _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __mmask16 inside = _mm512_cmpge_epi32_mask(place, _mm512_set1_epi32(first_place)) &
                           _mm512_cmplt_epi32_mask(place, _mm512_set1_epi32(end));
  return _mm512_mask_mov_ps(other, inside, v);
}
