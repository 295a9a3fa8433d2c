// The engine's thread: schedule, run, sample, emit.
#include <algorithm>
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
      if (!step_encodings(lock) && !step_sequences(lock)) wake_.wait(lock);
    } catch (...) {  // not enough memory for a list: the steps themselves catch what they cause
      if (!lock.owns_lock()) lock.lock();
      current_ = nullptr;
      fail_all(current_fault());
    }
  }
  fail_all(Fault(FaultCode::closed, "The engine was closed."));
}

// One step of generations and scorings. False when there is nothing to do.
bool Engine::step_sequences(Lock& lock) {
  propose_drafts();
  std::vector<Part> parts = scheduler_->schedule();
  if (parts.empty()) return false;
  begin(parts);
  const Batch batch = make_batch(parts);
  std::vector<Found> found(parts.size());
  std::optional<Fault> step_fault;
  bool done = false;

  abandon_ = closing_;
  current_ = &parts;
  lock.unlock();
  const Clock::time_point start = Clock::now();
  try {
    done = runner_->run(batch, abandon_);
    int32_t row = 0;  // of the output
    for (size_t i = 0; done && i < parts.size(); ++i) {
      try {
        if (parts[i].sequence->wants_all) {
          read_scores(parts[i], row);
        } else if (parts[i].wants_last) {
          read_ids(parts[i], row, found[i]);
        }
      } catch (...) {
        found[i].fault = current_fault();
        if (runner_->device_lost()) throw;
      }
      row += parts[i].num_outputs();
    }
  } catch (...) {
    step_fault = current_fault();
  }
  const double ms = ms_between(start, Clock::now());
  lock.lock();
  current_ = nullptr;
  ++stats_.num_steps;
  stats_.busy_ms += ms;

  if (step_fault) {
    if (runner_->device_lost()) {
      broken_ = step_fault;
      fail_all(*step_fault);
      return true;
    }
    done = false;
    for (Found& one : found) one.fault = step_fault;
  }
  if (done) {
    scheduler_->complete(parts);
    learn(parts, found, ms);
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!found[i].fault) continue;
    scheduler_->remove(parts[i].sequence.get());
    static_cast<Request&>(*parts[i].sequence).fail(*found[i].fault);
  }
  if (done) finish(parts, found);
  drop_cancelled();
  return true;
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
void Engine::read_ids(Part& part, int32_t row, Found& found) {
  Request& request = static_cast<Request&>(*part.sequence);
  for (int32_t i = 0; i <= part.num_drafts; ++i) {
    runner_->read_outputs(row + i, 1, logits_.data());
    if (request.num_top >= 0) unchanged_logits_ = logits_;
    const int32_t id = sampler_.sample(logits_, request.sampling, request.tokens, request.num_output);
    found.stopped = std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end();
    if (found.stopped) return;
    found.ids.push_back(id);
    if (request.num_top >= 0) found.scores.push_back(token_score(unchanged_logits_, id, request.num_top));
    request.tokens.push_back(id);
    ++request.num_output;
    if (i == part.num_drafts || id != request.drafts[static_cast<size_t>(i)]) return;
    ++part.num_right;
  }
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
  if (!only_generates) return;
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

Batch Engine::make_batch(const std::vector<Part>& parts) {
  StepArrays& arrays = *arrays_;
  arrays.clear();
  for (const Part& part : parts) {
    const auto first = part.sequence->tokens.begin() + part.first;
    const auto first_draft = part.sequence->drafts.begin();
    arrays.ids.insert(arrays.ids.end(), first, first + (part.count - part.num_drafts));
    arrays.ids.insert(arrays.ids.end(), first_draft, first_draft + part.num_drafts);
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
    if (request.cancelled || found[i].fault) continue;
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

// Not for those in the step that runs: their pages are being written.
void Engine::drop_cancelled() {
  const auto in_step = [this](const Sequence* sequence) {
    return current_ != nullptr && std::any_of(current_->begin(), current_->end(),
                                              [&](const Part& part) { return part.sequence.get() == sequence; });
  };
  std::vector<std::shared_ptr<Sequence>> dropped;
  for (const auto* list : {&scheduler_->running(), &scheduler_->waiting()}) {
    for (const auto& sequence : *list) {
      if (sequence->cancelled && !in_step(sequence.get())) dropped.push_back(sequence);
    }
  }
  for (const auto& sequence : dropped) {
    scheduler_->remove(sequence.get());
    static_cast<Request&>(*sequence).answer_cancels();
  }
}

// One step of embeddings or of pairs. Small jobs go first: a question's vector does not wait for a document's. False
// when there are none.
bool Engine::step_encodings(Lock& lock) {
  if (encode_jobs_.empty()) return false;
  std::vector<std::shared_ptr<EncodeJob>> jobs(encode_jobs_.begin(), encode_jobs_.end());
  std::stable_sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
    return a->sequences.size() - a->num_done < b->sequences.size() - b->num_done;
  });
  struct Share {
    std::shared_ptr<EncodeJob> job;
    size_t count;  // sequences of the job from its num_done on
  };
  std::vector<Share> shares;
  StepArrays& arrays = *arrays_;
  arrays.clear();
  for (const auto& job : jobs) {
    size_t end = job->num_done;
    for (; end < job->sequences.size(); ++end) {
      const std::vector<int32_t>& ids = job->sequences[end];
      const bool fits = arrays.ids.size() + ids.size() <= static_cast<size_t>(capacity_.tokens) &&
                        arrays.first_row.size() <= static_cast<size_t>(capacity_.sequences);
      if (!fits) break;
      arrays.ids.insert(arrays.ids.end(), ids.begin(), ids.end());
      for (size_t i = 0; i < ids.size(); ++i) arrays.positions.push_back(static_cast<int32_t>(i));
      if (!job->first_lengths.empty()) {
        const size_t first_length = static_cast<size_t>(job->first_lengths[end]);
        for (size_t i = 0; i < ids.size(); ++i) arrays.segments.push_back(i < first_length ? 0 : 1);
      }
      arrays.end_sequence({});
    }
    if (end > job->num_done) shares.push_back({job, end - job->num_done});
  }
  const Batch batch = arrays.batch();
  std::optional<Fault> fault;
  bool done = false;

  abandon_ = closing_;
  lock.unlock();
  const Clock::time_point start = Clock::now();
  try {
    done = runner_->run(batch, abandon_);
    int32_t row = 0;
    const size_t width = static_cast<size_t>(runner_->output_width());
    for (size_t i = 0; done && i < shares.size(); ++i) {
      EncodeJob& job = *shares[i].job;
      for (size_t j = 0; j < shares[i].count; ++j) {
        runner_->read_outputs(row++, 1, job.results.data() + (job.num_done + j) * width);
      }
    }
  } catch (...) {
    fault = current_fault();
  }
  const double ms = ms_between(start, Clock::now());
  lock.lock();
  ++stats_.num_steps;
  stats_.busy_ms += ms;

  if (fault && runner_->device_lost()) {
    broken_ = fault;
    fail_all(*fault);
    return true;
  }
  for (const Share& share : shares) {
    EncodeJob& job = *share.job;
    if (done && !fault) {
      for (size_t i = 0; i < share.count; ++i) stats_.prompt_tokens += job.sequences[job.num_done + i].size();
      job.num_done += share.count;
    }
    if (!fault && job.num_done < job.sequences.size()) continue;
    encode_jobs_.erase(std::find(encode_jobs_.begin(), encode_jobs_.end(), share.job));
    if (fault) {
      job.answer({fault, {}});
    } else {
      job.answer({std::nullopt, std::move(job.results)});
    }
  }
  return true;
}

void Engine::fail_all(const Fault& fault) {
  std::vector<std::shared_ptr<Sequence>> all = scheduler_->running();
  all.insert(all.end(), scheduler_->waiting().begin(), scheduler_->waiting().end());
  for (const auto& sequence : all) {
    scheduler_->remove(sequence.get());
    static_cast<Request&>(*sequence).fail(fault);
  }
  for (const auto& job : std::exchange(encode_jobs_, {})) job->answer({fault, {}});
}

}  // namespace quoth
