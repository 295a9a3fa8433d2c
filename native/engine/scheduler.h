// Which rows of which sequences the next step computes, and which kv pages they use.
//
// A sequence is admitted when all pages that it can ever need are there, so nothing runs out half-way; until it takes
// them, they are reserved. Higher priority first, then first come. One of higher priority that does not fit sends lower
// ones back to wait: their pages go to the cache, and what was evicted in the meantime is computed again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "page_pool.h"

namespace quoth {

// One running generation or scoring, as far as the scheduler needs to know.
struct Sequence {
  virtual ~Sequence() = default;

  std::vector<int32_t> tokens;  // prompt, then output
  int32_t num_prompt = 0;
  int32_t max_rows = 0;    // the most rows that will ever be computed
  bool wants_all = false;  // scoring: logits of every row, nothing from the cache
  double priority = 0;
  uint64_t arrival = 0;
  bool cancelled = false;

  // The scheduler's:
  std::vector<int32_t> pages;  // the kv pages of rows [0, 64 * pages.size())
  std::vector<PageKey> keys;   // of the full pages of `tokens`, as far as they were asked for
  int32_t num_computed = 0;    // rows in the kv pages
  int32_t num_cached = 0;      // of these, found in the cache at the first admission
  int32_t num_published = 0;   // pages
  int32_t num_reserved = 0;    // pages promised and not taken yet
  bool started = false;

  int32_t num_rows_wanted() const { return static_cast<int32_t>(tokens.size()) - (wants_all ? 1 : 0) - num_computed; }
};

// Rows [first, first + count) of a sequence's tokens.
struct Part {
  std::shared_ptr<Sequence> sequence;
  int32_t first = 0;
  int32_t count = 0;
  bool wants_last = false;  // the logits of the last row
};

class Scheduler {
 public:
  // max_sequences: in one step; max_outputs: rows with logits in one step, at least max_sequences.
  Scheduler(int32_t num_pages, int32_t step_tokens, int32_t max_sequences, int32_t max_outputs);

  void add(std::shared_ptr<Sequence> sequence);
  // Frees what the sequence holds and forgets it.
  void remove(const Sequence* sequence);
  // The next step; empty when there is nothing to do. Every part's pages are taken.
  std::vector<Part> schedule();
  // The rows of these parts are computed; full pages become reusable.
  void complete(const std::vector<Part>& parts);

  const std::vector<std::shared_ptr<Sequence>>& running() const { return running_; }
  const std::vector<std::shared_ptr<Sequence>>& waiting() const { return waiting_; }
  const PagePool& pool() const { return pool_; }
  // Pages that a sequence of so many rows needs.
  static int32_t pages_for(int32_t num_rows);

 private:
  void admit();
  bool try_admit(Sequence& sequence);
  bool make_room(const Sequence& sequence);
  void take_cached(Sequence& sequence);
  void release(Sequence& sequence);
  const PageKey& key_of(Sequence& sequence, int32_t page);
  int32_t num_unreserved() const { return pool_.num_available() - num_reserved_; }

  PagePool pool_;
  int32_t step_tokens_;
  int32_t max_sequences_;
  int32_t max_outputs_;
  int32_t num_reserved_ = 0;
  std::vector<std::shared_ptr<Sequence>> running_;  // both in the order in which they go
  std::vector<std::shared_ptr<Sequence>> waiting_;
};

}  // namespace quoth
