// The engine's thread: whole sequences through an encoder.
#include <algorithm>
#include <utility>

#include "../fault.h"
#include "engine.h"
#include "requests.h"

namespace quoth {

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
      const int32_t count = static_cast<int32_t>(shares[i].count);
      runner_->read_outputs(row, count, job.results.data() + job.num_done * width);
      row += count;
    }
  } catch (...) {
    fault = current_fault();
  }
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  lock.lock();
  ++stats_.num_steps;
  stats_.busy_ms += ms;
  if (done && !fault) step_limit_->learn(batch.num_tokens, ms);

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

}  // namespace quoth
