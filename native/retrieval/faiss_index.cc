// FAISS' flat inner-product index under an id map ("IDMap2,Flat"), for small indexes. Compiled only where libfaiss is
// found.
#include <faiss/IndexFlat.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/IDSelector.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <string>

#include "../fault.h"
#include "index_kinds.h"

namespace quoth {
namespace {

// What FAISS throws, as a fault of ours.
template <typename Body>
auto guard_faiss(Body body) {
  try {
    return body();
  } catch (const faiss::FaissException& error) {
    throw Fault(FaultCode::internal, std::string("FAISS: ") + error.what());
  }
}

class FaissIndex final : public RowIndex {
 public:
  explicit FaissIndex(int32_t dimension)
      : RowIndex(dimension), width_(static_cast<size_t>(dimension)), flat_(dimension), index_(&flat_) {}

  size_t size() const override { return size_; }

  void add(std::span<const int64_t> ids, std::span<const float> vectors) override {
    const Entries added = check_entries(ids, vectors, dimension_);
    change([&] {
      remove_known(added.ids);
      put(added);
    });
  }

  void append(const Entries& entries) override {
    change([&] { put(entries); });
  }

  void remove(std::span<const int64_t> ids) override {
    change([&] { remove_known(ids); });
  }

  Found search(std::span<const float> query, size_t limit, const IdRanges* within) const override {
    check_query(query, dimension_);
    std::shared_lock lock(mutex_);
    check_whole();
    const size_t total = static_cast<size_t>(index_.ntotal);
    std::vector<uint8_t> chosen;  // a bit for each row
    size_t most = total;
    if (within != nullptr) {
      chosen.resize((total + 7) / 8);
      most = 0;
      IdRanges::Cursor cursor(*within);
      for (size_t row = 0; row < total; ++row) {
        if (!cursor.holds(index_.id_map[row])) continue;
        chosen[row / 8] |= static_cast<uint8_t>(1 << row % 8);
        ++most;
      }
    }
    limit = std::min(limit, most);
    if (limit == 0) return {};
    std::vector<float> scores(limit);
    std::vector<faiss::Index::idx_t> rows(limit);
    guard_faiss([&] {
      // The flat index itself, whose rows are places in `id_map`: the map above it takes no choice of rows.
      faiss::IDSelectorBitmap selector(chosen.size(), chosen.data());
      faiss::SearchParameters parameters;
      if (within != nullptr) parameters.sel = &selector;
      flat_.search(1, query.data(), static_cast<int64_t>(limit), scores.data(), rows.data(), &parameters);
    });
    struct Hit {
      float score;
      int64_t id;
    };
    std::vector<Hit> hits;
    for (size_t i = 0; i < limit; ++i) {
      // Below 0: FAISS' mark for "no more".
      if (rows[i] >= 0) hits.push_back({scores[i], index_.id_map[static_cast<size_t>(rows[i])]});
    }
    lock.unlock();
    std::sort(hits.begin(), hits.end(),
              [](const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; });
    Found found;
    for (const Hit& hit : hits) {
      found.ids.push_back(hit.id);
      found.scores.push_back(hit.score);
    }
    return found;
  }

  void with_rows(const UseRows& use) const override {
    std::shared_lock lock(mutex_);
    check_whole();
    std::vector<size_t> order(index_.id_map.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return index_.id_map[a] < index_.id_map[b]; });
    std::vector<int64_t> ids(order.size());
    std::transform(order.begin(), order.end(), ids.begin(), [&](size_t row) { return index_.id_map[row]; });
    std::vector<uint16_t> halves(width_);
    const float* rows = flat_.get_xb();
    use(ids, [&](size_t i) {
      const float* row = rows + order[i] * width_;
      std::transform(row, row + width_, halves.begin(), to_half);
      return halves.data();
    });
  }

 private:
  // FAISS gives no promise of all or nothing: after a failed change the index is not used any more.
  template <typename Body>
  void change(Body body) {
    std::unique_lock lock(mutex_);
    check_whole();
    whole_ = false;
    guard_faiss(body);
    whole_ = true;
    size_ = static_cast<size_t>(index_.ntotal);
  }

  void check_whole() const {
    if (!whole_) throw Fault(FaultCode::closed, "The index was not changed to the end and must be opened anew.");
  }

  void put(const Entries& entries) {
    if (entries.ids.empty()) return;
    // In pieces: all of it as float32 at once would double the memory of a large index while it opens.
    constexpr size_t kPiece = 4096;
    std::vector<float> rows;
    for (size_t first = 0; first < entries.ids.size(); first += kPiece) {
      const size_t count = std::min(kPiece, entries.ids.size() - first);
      rows.resize(count * width_);
      std::transform(entries.halves.begin() + first * width_, entries.halves.begin() + (first + count) * width_,
                     rows.begin(), to_float);
      index_.add_with_ids(static_cast<int64_t>(count), rows.data(), entries.ids.data() + first);
    }
  }

  // One removal walks the whole index: only when there is something to remove.
  void remove_known(std::span<const int64_t> ids) {
    std::vector<faiss::Index::idx_t> known;
    for (int64_t id : ids) {
      if (index_.rev_map.contains(id)) known.push_back(id);
    }
    if (!known.empty()) index_.remove_ids(faiss::IDSelectorBatch(known.size(), known.data()));
  }

  const size_t width_;
  mutable std::shared_mutex mutex_;
  faiss::IndexFlatIP flat_;
  faiss::IndexIDMap2 index_;
  bool whole_ = true;
  std::atomic<size_t> size_ = 0;
};

}  // namespace

std::unique_ptr<RowIndex> make_faiss_index(int32_t dimension) {
  return std::make_unique<FaissIndex>(dimension);
}

}  // namespace quoth
