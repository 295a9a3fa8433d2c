// SHA-256 (FIPS 180-4) over bytes that come in pieces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quoth {

class Sha256 {
 public:
  void update(std::span<const uint8_t> bytes);
  // The digest of all pieces. Ends the object: no update after it.
  std::array<uint8_t, 32> digest();

 private:
  void take_block(const uint8_t* block);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> held_{};
  uint64_t num_bytes_ = 0;
};

}  // namespace quoth
