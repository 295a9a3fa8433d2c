// The scan of our own: rows in blocks, compared with the query one after another.
//
// A block never moves, so adding costs the same however many there are. Up to kMostExact rows are compared by their
// float16 values. Of more, all are compared by their codes (row_codes.h), and the nearest few hundred by their values:
// 1,000,000 rows of 384 are 192 MB to read instead of 768, and the ten nearest are the same
// (test/bench/scale/README.md).
#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "../fault.h"
#include "index_kinds.h"
#include "row_codes.h"

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

// A row that its codes make likely.
struct Candidate {
  float score;
  uint32_t place;
};

bool likelier(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.place < b.place;
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

constexpr size_t kBlockRows = 4096;
// A code's error is 0.1 of a row's own spread, at most a hundredth of its score at 384 numbers: of 1,000,000 rows the
// tenth and the two-hundredth lie further apart, whether they are a text's or random. Five times that, and some for
// each result.
constexpr size_t kLeastCandidates = 1000;
constexpr size_t kCandidatesPerResult = 8;
// Below this a second thread costs more than it brings.
constexpr size_t kRowsPerThread = 100000;
constexpr size_t kMostThreads = 4;

// Rows that never move. Vectors that grow up to a block's size: a small index stays small.
struct Block {
  std::vector<int64_t> ids;
  std::vector<uint16_t> halves;   // [n, width]
  std::vector<uint8_t> codes;     // [n, code_bytes(width)]
  std::vector<CodeScale> scales;  // [n]
  int64_t first_id = INT64_MAX;   // no row has a lower one; removals leave it as it is
  int64_t last_id = INT64_MIN;
};

class ScanIndex final : public RowIndex {
 public:
  explicit ScanIndex(int32_t dimension)
      : RowIndex(dimension), width_(static_cast<size_t>(dimension)), code_bytes_(code_bytes(width_)) {}

  size_t size() const override { return size_; }

  void add(std::span<const int64_t> ids, std::span<const float> vectors) override {
    append(check_entries(ids, vectors, dimension_));
  }

  void append(const Entries& added) override {
    std::unique_lock lock(mutex_);
    reserve(added.ids);
    for (size_t i = 0; i < added.ids.size(); ++i) {
      size_t& place = places_.find(added.ids[i])->second;
      if (place == kNowhere) {
        place = size_;
        size_ = size_ + 1;
      }
      write_row(place, added.ids[i], added.halves.data() + i * width_);
    }
  }

  void remove(std::span<const int64_t> ids) override {
    std::unique_lock lock(mutex_);
    for (int64_t id : ids) {
      const auto found = places_.find(id);
      if (found == places_.end()) continue;
      const size_t place = found->second, last = size_ - 1;
      places_.erase(found);
      if (place != last) {
        Block& block = *blocks_[last / kBlockRows];
        const size_t row = last % kBlockRows;
        write_row(place, block.ids[row], block.halves.data() + row * width_);
        places_[block.ids[row]] = place;
      }
      cut_to(last);
    }
  }

  Found search(std::span<const float> query, size_t limit, const IdRanges* within) const override {
    check_query(query, dimension_);
    std::shared_lock lock(mutex_);
    const size_t most = within == nullptr ? size_.load() : std::min<uint64_t>(size_, within->size());
    limit = std::min(limit, most);
    if (limit == 0) return {};
    const size_t num_candidates = std::max(kLeastCandidates, kCandidatesPerResult * limit);
    std::vector<Hit> best;
    if (most <= std::max(kMostExact, num_candidates)) {
      best = nearest(query, limit, within);
    } else {
      best = nearest_of(likeliest(query, num_candidates, within), query, limit);
    }
    lock.unlock();
    Found found;
    for (const Hit& hit : best) {
      found.ids.push_back(hit.id);
      found.scores.push_back(hit.score);
    }
    return found;
  }

  void with_rows(const UseRows& use) const override {
    std::shared_lock lock(mutex_);
    std::vector<std::pair<int64_t, size_t>> order(places_.begin(), places_.end());
    std::sort(order.begin(), order.end());
    std::vector<int64_t> ids(order.size());
    std::transform(order.begin(), order.end(), ids.begin(), [](const auto& one) { return one.first; });
    use(ids, [&](size_t i) { return row_at(order[i].second); });
  }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;

  const uint16_t* row_at(size_t place) const {
    return blocks_[place / kBlockRows]->halves.data() + place % kBlockRows * width_;
  }

  // All memory first: what follows cannot fail. A failure leaves the index as it was.
  void reserve(const std::vector<int64_t>& ids) {
    std::vector<int64_t> fresh;
    fresh.reserve(ids.size());
    try {
      for (int64_t id : ids) {
        if (places_.try_emplace(id, kNowhere).second) fresh.push_back(id);
      }
      const size_t wanted = size_ + fresh.size();
      while (blocks_.size() * kBlockRows < wanted) blocks_.push_back(std::make_unique<Block>());
      for (size_t at = size_ / kBlockRows; at * kBlockRows < wanted; ++at) {
        Block& block = *blocks_[at];
        const size_t rows = std::min(kBlockRows, wanted - at * kBlockRows);
        if (rows <= block.ids.capacity()) continue;
        const size_t room = std::min(kBlockRows, std::max(rows, 2 * block.ids.capacity()));
        block.halves.reserve(room * width_);
        block.codes.reserve(room * code_bytes_);
        block.scales.reserve(room);
        block.ids.reserve(room);
      }
    } catch (...) {
      for (int64_t id : fresh) places_.erase(id);
      throw;
    }
  }

  // Writes a row over another, or behind the last one.
  void write_row(size_t place, int64_t id, const uint16_t* row) {
    Block& block = *blocks_[place / kBlockRows];
    const size_t at = place % kBlockRows;
    if (at == block.ids.size()) {
      block.ids.push_back(id);
      block.halves.resize((at + 1) * width_);
      block.codes.resize((at + 1) * code_bytes_);
      block.scales.push_back({});
    }
    block.ids[at] = id;
    block.first_id = std::min(block.first_id, id);
    block.last_id = std::max(block.last_id, id);
    std::copy_n(row, width_, block.halves.data() + at * width_);
    block.scales[at] = encode_row(row, width_, block.codes.data() + at * code_bytes_);
  }

  void cut_to(size_t size) {
    Block& block = *blocks_[size / kBlockRows];
    const size_t rows = size % kBlockRows;
    block.ids.resize(rows);
    block.halves.resize(rows * width_);
    block.codes.resize(rows * code_bytes_);
    block.scales.resize(rows);
    if (rows == 0) block.first_id = INT64_MAX, block.last_id = INT64_MIN;
    size_ = size;
    // A block that is empty is given back once the one before it is not full any more.
    while (blocks_.size() > size / kBlockRows + 2) blocks_.pop_back();
  }

  // Calls `use(block, rows, count)` for each block with rows in the ranges; `rows` is null where all of them are.
  template <typename Use>
  void for_blocks(size_t first, size_t end, const IdRanges* within, Use use) const {
    std::optional<IdRanges::Cursor> cursor;
    if (within != nullptr) cursor.emplace(*within);
    std::vector<uint32_t> rows;
    for (size_t at = first; at < end; ++at) {
      const Block& block = *blocks_[at];
      if (block.ids.empty()) continue;
      if (within == nullptr) {
        use(at, nullptr, block.ids.size());
        continue;
      }
      if (!within->meets(block.first_id, block.last_id)) continue;
      rows.clear();
      for (size_t row = 0; row < block.ids.size(); ++row) {
        if (cursor->holds(block.ids[row])) rows.push_back(static_cast<uint32_t>(row));
      }
      if (rows.size() == block.ids.size()) {
        use(at, nullptr, rows.size());
      } else if (!rows.empty()) {
        use(at, rows.data(), rows.size());
      }
    }
  }

  // The best rows by their values.
  std::vector<Hit> nearest(std::span<const float> query, size_t limit, const IdRanges* within) const {
    std::vector<Hit> best;  // a heap whose first is the worst of the best
    best.reserve(limit + 1);
    for_blocks(0, blocks_.size(), within, [&](size_t at, const uint32_t* rows, size_t count) {
      const Block& block = *blocks_[at];
      for (size_t i = 0; i < count; ++i) {
        const size_t row = rows == nullptr ? i : rows[i];
        keep_best(best, {inner_product(block.halves.data() + row * width_, query.data(), width_), block.ids[row]},
                  limit);
      }
    });
    std::sort_heap(best.begin(), best.end(), better);
    return best;
  }

  std::vector<Hit> nearest_of(const std::vector<Candidate>& candidates, std::span<const float> query,
                              size_t limit) const {
    std::vector<Hit> best;
    best.reserve(limit + 1);
    for (const Candidate& candidate : candidates) {
      const int64_t id = blocks_[candidate.place / kBlockRows]->ids[candidate.place % kBlockRows];
      keep_best(best, {inner_product(row_at(candidate.place), query.data(), width_), id}, limit);
    }
    std::sort_heap(best.begin(), best.end(), better);
    return best;
  }

  static void keep_best(std::vector<Hit>& best, const Hit& hit, size_t limit) {
    if (best.size() == limit && !better(hit, best.front())) return;
    best.push_back(hit);
    std::push_heap(best.begin(), best.end(), better);
    if (best.size() <= limit) return;
    std::pop_heap(best.begin(), best.end(), better);
    best.pop_back();
  }

  // The likeliest rows by their codes, in any order.
  std::vector<Candidate> likeliest(std::span<const float> query, size_t limit, const IdRanges* within) const {
    const CodedQuery coded = encode_query(query);
    const size_t processors = std::max(1u, std::thread::hardware_concurrency());
    const size_t num_threads =
        std::clamp<size_t>(size_ / kRowsPerThread, 1, std::min<size_t>(kMostThreads, processors));
    std::vector<std::vector<Candidate>> parts(num_threads);
    std::vector<std::exception_ptr> failures(num_threads);
    const auto run = [&](size_t part) {
      try {
        const size_t first = blocks_.size() * part / num_threads, end = blocks_.size() * (part + 1) / num_threads;
        parts[part] = likeliest_of(first, end, coded, limit, within);
      } catch (...) {
        failures[part] = std::current_exception();
      }
    };
    std::vector<std::thread> threads;
    size_t started = 1;
    try {
      for (; started < num_threads; ++started) threads.emplace_back(run, started);
    } catch (const std::system_error&) {
      // The system gives no more threads: this one does their parts.
    }
    run(0);
    for (size_t part = started; part < num_threads; ++part) run(part);
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    std::vector<Candidate> all = std::move(parts[0]);
    for (size_t part = 1; part < num_threads; ++part) all.insert(all.end(), parts[part].begin(), parts[part].end());
    keep_likeliest(all, limit);
    return all;
  }

  std::vector<Candidate> likeliest_of(size_t first, size_t end, const CodedQuery& query, size_t limit,
                                      const IdRanges* within) const {
    std::vector<Candidate> kept;
    const size_t room = 4 * limit;
    kept.reserve(room);
    std::vector<int32_t> sums(kBlockRows);
    float least = -INFINITY;  // of those kept, once there are enough
    for_blocks(first, end, within, [&](size_t at, const uint32_t* rows, size_t count) {
      const Block& block = *blocks_[at];
      code_products(block.codes.data(), rows, count, query, sums.data());
      for (size_t i = 0; i < count; ++i) {
        const size_t row = rows == nullptr ? i : rows[i];
        const CodeScale& scale = block.scales[row];
        const float score = scale.step * static_cast<float>(sums[i]) + scale.low * query.sum;
        if (score < least) continue;
        kept.push_back({score, static_cast<uint32_t>(at * kBlockRows + row)});
        if (kept.size() < room) continue;
        keep_likeliest(kept, limit);
        least = kept.back().score;
      }
    });
    keep_likeliest(kept, limit);
    return kept;
  }

  // The last one is then the least likely.
  static void keep_likeliest(std::vector<Candidate>& candidates, size_t limit) {
    if (candidates.size() <= limit) return;
    std::nth_element(candidates.begin(), candidates.begin() + (limit - 1), candidates.end(), likelier);
    candidates.resize(limit);
  }

  const size_t width_;
  const size_t code_bytes_;
  mutable std::shared_mutex mutex_;
  std::vector<std::unique_ptr<Block>> blocks_;  // all full but the last with rows
  std::unordered_map<int64_t, size_t> places_;  // row of each id
  std::atomic<size_t> size_ = 0;
};

}  // namespace

std::unique_ptr<RowIndex> make_scan_index(int32_t dimension) {
  return std::make_unique<ScanIndex>(dimension);
}

}  // namespace quoth
