#include "index_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
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
// What is read or written at once.
constexpr size_t kPieceBytes = size_t{4} << 20;

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

std::array<uint8_t, kHeaderBytes> write_index(int32_t dimension, std::span<const int64_t> ids,
                                              const std::function<const uint16_t*(size_t)>& row_of,
                                              const std::function<void(std::span<const uint8_t>)>& take) {
  Header header{{}, kVersion, kElementHalf, static_cast<uint32_t>(dimension), 0, ids.size(), {}};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  Sha256 sha256;
  sha256.update({reinterpret_cast<const uint8_t*>(&header), kHeaderBytes - kDigestBytes});
  const auto give = [&](const void* bytes, size_t num_bytes) {
    const std::span piece(static_cast<const uint8_t*>(bytes), num_bytes);
    sha256.update(piece);
    take(piece);
  };
  give(ids.data(), ids.size_bytes());
  const size_t width = static_cast<size_t>(dimension);
  const size_t rows_at_once = std::max<size_t>(1, kPieceBytes / (width * sizeof(uint16_t)));
  std::vector<uint16_t> rows;
  for (size_t first = 0; first < ids.size(); first += rows_at_once) {
    const size_t count = std::min(rows_at_once, ids.size() - first);
    rows.resize(count * width);
    for (size_t i = 0; i < count; ++i) std::copy_n(row_of(first + i), width, rows.data() + i * width);
    give(rows.data(), rows.size() * sizeof(uint16_t));
  }
  const auto digest = sha256.digest();
  std::memcpy(header.sha256, digest.data(), digest.size());
  return std::bit_cast<std::array<uint8_t, kHeaderBytes>>(header);
}

void read_index(int32_t dimension, uint64_t num_bytes, const std::function<void(std::span<uint8_t>)>& fill,
                const std::function<void(const Entries&)>& take) {
  Header header;
  if (num_bytes < sizeof header) refuse("The bytes are not an index of Quoth's: they are too few.");
  fill({reinterpret_cast<uint8_t*>(&header), sizeof header});
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) refuse("The bytes are not an index of Quoth's.");
  if (header.version != kVersion || header.element != kElementHalf || header.zero != 0) {
    refuse("The index is of a version that this Quoth does not read.");
  }
  if (header.dimension != static_cast<uint32_t>(dimension)) {
    refuse("The index holds vectors of " + std::to_string(header.dimension) + ", not of " + std::to_string(dimension) +
           ".");
  }
  const size_t width = static_cast<size_t>(dimension), entry_bytes = sizeof(int64_t) + width * sizeof(uint16_t);
  const uint64_t payload = num_bytes - sizeof header;
  // Divided, not multiplied: a count from outside must not overflow.
  if (payload % entry_bytes != 0 || header.count != payload / entry_bytes) {
    refuse("The index is not as long as it says.");
  }
  Sha256 sha256;
  sha256.update({reinterpret_cast<const uint8_t*>(&header), kHeaderBytes - kDigestBytes});
  const auto next = [&](void* to, size_t count) {
    const std::span piece(static_cast<uint8_t*>(to), count);
    fill(piece);
    sha256.update(piece);
  };
  std::vector<int64_t> ids(header.count);
  next(ids.data(), ids.size() * sizeof(int64_t));
  bool in_order = true;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] <= (i == 0 ? 0 : ids[i - 1]) || ids[i] > kMaxId) in_order = false;
  }
  constexpr uint16_t kNotFinite = 0x7c00;
  bool is_finite = true;
  const size_t rows_at_once = std::max<size_t>(1, kPieceBytes / (width * sizeof(uint16_t)));
  Entries piece;
  for (size_t first = 0; first < ids.size(); first += rows_at_once) {
    const size_t count = std::min(rows_at_once, ids.size() - first);
    piece.ids.assign(ids.begin() + first, ids.begin() + first + count);
    piece.halves.resize(count * width);
    next(piece.halves.data(), piece.halves.size() * sizeof(uint16_t));
    for (uint16_t half : piece.halves) is_finite = is_finite && (half & kNotFinite) != kNotFinite;
    if (in_order && is_finite) take(piece);
  }
  const auto digest = sha256.digest();
  if (std::memcmp(digest.data(), header.sha256, digest.size()) != 0) refuse("The index's checksum does not match.");
  if (!in_order) refuse("The index's ids are not in order.");
  if (!is_finite) refuse("The index holds a number that is not finite.");
}

}  // namespace quoth
