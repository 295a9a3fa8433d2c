// Inside of native/retrieval: float16 by hand, checks of arguments, and the framing of a serialised index.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace quoth {

// A float16 as its bits. Values are finite: `check_entries` has seen to it.
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

constexpr size_t kHeaderBytes = 64;
constexpr size_t kDigestBytes = 32;  // the last of the header

// Gives all bytes of an index (see open_vector_index) but its header to `take`, in order, and returns the header.
//   ids     ascending, no two the same
//   row_of  f16 [dimension] of the i-th id
std::array<uint8_t, kHeaderBytes> write_index(int32_t dimension, std::span<const int64_t> ids,
                                              const std::function<const uint16_t*(size_t)>& row_of,
                                              const std::function<void(std::span<const uint8_t>)>& take);

// Reads an index of `num_bytes`: `fill` gives the next bytes, `take` gets the entries in pieces. Nothing that it was
// given may be used before this has returned: the checksum comes last. Fails with `invalid-input`.
void read_index(int32_t dimension, uint64_t num_bytes, const std::function<void(std::span<uint8_t>)>& fill,
                const std::function<void(const Entries&)>& take);

}  // namespace quoth
