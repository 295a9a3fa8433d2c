#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../fault.h"

namespace quoth {
namespace {

// Weights below e^-40 of the best are under a double's resolution of the sum: dropping them before the sort changes
// nothing.
constexpr double kNegligible = 40;

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

double random_at(uint64_t seed, uint64_t index) {
  uint32_t counter[4] = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0};
  uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t left = uint64_t{0xD2511F53} * counter[0];
    const uint64_t right = uint64_t{0xCD9E8D57} * counter[2];
    const uint32_t next[4] = {static_cast<uint32_t>(right >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(right),
                              static_cast<uint32_t>(left >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(left)};
    std::copy(next, next + 4, counter);
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  const uint64_t bits = (uint64_t{counter[0]} << 32 | counter[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

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
  if (sampling.temperature == 0) return best;

  const double highest = logits[static_cast<size_t>(best)] / sampling.temperature;
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    const double scaled = logits[i] / sampling.temperature - highest;
    if (scaled >= -kNegligible) candidates_.push_back({static_cast<int32_t>(i), scaled});
  }
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  };
  const size_t top_k = static_cast<size_t>(sampling.top_k);
  if (top_k > 0 && top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + sampling.top_k, candidates_.end(), better);
    candidates_.resize(top_k);
  }
  std::sort(candidates_.begin(), candidates_.end(), better);

  double total = 0;
  size_t num_kept = 0;
  for (Candidate& candidate : candidates_) {
    candidate.weight = std::exp(candidate.weight);  // the best one's is 1
    if (candidate.weight < sampling.min_p) break;
    total += candidate.weight;
    ++num_kept;
  }
  if (sampling.top_p < 1) {
    double sum = 0;
    size_t i = 0;
    do {
      sum += candidates_[i++].weight;
    } while (i < num_kept && sum < sampling.top_p * total);
    num_kept = i;
    total = sum;
  }

  const double wanted = random_at(sampling.seed, static_cast<uint64_t>(num_output)) * total;
  double sum = 0;
  for (size_t i = 0; i < num_kept; ++i) {
    sum += candidates_[i].weight;
    if (wanted < sum) return candidates_[i].id;
  }
  return candidates_[num_kept - 1].id;
}

TokenScore token_score(const std::vector<float>& logits, int32_t id, int32_t num_top) {
  const double highest = logits[static_cast<size_t>(best_of(logits))];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  const auto score_of = [&](int32_t one) {
    return static_cast<float>(logits[static_cast<size_t>(one)] - highest - std::log(sum));
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
