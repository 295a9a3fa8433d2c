// Prompt lookup: what followed the last tokens the last time they stood in the prompt or in the output. An answer that
// quotes its passages copies long runs of them, and a copied run can be verified in one step (Saxena, "Prompt lookup
// decoding", 2023; the search is LZ77's, over chains of positions with the same two tokens).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quoth {

class DraftIndex {
 public:
  // tokens[next - length .. next) are the last `length` tokens; what may follow begins at `next`.
  struct Match {
    int32_t next = -1;
    int32_t length = 0;  // 0: none; else from 2 to 32
  };

  // The longest match; of several the one that goes on from the call before, else the latest. `tokens` are those of the
  // call before with more at their end.
  Match find(const std::vector<int32_t>& tokens);

  // The token that a match foretells `ahead` places from the end; a match that reaches the end goes on in a circle.
  static int32_t foretold(const std::vector<int32_t>& tokens, const Match& match, int32_t ahead) {
    const int32_t period = static_cast<int32_t>(tokens.size()) - match.next;
    return tokens[static_cast<size_t>(match.next + ahead % period)];
  }

 private:
  size_t slot_of(const std::vector<int32_t>& tokens, int32_t end) const;
  int32_t length_of(const std::vector<int32_t>& tokens, int32_t end) const;

  std::vector<int32_t> latest_;  // [slots, a power of two] the last place after two tokens of that hash; -1 for none
  std::vector<int32_t> before_;  // [places] the one before it of the same hash
  int32_t num_tokens_ = 0;       // at the last call
  Match last_;
};

}  // namespace quoth
