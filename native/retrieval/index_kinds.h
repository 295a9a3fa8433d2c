// Inside of native/retrieval: the two kinds of index, and what they share.
#pragma once

#include <functional>
#include <memory>

#include "index_bytes.h"
#include "vector_index.h"

namespace quoth {

// An index that can show its rows: serialising, saving and listing are the same for all kinds.
class RowIndex : public VectorIndex {
 public:
  // Calls `use` with all ids, ascending, and a function for the f16 row of the i-th. Searches go on meanwhile, changes
  // wait.
  using UseRows =
      std::function<void(std::span<const int64_t> ids, const std::function<const uint16_t*(size_t)>& row_of)>;
  virtual void with_rows(const UseRows& use) const = 0;
  // Entries that are checked already, and none of whose ids is there.
  virtual void append(const Entries& entries) = 0;

  std::vector<int64_t> ids() const override;
  std::vector<uint8_t> serialize() const override;
  SavedIndex save(const std::string& path) const override;

 protected:
  explicit RowIndex(int32_t dimension) : dimension_(dimension) {}
  const int32_t dimension_;
};

std::unique_ptr<RowIndex> make_scan_index(int32_t dimension);
std::unique_ptr<RowIndex> make_faiss_index(int32_t dimension);

}  // namespace quoth
