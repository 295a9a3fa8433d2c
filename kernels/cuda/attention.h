// What the attention kernels share: the task, the tensor cores' instruction, scores, and how contexts are split.
//
//   attention.cu          checks, and which kernel a step gets
//   attention_few*        sequences of 1 to 8 rows in this step: keys split between blocks, merged in the same launch
//   attention_each.cu     many sequences of one row over short contexts, on sm_90: a warp each
//   attention_many.cu     sequences of more rows, and encoders: tiles of rows walk the keys
//   attention_wgmma.cu    the same for f16 pages on sm_90
//   attention_simple.cu   f32 pages and heads whose size is not a multiple of 8: ordinary units
//
// The first three multiply on the tensor cores: queries, keys, values and weights (probabilities) as f16, sums in f32.
// Queries are kept as a sixteenth, so that f16 holds magnitudes up to a million.
#pragma once

#include <cuda_fp8.h>

#include "device.h"

namespace quoth::cuda {

inline constexpr int32_t kFewRows = 8;
inline constexpr float kQueryPart = 1.0f / 16;  // exact
inline constexpr float kLog2E = 1.44269504088896341f;

// Attention over kv pages.
struct PagedTask {
  Rows queries;  // [T, H * d] turned; or a qkv buffer [T, (H + 2G) * d] as the linear left it
  Rows out;
  KvPages pages;
  int32_t num_heads;
  int32_t group_size;  // H / G
  int32_t head_size;   // d
  float scale;         // of a product with queries that are kept as a part
  float soft_cap;      // 0: none
  const float* slopes;
  int32_t window;
  DeviceBatch batch;
  int32_t page_table_stride;
};

// sum += A B: A [16, 16] and B [16, 8] in f16. Thread 4 g + t holds rows g and g + 8 of A and of the sum.
__device__ inline void multiply_add(float (&sum)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                    uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// 2^x; 0 for -infinity, exactly 1 for 0.
__device__ inline float power_of_two(float x) {
  float power = 0;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}
// What scores are compared with: a lane that has seen nothing yet must not give infinity - infinity.
__device__ inline float base_of(float maximum) {
  return maximum == -INFINITY ? 0.0f : maximum;
}

__device__ inline uint32_t halves_of(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  uint32_t word = 0;
  memcpy(&word, &pair, sizeof word);
  return word;
}
__device__ inline uint32_t scaled_halves(uint32_t word, uint32_t factors) {
  __half2 a, b;
  memcpy(&a, &word, sizeof a);
  memcpy(&b, &factors, sizeof b);
  a = __hmul2(a, b);
  memcpy(&word, &a, sizeof word);
  return word;
}

__device__ inline float half_value(uint32_t bits) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
}
// Four bytes of i8 or E4M3 as halves, exactly.
__device__ inline void halves_of_bytes(uint32_t bytes, Type type, uint32_t& low, uint32_t& high) {
  if (type == Type::i8) {
    const uint32_t shifted = bytes ^ 0x80808080u;  // 0 .. 255; behind 0x64 it is 1024 and more
    const __half2 offset = __floats2half2_rn(1152, 1152);
    const uint32_t words[2] = {__byte_perm(shifted, 0x64646464u, 0x4140), __byte_perm(shifted, 0x64646464u, 0x4342)};
    __half2 pair;
    memcpy(&pair, &words[0], 4);
    pair = __hsub2(pair, offset);
    memcpy(&low, &pair, 4);
    memcpy(&pair, &words[1], 4);
    pair = __hsub2(pair, offset);
    memcpy(&high, &pair, 4);
  } else {
    const __half2_raw first = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(bytes & 0xffffu), __NV_E4M3);
    const __half2_raw second = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(bytes >> 16), __NV_E4M3);
    low = static_cast<uint32_t>(first.x) | static_cast<uint32_t>(first.y) << 16;
    high = static_cast<uint32_t>(second.x) | static_cast<uint32_t>(second.y) << 16;
  }
}

// Of two halves, those that are an infinity or no number: 0xffff in their place, else 0.
__device__ inline uint32_t not_finite(uint32_t halves) {
  return ((halves & 0x7c00u) == 0x7c00u ? 0x0000ffffu : 0u) |
         ((halves & 0x7c000000u) == 0x7c000000u ? 0xffff0000u : 0u);
}
// 1.0 where the mask is set.
__device__ inline uint32_t ones_of(uint32_t mask) {
  return mask & 0x3c003c00u;
}

// The score of a product, in powers of two; `distance` from the row to the key, not above 0.
__device__ inline float score_of(const PagedTask& task, float product, float slope, int32_t distance) {
  float score = __fmul_rn(product, task.scale);
  if (task.soft_cap > 0) score = __fmul_rn(task.soft_cap, tanhf(score / task.soft_cap));
  score = fmaf(slope, static_cast<float>(distance), score);
  return __fmul_rn(score, kLog2E);
}

// Sine and cosine of a pair's turn, and the turn: an angle in f32, as on the CPU. No contraction: the same bits in
// every kernel that turns.
__device__ inline float2 turn_of(const Rope& rope, int32_t pair, int32_t position) {
  float sine = 0, cosine = 0;
  sincosf(__fmul_rn(static_cast<float>(position), rope.inverse_frequencies[pair]), &sine, &cosine);
  return {__fmul_rn(sine, rope.factor), __fmul_rn(cosine, rope.factor)};
}
__device__ inline void turn(float2 by, float& a, float& b) {
  const float turned = __fsub_rn(__fmul_rn(a, by.y), __fmul_rn(b, by.x));
  b = __fadd_rn(__fmul_rn(b, by.y), __fmul_rn(a, by.x));
  a = turned;
}

// The columns of a head that slot `slot` holds: a pair that turns, or (`second` < 0) a column that passes. A head has
// R / 2 slots of pairs and d - R of single columns.
struct Slot {
  int32_t first, second;
};
__device__ inline Slot slot_of(const Rope& rope, int32_t slot, int32_t half) {
  if (slot >= half) return {slot + half, -1};
  return rope.adjacent_pairs ? Slot{2 * slot, 2 * slot + 1} : Slot{slot, slot + half};
}

// Bytes of a token's key or value of one head, as KvPages states it. `largest`: its largest magnitude, infinity if it
// holds what is no number.
__host__ __device__ inline int64_t block_bytes_of(Type type, int64_t head_size) {  // kv_block_bytes
  return kPageTokens * (type == Type::f32 ? 4 * head_size : type == Type::f16 ? 2 * head_size : head_size + 2);
}
__device__ inline __half byte_scale(float largest, Type type) {
  if (!(largest <= kMaxKvByteValue)) return __ushort_as_half(0x7e00);
  return __float2half_rn(largest / (type == Type::i8 ? 127.0f : 448.0f));
}
__device__ inline float magnitude_of(float value) {
  return isnan(value) ? INFINITY : fabsf(value);
}
__device__ inline uint8_t byte_of(float value, float scale, Type type) {
  if (!(scale > 0)) return 0;
  const float ratio = value / scale;
  if (type == Type::i8) return static_cast<uint8_t>(static_cast<int8_t>(fminf(fmaxf(rintf(ratio), -127.0f), 127.0f)));
  return __nv_cvt_float_to_fp8(ratio, __NV_SATFINITE, __NV_E4M3);
}

// attention.cu: whether a step has sequences of few rows, of many, and the longest context.
struct StepShape {
  bool has_few = false, has_many = false;
  bool is_one_row = false;  // every sequence has one row
  int32_t few_rows = 0;     // the most rows of a sequence of few: 1, or what a recorded step's key allows
  int32_t num_many = 0;     // at most so many sequences have more rows
  int32_t num_pages = 0;    // the longest context, rounded up to a power of two
  int64_t num_keys = 0;     // of all contexts of few rows
};

Status attention_few(Device*, const PagedTask&, const Rope* rope /* null: queries are turned, keys written */,
                     const StepShape&, int32_t num_sequences);
// attention_each.cu: the same of sequences of one row, without window, cap or slopes. Whether it is for these:
bool suits_each(const Device*, const PagedTask&, const Rope* rope, const StepShape&, int32_t num_sequences);
Status attention_each(Device*, const PagedTask&, const Rope* rope, int32_t num_sequences);
Status attention_many(Device*, const PagedTask&, const StepShape&, int32_t num_sequences);
Status encoder_attention(Device*, Rows queries, Rows keys, Rows values, const Attention&, const DeviceBatch&,
                         int32_t num_sequences, Rows out);
Status simple_attention(Device*, Rows queries, const Attention&, const Batch&, const DeviceBatch&, KvPages, Rows out);
Status simple_encoder_attention(Device*, Rows queries, Rows keys, Rows values, const Attention&, const Batch&,
                                const DeviceBatch&, Rows out);

}  // namespace quoth::cuda
