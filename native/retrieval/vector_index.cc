#include "vector_index.h"

#include <cstring>
#include <mutex>
#include <string>

#include "../fault.h"
#include "index_bytes.h"
#include "index_file.h"
#include "index_kinds.h"

namespace quoth {
namespace {

// Embedders give 128 to 4096; more is a mistake, and a bound on what a header can make us allocate.
constexpr int32_t kMaxDimension = 65536;

std::string hexadecimal(std::span<const uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// FAISS' index while there are few vectors, the scan from the first addition that makes them many. The rows are copied
// beside the searches, which go on in the old one; removals do not lead back.
class GrowingIndex final : public VectorIndex {
 public:
  GrowingIndex(int32_t dimension, std::shared_ptr<RowIndex> first)
      : dimension_(dimension), current_(std::move(first)) {}

  size_t size() const override { return current()->size(); }
  std::vector<int64_t> ids() const override { return current()->ids(); }
  std::vector<uint8_t> serialize() const override { return current()->serialize(); }
  SavedIndex save(const std::string& path) const override { return current()->save(path); }

  Found search(std::span<const float> query, size_t limit, const IdRanges* within) const override {
    return current()->search(query, limit, within);
  }

  void add(std::span<const int64_t> ids, std::span<const float> vectors) override {
    std::lock_guard changing(changes_);
    if (!is_large_ && size() + ids.size() > kMostExact) {
      check_entries(ids, vectors, dimension_);
      std::shared_ptr<RowIndex> large = make_scan_index(dimension_);
      current()->with_rows([&](std::span<const int64_t> held, const std::function<const uint16_t*(size_t)>& row_of) {
        Entries entries;
        entries.ids.assign(held.begin(), held.end());
        const size_t width = static_cast<size_t>(dimension_);
        entries.halves.resize(held.size() * width);
        for (size_t i = 0; i < held.size(); ++i) std::copy_n(row_of(i), width, entries.halves.data() + i * width);
        large->append(entries);
      });
      large->add(ids, vectors);
      std::lock_guard lock(mutex_);
      current_ = std::move(large);
      is_large_ = true;
      return;
    }
    current()->add(ids, vectors);
  }

  void remove(std::span<const int64_t> ids) override {
    std::lock_guard changing(changes_);
    current()->remove(ids);
  }

 private:
  std::shared_ptr<RowIndex> current() const {
    std::lock_guard lock(mutex_);
    return current_;
  }

  const int32_t dimension_;
  std::mutex changes_;        // changes come one after another
  mutable std::mutex mutex_;  // guards `current_`, and is never held for long
  std::shared_ptr<RowIndex> current_;
  bool is_large_ = false;  // only read and written under `changes_`
};

std::unique_ptr<RowIndex> make_rows(IndexKind kind, int32_t dimension, uint64_t count) {
#ifndef QUOTH_FAISS
  if (kind == IndexKind::faiss) throw Fault(FaultCode::unsupported, "This build of Quoth is without FAISS.");
#else
  if (kind == IndexKind::faiss && count <= kMostExact) return make_faiss_index(dimension);
#endif
  (void)count;
  return make_scan_index(dimension);
}

std::unique_ptr<VectorIndex> wrap(IndexKind kind, int32_t dimension, std::unique_ptr<RowIndex> rows, uint64_t count) {
  if (kind == IndexKind::faiss && count <= kMostExact)
    return std::make_unique<GrowingIndex>(dimension, std::move(rows));
  return rows;
}

void check_dimension(int32_t dimension) {
  if (dimension < 1 || dimension > kMaxDimension) {
    throw Fault(FaultCode::invalid_input, "A vector of " + std::to_string(dimension) + " numbers is out of range.");
  }
}

std::unique_ptr<VectorIndex> open_index(IndexKind kind, int32_t dimension, uint64_t num_bytes,
                                        const std::function<void(std::span<uint8_t>)>& fill) {
  check_dimension(dimension);
  // What the bytes can hold at most; `read_index` finds out whether they do.
  const uint64_t count = num_bytes / (sizeof(int64_t) + static_cast<uint64_t>(dimension) * sizeof(uint16_t));
  std::unique_ptr<RowIndex> rows = make_rows(kind, dimension, count);
  read_index(dimension, num_bytes, fill, [&](const Entries& entries) { rows->append(entries); });
  return wrap(kind, dimension, std::move(rows), count);
}

}  // namespace

std::vector<int64_t> RowIndex::ids() const {
  std::vector<int64_t> all;
  with_rows([&](std::span<const int64_t> ids, const auto&) { all.assign(ids.begin(), ids.end()); });
  return all;
}

std::vector<uint8_t> RowIndex::serialize() const {
  std::vector<uint8_t> bytes(kHeaderBytes);
  with_rows([&](std::span<const int64_t> ids, const auto& row_of) {
    bytes.reserve(kHeaderBytes + ids.size() * (sizeof(int64_t) + static_cast<size_t>(dimension_) * sizeof(uint16_t)));
    const auto header = write_index(dimension_, ids, row_of, [&](std::span<const uint8_t> piece) {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
    });
    std::copy(header.begin(), header.end(), bytes.begin());
  });
  return bytes;
}

SavedIndex RowIndex::save(const std::string& path) const {
  SavedIndex saved;
  IndexFile file(path, IndexFile::For::writing);
  with_rows([&](std::span<const int64_t> ids, const auto& row_of) {
    file.write(std::array<uint8_t, kHeaderBytes>{});
    const auto header =
        write_index(dimension_, ids, row_of, [&](std::span<const uint8_t> piece) { file.write(piece); });
    file.to_begin();
    file.write(header);
    saved.count = ids.size();
    saved.last_id = ids.empty() ? 0 : ids.back();
    saved.sha256 = hexadecimal(std::span(header).last(kDigestBytes));
  });
  file.sync();
  return saved;
}

IndexReport describe_vector_index() {
#ifdef QUOTH_FAISS
  return {IndexKind::faiss, "FAISS was found when Quoth was built. Above 20,000 passages Quoth's own scan is faster."};
#else
  return {IndexKind::exact, QUOTH_WITHOUT_FAISS_REASON};
#endif
}

std::unique_ptr<VectorIndex> create_vector_index(IndexKind kind, int32_t dimension) {
  check_dimension(dimension);
  return wrap(kind, dimension, make_rows(kind, dimension, 0), 0);
}

std::unique_ptr<VectorIndex> open_vector_index(IndexKind kind, int32_t dimension, std::span<const uint8_t> bytes) {
  size_t read = 0;
  return open_index(kind, dimension, bytes.size(), [&](std::span<uint8_t> to) {
    std::memcpy(to.data(), bytes.data() + read, to.size());
    read += to.size();
  });
}

std::unique_ptr<VectorIndex> open_saved_index(IndexKind kind, int32_t dimension, const std::string& path,
                                              const std::string& sha256) {
  IndexFile file(path, IndexFile::For::reading);
  bool is_header = true;
  return open_index(kind, dimension, file.size_bytes(), [&](std::span<uint8_t> to) {
    file.read(to);
    if (is_header && hexadecimal(to.last(kDigestBytes)) != sha256) {
      throw Fault(FaultCode::invalid_input, "The index is not the one that was saved.");
    }
    is_header = false;
  });
}

}  // namespace quoth
