// SHA-256 (FIPS 180-4), for the header of a plan and the keys of kv pages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace quoth {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(const uint8_t* bytes, size_t size_bytes);

}  // namespace quoth
