// Choosing ids on the device: what is asked of it for each row, and what its answer says.
#include "../fault.h"
#include "engine.h"
#include "requests.h"

namespace quoth {

// A row for each output of these parts, in their order. `ahead`: the id before each is the one that the device chose
// for the same row of the step before. False when the host needs the logits.
bool Engine::make_sample_rows(const std::vector<Part>& parts, bool ahead) {
  sample_rows_.clear();
  for (const Part& part : parts) {
    if (part.sequence->wants_all) return false;
    if (!part.wants_last) continue;
    Request& request = static_cast<Request&>(*part.sequence);
    const Sampling& sampling = request.sampling;
    const bool has_penalties =
        sampling.repetition_penalty != 1 || sampling.presence_penalty != 0 || sampling.frequency_penalty != 0;
    for (int32_t i = 0; i <= part.num_drafts; ++i) {
      const int32_t num_later = ahead ? 1 : i;
      if (num_later > kMaxLaterIds) return false;
      SampleRow row;
      row.temperature = static_cast<float>(sampling.temperature);
      row.top_k = sampling.top_k;
      row.top_p = sampling.top_p;
      row.min_p = sampling.min_p;
      row.repetition_penalty = static_cast<float>(sampling.repetition_penalty);
      row.presence_penalty = sampling.presence_penalty;
      row.frequency_penalty = sampling.frequency_penalty;
      row.seed = sampling.seed;
      row.index = static_cast<uint64_t>(request.num_output + num_later);
      row.num_top = request.num_top;
      row.num_biases = static_cast<int32_t>(request.biases.size());
      row.biases = request.biases.data();
      if (has_penalties) {
        const std::vector<TokenCount>& counts = request.counts.of(request.tokens, request.num_prompt);
        row.num_counts = static_cast<int32_t>(counts.size());
        row.counts = counts.data();
        row.num_later = num_later;
        for (int32_t j = 0; j < num_later; ++j) {
          row.later_ids[j] = ahead ? -1 - part.chosen_row : request.drafts[static_cast<size_t>(j)];
        }
      }
      sample_rows_.push_back(row);
    }
  }
  return true;
}

std::pair<int32_t, TokenScore> Engine::scored_id(const Request& request, const SampledRow& row) const {
  if (row.id < 0) throw Fault(FaultCode::internal, "The model's output is not a number.");
  TokenScore score;
  if (request.num_top < 0) return {row.id, score};
  const auto score_of = [&](float logit) { return log_probability_of(logit, row.best_logit, row.weights); };
  score.log_probability = score_of(row.logit);
  for (int32_t i = 0; i < request.num_top; ++i) {
    if (row.top_ids[i] < 0) break;  // the rest is not a number
    score.top.emplace_back(row.top_ids[i], score_of(row.top_logits[i]));
  }
  return {row.id, score};
}

}  // namespace quoth
