// Inside of native/retrieval: float16 by hand, checks of arguments, and the framing of a serialised index.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace quoth {

// A float16 as its bits. Values are finite: `check_vectors` has seen to it.
//
// Shifting exponent and mantissa into a float's places makes a number 2^112 times too small, subnormals too; the
// product is exact. No branch, so that a loop of it becomes vector instructions on every CPU.
inline float to_float(uint16_t half) {
  const uint32_t magnitude = uint32_t{half & 0x7fffu} << 13;
  const float value = std::bit_cast<float>(magnitude) * 0x1p112f;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | uint32_t{half & 0x8000u} << 16);
}

// Rounds to the nearest float16, ties to even. |value| < 65520.
uint16_t to_half(float value);

// Entries as they are stored: ids and float16 rows.
struct Entries {
  std::vector<int64_t> ids;      // [n]
  std::vector<uint16_t> halves;  // [n, dimension]
};

// Checks an addition and rounds it. Of an id that comes twice, the last stays. Fails with `invalid-input`.
Entries check_entries(std::span<const int64_t> ids, std::span<const float> vectors, int32_t dimension);
void check_query(std::span<const float> query, int32_t dimension);

// See open_vector_index. `entries` need not be in order.
std::vector<uint8_t> write_index_bytes(const Entries& entries, int32_t dimension);
Entries read_index_bytes(std::span<const uint8_t> bytes, int32_t dimension);

}  // namespace quoth
