// The scan of our own: float16 rows in one block, compared with the query one after another.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "../fault.h"
#include "index_kinds.h"

namespace quoth {
namespace {

struct Hit {
  float score;
  int64_t id;
};

// Higher scores first; equal ones by id, so that an answer does not depend on the order in which rows came.
bool better(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
}

// Sixteen sums side by side: floating-point addition may not be reordered by the compiler, so the order that vector
// instructions want is written down.
#if defined(__GNUC__) && defined(__x86_64__) && defined(__linux__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
float inner_product(const uint16_t* row, const float* query, size_t width) {
  constexpr size_t kLanes = 16;
  float sums[kLanes] = {};
  size_t j = 0;
  for (; j + kLanes <= width; j += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += to_float(row[j + lane]) * query[j + lane];
  }
  float sum = 0;
  for (; j < width; ++j) sum += to_float(row[j]) * query[j];
  for (float lane : sums) sum += lane;
  return sum;
}

class ExactIndex final : public VectorIndex {
 public:
  ExactIndex(int32_t dimension, const Entries& entries)
      : dimension_(dimension), width_(static_cast<size_t>(dimension)), entries_(entries) {
    places_.reserve(entries.ids.size());
    for (size_t i = 0; i < entries.ids.size(); ++i) places_[entries.ids[i]] = i;
    size_ = entries.ids.size();
  }

  size_t size() const override { return size_; }

  void add(std::span<const int64_t> ids, std::span<const float> vectors) override {
    const Entries added = check_entries(ids, vectors, dimension_);
    std::unique_lock lock(mutex_);
    // All memory first: what follows cannot fail.
    const size_t most = entries_.ids.size() + added.ids.size();
    grow(entries_.ids, most);
    grow(entries_.halves, most * width_);
    for (int64_t id : added.ids) places_.try_emplace(id, kNowhere);
    for (size_t i = 0; i < added.ids.size(); ++i) {
      const uint16_t* row = added.halves.data() + i * width_;
      size_t& place = places_.find(added.ids[i])->second;
      if (place != kNowhere) {
        std::copy_n(row, width_, entries_.halves.data() + place * width_);
      } else {
        place = entries_.ids.size();
        entries_.ids.push_back(added.ids[i]);
        entries_.halves.insert(entries_.halves.end(), row, row + width_);
      }
    }
    size_ = entries_.ids.size();
  }

  void remove(std::span<const int64_t> ids) override {
    std::unique_lock lock(mutex_);
    for (int64_t id : ids) {
      const auto found = places_.find(id);
      if (found == places_.end()) continue;
      const size_t place = found->second, last = entries_.ids.size() - 1;
      places_.erase(found);
      if (place != last) {
        entries_.ids[place] = entries_.ids[last];
        std::copy_n(entries_.halves.data() + last * width_, width_, entries_.halves.data() + place * width_);
        places_[entries_.ids[place]] = place;
      }
      entries_.ids.pop_back();
      entries_.halves.resize(last * width_);
    }
    size_ = entries_.ids.size();
  }

  Found search(std::span<const float> query, size_t limit) const override {
    check_query(query, dimension_);
    std::shared_lock lock(mutex_);
    limit = std::min(limit, entries_.ids.size());
    std::vector<Hit> best;  // a heap whose first is the worst of the best
    best.reserve(limit + 1);
    for (size_t i = 0; i < entries_.ids.size() && limit > 0; ++i) {
      const Hit hit{inner_product(entries_.halves.data() + i * width_, query.data(), width_), entries_.ids[i]};
      if (best.size() == limit && !better(hit, best.front())) continue;
      best.push_back(hit);
      std::push_heap(best.begin(), best.end(), better);
      if (best.size() <= limit) continue;
      std::pop_heap(best.begin(), best.end(), better);
      best.pop_back();
    }
    lock.unlock();
    std::sort_heap(best.begin(), best.end(), better);
    Found found;
    for (const Hit& hit : best) {
      found.ids.push_back(hit.id);
      found.scores.push_back(hit.score);
    }
    return found;
  }

  std::vector<uint8_t> serialize() const override {
    std::shared_lock lock(mutex_);
    return write_index_bytes(entries_, dimension_);
  }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;

  // At least twice as much as before, or many small additions would copy all each time.
  template <typename T>
  static void grow(std::vector<T>& values, size_t wanted) {
    if (wanted > values.capacity()) values.reserve(std::max(wanted, 2 * values.capacity()));
  }

  const int32_t dimension_;
  const size_t width_;
  mutable std::shared_mutex mutex_;
  Entries entries_;
  std::unordered_map<int64_t, size_t> places_;  // row of each id
  std::atomic<size_t> size_ = 0;
};

}  // namespace

std::unique_ptr<VectorIndex> make_exact_index(int32_t dimension, const Entries& entries) {
  return std::make_unique<ExactIndex>(dimension, entries);
}

}  // namespace quoth
