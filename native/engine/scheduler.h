// Which rows of which sequences the next step computes, and which kv pages they use.
//
// A sequence is admitted when all pages that it can ever need are there, so nothing runs out half-way; until it takes
// them, they are reserved. Higher priority first, then first come. One of higher priority that does not fit sends lower
// ones back to wait: their pages go to the cache, and what was evicted in the meantime is computed again.
#pragma once

#include <algorithm>
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
  bool removed = false;         // the scheduler has forgotten it
  std::vector<int32_t> drafts;  // what may follow `tokens`: computed with the row that generates, where there is room

  // The scheduler's:
  std::vector<int32_t> pages;  // the kv pages of rows [0, 64 * pages.size())
  std::vector<PageKey> keys;   // of the full pages of `tokens`, as far as they were asked for
  int32_t num_computed = 0;    // rows in the kv pages
  int32_t num_cached = 0;      // of these, found in the cache at the first admission
  int32_t num_published = 0;   // pages
  int32_t num_reserved = 0;    // pages promised and not taken yet
  bool started = false;

  bool generates() const { return !wants_all && num_rows_wanted() == 1; }
  int32_t num_rows_wanted() const { return static_cast<int32_t>(tokens.size()) - (wants_all ? 1 : 0) - num_computed; }
};

// Rows [first, first + count) of a sequence's tokens and, after them, drafts.
struct Part {
  std::shared_ptr<Sequence> sequence;
  int32_t first = 0;
  int32_t count = 0;        // with the drafts
  int32_t num_drafts = 0;   // the first so many of `sequence->drafts`
  bool wants_last = false;  // the logits of the last token's row and of each draft's
  int32_t num_right = 0;    // of the drafts: set by whoever ran the step, before `complete`
  int32_t chosen_row = -1;  // of `schedule_ahead`: the output of the step before that is the token of this row

  int32_t num_outputs() const { return sequence->wants_all ? count : wants_last ? 1 + num_drafts : 0; }
};

// How many rows a step with prompts should have.
struct StepRows {
  int32_t most = 0;
  // Of prompts, while another sequence of the same or higher priority generates; and while fewer of them do than wait
  // for their first token.
  int32_t beside = 0;
  int32_t beside_fewer = 0;
  int32_t tile = 1;  // a step that could have more rows than that has whole tiles of so many
  // So many that generate take much from those who wait for their first token: they rest, for so many steps at a time.
  int32_t many = 0;  // 0: never
  int32_t rests = 0;
};

class Scheduler {
 public:
  // max_sequences: in one step; max_outputs: rows with logits in one step, at least max_sequences.
  Scheduler(int32_t num_pages, int32_t step_tokens, int32_t max_sequences, int32_t max_outputs);

  // From now on; `most` at most the constructor's.
  void limit_step(StepRows rows) {
    rows_ = rows;
    rows_.most = std::min(rows.most, step_tokens_);
  }

  void add(std::shared_ptr<Sequence> sequence);
  // Frees what the sequence holds and forgets it.
  void remove(const Sequence* sequence);
  // The next step; empty when there is nothing to do. Every part's pages are taken. Drafts take no page that is not
  // promised to their sequence, and no row or output that another could use.
  std::vector<Part> schedule();
  // The step after one in which each of these parts generates one token, while that token is not known: the row of
  // that token, for those that go on.
  std::vector<Part> schedule_ahead(const std::vector<Part>& parts);
  // The rows of these parts are computed, and their right drafts are in `tokens`. Full pages become reusable; the rows
  // of wrong drafts are as if they had never been: they are behind all that a sequence reads, and written again.
  void complete(const std::vector<Part>& parts);

  const std::vector<std::shared_ptr<Sequence>>& running() const { return running_; }
  const std::vector<std::shared_ptr<Sequence>>& waiting() const { return waiting_; }
  const PagePool& pool() const { return pool_; }
  // Pages that a sequence of so many rows needs.
  static int32_t pages_for(int32_t num_rows);
  // Drafts that the next step could hold in all, and those that a sequence could ever use.
  int32_t num_spare_rows() const;
  static int32_t most_drafts(const Sequence& sequence) { return sequence.max_rows - sequence.num_computed - 1; }

 private:
  bool may_rest();
  void take_pages(Sequence& sequence, int32_t num_rows);
  void admit();
  bool try_admit(Sequence& sequence);
  bool make_room(const Sequence& sequence);
  void take_cached(Sequence& sequence);
  void release(Sequence& sequence);
  const PageKey& key_of(Sequence& sequence, int32_t page);
  int32_t num_unreserved() const { return pool_.num_available() - num_reserved_; }

  PagePool pool_;
  int32_t step_tokens_;
  StepRows rows_;
  int32_t num_rests_ = 0;  // steps since all went on that generate
  int32_t max_sequences_;
  int32_t max_outputs_;
  int32_t num_reserved_ = 0;
  std::vector<std::shared_ptr<Sequence>> running_;  // both in the order in which they go
  std::vector<std::shared_ptr<Sequence>> waiting_;
};

}  // namespace quoth
