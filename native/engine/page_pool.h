// The kv pages of an engine: which are free, which are owned, and which hold a prefix that somebody may want again.
//
//   free ──take──▶ owned (1 or more references) ──release──▶ cached, if published; else free
//    ▲                       ▲                                  │
//    └──── evicted by take ──┼──────────── share ───────────────┘
//
// A page is published under a key once its 64 rows are computed: the SHA-256 of the key before it and its 64 ids. So a
// key names a whole prefix, and nobody can make two prefixes with one key. Cached pages are evicted least recently used
// first.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "../sha256.h"

namespace quoth {

using PageKey = std::array<uint8_t, 32>;

// The key of a full page. before: the key of the page before it, zeros for the first.  ids: [64]
PageKey page_key(const PageKey& before, const int32_t* ids);

class PagePool {
 public:
  explicit PagePool(int32_t num_pages);

  int32_t num_total() const { return static_cast<int32_t>(pages_.size()); }
  int32_t num_free() const { return static_cast<int32_t>(free_.size()); }
  int32_t num_cached() const { return num_cached_; }
  // What `take` can give: free pages and cached ones.
  int32_t num_available() const { return num_free() + num_cached(); }

  // Pages that hold nothing, at most so many; they stay free.
  std::vector<int32_t> some_free(int32_t count) const {
    const size_t found = std::min(free_.size(), static_cast<size_t>(std::max(count, 0)));
    return {free_.end() - static_cast<long>(found), free_.end()};
  }

  // A page with one reference, evicting a cached one when none is free. There must be one available.
  int32_t take();
  // One more reference to the published page of that key; -1 when there is none.
  int32_t share(const PageKey& key);
  // One reference less.
  void release(int32_t page);
  // From now on `share` finds this page, whose rows are computed. Nothing happens when another page has the key.
  void publish(int32_t page, const PageKey& key);

 private:
  struct Page {
    int32_t num_references = 0;
    bool published = false;
    PageKey key{};
    int32_t before = -1;  // neighbours in the list of cached pages, least recently used first
    int32_t after = -1;
  };
  struct KeyHash {
    size_t operator()(const PageKey& key) const {
      size_t hash;
      std::memcpy(&hash, key.data(), sizeof hash);
      return hash;
    }
  };

  void unlink(int32_t page);
  Page& at(int32_t page) { return pages_[static_cast<size_t>(page)]; }

  std::vector<Page> pages_;
  std::vector<int32_t> free_;
  std::unordered_map<PageKey, int32_t, KeyHash> published_;
  int32_t oldest_ = -1;
  int32_t newest_ = -1;
  int32_t num_cached_ = 0;
};

}  // namespace quoth
