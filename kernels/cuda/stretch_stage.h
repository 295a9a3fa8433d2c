// x of a linear in a stretch, on its way from the exchange to digits in shared memory. Every warp rounds what it will
// multiply itself, part of K by part, so that none waits for another.
#pragma once

#include "stretch_linear.h"

namespace quoth::cuda::stretch {

// Where a warp's two records of a slot lie, and where their sums go.
struct Share {
  int32_t at[2];       // bytes from the slot's start
  int32_t records[2];  // of K; negative: none
  int32_t tiles[2];    // of the slot's tiles
  int32_t lines[2];    // of sums
  int32_t slot_tiles;
  int32_t warp;

  // The part of K from record `first` on.
  __device__ Share(const LinearWork& work, int32_t warp_index, int32_t first) : warp(warp_index) {
    at[0] = warp * kRecordBytes, at[1] = (warp + kWarps) * kRecordBytes;
    records[0] = first + warp, records[1] = first + warp + kWarps;
    tiles[0] = tiles[1] = 0;
    lines[0] = lines[1] = warp;
    slot_tiles = 1;
    if (first + kSlotRecords <= work.num_records) return;
    const int32_t count = work.rest_records;
    slot_tiles = work.rest_tiles;
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t item = warp + i * kWarps;
      const int32_t tile = slot_tiles == 1 ? 0 : (item * work.rest_inverse) >> 10;
      const int32_t record = item - tile * count;
      const bool is_there = tile < slot_tiles && record < count;
      records[i] = is_there ? first + record : -1;
      if (!is_there) at[i] = warp * kRecordBytes;
      tiles[i] = is_there ? tile : 1 << 16;
      if (slot_tiles > 1) lines[i] = kWarps + record;
    }
  }
  // Without a second record: the first again. More than one warp may have a record that is left over.
  __device__ int32_t own(int32_t i) const {
    return records[i] < 0 ? records[0] : records[i];
  }
  // Where the two are in x's place; negative: none.
  template <int32_t kTokens>
  __device__ int32_t place(int32_t i) const {
    return kTokens > 1 || records[i] < 0 ? records[i] : warp + i * kWarps;
  }
  // Whether this warp is the one that counts the record.
  __device__ bool counts(int32_t i) const {
    return tiles[i] == 0;
  }
};

__device__ inline float larger_or_nan(float a, float b) {
  float c;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}

// Two records of x as they were looked at, four columns in each lane.
template <int32_t kTokens>
struct Looked {
  uint4 v[2][kTokens];
};
struct Source {
  const uint32_t* from;  // this lane's columns of the first record
  int32_t stride, tag;

  __device__ Source(const Stretch& p, const StretchOperation& operation, int32_t lane) {
    tag = static_cast<int32_t>(operation.x_tag);
    from = (tag == 0 ? reinterpret_cast<const uint32_t*>(operation.x) : p.exchange + operation.x_exchange) + 4 * lane;
    stride = tag == 0 ? operation.x_stride : p.exchange_stride;
  }
  __device__ uint4 look(int32_t record, int32_t token) const {
    return look_at(from + static_cast<int64_t>(token) * stride + record * kUnitColumns);
  }
};

template <int32_t kTokens>
__device__ inline void look_at_x(const Source& x, const Share& share, Looked<kTokens>& looked) {
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) looked.v[i][t] = x.look(share.own(i), t);
  }
}

// The two records that a warp multiplies, normed if they are to be, to two digits of 8 bits each. What was looked at
// too early is looked at again. No other warp reads what this one writes. `squares`: of this lane's columns.
template <int32_t kTokens>
__device__ inline void stage_x(const Stretch& p, const Source& source, const float* norm_weight, const Places& places,
                               const Share& share, int32_t lane, Looked<kTokens>& looked, float (&squares)[kTokens]) {
  constexpr float kShift = 12582912.0f + 128.0f;  // 1.5 * 2^23, see decode_rows.h; and the rounding of the high digit
  constexpr uint32_t kShiftBits = 4u * (0x4b400000u + 128u);  // of four of them
  const auto tag = static_cast<uint32_t>(source.tag);
  const int32_t first_place = share.template place<kTokens>(0), second_place = share.template place<kTokens>(1);
  const int32_t places_of_x[2] = {first_place, second_place < 0 ? first_place : second_place};
  float4 weights[2];
#pragma unroll
  for (float4& weight : weights) weight = {1, 1, 1, 1};
  if (norm_weight != nullptr) {
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
      weights[i] = __ldg(reinterpret_cast<const float4*>(norm_weight + share.own(i) * kUnitColumns + 4 * lane));
    }
  }
  uint4(&v)[2][kTokens] = looked.v;
  if (tag == 0) {  // as if it had been in the exchange
#pragma unroll
    for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
      for (int32_t t = 0; t < kTokens; ++t) {
        v[i][t] = {shortened(v[i][t].x), shortened(v[i][t].y), shortened(v[i][t].z), shortened(v[i][t].w)};
      }
    }
  }
#ifdef QUOTH_STRETCH_PROBE
  const bool waits = tag != 0 && !(p.probe & 1);
#else
  const bool waits = tag != 0;
#endif
  if (waits) {
    for (;;) {
      bool again = false;
#pragma unroll
      for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
        for (int32_t t = 0; t < kTokens; ++t) {
          if (!has_tag(v[i][t], tag)) {
            again = true;
            v[i][t] = source.look(share.own(i), t);
          }
        }
      }
      if (!__any_sync(0xffffffffu, again)) break;
    }
  }
  float4 x[2][kTokens];
  float maximum[2][kTokens], inverses[2][kTokens];
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) {
      float4 f = without_tags(v[i][t]);
      const float square = fmaf(f.x, f.x, fmaf(f.y, f.y, fmaf(f.z, f.z, f.w * f.w)));
      if (share.counts(i)) squares[t] += square;
      f = {f.x * weights[i].x, f.y * weights[i].y, f.z * weights[i].z, f.w * weights[i].w};
      x[i][t] = f;
      const float most = larger_or_nan(larger_or_nan(fabsf(f.x), fabsf(f.y)), larger_or_nan(fabsf(f.z), fabsf(f.w)));
      maximum[i][t] = __uint_as_float(__reduce_max_sync(0xffffffffu, __float_as_uint(most)));
    }
  }
  // One kind of instruction after another: their latencies overlap.
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) inverses[i][t] = digits_scale(maximum[i][t]);
  }
  // Lane l has columns 4 l ..: group l / 8, octet l % 8 / 2, its low or high nibbles l % 2.
  uint8_t* const to = places.x + lane % 8 / 2 * 32 + lane / 16 * 16 + lane % 2 * 8 + lane / 8 % 2 * 4;
  int32_t sum[2][kTokens];
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) {
      const float inverse = inverses[i][t];
      const float4 f = x[i][t];
      const uint32_t a = __float_as_uint(fmaf(f.x, inverse, kShift)), b = __float_as_uint(fmaf(f.y, inverse, kShift));
      const uint32_t c = __float_as_uint(fmaf(f.z, inverse, kShift)), d = __float_as_uint(fmaf(f.w, inverse, kShift));
      const uint32_t left = __byte_perm(a, b, 0x5140), right = __byte_perm(c, d, 0x5140);
      uint8_t* line = to + (places_of_x[i] * 2 * kTokens + 2 * t) * kLineBytes;
      *reinterpret_cast<uint32_t*>(line) = __byte_perm(left, right, 0x7632);
      *reinterpret_cast<uint32_t*>(line + kLineBytes) = __byte_perm(left, right, 0x5410) ^ 0x80808080u;
      sum[i][t] = static_cast<int32_t>(a + b + c + d - kShiftBits);
    }
  }
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) sum[i][t] = __reduce_add_sync(0xffffffffu, sum[i][t]);
  }
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
#pragma unroll
    for (int32_t t = 0; t < kTokens; ++t) {
      const float scale =
          maximum[i][t] > 1e37f ? __uint_as_float(0x7f800000u) : maximum[i][t] * (1.0f / kLargestDigits);
      if (lane == 0) {
        places.factors[places_of_x[i] * kTokens + t] = {scale * 0.0625f, scale * static_cast<float>(sum[i][t])};
      }
    }
  }
  __syncwarp();
}

}  // namespace quoth::cuda::stretch
