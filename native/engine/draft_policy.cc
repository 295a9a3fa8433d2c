#include "draft_policy.h"

#include <algorithm>

namespace quoth {
namespace {

// How likely the next token is right after matches of 2, 3, 4-5, 6-8 and more tokens, before anything was seen; each
// counts as so many tries.
constexpr double kUsualChance[] = {0.4, 0.55, 0.7, 0.85, 0.92};
constexpr double kUsualTries = 6;
constexpr double kFading = 0.97;
// How far an estimate that keeps drafting off goes back towards the usual at each step, so that it is tried again.
constexpr double kForgiving = 1.0 / 128;

}  // namespace

DraftPolicy::DraftPolicy(double usual_row_cost) : usual_row_cost_(usual_row_cost), row_cost_(usual_row_cost), seen_{} {}

size_t DraftPolicy::group_of(int32_t match_length) {
  return match_length <= 2 ? 0 : match_length == 3 ? 1 : match_length <= 5 ? 2 : match_length <= 8 ? 3 : 4;
}

double DraftPolicy::chance_of(int32_t match_length) const {
  const size_t group = group_of(match_length);
  return (kUsualChance[group] * kUsualTries + seen_[group].right) / (kUsualTries + seen_[group].tried);
}

void DraftPolicy::share(std::vector<Candidate>& candidates, int32_t num_generating, int32_t spare_rows) {
  double rows = num_generating, tokens = num_generating;
  std::vector<double> chances(candidates.size());  // that the next draft and all before it are right
  for (size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].drafts = 0;
    chances[i] = candidates[i].match_length > 0 ? chance_of(candidates[i].match_length) : 0;
  }
  while (spare_rows > 0) {
    size_t best = candidates.size();
    double best_chance = 0;
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].match_length == 0 || candidates[i].drafts >= candidates[i].most) continue;
      const double chance = candidates[i].always ? 1 : chances[i];
      if (chance > best_chance) best = i, best_chance = chance;
    }
    if (best == candidates.size()) break;
    Candidate& candidate = candidates[best];
    const bool pays = best_chance > row_cost_ * tokens / (1 + row_cost_ * (rows - 1));
    if (!pays && !candidate.always) {
      if (candidate.drafts == 0) {
        row_cost_ += (usual_row_cost_ - row_cost_) * kForgiving;
        Seen& seen = seen_[group_of(candidate.match_length)];
        seen.right *= 1 - kForgiving;
        seen.tried *= 1 - kForgiving;
      }
      break;
    }
    tokens += chances[best];
    chances[best] *= chance_of(candidate.match_length);
    ++candidate.drafts;
    ++rows;
    --spare_rows;
  }
}

void DraftPolicy::learn_drafts(int32_t match_length, int32_t accepted, bool missed) {
  Seen& seen = seen_[group_of(match_length)];
  const int32_t tried = accepted + (missed ? 1 : 0);
  for (int32_t i = 0; i < tried; ++i) {
    seen.right = seen.right * kFading + (i < accepted ? 1 : 0);
    seen.tried = seen.tried * kFading + 1;
  }
}

void DraftPolicy::learn_time(int32_t num_rows, double ms) {
  if (num_rows == 1) {
    // A step that something else disturbed does not count for more than twice the usual.
    if (one_row_ms_ == 0) one_row_ms_ = ms;
    one_row_ms_ += (std::min(ms, 2 * one_row_ms_) - one_row_ms_) / 8;
  } else if (one_row_ms_ > 0 && num_rows <= 16) {
    const double cost = std::clamp((ms / one_row_ms_ - 1) / (num_rows - 1), 0.01, 1.0);
    row_cost_ += (cost - row_cost_) / 16;
  }
}

}  // namespace quoth
