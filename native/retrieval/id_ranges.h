// Inside of native/retrieval: which ids a search may find, as ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace quoth {

// Pairs of a first and a last id, ascending, none overlapping. A document's passages have ids in a row, so a scope of
// thousands of documents is a few kilobytes.
class IdRanges {
 public:
  explicit IdRanges(std::span<const int64_t> pairs) : pairs_(pairs) {}

  bool empty() const { return pairs_.empty(); }

  // How many ids they hold at most.
  uint64_t size() const {
    uint64_t size = 0;
    for (size_t i = 0; i < pairs_.size(); i += 2) size += static_cast<uint64_t>(pairs_[i + 1] - pairs_[i] + 1);
    return size;
  }

  // True if any id from `first` to `last` is in them.
  bool meets(int64_t first, int64_t last) const {
    const size_t at = place_of(first);
    return at < pairs_.size() && pairs_[at] <= last;
  }

  // Asked for ids that mostly ascend, each answer is found beside the one before.
  class Cursor {
   public:
    explicit Cursor(const IdRanges& ranges) : ranges_(ranges) {}

    bool holds(int64_t id) {
      const auto& pairs = ranges_.pairs_;
      if (at_ < pairs.size() && id >= from_) {
        if (id <= pairs[at_ + 1]) return id >= pairs[at_];
        if (at_ + 2 >= pairs.size() || id < pairs[at_ + 2]) return false;
        if (id <= pairs[at_ + 3]) {
          move_to(at_ + 2);
          return true;
        }
      }
      move_to(ranges_.place_of(id));
      return at_ < pairs.size() && id >= pairs[at_];
    }

   private:
    // Ids from behind the range before this one are looked for from here.
    void move_to(size_t at) {
      at_ = at;
      from_ = at == 0 ? INT64_MIN : ranges_.pairs_[at - 1] + 1;
    }

    const IdRanges& ranges_;
    size_t at_ = 0;
    int64_t from_ = INT64_MIN;
  };

 private:
  // The first range that does not end before the id.
  size_t place_of(int64_t id) const {
    size_t low = 0, high = pairs_.size() / 2;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (pairs_[2 * middle + 1] < id) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return 2 * low;
  }

  std::span<const int64_t> pairs_;
};

}  // namespace quoth
