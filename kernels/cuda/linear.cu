// out = act(x W^T + bias) for q8, q4 and int4 weights, on the tensor cores' integers.
//
// A row of x is rounded, 32 columns at a time, to 24-bit integers with one f32 scale, and these are cut into three int8
// digits: x = scale * (65536 d2 + 256 d1 + d0). The error is at most 2^-24 of the group's largest value, as that of an
// f32 sum would be; x is never cut down to int8. Weights are int8 as they are (q8), through the codebook (q4), or
// nibbles (int4), so all sums over a group are exact integers, and a weight times its scale is never rounded. From the
// sum of nibbles the zero point times the sum of x is taken, group by group of 32 columns also where 128 share it.
//
// The order of what is rounded depends on K alone: groups ascending inside a chunk (K / 32 groups make at most 16
// chunks), then chunks ascending. So one row or a thousand, split over warps or not, give the same bits.
//
// A warp owns 32 weight rows (two blocks of records) and 8 kTiles tokens. Lane 4 g + t holds, of the 32 columns of a
// group, columns 8 t .. 8 t + 7 of rows 4 g .. 4 g + 3: in q4 that is one 16-byte piece of a record, in q8 two.
//
//      row 4g + 0, 4g + 1  ->  rows g, g + 8 of the first m16n8k32        columns 8t .. 8t + 3      ->  k = 4t ..
//      row 4g + 2, 4g + 3  ->  rows g, g + 8 of the second                columns 8t + 4 .. 8t + 7  ->  k = 16 + 4t ..
//
// Both permutations are free: rows and columns of a product may be met in any order if x is met in the same.
#include "device.h"
#include "linear_decode.h"
#include "linear_prefill.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kChunks = 16;
constexpr int32_t kTileRows = 2 * kQuantRows;  // weight rows of a warp
constexpr int32_t kTileTokens = 8;             // columns of an mma
constexpr float kLargest = 127.0f * 65536.0f;  // of a rounded value: its highest digit stays in int8
constexpr int32_t kQuantizeThreads = 128;

struct Records {
  const uint8_t* data;
  const int8_t* codebook;
  int32_t num_rows;
  int32_t num_groups;
};

struct Rounded {
  const int8_t* digits;  // [T, K/32, 3, 32]
  const float* scales;   // [K/32, padded_rows]
  const float* sums;     // [K/32, padded_rows]: of the rounded values; int4 alone
  int32_t num_rows;      // T
  int32_t padded_rows;   // T rounded up to 8; the scales of the rows after T are 0
};

// A warp takes one group of one row, a lane one column.
__global__ void __launch_bounds__(kQuantizeThreads)
    round_kernel(Rows x, int32_t num_groups, int32_t padded_rows, int8_t* digits, float* scales, float* sums) {
  const int32_t row = blockIdx.x;
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t group = static_cast<int32_t>((blockIdx.y * kQuantizeThreads + threadIdx.x) / kWarp);
  if (group >= num_groups) return;
  float* scale = scales + static_cast<int64_t>(group) * padded_rows + row;
  if (row >= x.num_rows) {
    if (lane == 0) *scale = 0;
    if (lane == 0) sums[static_cast<int64_t>(group) * padded_rows + row] = 0;
    return;
  }
  const float value = row_of(x, row)[group * kQuantGroup + lane];
  // The bits of |x| order as |x| does, with NaN above all.
  const uint32_t largest = __reduce_max_sync(0xffffffffu, __float_as_uint(value) & 0x7fffffffu);
  const float maximum = __uint_as_float(largest);
  // A NaN or an infinity makes the group's scale one, so that the row's results say so; below 1e-31 a group is zero
  // (kLargest / maximum would overflow).
  const bool is_finite = largest < 0x7f800000u;
  const bool is_zero = maximum < 1e-31f;
  const float inverse = is_finite && !is_zero ? kLargest / maximum : 0.0f;
  const int32_t rounded = is_finite ? __float2int_rn(value * inverse) : 0;
  const int32_t low = static_cast<int8_t>(rounded);
  const int32_t upper = (rounded - low) >> 8;
  const int32_t middle = static_cast<int8_t>(upper);
  const int32_t high = (upper - middle) >> 8;
  int8_t* to = digits + (static_cast<int64_t>(row) * num_groups + group) * kDigits * kQuantGroup + lane;
  to[0] = static_cast<int8_t>(low);
  to[kQuantGroup] = static_cast<int8_t>(middle);
  to[2 * kQuantGroup] = static_cast<int8_t>(high);
  const int32_t sum = __reduce_add_sync(0xffffffffu, rounded);  // at most 32 * 127 * 2^16: below 2^31
  if (lane != 0) return;
  *scale = is_finite && is_zero ? 0.0f : maximum / kLargest;
  sums[static_cast<int64_t>(group) * padded_rows + row] = static_cast<float>(sum);
}

// c += a b: int8 [16, 32] times int8 [32, 8], exact in int32.
__device__ inline void multiply_tile(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <Type kType>
constexpr bool has_zeros = kType == Type::int4_g32 || kType == Type::int4_g128;
template <Type kType>
constexpr int32_t groups_of_record = record_columns(kType) / kQuantGroup;
template <Type kType>
constexpr int64_t bytes_of_record = record_bytes(kType);

// What a lane reads of one group: four rows by eight columns, their scales and zero points.
template <Type kType>
struct Piece {
  uint4 words[kType == Type::q8 ? 2 : 1];
  uint2 scales;
  uint2 zeros;  // int4 alone
};

// Group `group` of the records of a block of 16 rows.
template <Type kType>
__device__ inline Piece<kType> load_piece(const uint8_t* records, int32_t group, int32_t t, int32_t row_quad) {
  constexpr int32_t kGroups = groups_of_record<kType>;
  constexpr int32_t kGroupBytes = kType == Type::q8 ? 512 : 256;
  const uint8_t* record = records + static_cast<int64_t>(group / kGroups) * bytes_of_record<kType>;
  const uint8_t* weights = record + group % kGroups * kGroupBytes;
  Piece<kType> piece{};
#pragma unroll
  for (int32_t i = 0; i < (kType == Type::q8 ? 2 : 1); ++i) {
    const int32_t vector = kType == Type::q8 ? 2 * t + i : t;
    piece.words[i] = __ldg(reinterpret_cast<const uint4*>(weights + 64 * vector + 16 * row_quad));
  }
  const uint8_t* scales = record + kGroups * kGroupBytes + 8 * row_quad;
  piece.scales = __ldg(reinterpret_cast<const uint2*>(scales));
  if constexpr (has_zeros<kType>) piece.zeros = __ldg(reinterpret_cast<const uint2*>(scales + 2 * kQuantRows));
  return piece;
}

// The int8 values of eight nibbles, byte by byte: low nibbles to `low`, high ones to `high`. `book` holds the codebook.
__device__ inline void look_up(uint32_t nibbles, const uint32_t (&book)[4], uint32_t& low, uint32_t& high) {
  const uint32_t index = nibbles & 0x77777777u;                        // inside a half of the book
  const uint32_t half = ((nibbles >> 1) & 0x44444444u) | 0x32103210u;  // which half, as a selector of bytes
  uint32_t pairs[2];                                                   // low, high, low, high
#pragma unroll
  for (int32_t i = 0; i < 2; ++i) {
    const uint32_t lower = __byte_perm(book[0], book[1], index >> (16 * i));
    const uint32_t upper = __byte_perm(book[2], book[3], index >> (16 * i));
    pairs[i] = __byte_perm(lower, upper, half >> (16 * i));
  }
  low = __byte_perm(pairs[0], pairs[1], 0x6420);
  high = __byte_perm(pairs[0], pairs[1], 0x7531);
}

__device__ inline uint32_t word_of(const uint4& words, int32_t index) {
  return index == 0 ? words.x : index == 1 ? words.y : index == 2 ? words.z : words.w;
}

// kSplit 16: a block is 16 warps on the same rows and tokens, one chunk of K each. kSplit 1: 8 warps on 256 rows, each
// goes through all chunks.
template <Type kType, int32_t kTiles, int32_t kSplit>
__global__ void __launch_bounds__(kSplit == 1 ? 256 : 512)
    linear_kernel(Records weight, Rounded x, const float* bias, Activation activation, Rows out) {
  constexpr int32_t kGroups = groups_of_record<kType>;
  constexpr int32_t kDepth = kSplit == 1 || kType == Type::q8 ? 2 : 4;  // groups asked for before the first is used
  constexpr int32_t kTokens = kTiles * kTileTokens;
  const int32_t warp = threadIdx.x / kWarp;
  const int32_t lane = threadIdx.x % kWarp;
  const int32_t g = lane / 4;
  const int32_t t = lane % 4;
  const int32_t first_token = static_cast<int32_t>(blockIdx.x) * kTokens;
  const int32_t tile = kSplit == 1 ? static_cast<int32_t>(blockIdx.y) * 8 + warp : static_cast<int32_t>(blockIdx.y);
  const int32_t row_block = 2 * tile + g / 4;
  const bool has_rows = row_block < ceil_div(weight.num_rows, kQuantRows);
  const int32_t chunk_groups = ceil_div(weight.num_groups, kChunks);
  const int32_t num_chunks = ceil_div(weight.num_groups, chunk_groups);
  const uint8_t* records =
      weight.data + static_cast<int64_t>(row_block) * (weight.num_groups / kGroups) * bytes_of_record<kType>;

  uint32_t book[4] = {};
  if constexpr (kType == Type::q4) {
#pragma unroll
    for (int32_t i = 0; i < 4; ++i) book[i] = __ldg(reinterpret_cast<const uint32_t*>(weight.codebook) + i);
  }

  // Of one chunk, and of all before it: [tile of tokens][row 4g + r][token 2t, 2t + 1].
  float sums[kTiles][4][2] = {};
  float totals[kSplit == 1 ? kTiles : 1][4][2] = {};

  const auto consume = [&](const Piece<kType>& piece, int32_t group) {
    uint32_t a[2][4];  // of the two products
#pragma unroll
    for (int32_t r = 0; r < 4; ++r) {
      uint32_t low = 0, high = 0;
      if constexpr (kType == Type::q8) {
        low = word_of(piece.words[0], r) ^ 0x80808080u;
        high = word_of(piece.words[1], r) ^ 0x80808080u;
      } else if constexpr (has_zeros<kType>) {
        low = word_of(piece.words[0], r) & 0x0f0f0f0fu;
        high = (word_of(piece.words[0], r) >> 4) & 0x0f0f0f0fu;
      } else {
        look_up(word_of(piece.words[0], r), book, low, high);
      }
      a[r / 2][r % 2] = low;
      a[r / 2][2 + r % 2] = high;
    }
    const float2 scales_low = floats_of(piece.scales.x);
    const float2 scales_high = floats_of(piece.scales.y);
    const float row_scales[4] = {scales_low.x, scales_low.y, scales_high.x, scales_high.y};
    const float2 zeros_low = floats_of(piece.zeros.x);
    const float2 zeros_high = floats_of(piece.zeros.y);
    const float zeros[4] = {zeros_low.x, zeros_low.y, zeros_high.x, zeros_high.y};
#pragma unroll
    for (int32_t j = 0; j < kTiles; ++j) {
      const int32_t tile_token = first_token + j * kTileTokens;
      if (tile_token >= x.padded_rows) break;  // the same for the whole warp
      int32_t c[kDigits][2][4] = {};
      const int32_t token = tile_token + g;
      const int8_t* digits =
          x.digits + (static_cast<int64_t>(token) * weight.num_groups + group) * kDigits * kQuantGroup + 8 * t;
#pragma unroll
      for (int32_t d = 0; d < kDigits; ++d) {
        uint2 b = {0, 0};
        if (token < x.num_rows) b = __ldg(reinterpret_cast<const uint2*>(digits + d * kQuantGroup));
        multiply_tile(c[d][0], a[0], b.x, b.y);
        multiply_tile(c[d][1], a[1], b.x, b.y);
      }
      const int64_t at_tokens = static_cast<int64_t>(group) * x.padded_rows + tile_token + 2 * t;
      const float2 token_scales = __ldg(reinterpret_cast<const float2*>(x.scales + at_tokens));
      float2 token_sums = {0, 0};
      if constexpr (has_zeros<kType>) token_sums = __ldg(reinterpret_cast<const float2*>(x.sums + at_tokens));
#pragma unroll
      for (int32_t r = 0; r < 4; ++r) {
#pragma unroll
        for (int32_t i = 0; i < 2; ++i) {
          const int32_t at = r % 2 * 2 + i;
          const float lower = static_cast<float>(c[1][r / 2][at] * 256 + c[0][r / 2][at]);
          float sum = fmaf(static_cast<float>(c[2][r / 2][at]), 65536.0f, lower);
          if constexpr (has_zeros<kType>) sum = fmaf(-zeros[r], i == 0 ? token_sums.x : token_sums.y, sum);
          sums[j][r][i] = fmaf(sum, row_scales[r] * (i == 0 ? token_scales.x : token_scales.y), sums[j][r][i]);
        }
      }
    }
  };

  const int32_t end_chunk = kSplit == 1 ? num_chunks : min(warp + 1, num_chunks);
  for (int32_t chunk = kSplit == 1 ? 0 : warp; chunk < end_chunk; ++chunk) {
    const int32_t end = min((chunk + 1) * chunk_groups, weight.num_groups);
    for (int32_t first = chunk * chunk_groups; first < end; first += kDepth) {
      Piece<kType> pieces[kDepth] = {};
#pragma unroll
      for (int32_t i = 0; i < kDepth; ++i) {
        if (has_rows && first + i < end) {
          pieces[i] = load_piece<kType>(records, first + i, t, g % 4);
        }
      }
#pragma unroll
      for (int32_t i = 0; i < kDepth; ++i) {
        if (first + i < end) consume(pieces[i], first + i);
      }
    }
    if constexpr (kSplit == 1) {
#pragma unroll
      for (int32_t j = 0; j < kTiles; ++j) {
#pragma unroll
        for (int32_t r = 0; r < 4; ++r) {
#pragma unroll
          for (int32_t i = 0; i < 2; ++i) {
            totals[j][r][i] += sums[j][r][i];
            sums[j][r][i] = 0;
          }
        }
      }
    }
  }

  const auto put = [&](int32_t token, int32_t row, float total) {
    if (token >= x.num_rows || row >= weight.num_rows) return;
    if (bias != nullptr) total += bias[row];
    row_of(out, token)[row] = activation_of(total, activation);
  };
  if constexpr (kSplit == 1) {
#pragma unroll
    for (int32_t j = 0; j < kTiles; ++j) {
#pragma unroll
      for (int32_t r = 0; r < 4; ++r) {
#pragma unroll
        for (int32_t i = 0; i < 2; ++i) {
          put(first_token + j * kTileTokens + 2 * t + i, tile * kTileRows + 4 * g + r, totals[j][r][i]);
        }
      }
    }
  } else {
    __shared__ __align__(16) float parts[kSplit][kTokens][kTileRows];
#pragma unroll
    for (int32_t j = 0; j < kTiles; ++j) {
#pragma unroll
      for (int32_t i = 0; i < 2; ++i) {
        *reinterpret_cast<float4*>(&parts[warp][j * kTileTokens + 2 * t + i][4 * g]) =
            make_float4(sums[j][0][i], sums[j][1][i], sums[j][2][i], sums[j][3][i]);
      }
    }
    __syncthreads();
    for (int32_t index = threadIdx.x; index < kTokens * kTileRows; index += kSplit * kWarp) {
      const int32_t token = index / kTileRows;
      const int32_t row = index % kTileRows;
      float total = 0;
      for (int32_t chunk = 0; chunk < num_chunks; ++chunk) total += parts[chunk][token][row];
      put(first_token + token, tile * kTileRows + row, total);
    }
  }
}

template <Type kType, int32_t kTiles, int32_t kSplit>
void launch(Device* device, const Records& weight, const Rounded& x, const float* bias, Activation activation,
            const Rows& out) {
  const int32_t tiles = ceil_div(weight.num_rows, kTileRows);
  // Blocks of the same rows follow each other, so that the weights come from memory once and then from the L2 cache.
  const dim3 grid(static_cast<unsigned>(ceil_div(x.num_rows, kTiles * kTileTokens)),
                  static_cast<unsigned>(kSplit == 1 ? ceil_div(tiles, 8) : tiles));
  linear_kernel<kType, kTiles, kSplit>
      <<<grid, kSplit == 1 ? 256 : 512, 0, device->stream>>>(weight, x, bias, activation, out);
}

template <Type kType>
void choose(Device* device, const Records& weight, const Rounded& x, const float* bias, Activation activation,
            const Rows& out) {
  const int64_t large_blocks =
      static_cast<int64_t>(ceil_div(weight.num_rows, 8 * kTileRows)) * ceil_div(x.num_rows, 4 * kTileTokens);
  if (x.num_rows <= kTileTokens) {
    launch<kType, 1, kChunks>(device, weight, x, bias, activation, out);
  } else if (large_blocks < 2 * device->num_multiprocessors) {
    launch<kType, 2, kChunks>(device, weight, x, bias, activation, out);  // too few blocks otherwise
  } else {
    launch<kType, 4, 1>(device, weight, x, bias, activation, out);
  }
}

}  // namespace

Status linear(Device* device, Rows x, const Weight* weight, const float* bias, Activation activation, Rows out) {
  if (!device->lost.ok()) return device->lost;
  if (x.width != weight->num_columns || out.width != weight->num_rows || out.num_rows != x.num_rows) {
    return {Code::invalid_input, "linear: x must be [T, K] and out [T, N] for a weight [N, K]"};
  }
  if (x.num_rows == 0 || weight->num_rows == 0) return {};
  if (weight->type == Type::i32) return {Code::unsupported, "linear: a weight of whole numbers"};
  const int32_t columns = record_columns(weight->type);
  if (columns != 0 && weight->num_columns % columns != 0) {
    return {Code::invalid_input, "linear: K must be whole groups of the weight's"};
  }
  if (weight->type == Type::q4 && weight->codebook == nullptr) {
    return {Code::invalid_input, "linear: a q4 weight has no codebook"};
  }
  if (decodes(x, *weight, {})) return linear_decode(device, x, weight, bias, activation, {}, out);
  const bool is_many = x.num_rows > kFewRows && can_prefill(*weight, LinearFusion{});
  if (!is_many && columns == 0) return linear_float(device, x, weight, bias, activation, out);
  if (x.num_rows > device->max_tokens || x.width > device->max_columns) {
    return {Code::invalid_input, "linear: the step is larger than was reserved"};
  }
  if (is_many) return linear_prefill(device, x, *weight, bias, activation, LinearFusion{}, out);
  const int32_t num_groups = weight->num_columns / kQuantGroup;
  const int32_t padded_rows = ceil_div(x.num_rows, kTileTokens) * kTileTokens;
  const dim3 grid(static_cast<unsigned>(padded_rows),
                  static_cast<unsigned>(ceil_div(num_groups, kQuantizeThreads / kWarp)));
  round_kernel<<<grid, kQuantizeThreads, 0, device->stream>>>(x, num_groups, padded_rows, device->digits,
                                                              device->scales, device->sums);
  const Status status = launched(device);
  if (!status.ok()) return status;
  const Records records{static_cast<const uint8_t*>(weight->data), weight->codebook, weight->num_rows, num_groups};
  const Rounded rounded{device->digits, device->scales, device->sums, x.num_rows, padded_rows};
  switch (weight->type) {
    case Type::q8:
      choose<Type::q8>(device, records, rounded, bias, activation, out);
      break;
    case Type::int4_g32:
      choose<Type::int4_g32>(device, records, rounded, bias, activation, out);
      break;
    case Type::int4_g128:
      choose<Type::int4_g128>(device, records, rounded, bias, activation, out);
      break;
    default:
      choose<Type::q4>(device, records, rounded, bias, activation, out);
  }
  return launched(device);
}

}  // namespace quoth::cuda
