#include "index_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <unordered_map>

#include "../fault.h"
#include "../sha256.h"

namespace quoth {
namespace {

static_assert(std::endian::native == std::endian::little, "the framing is written as the memory has it");

constexpr char kMagic[8] = {'Q', 'U', 'O', 'T', 'H', 'V', 'E', 'C'};
constexpr uint32_t kVersion = 1;
constexpr uint32_t kElementHalf = 1;
constexpr int64_t kMaxId = (int64_t{1} << 53) - 1;  // what a JavaScript number holds exactly
constexpr float kMaxHalf = 65504;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t element;
  uint32_t dimension;
  uint32_t zero;
  uint64_t count;
  uint8_t sha256[32];
};
static_assert(sizeof(Header) == 64);
constexpr size_t kHashedHeader = 32;

std::array<uint8_t, 32> digest_of(std::span<const uint8_t> bytes) {
  Sha256 sha256;
  sha256.update(bytes.first(kHashedHeader));
  sha256.update(bytes.subspan(sizeof(Header)));
  return sha256.digest();
}

[[noreturn]] void refuse(const std::string& sentence) {
  throw Fault(FaultCode::invalid_input, sentence);
}

}  // namespace

uint16_t to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const float magnitude = std::fabs(value);
  // Below 2^-14 a float16's steps are all 2^-24: adding 0.5 makes the float's own steps that size, and rounds.
  if (magnitude < 0x1p-14f) {
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(magnitude + 0.5f) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t magnitude_bits = bits & 0x7fffffffu;
  const uint32_t rounded = magnitude_bits + 0xfffu + (magnitude_bits >> 13 & 1u);
  return static_cast<uint16_t>(sign | (rounded - (112u << 23)) >> 13);
}

Entries check_entries(std::span<const int64_t> ids, std::span<const float> vectors, int32_t dimension) {
  const size_t width = static_cast<size_t>(dimension);
  if (vectors.size() % width != 0 || vectors.size() / width != ids.size()) {
    refuse(std::to_string(vectors.size()) + " numbers are not " + std::to_string(ids.size()) + " vectors of " +
           std::to_string(dimension) + ".");
  }
  std::unordered_map<int64_t, size_t> last;
  last.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 1 || ids[i] > kMaxId) refuse("The id " + std::to_string(ids[i]) + " is out of range.");
    last[ids[i]] = i;
  }
  Entries entries;
  entries.ids.reserve(last.size());
  entries.halves.reserve(last.size() * width);
  for (size_t i = 0; i < ids.size(); ++i) {
    for (size_t j = 0; j < width; ++j) {
      // Also false for NaN.
      if (!(std::fabs(vectors[i * width + j]) <= kMaxHalf)) {
        refuse("The vector of id " + std::to_string(ids[i]) + " holds a number that is not finite or too large.");
      }
    }
    if (last[ids[i]] != i) continue;
    entries.ids.push_back(ids[i]);
    for (size_t j = 0; j < width; ++j) entries.halves.push_back(to_half(vectors[i * width + j]));
  }
  return entries;
}

void check_query(std::span<const float> query, int32_t dimension) {
  if (query.size() != static_cast<size_t>(dimension)) {
    refuse("The query has " + std::to_string(query.size()) + " numbers, the index " + std::to_string(dimension) + ".");
  }
  if (!std::all_of(query.begin(), query.end(), [](float x) { return std::isfinite(x); })) {
    refuse("The query holds a number that is not finite.");
  }
}

std::vector<uint8_t> write_index_bytes(const Entries& entries, int32_t dimension) {
  const size_t width = static_cast<size_t>(dimension), count = entries.ids.size();
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return entries.ids[a] < entries.ids[b]; });

  std::vector<uint8_t> bytes(sizeof(Header) + count * (sizeof(int64_t) + width * sizeof(uint16_t)));
  uint8_t* to = bytes.data() + sizeof(Header);
  for (size_t i : order) to = std::copy_n(reinterpret_cast<const uint8_t*>(&entries.ids[i]), sizeof(int64_t), to);
  for (size_t i : order) {
    const uint16_t* row = entries.halves.data() + i * width;
    to = std::copy_n(reinterpret_cast<const uint8_t*>(row), width * sizeof(uint16_t), to);
  }
  Header header{{}, kVersion, kElementHalf, static_cast<uint32_t>(dimension), 0, count, {}};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::memcpy(bytes.data(), &header, sizeof header);
  const auto digest = digest_of(bytes);
  std::memcpy(bytes.data() + kHashedHeader, digest.data(), digest.size());
  return bytes;
}

Entries read_index_bytes(std::span<const uint8_t> bytes, int32_t dimension) {
  Header header;
  if (bytes.size() < sizeof header) refuse("The bytes are not an index of Quoth's: they are too few.");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) refuse("The bytes are not an index of Quoth's.");
  if (header.version != kVersion || header.element != kElementHalf || header.zero != 0) {
    refuse("The index is of a version that this Quoth does not read.");
  }
  if (header.dimension != static_cast<uint32_t>(dimension)) {
    refuse("The index holds vectors of " + std::to_string(header.dimension) + ", not of " + std::to_string(dimension) +
           ".");
  }
  const size_t width = static_cast<size_t>(dimension), entry_size = sizeof(int64_t) + width * sizeof(uint16_t);
  const size_t payload = bytes.size() - sizeof header;
  // Divided, not multiplied: a count from outside must not overflow.
  if (payload % entry_size != 0 || header.count != payload / entry_size) {
    refuse("The index is not as long as it says.");
  }
  const auto digest = digest_of(bytes);
  if (std::memcmp(digest.data(), header.sha256, digest.size()) != 0) refuse("The index's checksum does not match.");

  Entries entries;
  entries.ids.resize(header.count);
  entries.halves.resize(header.count * width);
  const uint8_t* from = bytes.data() + sizeof header;
  if (header.count != 0) {
    std::memcpy(entries.ids.data(), from, header.count * sizeof(int64_t));
    std::memcpy(entries.halves.data(), from + header.count * sizeof(int64_t), entries.halves.size() * sizeof(uint16_t));
  }
  for (size_t i = 0; i < entries.ids.size(); ++i) {
    if (entries.ids[i] <= (i == 0 ? 0 : entries.ids[i - 1]) || entries.ids[i] > kMaxId) {
      refuse("The index's ids are not in order.");
    }
  }
  constexpr uint16_t kNotFinite = 0x7c00;
  for (uint16_t half : entries.halves) {
    if ((half & kNotFinite) == kNotFinite) refuse("The index holds a number that is not finite.");
  }
  return entries;
}

}  // namespace quoth
