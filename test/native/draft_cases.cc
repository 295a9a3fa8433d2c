// What is drafted, and when: the index against a plain search, and the policy against costs and chances that are given
// to it. Prints a line for each case: "ok <name>" or "FAILED <name>".
#include <algorithm>
#include <cstdio>
#include <vector>

#include "../../native/engine/draft_index.h"
#include "../../native/engine/draft_policy.h"

using namespace quoth;

namespace {

int num_failed = 0;

void report(const char* name, bool is_right) {
  std::printf("%s %s\n", is_right ? "ok" : "FAILED", name);
  num_failed += is_right ? 0 : 1;
}

uint32_t state = 1;
uint32_t below(uint32_t most) {
  state = state * 1664525 + 1013904223;
  return (state >> 8) % most;
}

// The longest match of at most 32 tokens, of several the latest; none below 2.
DraftIndex::Match plain_search(const std::vector<int32_t>& tokens) {
  DraftIndex::Match best;
  const int32_t size = static_cast<int32_t>(tokens.size());
  for (int32_t end = size - 1; end >= 2; --end) {
    int32_t length = 0;
    while (length < std::min(end, 32) &&
           tokens[static_cast<size_t>(end - 1 - length)] == tokens[static_cast<size_t>(size - 1 - length)]) {
      ++length;
    }
    if (length > best.length) best = {end, length};
  }
  return best.length >= 2 ? best : DraftIndex::Match{};
}

bool finds_the_longest(uint32_t num_ids, int32_t most_at_once) {
  for (int round = 0; round < 50; ++round) {
    std::vector<int32_t> tokens;
    tokens.reserve(400);
    DraftIndex index;
    while (tokens.size() < 350) {
      const uint32_t count = 1 + below(static_cast<uint32_t>(most_at_once));
      if (tokens.size() > 40 && below(3) == 0) {  // a copied run
        const size_t from = below(static_cast<uint32_t>(tokens.size() - 30));
        for (uint32_t i = 0; i < count; ++i) tokens.push_back(tokens[from + i]);
      } else {
        for (uint32_t i = 0; i < count; ++i) tokens.push_back(static_cast<int32_t>(below(num_ids)));
      }
      const DraftIndex::Match found = index.find(tokens), expected = plain_search(tokens);
      if (found.length != expected.length) return false;
      if (found.length > 0 && found.next >= static_cast<int32_t>(tokens.size())) return false;
      for (int32_t i = 1; i <= found.length; ++i) {
        if (tokens[static_cast<size_t>(found.next - i)] != tokens[tokens.size() - static_cast<size_t>(i)]) return false;
      }
    }
  }
  return true;
}

bool foretells_a_circle() {
  const std::vector<int32_t> tokens = {9, 1, 2, 3, 1, 2, 3, 1, 2, 3};
  DraftIndex index;
  const DraftIndex::Match match = index.find(tokens);
  for (int32_t ahead = 0; ahead < 7; ++ahead) {
    if (DraftIndex::foretold(tokens, match, ahead) != 1 + ahead % 3) return false;
  }
  return match.next == 7;
}

bool finds_nothing_in_nothing() {
  DraftIndex index;
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 100; ++i) {
    if (index.find(tokens).length != 0) return false;
    tokens.push_back(i);
  }
  return true;
}

int32_t drafts_for(DraftPolicy& policy, int32_t match_length, int32_t num_sequences = 1, int32_t spare_rows = 100) {
  std::vector<DraftPolicy::Candidate> candidates(static_cast<size_t>(num_sequences),
                                                 {match_length, kMaxDrafts, false, 0});
  policy.share(candidates, num_sequences, spare_rows);
  int32_t drafts = 0;
  for (const auto& candidate : candidates) drafts += candidate.drafts;
  return drafts;
}

void learn_times(DraftPolicy& policy, double row_cost) {
  for (int i = 0; i < 200; ++i) {
    policy.learn_time(1, 10);
    policy.learn_time(5, 10 * (1 + 4 * row_cost));
  }
}

}  // namespace

int main() {
  report("the longest match is found among many ids, token by token", finds_the_longest(40, 1));
  report("the longest match is found among many ids, several tokens at once", finds_the_longest(40, 9));
  report("a run that reaches the end goes on in a circle", foretells_a_circle());
  report("what never stood before is not foretold", finds_nothing_in_nothing());

  {
    DraftPolicy policy;
    report("a longer match drafts more",
           drafts_for(policy, 2) < drafts_for(policy, 4) && drafts_for(policy, 4) < drafts_for(policy, 12));
    report("no match drafts nothing", drafts_for(policy, 0) == 0);
    report("a long match drafts as many as are verified at once", drafts_for(policy, 32) == kMaxDrafts);
    report("no more is drafted than there is room", drafts_for(policy, 32, 1, 3) == 3);
    report("among many sequences each drafts less", drafts_for(policy, 6, 16) < 16 * drafts_for(policy, 6));
  }
  {
    DraftPolicy policy;
    for (int i = 0; i < 60; ++i) policy.learn_drafts(12, 0, true);
    report("wrong drafts end the drafting", drafts_for(policy, 12) == 0);
    report("of matches of that length only", drafts_for(policy, 4) > 0);
    int tries = 0;
    while (drafts_for(policy, 12) == 0 && tries < 2000) ++tries;
    report("later it is tried again", tries > 10 && tries < 2000);
  }
  {
    DraftPolicy policy;
    for (int i = 0; i < 60; ++i) policy.learn_drafts(2, 7, false);
    report("right drafts of a short match draft more", drafts_for(policy, 2) > 4);
  }
  {
    DraftPolicy dear, cheap;
    learn_times(dear, 0.95);
    learn_times(cheap, 0.03);
    report("where a row costs as much as a step, nothing is drafted", drafts_for(dear, 12) == 0);
    report("where a row costs nearly nothing, a weak match drafts", drafts_for(cheap, 3) > 3);
    report("the cost of a row is what the steps took", dear.row_cost() > 0.9 && cheap.row_cost() < 0.05);
    cheap.learn_time(1, 1000);  // something else ran on the machine
    cheap.learn_time(5, 10 * (1 + 4 * 0.03));
    report("one disturbed step changes little", drafts_for(cheap, 3) > 3);
  }
  std::printf("%s\n", num_failed == 0 ? "all ok" : "some failed");
  return num_failed == 0 ? 0 : 1;
}
