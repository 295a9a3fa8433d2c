#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../../kernels/ops.h"
#include "../fault.h"

namespace quoth {
namespace {

int32_t best_of(const std::vector<float>& logits) {
  int32_t best = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) continue;
    if (best < 0 || logits[i] > logits[static_cast<size_t>(best)]) best = static_cast<int32_t>(i);
  }
  if (best < 0 || std::isinf(logits[static_cast<size_t>(best)])) {
    throw Fault(FaultCode::internal, "The model's output is not a number.");
  }
  return best;
}

}  // namespace

void Sampler::weaken(std::vector<float>& logits, const Sampling& sampling, const std::vector<int32_t>& tokens,
                     int32_t num_output) {
  for (const auto& [id, bias] : sampling.logit_bias) logits[static_cast<size_t>(id)] += static_cast<float>(bias);
  if (sampling.repetition_penalty != 1) {
    const float penalty = static_cast<float>(sampling.repetition_penalty);
    counts_.assign(logits.size(), 0);
    for (const int32_t id : tokens) {
      float& logit = logits[static_cast<size_t>(id)];
      if (counts_[static_cast<size_t>(id)]++ == 0) logit = logit > 0 ? logit / penalty : logit * penalty;
    }
  }
  if (sampling.presence_penalty != 0 || sampling.frequency_penalty != 0) {
    counts_.assign(logits.size(), 0);
    const auto first = tokens.end() - num_output;
    for (auto id = first; id != tokens.end(); ++id) ++counts_[static_cast<size_t>(*id)];
    for (auto id = first; id != tokens.end(); ++id) {
      const int32_t count = std::exchange(counts_[static_cast<size_t>(*id)], 0);
      if (count == 0) continue;
      logits[static_cast<size_t>(*id)] -=
          static_cast<float>(sampling.presence_penalty + sampling.frequency_penalty * count);
    }
  }
}

int32_t Sampler::sample(std::vector<float>& logits, const Sampling& sampling, const std::vector<int32_t>& tokens,
                        int32_t num_output) {
  weaken(logits, sampling, tokens, num_output);
  const int32_t best = best_of(logits);
  const float temperature = static_cast<float>(sampling.temperature);
  if (temperature < kLeastTemperature) return best;
  const float rate = rate_of(temperature);

  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    const uint64_t weight = weight_of(logits[static_cast<size_t>(best)] - logits[i], rate);
    if (weight > 0) candidates_.push_back({static_cast<int32_t>(i), logits[i], weight});
  }
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const size_t top_k = static_cast<size_t>(sampling.top_k);
  if (top_k > 0 && top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + sampling.top_k, candidates_.end(), better);
    candidates_.resize(top_k);
  }
  std::sort(candidates_.begin(), candidates_.end(), better);

  const uint64_t least = share_of(sampling.min_p, uint64_t{1} << kWeightBits);
  uint64_t total = 0;
  for (Candidate& candidate : candidates_) {
    if (candidate.weight < least) candidate.weight = 0;
    total += candidate.weight;
  }
  // The first candidate that brings the sum of weights to so much.
  const auto first_with = [&](uint64_t wanted) {
    size_t i = 0;
    uint64_t sum = candidates_[0].weight;
    while (sum < wanted) sum += candidates_[++i].weight;
    return std::pair(i, sum);
  };
  if (sampling.top_p < 1) total = first_with(share_of(sampling.top_p, total)).second;
  const uint64_t random = random_bits(sampling.seed, static_cast<uint64_t>(num_output));
  return candidates_[first_with(upper_product(total, random) + 1).first].id;
}

float log_probability_of(float logit, float best_logit, uint64_t weights) {
  const double total = static_cast<double>(weights) / static_cast<double>(uint64_t{1} << kWeightBits);
  return static_cast<float>(static_cast<double>(logit) - best_logit - std::log(total));
}

TokenScore token_score(const std::vector<float>& logits, int32_t id, int32_t num_top) {
  const float best = logits[static_cast<size_t>(best_of(logits))];
  uint64_t weights = 0;
  for (const float logit : logits) weights += weight_of(best - logit, rate_of(1));
  const auto score_of = [&](int32_t one) {
    return log_probability_of(logits[static_cast<size_t>(one)], best, weights);
  };
  TokenScore score{score_of(id), {}};
  // The likeliest so far, in order: few, so that an insertion is cheap, and rare.
  for (size_t i = 0; i < logits.size() && num_top > 0; ++i) {
    const auto better = [&](const auto& one) { return !(logits[i] <= logits[static_cast<size_t>(one.first)]); };
    if (std::isnan(logits[i])) continue;
    if (score.top.size() == static_cast<size_t>(num_top)) {
      if (!better(score.top.back())) continue;
      score.top.pop_back();
    }
    score.top.insert(std::find_if(score.top.begin(), score.top.end(), better), {static_cast<int32_t>(i), 0.0F});
  }
  for (auto& one : score.top) one.second = score_of(one.first);
  return score;
}

float log_probability(const std::vector<float>& logits, int32_t id) {
  return token_score(logits, id, 0).log_probability;
}

}  // namespace quoth
