// From logits to the next id.
#pragma once

#include <cstdint>
#include <vector>

namespace quoth {

// As `Sampling` in native/index.ts.
struct Sampling {
  double temperature = 0;
  int32_t top_k = 0;
  double top_p = 1;
  double min_p = 0;
  double repetition_penalty = 1;
  uint64_t seed = 0;
};

// A number in [0, 1) that depends on the seed and the index alone: Philox4x32-10 (Salmon et al., SC 2011) of counter
// `index`.
double random_at(uint64_t seed, uint64_t index);

class Sampler {
 public:
  // The next id. Ties go to the lower id. The order: repetition penalty, temperature, top-k, min-p, top-p.
  //   logits  f32 [V], changed by the penalty
  //   tokens  the ids so far, prompt and output
  //   index   how many ids were put out before this one
  // Throws Fault internal when no logit is a number.
  int32_t sample(std::vector<float>& logits, const Sampling& sampling, const std::vector<int32_t>& tokens,
                 uint64_t index);

 private:
  struct Candidate {
    int32_t id;
    double weight;  // first the logit over the temperature, then e to it
  };
  std::vector<Candidate> candidates_;
  std::vector<uint8_t> seen_;
};

// ln softmax(logits)[id], sums in double.   logits f32 [V]
float log_probability(const std::vector<float>& logits, int32_t id);

}  // namespace quoth
