#include "vector_index.h"

#include <string>

#include "../fault.h"
#include "index_bytes.h"
#include "index_kinds.h"

namespace quoth {
namespace {

// Embedders give 128 to 4096; more is a mistake, and a bound on what a header can make us allocate.
constexpr int32_t kMaxDimension = 65536;

std::unique_ptr<VectorIndex> make(IndexKind kind, int32_t dimension, const Entries& entries) {
#ifdef QUOTH_FAISS
  if (kind == IndexKind::faiss) return make_faiss_index(dimension, entries);
#else
  if (kind == IndexKind::faiss) throw Fault(FaultCode::unsupported, "This build of Quoth is without FAISS.");
#endif
  return make_exact_index(dimension, entries);
}

void check_dimension(int32_t dimension) {
  if (dimension < 1 || dimension > kMaxDimension) {
    throw Fault(FaultCode::invalid_input, "A vector of " + std::to_string(dimension) + " numbers is out of range.");
  }
}

}  // namespace

IndexReport describe_vector_index() {
#ifdef QUOTH_FAISS
  return {IndexKind::faiss, "FAISS was found when Quoth was built."};
#else
  return {IndexKind::exact, QUOTH_WITHOUT_FAISS_REASON};
#endif
}

std::unique_ptr<VectorIndex> create_vector_index(IndexKind kind, int32_t dimension) {
  check_dimension(dimension);
  return make(kind, dimension, {});
}

std::unique_ptr<VectorIndex> open_vector_index(IndexKind kind, int32_t dimension, std::span<const uint8_t> bytes) {
  check_dimension(dimension);
  return make(kind, dimension, read_index_bytes(bytes, dimension));
}

}  // namespace quoth
