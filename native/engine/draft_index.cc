#include "draft_index.h"

#include <algorithm>
#include <bit>

namespace quoth {
namespace {

constexpr int32_t kShortest = 2;
constexpr int32_t kLongest = 32;
// Places that are looked at: two frequent tokens stand together thousands of times.
constexpr int32_t kMaxPlaces = 64;
constexpr size_t kMaxSlots = size_t{1} << 20;

}  // namespace

size_t DraftIndex::slot_of(const std::vector<int32_t>& tokens, int32_t end) const {
  const uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(tokens[static_cast<size_t>(end) - 2])) << 32 |
                        static_cast<uint32_t>(tokens[static_cast<size_t>(end) - 1]);
  return static_cast<size_t>(pair * 0x9E3779B97F4A7C15u >> 40) & (latest_.size() - 1);
}

// How many tokens before `end` are those at the end of all.
int32_t DraftIndex::length_of(const std::vector<int32_t>& tokens, int32_t end) const {
  const int32_t most = std::min(end, kLongest);
  const int32_t* a = tokens.data() + end;
  const int32_t* b = tokens.data() + tokens.size();
  int32_t length = 0;
  while (length < most && a[-1 - length] == b[-1 - length]) ++length;
  return length;
}

DraftIndex::Match DraftIndex::find(const std::vector<int32_t>& tokens) {
  const int32_t size = static_cast<int32_t>(tokens.size());
  if (size <= kShortest) return {};
  if (latest_.empty()) {
    latest_.assign(std::min(std::bit_ceil(2 * tokens.capacity()), kMaxSlots), -1);
    before_.reserve(tokens.capacity());
    before_.assign(kShortest, -1);
  }
  for (int32_t end = static_cast<int32_t>(before_.size()); end < size; ++end) {
    int32_t& latest = latest_[slot_of(tokens, end)];
    before_.push_back(latest);
    latest = end;
  }

  Match match;
  const auto consider = [&](int32_t end) {
    const int32_t length = length_of(tokens, end);
    if (length > match.length) match = {end, length};
  };
  // The run that was copied so far goes on, also when it began too long ago to be looked at.
  if (last_.length > 0 && last_.next + size - num_tokens_ < size) consider(last_.next + size - num_tokens_);
  int32_t end = latest_[slot_of(tokens, size)];
  for (int32_t i = 0; end >= 0 && i < kMaxPlaces && match.length < kLongest; ++i) {
    consider(end);
    end = before_[static_cast<size_t>(end)];
  }
  num_tokens_ = size;
  last_ = match.length >= kShortest ? match : Match{};
  return last_;
}

}  // namespace quoth
