// From logits to the next id.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace quoth {

// As `Sampling` in native/index.ts.
struct Sampling {
  double temperature = 0;
  int32_t top_k = 0;
  double top_p = 1;
  double min_p = 0;
  double repetition_penalty = 1;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<std::pair<int32_t, double>> logit_bias;  // ids of the vocabulary, each once
  uint64_t seed = 0;
};

class Sampler {
 public:
  // The next id. Ties go to the lower id. The order: bias, repetition, frequency and presence penalty, temperature,
  // top-k, min-p, top-p. The candidates in order, the likeliest first, share a line by their weights
  // (kernels/chance.h), and the id is the one where the random number falls.
  //   logits      f32 [V], changed by the bias and the penalties
  //   tokens      the ids so far, prompt and output
  //   num_output  how many of them are output; the random number is the one of this index
  // Throws Fault internal when no logit is a number.
  int32_t sample(std::vector<float>& logits, const Sampling& sampling, const std::vector<int32_t>& tokens,
                 int32_t num_output);

 private:
  struct Candidate {
    int32_t id;
    float logit;
    uint64_t weight;
  };
  void weaken(std::vector<float>& logits, const Sampling& sampling, const std::vector<int32_t>& tokens,
              int32_t num_output);

  std::vector<Candidate> candidates_;
  std::vector<int32_t> counts_;  // [V]
};

inline constexpr int32_t kMaxTop = 20;

// What the model thought of an id and of the likeliest ones, before bias, penalties and temperature.
struct TokenScore {
  float log_probability = 0;
  std::vector<std::pair<int32_t, float>> top;  // ids and their ln probabilities, likeliest first; ties: lower id first
};

// num_top: at most kMaxTop and V
TokenScore token_score(const std::vector<float>& logits, int32_t id, int32_t num_top);

// ln softmax at a logit, from the best one and the sum of their weights (kernels/chance.h): within 3e-7, and 1e-7 of
// its size.
float log_probability_of(float logit, float best_logit, uint64_t weights);
// ln softmax(logits)[id].   logits f32 [V]
float log_probability(const std::vector<float>& logits, int32_t id);

}  // namespace quoth
