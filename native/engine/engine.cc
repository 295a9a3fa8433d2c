// Loading an engine, and what may be asked of it. What its thread does is in engine_loop.cc.
#include "engine.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../fault.h"
#include "../program/fuse.h"
#include "requests.h"

namespace quoth {
namespace {

// Numbers of one answer of `logits`: 256 MiB.
constexpr size_t kMaxLogits = size_t{1} << 26;
// An abandoned step is computed again. Below this many rows it ends so soon that waiting is cheaper.
constexpr int32_t kAbandonRows = 32;

// What a step reads of the weights, whatever its rows: the tables of `embed` and `add_positions` give a row a token
// only.
uint64_t bytes_of_linears(const PlanFile& plan, const Program& program) {
  std::vector<bool> used(plan.tensors.size());
  uint64_t size_bytes = 0;
  for (const Instruction& step : program.instructions) {
    if (step.op != Op::linear || step.weights[0] < 0) continue;
    const size_t index = static_cast<size_t>(step.weights[0]);
    if (!used[index]) size_bytes += plan.tensors[index].size_bytes;
    used[index] = true;
  }
  return size_bytes;
}

[[noreturn]] void fail_input(const std::string& sentence) {
  throw Fault(FaultCode::invalid_input, sentence);
}

}  // namespace

Engine::Engine(const EngineOptions& options, std::unique_ptr<OpenDevice> device) {
  if (options.num_threads < 0 || options.num_threads > 256) fail_input("numThreads is not between 0 and 256.");
  plan_ = open_plan(options.plan);
  Program program = read_program(plan_);
  step_weight_bytes_ = bytes_of_linears(plan_, program);
  device_ = device ? std::move(device) : open_device(options.device, options.num_threads);
  fuse(program, fusions_of(*device_->ops));
  const MemoryPlan memory = plan_memory(options, plan_, program, *device_);
  if (!memory.fits) throw Fault(FaultCode::out_of_memory, memory.sentence);

  if (plan_.has_kv) plan_.kv.type = memory.kv_type;
  capacity_ = memory.capacity;
  const int32_t num_pages = memory.num_pages;
  max_sequence_tokens_ =
      std::min(plan_.context_tokens, plan_.role == Role::chat ? num_pages * kPageTokens : capacity_.tokens);
  kv_row_bytes_ = memory.kv_page_bytes / kPageTokens;

  runner_ = std::make_unique<Runner>(plan_, std::move(program), device_->device, device_->ops,
                                     device_->reads_host_memory(), capacity_, num_pages);
  scheduler_.emplace(num_pages, capacity_.tokens, capacity_.sequences, capacity_.outputs);
  step_limit_.emplace(capacity_.tokens, device_->kind == DeviceKind::cuda);
  if (device_->kind == DeviceKind::cuda) draft_policy_ = DraftPolicy(kGpuRowCost);
  scheduler_->limit_step(step_limit_->step_rows());
  arrays_ = std::make_unique<StepArrays>();
  encode_flights_.reserve(2);
  flights_.reserve(2);
  logits_.resize(static_cast<size_t>(runner_->output_width()));

  info_.architecture = plan_.architecture;
  info_.role = plan_.role;
  info_.device = device_->kind;
  info_.num_threads = device_->info.num_threads;
  info_.memory_bytes_per_second = device_->info.memory_bytes_per_second;
  info_.vocabulary_size = plan_.vocabulary_size;
  info_.context_tokens = plan_.context_tokens;
  info_.kv_tokens = num_pages * kPageTokens;
  info_.embedding_size = plan_.embedding_size;
  info_.weight_bytes = plan_.weight_bytes;
  info_.kv_type = memory.kv_type;
  info_.kv_bytes = runner_->kv_bytes();
  info_.activation_bytes = runner_->activation_bytes();
  start_tuning(options);
  thread_ = std::thread([this] { loop(); });
}

Engine::~Engine() {
  close();
}

void Engine::check_open() const {
  if (closing_) throw Fault(FaultCode::closed, "The engine is closed.");
  if (broken_) throw *broken_;
}

void Engine::check_role(Role role, const char* what) const {
  if (info_.role == role) return;
  const char* is = info_.role == Role::chat       ? "a chat model"
                   : info_.role == Role::embedder ? "an embedder"
                                                  : "a reranker";
  throw Fault(FaultCode::unsupported, "The plan " + plan_.path + " is " + is + ": it does not " + what + ".");
}

void Engine::check_ids(const std::vector<int32_t>& ids, const char* name) const {
  if (ids.empty()) fail_input(std::string(name) + " is empty.");
  for (const int32_t id : ids) {
    if (id < 0 || id >= info_.vocabulary_size) {
      fail_input(std::string(name) + " holds " + std::to_string(id) + "; the vocabulary has " +
                 std::to_string(info_.vocabulary_size) + " ids.");
    }
  }
}

void Engine::submit(std::shared_ptr<Request> request) {
  request->submitted = Clock::now();
  Lock lock(mutex_);
  check_open();
  request->arrival = num_arrivals_++;
  // One that a person waits for does not wait for a step of prompts that can wait.
  int32_t num_rows = 0;
  bool all_lower = true;
  for (const Flight& flight : flights_) {
    for (const Part& part : flight.parts) {
      num_rows += part.count;
      all_lower = all_lower && part.sequence->priority < request->priority;
    }
  }
  if (all_lower && num_rows >= kAbandonRows) abandon_ = true;
  scheduler_->add(std::move(request));
  wake_.notify_one();
}

std::shared_ptr<Generation> Engine::generate(GenerateRequest asked) {
  check_role(Role::chat, "generate");
  check_ids(asked.ids, "ids");
  const Sampling& sampling = asked.sampling;
  const auto in_range = [](double value, double least, double most) { return value >= least && value <= most; };
  if (asked.max_tokens < 1) fail_input("maxTokens is less than 1.");
  if (!in_range(asked.priority, -1e6, 1e6)) fail_input("priority is not a number from -1000000 to 1000000.");
  if (!in_range(sampling.temperature, 0, 100)) fail_input("sampling.temperature is not between 0 and 100.");
  if (sampling.top_k < 0) fail_input("sampling.topK is negative.");
  if (!in_range(sampling.top_p, 1e-9, 1)) fail_input("sampling.topP is not above 0 and at most 1.");
  if (!in_range(sampling.min_p, 0, 1)) fail_input("sampling.minP is not between 0 and 1.");
  if (!in_range(sampling.repetition_penalty, 0.01, 100)) {
    fail_input("sampling.repetitionPenalty is not between 0.01 and 100.");
  }
  for (const double penalty : {sampling.presence_penalty, sampling.frequency_penalty}) {
    if (!in_range(penalty, -100, 100)) fail_input("A penalty in sampling is not between -100 and 100.");
  }
  std::vector<int32_t> biased;
  for (const auto& [id, bias] : sampling.logit_bias) {
    if (!in_range(bias, -1000, 1000)) fail_input("A number in sampling.logitBias is not between -1000 and 1000.");
    biased.push_back(id);
  }
  if (!biased.empty()) check_ids(biased, "sampling.logitBias");
  std::sort(biased.begin(), biased.end());
  if (std::adjacent_find(biased.begin(), biased.end()) != biased.end()) {
    fail_input("sampling.logitBias names an id twice.");
  }
  if (asked.num_top < -1 || asked.num_top > kMaxTop) {
    fail_input("logProbabilities is not between 0 and " + std::to_string(kMaxTop) + ".");
  }
  const int32_t num_prompt = static_cast<int32_t>(std::min<size_t>(asked.ids.size(), INT32_MAX));
  if (num_prompt >= max_sequence_tokens_) {
    fail_input("ids holds " + std::to_string(asked.ids.size()) +
               " tokens; with one more to generate, this engine holds " + std::to_string(max_sequence_tokens_) + ".");
  }

  auto request = std::make_shared<Request>();
  request->generation = std::make_shared<Generation>();
  request->num_prompt = num_prompt;
  request->tokens = std::move(asked.ids);
  request->max_output = std::min(asked.max_tokens, max_sequence_tokens_ - num_prompt);
  request->max_rows = num_prompt + request->max_output - 1;  // the last token is put out, not computed
  request->tokens.reserve(static_cast<size_t>(request->max_rows) + 1);
  request->stop_ids = std::move(asked.stop_ids);
  request->sampling = sampling;
  for (const auto& [id, bias] : sampling.logit_bias) request->biases.push_back({id, static_cast<float>(bias)});
  request->num_top = std::min(asked.num_top, info_.vocabulary_size);
  request->priority = asked.priority;
  request->speculation = asked.speculation;
  auto generation = request->generation;
  submit(std::move(request));
  return generation;
}

void Engine::cancel(const std::shared_ptr<Generation>& generation, Answer<bool> answer) {
  generation->end();
  Lock lock(mutex_);
  std::shared_ptr<Request> found;
  for (const auto* list : {&scheduler_->running(), &scheduler_->waiting()}) {
    for (const auto& sequence : *list) {
      const auto request = std::static_pointer_cast<Request>(sequence);
      if (request->generation == generation) found = request;
    }
  }
  if (found == nullptr) {  // it is over already
    lock.unlock();
    return answer({std::nullopt, true});
  }
  found->cancelled = true;
  found->cancel_answers.push_back(std::move(answer));
  int32_t num_rows = 0, num_cancelled = 0;
  bool in_step = false;
  for (const Flight& flight : flights_) {
    for (const Part& part : flight.parts) {
      num_rows += part.count;
      if (part.sequence->cancelled) num_cancelled += part.count;
      in_step = in_step || part.sequence == found;
    }
  }
  if (!in_step) {
    drop_cancelled();
    wake_.notify_one();
  } else if (2 * num_cancelled >= num_rows) {
    abandon_ = true;  // most of the step is for nobody
  }
}

void Engine::check_scored(const std::vector<int32_t>& ids) const {
  check_role(Role::chat, "score");
  check_ids(ids, "ids");
  if (ids.size() > static_cast<size_t>(max_sequence_tokens_)) {
    fail_input("ids holds " + std::to_string(ids.size()) + " tokens; this engine holds " +
               std::to_string(max_sequence_tokens_) + ".");
  }
}

void Engine::score(std::vector<int32_t> ids, Answer<std::vector<float>> answer) {
  try {
    check_scored(ids);
    auto request = std::make_shared<Request>();
    request->wants_all = true;
    request->num_prompt = static_cast<int32_t>(ids.size());
    request->max_rows = request->num_prompt - 1;  // what follows the last id is not asked for
    request->log_probabilities.assign(ids.size(), std::nanf(""));
    request->tokens = std::move(ids);
    request->score_answer = answer;
    if (request->max_rows > 0) return submit(std::move(request));
    {
      Lock lock(mutex_);
      check_open();
    }
    answer({std::nullopt, std::move(request->log_probabilities)});
  } catch (...) {
    answer({current_fault(), {}});
  }
}

void Engine::logits(std::vector<int32_t> ids, Answer<std::vector<float>> answer) {
  try {
    check_scored(ids);
    if (ids.size() > kMaxLogits / logits_.size()) {
      fail_input("ids holds " + std::to_string(ids.size()) + " tokens; with this vocabulary, the logits of " +
                 std::to_string(kMaxLogits / logits_.size()) + " are given at once.");
    }
    auto request = std::make_shared<Request>();
    request->wants_all = true;
    request->wants_logits = true;
    request->num_prompt = static_cast<int32_t>(ids.size());
    request->max_rows = request->num_prompt;
    request->log_probabilities.resize(ids.size() * logits_.size());
    ids.push_back(0);  // a scoring's last id has no row of its own
    request->tokens = std::move(ids);
    request->score_answer = answer;
    submit(std::move(request));
  } catch (...) {
    answer({current_fault(), {}});
  }
}

void Engine::embed(std::vector<std::vector<int32_t>> sequences, Answer<std::vector<float>> answer) {
  try {
    check_role(Role::embedder, "embed");
    auto job = std::make_shared<EncodeJob>();
    job->sequences = std::move(sequences);
    job->answer = answer;
    submit(std::move(job));
  } catch (...) {
    answer({current_fault(), {}});
  }
}

void Engine::rerank(std::vector<std::vector<int32_t>> sequences, std::vector<int32_t> first_lengths,
                    Answer<std::vector<float>> answer) {
  try {
    check_role(Role::reranker, "rerank");
    if (first_lengths.size() != sequences.size()) fail_input("firstLengths has not one number for each sequence.");
    for (size_t i = 0; i < sequences.size(); ++i) {
      if (first_lengths[i] < 0 || static_cast<size_t>(first_lengths[i]) > sequences[i].size()) {
        fail_input("firstLengths holds " + std::to_string(first_lengths[i]) + " for a sequence of " +
                   std::to_string(sequences[i].size()) + " tokens.");
      }
    }
    auto job = std::make_shared<EncodeJob>();
    job->sequences = std::move(sequences);
    job->first_lengths = std::move(first_lengths);
    job->answer = answer;
    submit(std::move(job));
  } catch (...) {
    answer({current_fault(), {}});
  }
}

void Engine::submit(std::shared_ptr<EncodeJob> job) {
  for (const auto& ids : job->sequences) {
    check_ids(ids, "A sequence");
    if (ids.size() > static_cast<size_t>(max_sequence_tokens_)) {
      fail_input("A sequence holds " + std::to_string(ids.size()) + " tokens; this engine takes at most " +
                 std::to_string(max_sequence_tokens_) + ".");
    }
  }
  job->results.resize(job->sequences.size() * logits_.size());
  {
    Lock lock(mutex_);
    check_open();
    if (!job->sequences.empty()) {
      encode_jobs_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  job->answer({std::nullopt, {}});
}

void Engine::stats(Answer<EngineStats> answer) {
  EngineStats stats;
  try {
    Lock lock(mutex_);
    check_open();
    stats = stats_;
    stats.ttft_ms = recent_.ttft_ms();
    stats.token_ms = recent_.token_ms();
    stats.latency_ms = recent_.latency_ms();
    stats.num_running = static_cast<int32_t>(scheduler_->running().size());
    stats.num_waiting = static_cast<int32_t>(scheduler_->waiting().size() + encode_jobs_.size());
    stats.kv_pages_total = scheduler_->pool().num_total();
    stats.kv_pages_free = scheduler_->pool().num_free();
    stats.kv_pages_cached = scheduler_->pool().num_cached();
  } catch (...) {
    return answer({current_fault(), {}});
  }
  answer({std::nullopt, stats});
}

void Engine::close() {
  {
    Lock lock(mutex_);
    closing_ = true;
    abandon_ = true;
    wake_.notify_one();
  }
  std::lock_guard one_at_a_time(close_mutex_);
  if (thread_.joinable()) thread_.join();
  tuner_.reset();
  tuning_bench_.reset();
  runner_.reset();
  device_.reset();
  plan_.file.reset();
}

}  // namespace quoth
