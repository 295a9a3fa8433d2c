// What was asked of an engine and is not answered yet. Private to engine.cc and engine_loop.cc.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "draft_index.h"
#include "engine.h"
#include "token_counts.h"

namespace quoth {

// A generation, or a scoring when `generation` is null.
struct Engine::Request final : Sequence {
  std::shared_ptr<Generation> generation;
  Sampling sampling;
  int32_t num_top = -1;  // log-probabilities: of the chosen ids and so many of the likeliest; -1 = of none
  std::vector<int32_t> stop_ids;
  int32_t max_output = 0;
  int32_t num_output = 0;
  Clock::time_point submitted;
  Clock::time_point first_token;
  std::vector<Answer<bool>> cancel_answers;
  Speculation speculation = Speculation::automatic;
  DraftIndex draft_index;
  int32_t match_length = 0;  // what `drafts` come from
  TokenCounts counts;        // kept while there are penalties and a device that chooses ids
  std::vector<LogitBias> biases;

  Answer<std::vector<float>> score_answer;
  bool wants_logits = false;             // a scoring that is answered with whole rows
  std::vector<float> log_probabilities;  // [ids], or logits [ids, V]

  void fail(const Fault& fault) {
    if (generation) {
      generation->fail(fault);
    } else {
      score_answer({fault, {}});
    }
    answer_cancels();
  }
  void answer_cancels() {
    for (const auto& answer : cancel_answers) answer({std::nullopt, true});
    cancel_answers.clear();
  }
};

// Whole sequences through an encoder: embeddings, or scores of pairs.
struct Engine::EncodeJob {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int32_t> first_lengths;  // of pairs: ids of each sequence that are segment 0; else empty
  size_t num_started = 0;              // sequences, in order
  size_t num_done = 0;
  bool is_answered = false;
  std::vector<float> results;  // f32 [sequences, output_width]
  Answer<std::vector<float>> answer;
};

// What a step found for a part that generates. `Request::tokens` holds the ids already.
struct Engine::Found {
  std::vector<int32_t> ids;
  std::vector<TokenScore> scores;
  bool stopped = false;  // a stop id came after them
  std::optional<Fault> fault;
};

struct Engine::Flight {
  std::vector<Part> parts;
  std::vector<Found> found;  // of each part
  bool done = false;         // else it was abandoned
  int32_t num_sampled = 0;   // rows whose ids the device chooses; 0: none, the logits are read
  std::optional<Fault> fault;
  Clock::time_point start;
};

// A step of an encoder that was started and whose results were not read.
struct Engine::EncodeFlight {
  struct Share {
    std::shared_ptr<EncodeJob> job;
    size_t first;  // sequences of the job
    size_t count;
  };
  std::vector<Share> shares;
  int32_t num_rows = 0;
  int32_t num_sequences = 0;
  bool done = false;
  bool is_downloading = false;
  std::optional<Fault> fault;
  Clock::time_point start;
};

struct Engine::StepArrays {
  std::vector<int32_t> ids;          // [T]
  std::vector<int32_t> positions;    // [T]
  std::vector<int32_t> segments;     // [T] or empty: all 0
  std::vector<int32_t> first_row;    // [B + 1]
  std::vector<int32_t> page_table;   // [B, M]
  std::vector<int32_t> output_rows;  // [O]
  std::vector<int32_t> chosen_ids;   // [T] or empty
  int32_t page_table_stride = 0;     // M

  void clear() {
    ids.clear();
    positions.clear();
    segments.clear();
    first_row.assign(1, 0);
    page_table.clear();
    output_rows.clear();
    chosen_ids.clear();
  }
  // Ends the rows of a sequence.
  void end_sequence(const std::vector<int32_t>& pages) {
    first_row.push_back(static_cast<int32_t>(ids.size()));
    page_table.insert(page_table.end(), pages.begin(), pages.end());
    page_table.resize((first_row.size() - 1) * static_cast<size_t>(page_table_stride), 0);
  }
  Batch batch() const {
    Batch batch;
    batch.num_tokens = static_cast<int32_t>(ids.size());
    batch.ids = ids.data();
    batch.positions = positions.data();
    if (!segments.empty()) batch.segments = segments.data();
    if (!chosen_ids.empty()) batch.chosen_ids = chosen_ids.data();
    batch.num_sequences = static_cast<int32_t>(first_row.size()) - 1;
    batch.first_row = first_row.data();
    batch.page_table = page_table.data();
    batch.page_table_stride = page_table_stride;
    batch.num_outputs = static_cast<int32_t>(output_rows.size());
    batch.output_rows = output_rows.data();
    return batch;
  }
};

}  // namespace quoth
