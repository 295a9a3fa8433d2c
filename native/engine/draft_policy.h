// How many tokens are worth drafting: what a drafted token brings, against what one more row costs. Both are learnt
// while the engine works, so drafting ends where it does not pay. What is drafted never changes a result, only its
// speed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quoth {

// As `GenerateRequest.speculation` in native/index.ts.
enum class Speculation { automatic, always, off };

inline constexpr int32_t kMaxDrafts = 7;  // 8 rows: one tile of the kernels for few rows

// Measured on a CPU with 4-bit weights: 4 rows cost 1.7 times one, 8 rows 2.7 times. A GPU reads the weights once for
// all of them.
inline constexpr double kCpuRowCost = 0.24;
inline constexpr double kGpuRowCost = 0.05;

class DraftPolicy {
 public:
  // usual_row_cost: of one more row, in steps of one row, before anything was measured.
  explicit DraftPolicy(double usual_row_cost = kCpuRowCost);

  // A sequence that generates; `drafts` is the answer.
  struct Candidate {
    int32_t match_length = 0;
    int32_t most = 0;  // drafts that are possible
    bool always = false;
    int32_t drafts = 0;
  };

  // Divides rows among the sequences of a step: each next one to the token that is most likely right, while it raises
  // the tokens per second.   spare_rows: drafts in all
  void share(std::vector<Candidate>& candidates, int32_t num_generating, int32_t spare_rows);

  // `accepted` drafts of a match of that length were right, then one wrong if `missed`.
  void learn_drafts(int32_t match_length, int32_t accepted, bool missed);
  // A step that did nothing but generate.
  void learn_time(int32_t num_rows, double ms);

  double row_cost() const { return row_cost_; }
  double chance_of(int32_t match_length) const;

 private:
  struct Seen {
    double right;  // both fade: what was long ago counts less
    double tried;
  };
  static size_t group_of(int32_t match_length);

  double one_row_ms_ = 0;
  double usual_row_cost_;
  double row_cost_;  // of one more row, in steps of one row
  std::array<Seen, 5> seen_;
};

}  // namespace quoth
