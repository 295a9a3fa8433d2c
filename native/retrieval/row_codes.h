// Inside of native/retrieval: float16 rows once more as numbers of 4 bits, a quarter of the bytes, for a first look at
// all of them. The nearest by their codes are then compared by their float16 values, so a code's error costs a place
// among the candidates and never a score.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quoth {

// Numbers of a row that are coded together: 32 bytes, the first 32 numbers in the low halves, the others in the high
// ones.
constexpr size_t kCodeGroup = 64;

inline size_t code_bytes(size_t width) {
  return (width + kCodeGroup - 1) / kCodeGroup * (kCodeGroup / 2);
}

// number = low + step * code, code 0 to 15
struct CodeScale {
  float low;
  float step;
};

//   row    f16 [width], finite
//   codes  u8 [code_bytes(width)]   written; what is beyond the width is 0
CodeScale encode_row(const uint16_t* row, size_t width, uint8_t* codes);

// A query as whole numbers from -127 to 127, in the order of the codes. Scores by it are those of the query times a
// factor above 0: they compare rows, and nothing else.
struct CodedQuery {
  std::vector<int8_t> numbers;  // [2 * code_bytes(width)]
  float sum = 0;
};
CodedQuery encode_query(std::span<const float> query);

// The sums of products of the rows' codes with the query's numbers.
//   codes    u8 [n, numbers.size() / 2]
//   places   which rows; null: the first `count`
//   sums     i32 [count]   written
void code_products(const uint8_t* codes, const uint32_t* places, size_t count, const CodedQuery& query, int32_t* sums);

}  // namespace quoth
