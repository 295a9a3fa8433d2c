#include "grouped_source.h"

#include <bit>
#include <cmath>

#include "dequantize.h"

namespace quoth {
namespace {

uint64_t ceil_divide(uint64_t count, uint64_t by) {
  return (count + by - 1) / by;
}

// Words of gemv's and gemv_fast's zeros of a row; their kernels read them in whole vectors, so small groups pad them.
uint64_t zero_words_of(uint64_t num_groups, int32_t group_size) {
  const uint64_t multiple = group_size >= 128 ? 1 : group_size >= 64 ? 2 : 4;
  return ceil_divide(ceil_divide(num_groups, 8), multiple) * multiple;
}

uint64_t scale_bytes_of(ScaleType type) {
  return type == ScaleType::f32 ? 4 : 2;
}

// Four nibbles to the low halves of four bytes.
uint32_t spread(uint32_t nibbles) {
  const uint32_t pairs = (nibbles | nibbles << 8) & 0x00ff00ff;
  return (pairs | pairs << 4) & 0x0f0f0f0f;
}

// One word for eight rows, two for sixteen. (A copy of a size that is known is one instruction.)
uint64_t two_words(const uint8_t* at, int32_t num_rows) {
  uint64_t both = 0;
  if (num_rows > 8) {
    std::memcpy(&both, at, 8);
  } else {
    std::memcpy(&both, at, 4);
  }
  return both;
}

// The same for the low 16 bits of each of two words.
uint64_t spread_pair(uint64_t words) {
  uint64_t pairs = words & 0x0000ffff0000ffff;
  pairs = (pairs | pairs << 8) & 0x00ff00ff00ff00ff;
  return (pairs | pairs << 4) & 0x0f0f0f0f0f0f0f0f;
}

// Byte j of out[t] is byte t of in[j], in each half of the words.
void turn_bytes(const uint64_t* in, uint64_t* out) {
  constexpr uint64_t kEven = 0x00ff00ff00ff00ff, kLow = 0x0000ffff0000ffff;
  const uint64_t first_even = (in[0] & kEven) | (in[1] & kEven) << 8;
  const uint64_t first_odd = (in[0] >> 8 & kEven) | (in[1] & ~kEven);
  const uint64_t second_even = (in[2] & kEven) | (in[3] & kEven) << 8;
  const uint64_t second_odd = (in[2] >> 8 & kEven) | (in[3] & ~kEven);
  out[0] = (first_even & kLow) | (second_even & kLow) << 16;
  out[1] = (first_odd & kLow) | (second_odd & kLow) << 16;
  out[2] = (first_even >> 16 & kLow) | (second_even & ~kLow);
  out[3] = (first_odd >> 16 & kLow) | (second_odd & ~kLow);
}

// Eight codes in their order to a vector's word: byte j holds code j and, in its high nibble, code 4 + j.
uint32_t interleave(uint32_t word) {
  return spread(word & 0xffff) | spread(word >> 16) << 4;
}

// Where awq_gemm writes column c of eight.
constexpr int kAwqPlace[8] = {0, 4, 1, 5, 2, 6, 3, 7};

}  // namespace

bool grouped_sizes(const GroupedFormat& format, int64_t num_rows, int64_t num_columns, GroupedSizes* sizes) {
  if (num_rows <= 0 || num_columns <= 0 || num_rows > INT32_MAX || num_columns > INT32_MAX) return false;
  if (num_rows * num_columns > int64_t{1} << 48) return false;  // so that no product below passes 2^53
  const bool is_awq = format.layout == GroupedLayout::awq_gemm || format.layout == GroupedLayout::awq_gemv ||
                      format.layout == GroupedLayout::awq_gemv_fast;
  if (format.group_size < 1 || (format.bits != 4 && (is_awq || format.bits != 8))) return false;
  const uint64_t rows = static_cast<uint64_t>(num_rows), columns = static_cast<uint64_t>(num_columns);
  const uint64_t codes_of_word = 32 / static_cast<uint64_t>(format.bits);
  const uint64_t group_size = static_cast<uint64_t>(format.group_size);
  const uint64_t num_groups = ceil_divide(columns, group_size);
  const uint64_t scale_bytes = scale_bytes_of(format.scales);
  const uint64_t zero_words = zero_words_of(num_groups, format.group_size);
  const bool whole_rows = rows % codes_of_word == 0, whole_columns = columns % codes_of_word == 0;
  if (is_awq && columns % group_size != 0) return false;
  *sizes = {};
  switch (format.layout) {
    case GroupedLayout::awq_gemm:
      sizes->codes = columns * rows / 2;
      sizes->zeros = num_groups * rows / 2;
      sizes->scales = num_groups * rows * scale_bytes;
      return whole_rows;
    case GroupedLayout::awq_gemv:
      sizes->codes = rows * columns / 2;
      sizes->zeros = rows * zero_words * 4;
      sizes->scales = rows * zero_words * 8 * scale_bytes;
      return whole_columns && format.group_size % 32 == 0;
    case GroupedLayout::awq_gemv_fast:
      sizes->codes = rows * columns / 2;
      sizes->zeros = rows * zero_words * 8 * 2;
      sizes->scales = rows * zero_words * 8 * scale_bytes;
      return rows % 8 == 0 && columns % 64 == 0 && format.group_size % 32 == 0 && format.scales == ScaleType::f16;
    case GroupedLayout::gptq:
    case GroupedLayout::gptq_v2:
      sizes->codes = columns / codes_of_word * rows * 4;
      sizes->zeros = num_groups * (rows / codes_of_word) * 4;
      sizes->scales = num_groups * rows * scale_bytes;
      sizes->groups = columns * 4;
      return whole_rows && whole_columns;
    case GroupedLayout::compressed:
      sizes->zeros = ceil_divide(rows, codes_of_word) * num_groups * 4;
      [[fallthrough]];
    case GroupedLayout::compressed_symmetric:
      sizes->codes = rows * (columns / codes_of_word) * 4;
      sizes->scales = rows * num_groups * scale_bytes;
      sizes->groups = columns * 4;
      return whole_columns;
  }
  return false;
}

GroupedSource::GroupedSource(const GroupedJob& job)
    : format_(job.format),
      rows_(static_cast<uint64_t>(job.checkpoint_rows)),
      columns_(static_cast<uint64_t>(job.num_columns)),
      num_groups_(ceil_divide(columns_, static_cast<uint64_t>(job.format.group_size))),
      zero_words_(zero_words_of(num_groups_, job.format.group_size)) {
  GroupedSizes sizes;
  grouped_sizes(job.format, job.checkpoint_rows, job.num_columns, &sizes);
  pieces_.codes = job.bytes;
  pieces_.zeros = pieces_.codes + sizes.codes;
  pieces_.scales = pieces_.zeros + sizes.zeros;
  if (sizes.groups != 0) {
    pieces_.groups = pieces_.scales + sizes.scales;
    groups_.resize(columns_);
    std::memcpy(groups_.data(), pieces_.groups, sizes.groups);
  }
}

int32_t GroupedSource::code(int64_t row, int64_t column) const {
  const uint64_t n = static_cast<uint64_t>(row), k = static_cast<uint64_t>(column);
  const uint32_t codes_of_word = 32 / static_cast<uint32_t>(format_.bits);
  const uint32_t mask = (1u << format_.bits) - 1;
  uint32_t value = 0;
  switch (format_.layout) {
    case GroupedLayout::awq_gemm:
      value = word(pieces_.codes, k * (rows_ / 8) + n / 8) >> (4 * kAwqPlace[n % 8]);
      break;
    case GroupedLayout::awq_gemv_fast:
      return fast_nibble(row, column);
    case GroupedLayout::gptq:
    case GroupedLayout::gptq_v2:
      value = word(pieces_.codes, k / codes_of_word * rows_ + n) >>
              (static_cast<uint32_t>(format_.bits) * (k % codes_of_word));
      break;
    case GroupedLayout::awq_gemv:
    case GroupedLayout::compressed:
    case GroupedLayout::compressed_symmetric:
      value = word(pieces_.codes, n * (columns_ / codes_of_word) + k / codes_of_word) >>
              (static_cast<uint32_t>(format_.bits) * (k % codes_of_word));
      break;
  }
  return static_cast<int32_t>(value & mask);
}

// Four rows stand together, 64 columns of one row after those of the other; of each 32 columns, column 8 b + 2 a + c is
// nibble 4 c + b of word a.
int32_t GroupedSource::fast_nibble(int64_t row, int64_t column) const {
  const uint64_t n = static_cast<uint64_t>(row), k = static_cast<uint64_t>(column);
  const uint64_t block = (n / 4 * (columns_ / 64) + k / 64) * 32;  // in words: 4 rows x 64 columns x 4 bits
  const uint64_t in_row = n % 4 * 8 + k % 64 / 32 * 4 + k % 8 / 2;
  const uint64_t nibble = 4 * (k % 2) + k % 32 / 8;
  return static_cast<int32_t>(word(pieces_.codes, block + in_row) >> (4 * nibble) & 15);
}

int32_t GroupedSource::zero(int64_t row, int64_t group) const {
  const uint64_t n = static_cast<uint64_t>(row), g = static_cast<uint64_t>(group);
  const uint32_t bits = static_cast<uint32_t>(format_.bits);
  const uint32_t codes_of_word = 32 / bits;
  const uint32_t mask = (1u << bits) - 1;
  switch (format_.layout) {
    case GroupedLayout::awq_gemm:
      return static_cast<int32_t>(word(pieces_.zeros, g * (rows_ / 8) + n / 8) >> (4 * kAwqPlace[n % 8]) & mask);
    case GroupedLayout::awq_gemv:
      return static_cast<int32_t>(word(pieces_.zeros, n * zero_words_ + g / 8) >> (4 * (g % 8)) & mask);
    case GroupedLayout::awq_gemv_fast: {
      uint16_t half;
      std::memcpy(&half, pieces_.zeros + 2 * (g * rows_ + n), 2);
      const float scaled = float_from_half(half), by = scale(row, group);
      // The product was rounded to f16, which moves a zero point of at most 15 by less than a hundredth.
      const float quotient = by == 0 ? 0 : std::nearbyint(-scaled / by);
      return quotient >= 0 && quotient <= 15 ? static_cast<int32_t>(quotient) : -1;
    }
    case GroupedLayout::gptq:
    case GroupedLayout::gptq_v2: {
      const uint32_t stored = word(pieces_.zeros, g * (rows_ / codes_of_word) + n / codes_of_word) >>
                              (bits * static_cast<uint32_t>(n % codes_of_word));
      return static_cast<int32_t>(stored & mask) + (format_.layout == GroupedLayout::gptq ? 1 : 0);
    }
    case GroupedLayout::compressed:
      return static_cast<int32_t>(word(pieces_.zeros, n / codes_of_word * num_groups_ + g) >>
                                      (bits * static_cast<uint32_t>(n % codes_of_word)) &
                                  mask);
    case GroupedLayout::compressed_symmetric:
      break;
  }
  return 1 << (bits - 1);
}

float GroupedSource::scale(int64_t row, int64_t group) const {
  const uint64_t n = static_cast<uint64_t>(row), g = static_cast<uint64_t>(group);
  uint64_t index = g * rows_ + n;
  if (format_.layout == GroupedLayout::awq_gemv) index = n * zero_words_ * 8 + g;
  if (format_.layout == GroupedLayout::compressed || format_.layout == GroupedLayout::compressed_symmetric) {
    index = n * num_groups_ + g;
  }
  const uint8_t* at = pieces_.scales + scale_bytes_of(format_.scales) * index;
  if (format_.scales == ScaleType::f32) {
    float value;
    std::memcpy(&value, at, 4);
    return value;
  }
  uint16_t half;
  std::memcpy(&half, at, 2);
  return format_.scales == ScaleType::f16 ? float_from_half(half)
                                          : std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
}

void GroupedSource::int4_vector(int64_t n, int32_t num_rows, int64_t i, const int32_t* columns, uint32_t* out) const {
  const uint64_t first_row = static_cast<uint64_t>(n), vector = static_cast<uint64_t>(i);
  const bool is_gptq = format_.layout == GroupedLayout::gptq || format_.layout == GroupedLayout::gptq_v2;
  if (columns == nullptr && format_.layout == GroupedLayout::awq_gemm) return awq_vector(n, num_rows, i, out);
  if (columns == nullptr && is_gptq) {
    const uint8_t* words = pieces_.codes + 4 * (vector * rows_ + first_row);
    for (int32_t r = 0; r < num_rows; r++) out[r] = interleave(word(words, static_cast<uint64_t>(r)));
    return;
  }
  if (columns == nullptr && format_.layout != GroupedLayout::awq_gemv_fast) {
    const uint64_t words_of_row = columns_ / 8;
    const uint8_t* words = pieces_.codes + 4 * (first_row * words_of_row + vector);
    for (int32_t r = 0; r < num_rows; r++) {
      out[r] = interleave(word(words, static_cast<uint64_t>(r) * words_of_row));
    }
    return;
  }
  for (int32_t r = 0; r < num_rows; r++) out[r] = 0;
  for (int m = 0; m < 8; m++) {
    const uint64_t place = 8 * vector + static_cast<uint64_t>(m);
    const uint64_t k = columns == nullptr ? place : static_cast<uint64_t>(columns[place]);
    const int shift = m < 4 ? 8 * m : 8 * (m - 4) + 4;
    if (is_gptq) {  // the rows of a column stand side by side: the compiler makes vectors of this
      const uint8_t* words = pieces_.codes + 4 * (k / 8 * rows_ + first_row);
      const int from = static_cast<int>(4 * (k % 8));
      for (int32_t r = 0; r < num_rows; r++) out[r] |= (word(words, static_cast<uint64_t>(r)) >> from & 15) << shift;
    } else {
      for (int32_t r = 0; r < num_rows; r++) {
        out[r] |= static_cast<uint32_t>(code(n + r, static_cast<int64_t>(k))) << shift;
      }
    }
  }
}

void GroupedSource::int8_vector(int64_t n, int32_t num_rows, int64_t i, const int32_t* columns, uint32_t* out) const {
  const uint64_t first_row = static_cast<uint64_t>(n), vector = static_cast<uint64_t>(i);
  const bool is_gptq = format_.layout == GroupedLayout::gptq || format_.layout == GroupedLayout::gptq_v2;
  const uint64_t words_of_row = columns_ / 4;
  // Word (n, i) of the pieces: GPTQ has those of a row of words side by side.
  const uint64_t row_step = is_gptq ? 1 : words_of_row, word_step = is_gptq ? rows_ : 1;
  if (columns == nullptr) {
    const uint8_t* words = pieces_.codes + 4 * (first_row * row_step + vector * word_step);
    for (int32_t r = 0; r < num_rows; r++) out[r] = word(words, static_cast<uint64_t>(r) * row_step);
    return;
  }
  for (int32_t r = 0; r < num_rows; r++) out[r] = 0;
  for (uint64_t m = 0; m < 4; m++) {
    const uint64_t k = static_cast<uint64_t>(columns[4 * vector + m]);
    const uint8_t* words = pieces_.codes + 4 * (first_row * row_step + k / 4 * word_step);
    for (int32_t r = 0; r < num_rows; r++) {
      out[r] |= (word(words, static_cast<uint64_t>(r) * row_step) >> (8 * (k % 4)) & 255) << (8 * m);
    }
  }
}

// Here a word holds eight rows of one column, and a vector wants eight columns of one row: two words side by side are
// 16 rows. Even rows are a word's low half, odd rows its high half; then 4 columns x 4 rows of bytes are turned at a
// time.
void GroupedSource::awq_vector(int64_t n, int32_t num_rows, int64_t i, uint32_t* out) const {
  const uint64_t bytes_of_column = rows_ / 2;
  const uint8_t* first =
      pieces_.codes + 8 * static_cast<uint64_t>(i) * bytes_of_column + 4 * (static_cast<uint64_t>(n) / 8);
  uint64_t even[4], odd[4];
  for (uint64_t j = 0; j < 4; j++) {
    const uint64_t low = two_words(first + j * bytes_of_column, num_rows);
    const uint64_t high = two_words(first + (4 + j) * bytes_of_column, num_rows);
    even[j] = spread_pair(low) | spread_pair(high) << 4;
    odd[j] = spread_pair(low >> 16) | spread_pair(high >> 16) << 4;
  }
  uint64_t turned_even[4], turned_odd[4];
  turn_bytes(even, turned_even);
  turn_bytes(odd, turned_odd);
  for (int t = 0; t < 4; t++) {
    out[2 * t] = static_cast<uint32_t>(turned_even[t]);
    out[2 * t + 1] = static_cast<uint32_t>(turned_odd[t]);
    if (num_rows <= 8) continue;
    out[8 + 2 * t] = static_cast<uint32_t>(turned_even[t] >> 32);
    out[8 + 2 * t + 1] = static_cast<uint32_t>(turned_odd[t] >> 32);
  }
}

}  // namespace quoth
