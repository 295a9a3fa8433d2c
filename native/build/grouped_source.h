// Reads codes, zero points and scales out of the pieces of native/build/grouped.h. The caller has checked the job.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "grouped.h"

namespace quoth {

// Where the pieces of a linear begin.
struct GroupedPieces {
  const uint8_t* codes = nullptr;
  const uint8_t* zeros = nullptr;
  const uint8_t* scales = nullptr;
  const uint8_t* groups = nullptr;  // null where the layout has none
};

// Sizes of the pieces in bytes, 0 for one that the layout has not; false when the shape is not allowed.
struct GroupedSizes {
  uint64_t codes = 0, zeros = 0, scales = 0, groups = 0;
};
bool grouped_sizes(const GroupedFormat& format, int64_t num_rows, int64_t num_columns, GroupedSizes* sizes);

class GroupedSource {
 public:
  explicit GroupedSource(const GroupedJob& job);

  // Whole-number code of a row and column of the pieces: 0 .. 2^bits - 1.
  int32_t code(int64_t row, int64_t column) const;
  // Zero point of a row and group. 16 is possible in gptq; gemv_fast: rounded to the whole number that was meant.
  int32_t zero(int64_t row, int64_t group) const;
  float scale(int64_t row, int64_t group) const;
  int32_t group_of(int64_t column) const { return groups_.empty() ? column / format_.group_size : groups_[column]; }

  // Eight columns of rows n .. n + num_rows - 1 of the pieces as one vector of an int4 record: out[r] holds of row n +
  // r in byte j column 8 i + j in its low and 8 i + 4 + j in its high nibble. `columns` [8 * ...]: column 8 i + m of
  // the record is columns[8 i + m] of the pieces; null = as they are. 4 bits only; n is a multiple of 16, num_rows at
  // most 16.
  void int4_vector(int64_t n, int32_t num_rows, int64_t i, const int32_t* columns, uint32_t* out) const;

  // Four columns of the same rows as one vector of a q8 record: byte j of out[r] is the code of column 4 i + j. 8 bits
  // only.
  void int8_vector(int64_t n, int32_t num_rows, int64_t i, const int32_t* columns, uint32_t* out) const;

 private:
  uint32_t word(const uint8_t* piece, uint64_t index) const {
    uint32_t value;
    std::memcpy(&value, piece + 4 * index, 4);
    return value;
  }
  int32_t fast_nibble(int64_t row, int64_t column) const;
  void awq_vector(int64_t n, int32_t num_rows, int64_t i, uint32_t* out) const;

  GroupedFormat format_;
  GroupedPieces pieces_;
  uint64_t rows_, columns_;  // of the pieces
  uint64_t num_groups_;
  uint64_t zero_words_;  // W
  std::vector<int32_t> groups_;
};

}  // namespace quoth
