// A loaded plan on a device. One thread does everything on the device: schedule, run, sample, emit, forever; it sleeps
// when there is nothing to do. All functions may be called from any thread and return at once, but for the constructor
// and `close`.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../program/plan_file.h"
#include "../program/runner.h"
#include "device.h"
#include "draft_policy.h"
#include "generation.h"
#include "memory_plan.h"
#include "metrics.h"
#include "options.h"
#include "sampler.h"
#include "scheduler.h"
#include "step_limit.h"
#include "tuning_bench.h"

namespace quoth {

using Clock = std::chrono::steady_clock;

struct EngineInfo {
  std::string architecture;
  Role role = Role::chat;
  DeviceKind device = DeviceKind::cpu;
  int32_t num_threads = 0;
  double memory_bytes_per_second = 0;  // of the device, by its own words; 0 = it does not say
  int32_t vocabulary_size = 0;
  int32_t context_tokens = 0;
  int32_t kv_tokens = 0;
  int32_t embedding_size = 0;
  uint64_t weight_bytes = 0;
  uint64_t kv_bytes = 0;
  Type kv_type = Type::i32;  // i32: no kv pages
  uint64_t activation_bytes = 0;
};

struct EngineStats {
  int32_t num_running = 0;
  int32_t num_waiting = 0;
  int32_t kv_pages_total = 0;
  int32_t kv_pages_free = 0;
  int32_t kv_pages_cached = 0;
  uint64_t num_steps = 0;
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;
  uint64_t output_tokens = 0;
  uint64_t drafted_tokens = 0;
  uint64_t accepted_tokens = 0;
  uint64_t num_finished = 0;
  Spread ttft_ms;  // of the last requests that ended
  Spread token_ms;
  Spread latency_ms;
  double busy_ms = 0;  // of all steps
  // Steps that did nothing but generate:
  double decode_ms = 0;
  uint64_t decode_tokens = 0;
  uint64_t decode_bytes = 0;  // weights and kv rows that they read
  TuningReport tuning;
};

struct GenerateRequest {
  std::vector<int32_t> ids;
  int32_t max_tokens = 0;
  std::vector<int32_t> stop_ids;
  Sampling sampling;
  int32_t num_top = -1;  // `logProbabilities`; -1 = absent
  double priority = 0;
  Speculation speculation = Speculation::automatic;
};

class Engine {
 public:
  // Opens, checks and loads a plan. `device`: null = the one that the options ask for. Throws Fault.
  explicit Engine(const EngineOptions& options, std::unique_ptr<OpenDevice> device = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const EngineInfo& info() const { return info_; }

  // Throws Fault invalid_input, unsupported (an embedder) or closed.
  std::shared_ptr<Generation> generate(GenerateRequest request);
  // Ends the generation; answers when its kv pages are free.
  void cancel(const std::shared_ptr<Generation>& generation, Answer<bool> answer);
  // ln probabilities, f32 [ids]; the first is NaN.
  void score(std::vector<int32_t> ids, Answer<std::vector<float>> answer);
  // The logits of what follows each id, f32 [ids, vocabulary_size]: to compare a model with its reference.
  void logits(std::vector<int32_t> ids, Answer<std::vector<float>> answer);
  // f32 [sequences, embedding_size]
  void embed(std::vector<std::vector<int32_t>> sequences, Answer<std::vector<float>> answer);
  // f32 [sequences]: one number for each pair, whose first part is the first first_lengths[i] ids of sequence i.
  void rerank(std::vector<std::vector<int32_t>> sequences, std::vector<int32_t> first_lengths,
              Answer<std::vector<float>> answer);
  void stats(Answer<EngineStats> answer);
  // Ends all that runs with the fault `closed`, waits for the engine's thread and gives the device's memory back.
  void close();

 private:
  struct Request;  // a sequence with who asked for it
  struct EncodeJob;
  struct StepArrays;  // host memory of a batch
  struct Found;
  struct Flight;  // a step that was started and whose results were not read
  struct EncodeFlight;
  using Lock = std::unique_lock<std::mutex>;

  void check_ids(const std::vector<int32_t>& ids, const char* name) const;
  void check_open() const;
  void check_scored(const std::vector<int32_t>& ids) const;
  void check_role(Role role, const char* what) const;
  void submit(std::shared_ptr<EncodeJob> job);
  void submit(std::shared_ptr<Request> request);
  void loop();
  bool step_sequences(Lock& lock);
  void take_off(Lock& lock, std::vector<Part> parts, bool ahead);
  bool can_run_ahead();
  void land(Lock& lock);
  void read(Flight& flight);
  void drop_flights();
  bool step_encodings(Lock& lock);
  bool take_off_encodings(Lock& lock);
  void land_encodings(Lock& lock);
  void start_tuning(const EngineOptions& options);
  bool step_tuning(Lock& lock);
  void keep_tuning();
  void answer(EncodeJob& job, const std::optional<Fault>& fault);
  bool is_in_flight(const Sequence* sequence) const;
  void drop_cancelled();
  void begin(const std::vector<Part>& parts);
  void propose_drafts();
  Batch make_batch(const std::vector<Part>& parts, bool ahead);
  bool make_sample_rows(const std::vector<Part>& parts, bool ahead);
  void read_scores(const Part& part, int32_t row);
  void read_ids(Part& part, int32_t row, bool is_sampled, Found& found);
  std::pair<int32_t, TokenScore> choose_id(Request& request, int32_t row);
  std::pair<int32_t, TokenScore> scored_id(const Request& request, const SampledRow& row) const;
  void learn(const std::vector<Part>& parts, const std::vector<Found>& found, double ms);
  void finish(const std::vector<Part>& parts, std::vector<Found>& found);
  void take_output(Request& request, Found& found);
  void fail_all(const Fault& fault);

  EngineInfo info_;
  PlanFile plan_;
  std::unique_ptr<OpenDevice> device_;
  std::unique_ptr<Runner> runner_;
  Capacity capacity_;
  uint64_t step_weight_bytes_ = 0;  // that a step reads: of the linears
  uint64_t kv_row_bytes_ = 0;
  int32_t max_sequence_tokens_ = 0;  // what the context and the kv pages both hold
  std::unique_ptr<StepArrays> arrays_;
  Sampler sampler_;
  std::vector<float> logits_;            // [V]
  std::vector<float> unchanged_logits_;  // [V], when log-probabilities are wanted
  std::vector<SampleRow> sample_rows_;   // of the step that is started
  std::vector<SampledRow> sampled_;      // of the step that is read
  DraftPolicy draft_policy_;             // the thread's alone, as what follows
  std::optional<StepLimit> step_limit_;
  std::vector<float> outputs_;  // of a step of an encoder
  Clock::time_point last_landing_;
  std::optional<DeviceBench> tuning_bench_;
  std::optional<Tuner> tuner_;
  std::string tuning_file_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::optional<Scheduler> scheduler_;
  std::deque<std::shared_ptr<EncodeJob>> encode_jobs_;
  std::vector<Flight> flights_;  // oldest first, at most two; what they find is the thread's alone
  std::vector<EncodeFlight> encode_flights_;
  std::atomic<bool> abandon_{false};  // ends the step that is started between two operations
  bool closing_ = false;
  std::optional<Fault> broken_;  // the device is lost
  uint64_t num_arrivals_ = 0;
  EngineStats stats_;
  RecentRequests recent_;

  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace quoth
