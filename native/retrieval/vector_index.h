// Inner-product search over unit vectors, by id. Two kinds behind the same functions: FAISS' flat index, and a scan of
// our own for large indexes and for builds without libfaiss. Both hold what SQLite holds, float16 values, so that a
// score is the same before and after a restart.
//
// Any thread may call any function at any time: searches, `serialize` and `save` run beside each other, `add` and
// `remove` alone. What is thrown is a Fault (fault.h) or std::bad_alloc; no exception of FAISS' is ever let through as
// another thing.
//
// Up to kMostExact vectors every search is exact. Above, the scan looks at all vectors by codes of 4 bits, and at the
// nearest of these by their float16 values. Why this and none of FAISS' indexes: test/bench/scale/README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "id_ranges.h"

namespace quoth {

enum class IndexKind { faiss, exact };

struct Found {
  std::vector<int64_t> ids;   // [n], best first; equal scores by ascending id
  std::vector<float> scores;  // [n]
};

// What was written: the index's own checksum names it.
struct SavedIndex {
  uint64_t count = 0;
  int64_t last_id = 0;  // 0 if it is empty
  std::string sha256;   // hexadecimal, bytes 32-63 of the file
};

constexpr size_t kMostExact = 20000;

class VectorIndex {
 public:
  virtual ~VectorIndex() = default;

  // Vectors in the index. Never waits.
  virtual size_t size() const = 0;
  //   ids      int64 [n], from 1 to 2^53 - 1; one that is there already, or comes again, is replaced
  //   vectors  f32 [n, dimension], finite, rounded to float16
  // Either all are in or none. After a failure for lack of memory the index answers `closed`: it must be opened anew.
  virtual void add(std::span<const int64_t> ids, std::span<const float> vectors) = 0;
  // Ids that are not there are no error.
  virtual void remove(std::span<const int64_t> ids) = 0;
  //   query    f32 [dimension]
  //   within   which ids may be found; null: all
  virtual Found search(std::span<const float> query, size_t limit, const IdRanges* within) const = 0;
  // All ids, ascending.
  virtual std::vector<int64_t> ids() const = 0;
  // The whole index, see open_vector_index. The same vectors give the same bytes, whatever came before.
  virtual std::vector<uint8_t> serialize() const = 0;
  // The same bytes into a file, which is on the disk when this returns. A file that is there is written over.
  virtual SavedIndex save(const std::string& path) const = 0;
};

// The kind that is used unless another is asked for, and why, as a sentence for people.
struct IndexReport {
  IndexKind kind;
  const char* reason;
};
IndexReport describe_vector_index();

// An empty index. Fails with `unsupported` for FAISS in a build without it.
std::unique_ptr<VectorIndex> create_vector_index(IndexKind kind, int32_t dimension);

// The index from bytes that `serialize` made, of either kind:
//
//   0   char[8]   "QUOTHVEC"         16  u32  dimension
//   8   u32       version, 1         20  u32  0
//   12  u32       element: 1 = f16   24  u64  count
//   32  u8[32]    SHA-256 of bytes 0-31 and of all from 64 on
//   64  i64 [count]             ids, ascending, no two the same
//       f16 [count, dimension]  vectors
//
// All little-endian. FAISS' own files are never read: its readers trust their input, and a flat index needs none of
// them. Fails with `invalid-input` for anything else than such bytes, before an index is made.
std::unique_ptr<VectorIndex> open_vector_index(IndexKind kind, int32_t dimension, std::span<const uint8_t> bytes);
// The same from a file that `save` wrote. `sha256` is what `save` said: another index is refused.
std::unique_ptr<VectorIndex> open_saved_index(IndexKind kind, int32_t dimension, const std::string& path,
                                              const std::string& sha256);

}  // namespace quoth
