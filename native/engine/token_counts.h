// How often each id stands in a sequence, for penalties on a device.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "../../kernels/ops.h"

namespace quoth {

class TokenCounts {
 public:
  // Counts what `tokens` has more than at the last call; from num_prompt on they are output.
  const std::vector<TokenCount>& of(const std::vector<int32_t>& tokens, int32_t num_prompt) {
    for (; num_counted_ < tokens.size(); ++num_counted_) {
      const int32_t id = tokens[num_counted_];
      const auto [place, is_new] = places_.try_emplace(id, counts_.size());
      if (is_new) counts_.push_back({id, 0, 0});
      TokenCount& count = counts_[place->second];
      ++count.num_all;
      if (num_counted_ >= static_cast<size_t>(num_prompt)) ++count.num_output;
    }
    return counts_;
  }

 private:
  std::vector<TokenCount> counts_;
  std::unordered_map<int32_t, size_t> places_;
  size_t num_counted_ = 0;
};

}  // namespace quoth
