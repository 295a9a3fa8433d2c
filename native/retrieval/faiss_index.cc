// FAISS' flat inner-product index under an id map ("IDMap2,Flat"). Compiled only where libfaiss is found.
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

class FaissIndex final : public VectorIndex {
 public:
  FaissIndex(int32_t dimension, const Entries& entries)
      : dimension_(dimension), width_(static_cast<size_t>(dimension)), flat_(dimension), index_(&flat_) {
    guard_faiss([&] { append(entries); });
  }

  size_t size() const override { return size_; }

  void add(std::span<const int64_t> ids, std::span<const float> vectors) override {
    const Entries added = check_entries(ids, vectors, dimension_);
    change([&] {
      remove_known(added.ids);
      append(added);
    });
  }

  void remove(std::span<const int64_t> ids) override {
    change([&] { remove_known(ids); });
  }

  Found search(std::span<const float> query, size_t limit) const override {
    check_query(query, dimension_);
    std::shared_lock lock(mutex_);
    check_whole();
    limit = std::min(limit, static_cast<size_t>(index_.ntotal));
    if (limit == 0) return {};
    std::vector<float> scores(limit);
    std::vector<faiss::Index::idx_t> labels(limit);
    guard_faiss([&] { index_.search(1, query.data(), static_cast<int64_t>(limit), scores.data(), labels.data()); });
    lock.unlock();

    std::vector<size_t> order(limit);
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return scores[a] != scores[b] ? scores[a] > scores[b] : labels[a] < labels[b];
    });
    Found found;
    for (size_t i : order) {
      if (labels[i] < 0) continue;  // FAISS' mark for "no more"
      found.ids.push_back(labels[i]);
      found.scores.push_back(scores[i]);
    }
    return found;
  }

  std::vector<uint8_t> serialize() const override {
    std::shared_lock lock(mutex_);
    check_whole();
    Entries entries;
    entries.ids.assign(index_.id_map.begin(), index_.id_map.end());
    const float* rows = flat_.get_xb();
    entries.halves.resize(entries.ids.size() * width_);
    std::transform(rows, rows + entries.halves.size(), entries.halves.begin(), to_half);
    lock.unlock();
    return write_index_bytes(entries, dimension_);
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

  void append(const Entries& entries) {
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
    size_ = static_cast<size_t>(index_.ntotal);
  }

  // One removal walks the whole index: only when there is something to remove.
  void remove_known(std::span<const int64_t> ids) {
    std::vector<faiss::Index::idx_t> known;
    for (int64_t id : ids) {
      if (index_.rev_map.contains(id)) known.push_back(id);
    }
    if (!known.empty()) index_.remove_ids(faiss::IDSelectorBatch(known.size(), known.data()));
  }

  const int32_t dimension_;
  const size_t width_;
  mutable std::shared_mutex mutex_;
  faiss::IndexFlatIP flat_;
  faiss::IndexIDMap2 index_;
  bool whole_ = true;
  std::atomic<size_t> size_ = 0;
};

}  // namespace

std::unique_ptr<VectorIndex> make_faiss_index(int32_t dimension, const Entries& entries) {
  return std::make_unique<FaissIndex>(dimension, entries);
}

}  // namespace quoth
