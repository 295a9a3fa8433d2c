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
  const std::vector<Part> parts = scheduler_->schedule();
  if (parts.empty()) return false;
  begin(parts);
  const Batch batch = make_batch(parts);
  std::vector<int32_t> ids(parts.size(), -1);
  std::vector<std::optional<Fault>> faults(parts.size());
  std::optional<Fault> step_fault;
  bool done = false;

  abandon_ = closing_;
  current_ = &parts;
  lock.unlock();
  try {
    done = runner_->run(batch, abandon_);
    int32_t row = 0;  // of the output
    for (size_t i = 0; done && i < parts.size(); ++i) {
      Request& request = static_cast<Request&>(*parts[i].sequence);
      const int32_t num_outputs = request.wants_all ? parts[i].count : parts[i].wants_last ? 1 : 0;
      for (int32_t j = 0; j < num_outputs; ++j) {
        runner_->read_output(row++, logits_.data());
        if (faults[i]) continue;
        try {
          if (request.wants_logits) {
            const size_t row_at = static_cast<size_t>(parts[i].first + j) * logits_.size();
            std::copy(logits_.begin(), logits_.end(), request.log_probabilities.begin() + static_cast<long>(row_at));
          } else if (request.wants_all) {
            const size_t next = static_cast<size_t>(parts[i].first + j) + 1;
            request.log_probabilities[next] = log_probability(logits_, request.tokens[next]);
          } else {
            ids[i] =
                sampler_.sample(logits_, request.sampling, request.tokens, static_cast<uint64_t>(request.num_output));
          }
        } catch (...) {
          faults[i] = current_fault();
        }
      }
    }
  } catch (...) {
    step_fault = current_fault();
  }
  lock.lock();
  current_ = nullptr;
  ++stats_.num_steps;

  if (step_fault) {
    if (runner_->device_lost()) {
      broken_ = step_fault;
      fail_all(*step_fault);
      return true;
    }
    done = false;
    std::fill(faults.begin(), faults.end(), step_fault);
  }
  if (done) scheduler_->complete(parts);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!faults[i]) continue;
    scheduler_->remove(parts[i].sequence.get());
    static_cast<Request&>(*parts[i].sequence).fail(*faults[i]);
    ids[i] = -1;
  }
  if (done) finish(parts, ids);
  drop_cancelled();
  return true;
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
    arrays.ids.insert(arrays.ids.end(), first, first + part.count);
    for (int32_t i = 0; i < part.count; ++i) arrays.positions.push_back(part.first + i);
    const int32_t end_row = static_cast<int32_t>(arrays.ids.size());
    const int32_t num_outputs = part.sequence->wants_all ? part.count : part.wants_last ? 1 : 0;
    for (int32_t row = end_row - num_outputs; row < end_row; ++row) arrays.output_rows.push_back(row);
    arrays.end_sequence(part.sequence->pages);
  }
  return arrays.batch();
}

// After a step: gives out the ids that it found, and answers what is complete.
void Engine::finish(const std::vector<Part>& parts, const std::vector<int32_t>& ids) {
  for (size_t i = 0; i < parts.size(); ++i) {
    Request& request = static_cast<Request&>(*parts[i].sequence);
    if (request.cancelled) continue;
    if (ids[i] >= 0) take_output(request, ids[i]);
    if (request.wants_all && request.num_rows_wanted() == 0) {
      scheduler_->remove(&request);
      request.score_answer({std::nullopt, std::move(request.log_probabilities)});
    }
  }
}

void Engine::take_output(Request& request, int32_t id) {
  const Clock::time_point now = Clock::now();
  if (request.num_output == 0) request.first_token = now;
  const bool stopped = std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end();
  if (!stopped) {
    request.tokens.push_back(id);
    ++request.num_output;
    ++stats_.output_tokens;
    Event event;
    event.kind = Event::Kind::tokens;
    event.ids.push_back(id);
    request.generation->emit(std::move(event));
  }
  if (!stopped && request.num_output < request.max_output) return;

  scheduler_->remove(&request);
  Event event;
  event.kind = Event::Kind::finished;
  event.stopped = stopped;
  event.num_output_tokens = request.num_output;
  event.ttft_ms = ms_between(request.submitted, request.first_token);
  event.decode_ms = ms_between(request.first_token, now);
  request.generation->emit(std::move(event));
  request.generation->end();
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
  try {
    done = runner_->run(batch, abandon_);
    int32_t row = 0;
    const size_t width = static_cast<size_t>(runner_->output_width());
    for (size_t i = 0; done && i < shares.size(); ++i) {
      EncodeJob& job = *shares[i].job;
      for (size_t j = 0; j < shares[i].count; ++j) {
        runner_->read_output(row++, job.results.data() + (job.num_done + j) * width);
      }
    }
  } catch (...) {
    fault = current_fault();
  }
  lock.lock();
  ++stats_.num_steps;

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
