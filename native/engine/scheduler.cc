#include "scheduler.h"

#include <algorithm>
#include <limits>

#include "../../kernels/tensor.h"

namespace quoth {
namespace {

constexpr int32_t kLeastChunk = 16;  // rows of a prompt in a step

bool goes_before(const Sequence& a, const Sequence& b) {
  return a.priority != b.priority ? a.priority > b.priority : a.arrival < b.arrival;
}

void insert_in_order(std::vector<std::shared_ptr<Sequence>>& list, std::shared_ptr<Sequence> sequence) {
  const auto place =
      std::find_if(list.begin(), list.end(), [&](const auto& other) { return goes_before(*sequence, *other); });
  list.insert(place, std::move(sequence));
}

}  // namespace

Scheduler::Scheduler(int32_t num_pages, int32_t step_tokens, int32_t max_sequences, int32_t max_outputs)
    : pool_(num_pages),
      step_tokens_(step_tokens),
      rows_{step_tokens, 0, 0, 1},
      max_sequences_(max_sequences),
      max_outputs_(max_outputs) {
  running_.reserve(static_cast<size_t>(max_sequences_));
}

int32_t Scheduler::pages_for(int32_t num_rows) {
  return (num_rows + kPageTokens - 1) / kPageTokens;
}

// Takes the memory of all that the sequence's way through the lists will need: moving it later cannot fail half-way.
void Scheduler::add(std::shared_ptr<Sequence> sequence) {
  const size_t num_pages = static_cast<size_t>(pages_for(sequence->max_rows));
  sequence->pages.reserve(num_pages);
  sequence->keys.reserve(num_pages);
  waiting_.reserve(waiting_.size() + static_cast<size_t>(max_sequences_) + 1);
  insert_in_order(waiting_, std::move(sequence));
}

void Scheduler::remove(const Sequence* sequence) {
  const auto is_it = [&](const auto& other) { return other.get() == sequence; };
  if (const auto found = std::find_if(running_.begin(), running_.end(), is_it); found != running_.end()) {
    release(**found);
    (*found)->removed = true;
    running_.erase(found);
  }
  if (const auto found = std::find_if(waiting_.begin(), waiting_.end(), is_it); found != waiting_.end()) {
    (*found)->removed = true;
    waiting_.erase(found);
  }
}

const PageKey& Scheduler::key_of(Sequence& sequence, int32_t page) {
  while (static_cast<int32_t>(sequence.keys.size()) <= page) {
    const PageKey before = sequence.keys.empty() ? PageKey{} : sequence.keys.back();
    sequence.keys.push_back(page_key(before, sequence.tokens.data() + sequence.keys.size() * kPageTokens));
  }
  return sequence.keys[static_cast<size_t>(page)];
}

// At a page's border: goes on with pages that somebody has computed already, also one that still runs. The last row is
// left to compute: its logits are wanted.
void Scheduler::take_cached(Sequence& sequence) {
  const int32_t last_row = static_cast<int32_t>(sequence.tokens.size()) - 1;
  while (!sequence.wants_all && sequence.num_computed % kPageTokens == 0 &&
         sequence.num_computed / kPageTokens == static_cast<int32_t>(sequence.pages.size()) &&
         sequence.num_computed + kPageTokens <= last_row) {
    const int32_t page = pool_.share(key_of(sequence, sequence.num_computed / kPageTokens));
    if (page < 0) return;
    sequence.pages.push_back(page);
    sequence.num_computed += kPageTokens;
    ++sequence.num_published;
    if (sequence.num_reserved > 0) {
      --sequence.num_reserved;
      --num_reserved_;
    }
    if (!sequence.started) sequence.num_cached += kPageTokens;
  }
}

// Pages go back last first, so that the end of a prefix is evicted before its beginning.
void Scheduler::release(Sequence& sequence) {
  for (auto page = sequence.pages.rbegin(); page != sequence.pages.rend(); ++page) pool_.release(*page);
  sequence.pages.clear();
  sequence.num_computed = 0;
  sequence.num_published = 0;
  if (!sequence.started) sequence.num_cached = 0;
  num_reserved_ -= sequence.num_reserved;
  sequence.num_reserved = 0;
}

bool Scheduler::try_admit(Sequence& sequence) {
  if (static_cast<int32_t>(running_.size()) >= max_sequences_) return false;
  take_cached(sequence);
  const int32_t num_needed = pages_for(sequence.max_rows) - static_cast<int32_t>(sequence.pages.size());
  if (num_needed > num_unreserved()) {
    release(sequence);
    return false;
  }
  sequence.num_reserved = num_needed;
  num_reserved_ += num_needed;
  return true;
}

// Sends the last of the running sequences back to wait, if its priority is lower and room can be made at all.
bool Scheduler::make_room(const Sequence& sequence) {
  int32_t num_pages = num_unreserved();
  for (const auto& other : running_) {
    if (other->priority < sequence.priority)
      num_pages += static_cast<int32_t>(other->pages.size()) + other->num_reserved;
  }
  if (running_.empty() || running_.back()->priority >= sequence.priority) return false;
  if (pages_for(sequence.max_rows) > num_pages) return false;
  std::shared_ptr<Sequence> last = running_.back();
  running_.pop_back();
  release(*last);
  insert_in_order(waiting_, std::move(last));
  return true;
}

void Scheduler::admit() {
  while (!waiting_.empty()) {
    const std::shared_ptr<Sequence> first = waiting_.front();
    if (try_admit(*first)) {
      waiting_.erase(waiting_.begin());
      insert_in_order(running_, first);
    } else if (!make_room(*first)) {
      return;
    }
  }
}

int32_t Scheduler::num_spare_rows() const {
  int32_t num_generating = 0, num_others = 0;
  bool scores = false;
  for (const auto& sequence : running_) {
    (sequence->generates() ? num_generating : num_others) += 1;
    scores = scores || sequence->wants_all;
  }
  const int32_t num_outputs = max_outputs_ - num_generating - num_others;
  const int32_t num_rows = step_tokens_ - num_generating - num_others;
  return std::max(0, std::min(scores ? num_outputs / 2 : num_outputs, num_rows));
}

// Those that so many rows need, of the promised ones.
void Scheduler::take_pages(Sequence& sequence, int32_t num_rows) {
  while (static_cast<int32_t>(sequence.pages.size()) < pages_for(num_rows)) {
    sequence.pages.push_back(pool_.take());
    --sequence.num_reserved;
    --num_reserved_;
  }
}

std::vector<Part> Scheduler::schedule_ahead(const std::vector<Part>& parts) {
  std::vector<Part> next;
  next.reserve(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    const int32_t first = part.first + part.count;
    if (first >= part.sequence->max_rows) continue;  // its last token is in the air
    take_pages(*part.sequence, first + 1);
    next.push_back({part.sequence, first, 1, 0, true, 0, static_cast<int32_t>(i)});
  }
  return next;
}

// Whether those that generate leave this step to prompts.
bool Scheduler::may_rest() {
  int32_t num_generating = 0, num_prompts = 0;
  double generating = -std::numeric_limits<double>::infinity(), prompts = generating;
  for (const auto& sequence : running_) {
    (sequence->generates() ? num_generating : num_prompts) += 1;
    double& priority = sequence->generates() ? generating : prompts;
    priority = std::max(priority, sequence->priority);
  }
  const bool rests = rows_.many > 0 && num_generating >= rows_.many && num_prompts > 0 && generating <= prompts &&
                     num_rests_ < rows_.rests;
  num_rests_ = rests ? num_rests_ + 1 : 0;
  return rests;
}

std::vector<Part> Scheduler::schedule() {
  admit();
  std::vector<Part> parts;
  int32_t num_tokens = 0, num_outputs = 0;
  double decoding_priority = -std::numeric_limits<double>::infinity();

  const auto add_part = [&](const std::shared_ptr<Sequence>& sequence, int32_t count, int32_t num_drafts) {
    const int32_t end = sequence->num_computed + count;
    take_pages(*sequence, end);
    const bool wants_last = !sequence->wants_all && end - num_drafts == static_cast<int32_t>(sequence->tokens.size());
    parts.push_back({sequence, sequence->num_computed, count, num_drafts, wants_last, 0});
    num_tokens += count;
    num_outputs += parts.back().num_outputs();
  };

  // Those that generate, one row each: there are at most as many as a step's rows. Drafts take what is spare.
  int32_t num_spare = num_spare_rows();
  const bool rests = may_rest();
  for (const auto& sequence : running_) {
    if (!sequence->generates() || rests) continue;
    const int32_t num_drafts =
        std::min({static_cast<int32_t>(sequence->drafts.size()), num_spare, most_drafts(*sequence)});
    add_part(sequence, 1 + num_drafts, num_drafts);
    num_spare -= num_drafts;
    decoding_priority = std::max(decoding_priority, sequence->priority);
  }
  // Then prompts, in chunks. While another of the same or higher priority generates, the chunks are small: its next
  // token waits for the whole step. Scorings leave an output to each generation, so that they cannot hold one up.
  const int32_t num_first = num_tokens;
  const int32_t num_generating = static_cast<int32_t>(parts.size());
  const bool are_fewer = num_generating < static_cast<int32_t>(running_.size()) - num_generating;
  int32_t beside = are_fewer ? rows_.beside_fewer : rows_.beside;
  if (num_first + beside >= 2 * rows_.tile) beside = (num_first + beside) / rows_.tile * rows_.tile - num_first;
  beside = std::max(kLeastChunk, beside);
  int32_t num_beside = 0;
  int32_t num_kept = 0;  // outputs
  for (const auto& sequence : running_) num_kept += sequence->wants_all || sequence->generates() ? 0 : 1;
  for (const auto& sequence : running_) {
    if (sequence->generates()) continue;
    take_cached(*sequence);
    // However many generate, one prompt goes on.
    const int32_t room =
        std::min(std::max(rows_.most - num_tokens, num_beside == 0 ? kLeastChunk : 0), step_tokens_ - num_tokens);
    int32_t count = std::min(sequence->num_rows_wanted(), room);
    if (decoding_priority >= sequence->priority) count = std::min(count, beside - num_beside);
    if (sequence->wants_all) count = std::min(count, max_outputs_ - num_outputs - num_kept);
    if (count <= 0) continue;
    add_part(sequence, count, 0);
    num_beside += count;
    if (!sequence->wants_all && parts.back().wants_last) --num_kept;
  }
  if (rests && parts.empty()) return schedule();  // no rest is without end
  return parts;
}

void Scheduler::complete(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    Sequence& sequence = *part.sequence;
    if (sequence.removed) continue;
    sequence.num_computed = part.first + part.count - part.num_drafts + part.num_right;
    while ((sequence.num_published + 1) * kPageTokens <= sequence.num_computed) {
      const int32_t page = sequence.num_published++;
      pool_.publish(sequence.pages[static_cast<size_t>(page)], key_of(sequence, page));
    }
  }
}

}  // namespace quoth
