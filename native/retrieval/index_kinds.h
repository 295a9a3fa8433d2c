// Inside of native/retrieval: the two kinds of index, each made with its first entries (checked before).
#pragma once

#include <memory>

#include "index_bytes.h"
#include "vector_index.h"

namespace quoth {

std::unique_ptr<VectorIndex> make_exact_index(int32_t dimension, const Entries& entries);
std::unique_ptr<VectorIndex> make_faiss_index(int32_t dimension, const Entries& entries);

}  // namespace quoth
