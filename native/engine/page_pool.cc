#include "page_pool.h"

#include "../../kernels/tensor.h"

namespace quoth {

PageKey page_key(const PageKey& before, const int32_t* ids) {
  Sha256 hash;
  hash.update(before);
  hash.update({reinterpret_cast<const uint8_t*>(ids), kPageTokens * sizeof(int32_t)});
  return hash.digest();
}

PagePool::PagePool(int32_t num_pages) : pages_(static_cast<size_t>(num_pages)) {
  free_.reserve(pages_.size());
  for (int32_t page = num_pages - 1; page >= 0; --page) free_.push_back(page);
  published_.reserve(pages_.size());
}

int32_t PagePool::take() {
  int32_t page = -1;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else {
    page = oldest_;
    unlink(page);
    published_.erase(at(page).key);
    at(page).published = false;
  }
  at(page).num_references = 1;
  return page;
}

int32_t PagePool::share(const PageKey& key) {
  const auto found = published_.find(key);
  if (found == published_.end()) return -1;
  const int32_t page = found->second;
  if (at(page).num_references == 0) unlink(page);
  ++at(page).num_references;
  return page;
}

void PagePool::release(int32_t page) {
  Page& freed = at(page);
  if (--freed.num_references != 0) return;
  if (!freed.published) {
    free_.push_back(page);
    return;
  }
  freed.before = newest_;
  freed.after = -1;
  (newest_ < 0 ? oldest_ : at(newest_).after) = page;
  newest_ = page;
  ++num_cached_;
}

void PagePool::publish(int32_t page, const PageKey& key) {
  if (at(page).published || !published_.try_emplace(key, page).second) return;
  at(page).published = true;
  at(page).key = key;
}

void PagePool::unlink(int32_t page) {
  const Page& cached = at(page);
  (cached.before < 0 ? oldest_ : at(cached.before).after) = cached.after;
  (cached.after < 0 ? newest_ : at(cached.after).before) = cached.before;
  --num_cached_;
}

}  // namespace quoth
