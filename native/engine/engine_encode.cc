// The engine's thread: whole sequences through an encoder. Where the device copies results out by itself, the next step
// is started before those of the last are fetched.
#include <algorithm>
#include <utility>

#include "../fault.h"
#include "engine.h"
#include "requests.h"

namespace quoth {

// One step of embeddings or of pairs. False when there are none.
bool Engine::step_encodings(Lock& lock) {
  if (encode_flights_.empty() && !take_off_encodings(lock)) return false;
  if (encode_flights_.front().is_downloading) take_off_encodings(lock);
  land_encodings(lock);
  return true;
}

// Starts a step of what was not started yet. Small jobs go first: a question's vector does not wait for a document's.
// False when there is nothing.
bool Engine::take_off_encodings(Lock& lock) {
  std::vector<std::shared_ptr<EncodeJob>> jobs(encode_jobs_.begin(), encode_jobs_.end());
  std::stable_sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
    return a->sequences.size() - a->num_started < b->sequences.size() - b->num_started;
  });
  EncodeFlight flight;
  StepArrays& arrays = *arrays_;
  arrays.clear();
  for (const auto& job : jobs) {
    size_t end = job->num_started;
    for (; end < job->sequences.size(); ++end) {
      const std::vector<int32_t>& ids = job->sequences[end];
      const size_t most = static_cast<size_t>(arrays.ids.empty() ? capacity_.tokens : step_limit_->rows());
      const bool fits =
          arrays.ids.size() + ids.size() <= most && arrays.first_row.size() <= static_cast<size_t>(capacity_.sequences);
      if (!fits) break;
      arrays.ids.insert(arrays.ids.end(), ids.begin(), ids.end());
      for (size_t i = 0; i < ids.size(); ++i) arrays.positions.push_back(static_cast<int32_t>(i));
      if (!job->first_lengths.empty()) {
        const size_t first_length = static_cast<size_t>(job->first_lengths[end]);
        for (size_t i = 0; i < ids.size(); ++i) arrays.segments.push_back(i < first_length ? 0 : 1);
      }
      arrays.end_sequence({});
    }
    if (end > job->num_started) flight.shares.push_back({job, job->num_started, end - job->num_started});
  }
  if (flight.shares.empty()) return false;
  const Batch batch = arrays.batch();
  flight.num_rows = batch.num_tokens;
  flight.num_sequences = batch.num_sequences;
  encode_flights_.push_back(std::move(flight));
  EncodeFlight& started = encode_flights_.back();
  for (const EncodeFlight::Share& share : started.shares) share.job->num_started += share.count;

  abandon_ = closing_;
  lock.unlock();
  started.start = Clock::now();
  try {
    started.done = runner_->start(batch, abandon_);
    if (started.done) started.is_downloading = runner_->start_outputs(batch.num_sequences);
  } catch (...) {
    started.fault = current_fault();
  }
  lock.lock();
  return true;
}

// Waits for the oldest step, and answers what is complete.
void Engine::land_encodings(Lock& lock) {
  EncodeFlight& flying = encode_flights_.front();
  lock.unlock();
  try {
    if (flying.done && !flying.fault) {
      const size_t width = static_cast<size_t>(runner_->output_width());
      outputs_.resize(static_cast<size_t>(flying.num_sequences) * width);
      if (flying.is_downloading) {
        runner_->finish_outputs(outputs_.data());
      } else {
        runner_->wait();
        runner_->read_outputs(0, flying.num_sequences, outputs_.data());
      }
      auto from = outputs_.begin();
      for (const EncodeFlight::Share& share : flying.shares) {
        const auto end = from + static_cast<long>(share.count * width);
        if (!share.job->is_answered) {
          std::copy(from, end, share.job->results.begin() + static_cast<long>(share.first * width));
        }
        from = end;
      }
    }
  } catch (...) {
    flying.fault = current_fault();
  }
  const Clock::time_point now = Clock::now();
  lock.lock();
  const EncodeFlight landed = std::move(encode_flights_.front());
  encode_flights_.erase(encode_flights_.begin());
  const double ms = std::chrono::duration<double, std::milli>(now - std::max(landed.start, last_landing_)).count();
  last_landing_ = now;
  ++stats_.num_steps;
  stats_.busy_ms += ms;
  if (landed.done && !landed.fault) step_limit_->learn(landed.num_rows, ms);

  if (landed.fault && runner_->device_lost()) {
    broken_ = landed.fault;
    encode_flights_.clear();
    fail_all(*landed.fault);
    return;
  }
  for (const EncodeFlight::Share& share : landed.shares) {
    EncodeJob& job = *share.job;
    if (job.is_answered) continue;
    if (landed.fault) {
      answer(job, landed.fault);
      continue;
    }
    if (!landed.done) {  // it was abandoned: it is done again
      job.num_started = std::min(job.num_started, share.first);
      continue;
    }
    for (size_t i = 0; i < share.count; ++i) stats_.prompt_tokens += job.sequences[share.first + i].size();
    job.num_done += share.count;
    if (job.num_done == job.sequences.size()) answer(job, std::nullopt);
  }
}

void Engine::answer(EncodeJob& job, const std::optional<Fault>& fault) {
  job.is_answered = true;
  const auto found =
      std::find_if(encode_jobs_.begin(), encode_jobs_.end(), [&](const auto& other) { return other.get() == &job; });
  if (found != encode_jobs_.end()) encode_jobs_.erase(found);
  if (fault) {
    job.answer({fault, {}});
  } else {
    job.answer({std::nullopt, std::move(job.results)});
  }
}

}  // namespace quoth
