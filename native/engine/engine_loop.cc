// The engine's thread: schedule, run, sample, emit.
#include <algorithm>
#include <bit>
#include <utility>

#include "../fault.h"
#include "engine.h"
#include "requests.h"

namespace quoth {
namespace {

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

void Engine::loop() {
  Lock lock(mutex_);
  while (!closing_) {
    try {
      if (!step_encodings(lock) && !step_sequences(lock) && !step_tuning(lock)) wake_.wait(lock);
    } catch (...) {  // not enough memory for a list: the steps themselves catch what they cause
      if (!lock.owns_lock()) lock.lock();
      const Fault fault = current_fault();
      drop_flights();
      fail_all(fault);
    }
  }
  drop_flights();
  fail_all(Fault(FaultCode::closed, "The engine was closed."));
  keep_tuning();
}

// Starts the next step, unless one is in the air, and ends the oldest. Where the next one can only go on, it is started
// before the ids of this one are read. False when there is nothing to do.
bool Engine::step_sequences(Lock& lock) {
  if (flights_.empty()) {
    propose_drafts();
    std::vector<Part> parts = scheduler_->schedule();
    if (parts.empty()) return false;
    begin(parts);
    take_off(lock, std::move(parts), false);
  }
  if (can_run_ahead()) take_off(lock, scheduler_->schedule_ahead(flights_.front().parts), true);
  land(lock);
  return true;
}

// Starts a step. `ahead`: of the ids of its rows only the GPU knows: they are chosen in the step before.
void Engine::take_off(Lock& lock, std::vector<Part> parts, bool ahead) {
  flights_.emplace_back();
  Flight& flight = flights_.back();
  flight.parts = std::move(parts);
  flight.found.resize(flight.parts.size());
  const Batch batch = make_batch(flight.parts, ahead);
  const bool is_sampled = runner_->can_sample() && make_sample_rows(flight.parts, ahead);
  abandon_ = closing_;
  lock.unlock();
  flight.start = Clock::now();
  try {
    flight.done = runner_->start(batch, abandon_);
    if (flight.done && is_sampled) flight.num_sampled = runner_->sample(sample_rows_);
  } catch (...) {
    flight.fault = current_fault();
  }
  lock.lock();
}

// Whether the step in the air is surely followed by one with a row for each of its sequences that goes on.
bool Engine::can_run_ahead() {
  if (!runner_->can_run_ahead() || closing_ || flights_.size() != 1 || !encode_jobs_.empty()) return false;
  const Flight& flight = flights_.front();
  if (!flight.done || flight.fault || flight.num_sampled == 0) return false;
  if (!scheduler_->waiting().empty() || scheduler_->running().size() != flight.parts.size()) return false;
  bool may_draft = false, goes_on = false;
  for (const Part& part : flight.parts) {
    const Request& request = static_cast<const Request&>(*part.sequence);
    if (!part.wants_last || part.num_drafts > 0 || request.cancelled || request.removed) return false;
    if (request.num_output + 1 >= request.max_output) continue;  // its last id is in the air
    goes_on = true;
    if (request.speculation == Speculation::always) return false;
    may_draft = may_draft || request.speculation != Speculation::off;
  }
  if (!goes_on || !may_draft) return goes_on;
  // What can be drafted is worth more than the wait for an id.
  propose_drafts();
  return std::all_of(flight.parts.begin(), flight.parts.end(),
                     [](const Part& part) { return part.sequence->drafts.empty(); });
}

// Waits for the oldest step, and does what follows from it.
void Engine::land(Lock& lock) {
  Flight& flight = flights_.front();
  lock.unlock();
  try {
    if (flight.done && !flight.fault) read(flight);
  } catch (...) {
    flight.fault = current_fault();
  }
  const Clock::time_point now = Clock::now();
  lock.lock();
  Flight landed = std::move(flights_.front());
  flights_.erase(flights_.begin());
  const double ms = ms_between(std::max(landed.start, last_landing_), now);
  last_landing_ = now;
  ++stats_.num_steps;
  stats_.busy_ms += ms;

  if (landed.fault) {
    if (runner_->device_lost()) {
      broken_ = landed.fault;
      flights_.clear();
      fail_all(*landed.fault);
      return;
    }
    landed.done = false;
    for (Found& one : landed.found) one.fault = landed.fault;
  }
  if (landed.done) {
    scheduler_->complete(landed.parts);
    learn(landed.parts, landed.found, ms);
  }
  for (size_t i = 0; i < landed.parts.size(); ++i) {
    if (!landed.found[i].fault || landed.parts[i].sequence->removed) continue;
    scheduler_->remove(landed.parts[i].sequence.get());
    static_cast<Request&>(*landed.parts[i].sequence).fail(*landed.found[i].fault);
  }
  if (landed.done) finish(landed.parts, landed.found);
  drop_cancelled();
}

// The ids and scores that a step found. Without the lock.
void Engine::read(Flight& flight) {
  if (flight.num_sampled > 0) {
    sampled_.resize(static_cast<size_t>(flight.num_sampled));
    runner_->read_samples(sampled_.data());
  } else {
    runner_->wait();
  }
  int32_t row = 0;  // of the output
  for (size_t i = 0; i < flight.parts.size(); ++i) {
    Part& part = flight.parts[i];
    try {
      if (part.sequence->removed) {  // it stopped while this step was in the air
      } else if (part.sequence->wants_all) {
        read_scores(part, row);
      } else if (part.wants_last) {
        read_ids(part, row, flight.num_sampled > 0, flight.found[i]);
      }
    } catch (...) {
      flight.found[i].fault = current_fault();
      if (runner_->device_lost()) throw;
    }
    row += part.num_outputs();
  }
}

// Forgets the steps in the air, when what they find is not wanted any more.
void Engine::drop_flights() {
  for (Flight& flight : flights_) {
    try {
      if (flight.num_sampled > 0) {
        sampled_.resize(static_cast<size_t>(flight.num_sampled));
        runner_->read_samples(sampled_.data());
      } else if (flight.done) {
        runner_->wait();
      }
    } catch (...) {  // nothing follows from them
    }
  }
  flights_.clear();
  for (EncodeFlight& flight : encode_flights_) {
    try {
      outputs_.resize(static_cast<size_t>(flight.num_sequences) * static_cast<size_t>(runner_->output_width()));
      if (flight.is_downloading) runner_->finish_outputs(outputs_.data());
    } catch (...) {
    }
  }
  encode_flights_.clear();
}

// What may follow in each sequence that generates, as far as it is worth a row.
void Engine::propose_drafts() {
  std::vector<Request*> requests;
  std::vector<DraftIndex::Match> matches;
  std::vector<DraftPolicy::Candidate> candidates;
  int32_t num_generating = 0;
  for (const auto& sequence : scheduler_->running()) {
    Request& request = static_cast<Request&>(*sequence);
    request.drafts.clear();
    if (!request.generates()) continue;
    ++num_generating;
    if (request.speculation == Speculation::off) continue;
    DraftIndex::Match match;
    try {
      match = request.draft_index.find(request.tokens);
    } catch (const std::bad_alloc&) {  // it goes on without
      match = {};                      // GCC 12 leaves what its initializer says out on this way
      request.speculation = Speculation::off;
      request.draft_index = DraftIndex();
    }
    const int32_t most = std::min(kMaxDrafts, Scheduler::most_drafts(request));
    requests.push_back(&request);
    matches.push_back(match);
    candidates.push_back({match.length, most, request.speculation == Speculation::always, 0});
  }
  draft_policy_.share(candidates, num_generating, scheduler_->num_spare_rows());
  for (size_t i = 0; i < candidates.size(); ++i) {
    requests[i]->match_length = matches[i].length;
    for (int32_t ahead = 0; ahead < candidates[i].drafts; ++ahead) {
      requests[i]->drafts.push_back(DraftIndex::foretold(requests[i]->tokens, matches[i], ahead));
    }
  }
}

// The rows of a scoring, from output `row` on.
void Engine::read_scores(const Part& part, int32_t row) {
  Request& request = static_cast<Request&>(*part.sequence);
  for (int32_t i = 0; i < part.count; ++i) {
    runner_->read_outputs(row + i, 1, logits_.data());
    const size_t at = static_cast<size_t>(part.first + i);
    if (request.wants_logits) {
      std::copy(logits_.begin(), logits_.end(),
                request.log_probabilities.begin() + static_cast<long>(at * logits_.size()));
    } else {
      request.log_probabilities[at + 1] = log_probability(logits_, request.tokens[at + 1]);
    }
  }
}

// The next id and, while it is the one that was drafted, the one after it: each is chosen from the logits, with the
// random number and the penalties that its place would have had in a step of its own. So drafts change no id.
void Engine::read_ids(Part& part, int32_t row, bool is_sampled, Found& found) {
  Request& request = static_cast<Request&>(*part.sequence);
  for (int32_t i = 0; i <= part.num_drafts; ++i) {
    const auto [id, score] =
        is_sampled ? scored_id(request, sampled_[static_cast<size_t>(row + i)]) : choose_id(request, row + i);
    found.stopped = std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end();
    if (found.stopped) return;
    found.ids.push_back(id);
    if (request.num_top >= 0) found.scores.push_back(score);
    request.tokens.push_back(id);
    ++request.num_output;
    if (i == part.num_drafts || id != request.drafts[static_cast<size_t>(i)]) return;
    ++part.num_right;
  }
}

// From the logits of an output row, on the host.
std::pair<int32_t, TokenScore> Engine::choose_id(Request& request, int32_t row) {
  runner_->read_outputs(row, 1, logits_.data());
  if (request.num_top >= 0) unchanged_logits_ = logits_;
  const int32_t id = sampler_.sample(logits_, request.sampling, request.tokens, request.num_output);
  if (request.num_top < 0) return {id, {}};
  return {id, token_score(unchanged_logits_, id, request.num_top)};
}

// From a step that is done.
void Engine::learn(const std::vector<Part>& parts, const std::vector<Found>& found, double ms) {
  int32_t num_rows = 0;
  bool only_generates = true;
  for (const Part& part : parts) {
    num_rows += part.count;
    only_generates = only_generates && part.wants_last && part.count == 1 + part.num_drafts;
    if (part.num_drafts == 0) continue;
    const Request& request = static_cast<const Request&>(*part.sequence);
    draft_policy_.learn_drafts(request.match_length, part.num_right, part.num_right < part.num_drafts);
    stats_.drafted_tokens += static_cast<uint64_t>(part.num_drafts);
    stats_.accepted_tokens += static_cast<uint64_t>(part.num_right);
  }
  if (!only_generates) {
    step_limit_->learn(num_rows, ms);
    scheduler_->limit_step(step_limit_->step_rows());
    return;
  }
  draft_policy_.learn_time(num_rows, ms);
  stats_.decode_ms += ms;
  stats_.decode_bytes += step_weight_bytes_;
  for (size_t i = 0; i < parts.size(); ++i) {
    stats_.decode_tokens += found[i].ids.size();
    stats_.decode_bytes += kv_row_bytes_ * static_cast<uint64_t>(parts[i].first + parts[i].count);
  }
}

// Tells those whose first rows are in this step.
void Engine::begin(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    Request& request = static_cast<Request&>(*part.sequence);
    if (request.started) continue;
    request.started = true;
    stats_.prompt_tokens += static_cast<uint64_t>(request.num_prompt);
    stats_.cached_tokens += static_cast<uint64_t>(request.num_cached);
    if (!request.generation) continue;
    Event event;
    event.kind = Event::Kind::started;
    event.num_prompt_tokens = request.num_prompt;
    event.num_cached_tokens = request.num_cached;
    request.generation->emit(std::move(event));
  }
}

Batch Engine::make_batch(const std::vector<Part>& parts, bool ahead) {
  StepArrays& arrays = *arrays_;
  arrays.clear();
  size_t most_pages = 1;
  for (const Part& part : parts) most_pages = std::max(most_pages, part.sequence->pages.size());
  // Few different widths, so that steps resemble each other.
  arrays.page_table_stride = static_cast<int32_t>(std::bit_ceil(most_pages));
  for (const Part& part : parts) {
    if (ahead) {
      arrays.chosen_ids.push_back(part.chosen_row);
      arrays.ids.push_back(0);
    } else {
      const auto first = part.sequence->tokens.begin() + part.first;
      const auto first_draft = part.sequence->drafts.begin();
      arrays.ids.insert(arrays.ids.end(), first, first + (part.count - part.num_drafts));
      arrays.ids.insert(arrays.ids.end(), first_draft, first_draft + part.num_drafts);
    }
    for (int32_t i = 0; i < part.count; ++i) arrays.positions.push_back(part.first + i);
    const int32_t end_row = static_cast<int32_t>(arrays.ids.size());
    for (int32_t row = end_row - part.num_outputs(); row < end_row; ++row) arrays.output_rows.push_back(row);
    arrays.end_sequence(part.sequence->pages);
  }
  return arrays.batch();
}

// After a step: gives out the ids that it found, and answers what is complete.
void Engine::finish(const std::vector<Part>& parts, std::vector<Found>& found) {
  for (size_t i = 0; i < parts.size(); ++i) {
    Request& request = static_cast<Request&>(*parts[i].sequence);
    if (request.cancelled || request.removed || found[i].fault) continue;
    if (parts[i].wants_last) take_output(request, found[i]);
    if (request.wants_all && request.num_rows_wanted() == 0) {
      scheduler_->remove(&request);
      request.score_answer({std::nullopt, std::move(request.log_probabilities)});
    }
  }
}

void Engine::take_output(Request& request, Found& found) {
  const Clock::time_point now = Clock::now();
  if (request.num_output == static_cast<int32_t>(found.ids.size())) request.first_token = now;
  if (!found.ids.empty()) {
    stats_.output_tokens += found.ids.size();
    Event event;
    event.kind = Event::Kind::tokens;
    event.ids = std::move(found.ids);
    event.scores = std::move(found.scores);
    request.generation->emit(std::move(event));
  }
  if (!found.stopped && request.num_output < request.max_output) return;

  // Told first, then forgotten: should memory end in between, the loop still knows whom to tell.
  Event event;
  event.kind = Event::Kind::finished;
  event.stopped = found.stopped;
  event.num_output_tokens = request.num_output;
  event.ttft_ms = ms_between(request.submitted, request.first_token);
  event.decode_ms = ms_between(request.first_token, now);
  recent_.add({event.ttft_ms, ms_between(request.submitted, now), request.num_output});
  request.generation->emit(std::move(event));
  request.generation->end();
  ++stats_.num_finished;
  scheduler_->remove(&request);
}

bool Engine::is_in_flight(const Sequence* sequence) const {
  return std::any_of(flights_.begin(), flights_.end(), [&](const Flight& flight) {
    return std::any_of(flight.parts.begin(), flight.parts.end(),
                       [&](const Part& part) { return part.sequence.get() == sequence; });
  });
}

// Not for those in a step that runs: their pages are being written.
void Engine::drop_cancelled() {
  std::vector<std::shared_ptr<Sequence>> dropped;
  for (const auto* list : {&scheduler_->running(), &scheduler_->waiting()}) {
    for (const auto& sequence : *list) {
      if (sequence->cancelled && !is_in_flight(sequence.get())) dropped.push_back(sequence);
    }
  }
  for (const auto& sequence : dropped) {
    scheduler_->remove(sequence.get());
    static_cast<Request&>(*sequence).answer_cancels();
  }
}

void Engine::fail_all(const Fault& fault) {
  std::vector<std::shared_ptr<Sequence>> all = scheduler_->running();
  all.insert(all.end(), scheduler_->waiting().begin(), scheduler_->waiting().end());
  for (const auto& sequence : all) {
    scheduler_->remove(sequence.get());
    static_cast<Request&>(*sequence).fail(fault);
  }
  for (const auto& job : std::exchange(encode_jobs_, {})) {
    job->is_answered = true;
    job->answer({fault, {}});
  }
}

}  // namespace quoth
