// Steps in flight: an engine on a device that chooses ids itself, and tells them only when it is asked, must give what
// an engine gives that waits for each id. The device is a CPU behind a table of operations that keeps the rules of a
// GPU's. Prints a line for each case: "ok <name>" or "FAILED <name>: <why>".
//   quoth_ahead_cases <plan> [cuda]   a small model with a context of at least 2,000 tokens; with the GPU against
//   itself
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../../native/engine/engine.h"
#include "../../native/fault.h"
#include "fused_ops.h"

using namespace quoth;

namespace {

// -- the device ------------------------------------------------------------------------------------------------------
struct Late {
  const Ops* plain = nullptr;
  int32_t vocabulary_size = 0;
  bool is_in_frame = false;
  std::vector<int32_t> ids;     // of the step, with those that were chosen
  std::vector<int32_t> chosen;  // by the last `sample`
  std::deque<std::vector<SampledRow>> unread;
  int64_t num_begun = 0, num_ahead = 0, num_sampled = 0, num_again = 0;
  int64_t fails_at = 0;  // the n-th `read_samples` or `begin_step` from now; 0: none
  Code fails_with = Code::internal;
  std::deque<std::vector<uint8_t>> downloads;
  int64_t num_at_once = 0;  // downloads started while another was not finished
  std::string broken_rule;
};
Late late;

void rule(bool is_kept, const char* what) {
  if (!is_kept && late.broken_rule.empty()) late.broken_rule = what;
}

bool fails_now() {
  return late.fails_at > 0 && --late.fails_at == 0;
}

Status late_begin(Device*, const void*, const Batch* batch, bool* replayed) {
  rule(!late.is_in_frame, "a step began inside another");
  *replayed = false;
  if (fails_now()) return {late.fails_with, "the test let it fail"};
  late.is_in_frame = true;
  ++late.num_begun;
  late.ids.assign(batch->ids, batch->ids + batch->num_tokens);
  bool is_ahead = false;
  for (int32_t t = 0; batch->chosen_ids != nullptr && t < batch->num_tokens; ++t) {
    if (batch->chosen_ids[t] < 0) continue;
    is_ahead = true;
    rule(batch->chosen_ids[t] < static_cast<int32_t>(late.chosen.size()), "an id that nobody chose");
    late.ids[static_cast<size_t>(t)] = late.chosen[static_cast<size_t>(batch->chosen_ids[t])];
  }
  late.num_ahead += is_ahead ? 1 : 0;
  return {};
}

Status late_end(Device*, bool is_whole, bool* again) {
  rule(late.is_in_frame, "a step ended that had not begun");
  late.is_in_frame = false;
  *again = is_whole && late.num_begun % 11 == 3;  // as if it could not be recorded
  late.num_again += *again ? 1 : 0;
  return {};
}

Status late_embed(Device* device, const Weight* table, const Batch* batch, float scale, Rows out) {
  rule(late.is_in_frame, "an operation outside a step");
  Batch own = *batch;
  own.ids = late.ids.data();
  own.chosen_ids = nullptr;
  return late.plain->embed(device, table, &own, scale, out);
}

// As the CPU chooses, from what the row says instead of from the tokens.
Status late_sample(Device*, Rows logits, const SampleRow* rows) {
  rule(!late.is_in_frame, "sample inside a step");
  rule(late.unread.size() < 2, "three samples unread");
  ++late.num_sampled;
  if (late.num_sampled % 13 == 5) return {Code::unsupported, "not these"};
  std::vector<SampledRow> found;
  std::vector<int32_t> chosen;
  for (int32_t r = 0; r < logits.num_rows; ++r) {
    const SampleRow& row = rows[r];
    const float* from = logits.data + static_cast<int64_t>(r) * logits.stride;
    std::vector<float> copy(from, from + logits.width);
    Sampling sampling;
    sampling.temperature = row.temperature;
    sampling.top_k = row.top_k;
    sampling.top_p = row.top_p;
    sampling.min_p = row.min_p;
    sampling.repetition_penalty = row.repetition_penalty;
    sampling.presence_penalty = row.presence_penalty;
    sampling.frequency_penalty = row.frequency_penalty;
    sampling.seed = row.seed;
    for (int32_t i = 0; i < row.num_biases; ++i) sampling.logit_bias.emplace_back(row.biases[i].id, row.biases[i].bias);
    // Tokens with these counts: those of the prompt alone first. As many output ids as the index says.
    std::vector<int32_t> prompt, output;
    for (int32_t i = 0; i < row.num_counts; ++i) {
      const TokenCount& count = row.counts[i];
      prompt.insert(prompt.end(), static_cast<size_t>(count.num_all - count.num_output), count.id);
      output.insert(output.end(), static_cast<size_t>(count.num_output), count.id);
    }
    for (int32_t i = 0; i < row.num_later; ++i) {
      const int32_t id = row.later_ids[i];
      output.push_back(id >= 0 ? id : late.chosen[static_cast<size_t>(-1 - id)]);
    }
    const bool has_penalties = row.repetition_penalty != 1 || row.presence_penalty != 0 || row.frequency_penalty != 0;
    if (has_penalties) {
      rule(output.size() == row.index, "not every id of the output is counted");
    } else {
      output.assign(row.index, 0);
    }
    std::vector<int32_t> tokens = prompt;
    tokens.insert(tokens.end(), output.begin(), output.end());
    SampledRow& one = found.emplace_back();
    try {
      one.id = Sampler().sample(copy, sampling, tokens, static_cast<int32_t>(output.size()));
    } catch (const Fault&) {
    }
    chosen.push_back(std::max(one.id, 0));
    if (one.id < 0 || row.num_top < 0) continue;
    one.logit = from[one.id];
    one.best_logit = *std::max_element(from, from + logits.width);
    for (int32_t i = 0; i < logits.width; ++i) one.weights += weight_of(one.best_logit - from[i], rate_of(1));
    const TokenScore score = token_score(std::vector<float>(from, from + logits.width), one.id, row.num_top);
    for (size_t i = 0; i < score.top.size(); ++i) {
      one.top_ids[i] = score.top[i].first;
      one.top_logits[i] = from[score.top[i].first];
    }
  }
  late.chosen = chosen;
  late.unread.push_back(found);
  return {};
}

Status late_read(Device*, SampledRow* rows) {
  rule(!late.unread.empty(), "nothing to read");
  if (late.unread.empty()) return {Code::internal, "nothing to read"};
  if (!fails_now()) {
    std::copy(late.unread.front().begin(), late.unread.front().end(), rows);
    late.unread.pop_front();
    return {};
  }
  late.unread.pop_front();
  return {late.fails_with, "the test let it fail"};
}

Status late_start_download(Device*, const void* from, uint64_t size_bytes) {
  rule(!late.is_in_frame, "a download inside a step");
  rule(late.downloads.size() < 2, "three downloads unfinished");
  if (fails_now()) return {late.fails_with, "the test let it fail"};
  if (late.num_begun % 7 == 2) return {Code::unsupported, "not this"};
  late.num_at_once += late.downloads.empty() ? 0 : 1;
  const uint8_t* bytes = static_cast<const uint8_t*>(from);
  late.downloads.emplace_back(bytes, bytes + size_bytes);
  return {};
}

Status late_finish_download(Device*, void* to) {
  rule(!late.downloads.empty(), "nothing to finish");
  if (late.downloads.empty()) return {Code::internal, "nothing to finish"};
  const bool fails = fails_now();
  if (!fails) std::copy(late.downloads.front().begin(), late.downloads.front().end(), static_cast<uint8_t*>(to));
  late.downloads.pop_front();
  return fails ? Status{late.fails_with, "the test let it fail"} : Status{};
}

Ops late_ops, waiting_ops;
bool is_on_gpu = false;
std::chrono::duration<double, std::milli> spent[2];  // by the engine that waits, and by the other

Status counted_begin(Device* device, const void* program, const Batch* batch, bool* replayed) {
  late.num_ahead += batch->chosen_ids != nullptr ? 1 : 0;
  return late.plain->begin_step(device, program, batch, replayed);
}

std::unique_ptr<OpenDevice> open_late_device() {
  if (is_on_gpu) {
    auto device = open_device(DeviceChoice::cuda, 0);
    late = Late{};
    late.plain = device->ops;
    late_ops = *device->ops;
    late_ops.begin_step = counted_begin;
    device->ops = &late_ops;
    return device;
  }
  auto device = open_device(DeviceChoice::cpu, 1);
  late = Late{};
  late.plain = device->ops;
  late_ops = test::with_fused_ops(device->ops);
  late_ops.begin_step = late_begin;
  late_ops.end_step = late_end;
  late_ops.embed = late_embed;
  late_ops.sample = late_sample;
  late_ops.read_samples = late_read;
  late_ops.start_download = late_start_download;
  late_ops.finish_download = late_finish_download;
  device->ops = &late_ops;
  return device;
}

// One whose engine waits for every id.
std::unique_ptr<OpenDevice> open_waiting_device() {
  auto device = open_device(is_on_gpu ? DeviceChoice::cuda : DeviceChoice::cpu, 1);
  waiting_ops = *device->ops;
  waiting_ops.begin_step = nullptr;
  waiting_ops.end_step = nullptr;
  waiting_ops.sample = nullptr;
  waiting_ops.start_download = nullptr;
  device->ops = &waiting_ops;
  return device;
}

// -- asking ----------------------------------------------------------------------------------------------------------
struct Answered {
  std::vector<int32_t> ids;
  std::vector<TokenScore> scores;
  bool finished = false;
  bool stopped = false;
  std::string fault;

  bool operator==(const Answered& other) const {
    const auto same = [](const TokenScore& a, const TokenScore& b) {
      return a.log_probability == b.log_probability && a.top == b.top;
    };
    return ids == other.ids && finished == other.finished && stopped == other.stopped && fault == other.fault &&
           std::equal(scores.begin(), scores.end(), other.scores.begin(), other.scores.end(), same);
  }
};

template <typename Value>
Outcome<Value> waited(const std::function<void(Answer<Value>)>& ask) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Outcome<Value>> got;
  ask([&](Outcome<Value> outcome) {
    std::lock_guard lock(mutex);
    got = std::move(outcome);
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return got.has_value(); });
  return std::move(*got);
}

// Leaves after `most` ids.
Answered listen(Engine& engine, const std::shared_ptr<Generation>& generation, size_t most) {
  Answered answered;
  for (;;) {
    const auto outcome = waited<std::vector<Event>>([&](auto answer) { generation->next(answer); });
    if (outcome.fault) answered.fault = outcome.fault->what();
    if (outcome.fault || outcome.value.empty()) return answered;
    for (const Event& event : outcome.value) {
      answered.ids.insert(answered.ids.end(), event.ids.begin(), event.ids.end());
      answered.scores.insert(answered.scores.end(), event.scores.begin(), event.scores.end());
      if (event.kind == Event::Kind::finished) answered.finished = true, answered.stopped = event.stopped;
    }
    if (answered.ids.size() < most) continue;
    waited<bool>([&](auto answer) { engine.cancel(generation, answer); });
    answered.ids.resize(most);
    answered.scores.resize(std::min(most, answered.scores.size()));
    answered.finished = answered.stopped = false;
    return answered;
  }
}

struct Case {
  std::string name;
  std::vector<GenerateRequest> requests;
  size_t leaves_after = SIZE_MAX;  // the first request's
  int64_t kv_tokens = 4096;
  bool runs_ahead = true;
};

std::vector<Answered> run(Engine& engine, const Case& one) {
  std::vector<Answered> answers(one.requests.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < one.requests.size(); ++i) {
    try {
      const auto generation = engine.generate(one.requests[i]);
      threads.emplace_back(
          [&, i, generation] { answers[i] = listen(engine, generation, i == 0 ? one.leaves_after : SIZE_MAX); });
    } catch (const Fault& fault) {
      answers[i].fault = fault.what();
    }
  }
  for (std::thread& thread : threads) thread.join();
  return answers;
}

std::string all_free(Engine& engine) {
  EngineStats stats;
  engine.stats([&](Outcome<EngineStats> outcome) { stats = outcome.value; });
  if (stats.num_running + stats.num_waiting != 0) return "a sequence stays behind";
  if (stats.kv_pages_free + stats.kv_pages_cached != stats.kv_pages_total) return "a kv page stays behind";
  return "";
}

GenerateRequest request(int32_t num_prompt, int32_t max_tokens, int32_t seed) {
  GenerateRequest asked;
  for (int32_t i = 0; i < num_prompt; ++i) asked.ids.push_back((i * 7 + seed * 5 + i / 3) % 13 + 3);
  asked.max_tokens = max_tokens;
  asked.speculation = Speculation::off;
  asked.sampling.seed = static_cast<uint64_t>(seed);
  return asked;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const char* name, std::vector<GenerateRequest> requests) -> Case& {
    all.push_back({name, std::move(requests)});
    return all.back();
  };
  add("one token", {request(10, 1, 1)}).runs_ahead = false;
  add("two tokens", {request(10, 2, 1)});
  add("greedy, over many pages", {request(60, 300, 2)});
  // Rows of the step before are those of others once the first have ended.
  std::vector<GenerateRequest> endings;
  for (int32_t i = 0; i < 8; ++i) {
    GenerateRequest& one = endings.emplace_back(request(20, 30 + 11 * i, 20 + i));
    one.sampling.temperature = i % 2 == 0 ? 0 : 1.2;
    one.sampling.presence_penalty = i % 3 == 0 ? 0.9 : 0;
  }
  add("one ends after the other", endings);
  GenerateRequest warm = request(33, 200, 3);
  warm.sampling.temperature = 0.9;
  warm.sampling.top_p = 0.95;
  warm.sampling.min_p = 0.01;
  warm.num_top = 5;
  add("warm, with log-probabilities", {warm});
  GenerateRequest penalized = warm;
  penalized.sampling.repetition_penalty = 1.2;
  penalized.sampling.presence_penalty = 0.4;
  penalized.sampling.frequency_penalty = 0.3;
  penalized.sampling.logit_bias = {{5, 1.5}, {9, -1000}};
  add("penalties and a bias", {penalized});
  GenerateRequest stopped = request(20, 500, 4);
  stopped.sampling.temperature = 1;
  stopped.stop_ids = {11};
  add("a stop id", {stopped});
  add("several at once", {request(60, 150, 5), request(7, 120, 6), warm, penalized, stopped, request(64, 64, 7)});
  add("the same prompt several times", {request(200, 90, 8), request(200, 100, 8), request(200, 80, 8)});
  add("one leaves", {request(30, 1000, 9), request(12, 200, 10), warm}).leaves_after = 70;
  add("the only one leaves", {request(30, 1000, 9)}).leaves_after = 50;
  for (const Speculation speculation : {Speculation::automatic, Speculation::always}) {
    std::vector<GenerateRequest> requests = {request(60, 200, 11), penalized, stopped, warm};
    for (GenerateRequest& one : requests) one.speculation = speculation;
    Case& drafted = add(speculation == Speculation::always ? "drafts always" : "drafts where they pay", requests);
    drafted.runs_ahead = speculation == Speculation::automatic;
  }
  std::vector<GenerateRequest> crowd = {request(100, 150, 12), request(90, 150, 13), request(80, 150, 14)};
  crowd[1].priority = 1;
  crowd[2].priority = 2;
  Case& short_of_pages = add("sent back to wait for one of higher priority", crowd);
  short_of_pages.kv_tokens = 320;
  return all;
}

int num_failed = 0;
void report(const std::string& name, const std::string& why) {
  std::printf(why.empty() ? "ok %s\n" : "FAILED %s: %s\n", name.c_str(), why.c_str());
  std::fflush(stdout);
  num_failed += why.empty() ? 0 : 1;
}

EngineOptions options_for(const char* plan, int64_t kv_tokens) {
  EngineOptions options;
  options.plan = plan;
  options.device = DeviceChoice::cpu;
  options.num_threads = 1;
  options.kv_tokens = kv_tokens;
  return options;
}

std::string check(const char* plan, const Case& one) {
  Engine plain(options_for(plan, one.kv_tokens), open_waiting_device());
  const std::vector<Answered> expected = run(plain, one);
  auto start = Clock::now();
  run(plain, one);
  spent[0] = Clock::now() - start;
  Engine engine(options_for(plan, one.kv_tokens), open_late_device());
  for (int again = 0; again < 3; ++again) {
    start = Clock::now();
    const std::vector<Answered> found = run(engine, one);
    spent[1] = Clock::now() - start;
    for (size_t i = 0; i < found.size(); ++i) {
      if (!(found[i] == expected[i])) {
        size_t at = 0;
        while (at < std::min(found[i].ids.size(), expected[i].ids.size()) && found[i].ids[at] == expected[i].ids[at]) {
          ++at;
        }
        return "request " + std::to_string(i) + " has another answer from id " + std::to_string(at) + " of " +
               std::to_string(expected[i].ids.size()) + ", " + found[i].fault;
      }
    }
    if (const std::string left = all_free(engine); !left.empty()) return left;
  }
  engine.close();
  if (!late.broken_rule.empty()) return late.broken_rule;
  if (!late.unread.empty()) return "a sample was not read";
  if (one.runs_ahead && late.num_ahead == 0) return "no step ran ahead";
  return "";
}

// The n-th call fails while steps are in the air.
std::string check_faults(const char* plan, Code code) {
  const Case good{"", {request(60, 40, 5), request(7, 50, 6)}};
  Engine plain(options_for(plan, 4096), open_waiting_device());
  const std::vector<Answered> expected = run(plain, good);
  for (int64_t n = 1; n < 60; ++n) {
    Engine engine(options_for(plan, 4096), open_late_device());
    late.fails_with = code;
    late.fails_at = n;
    const std::vector<Answered> found = run(engine, good);
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i].fault.empty() ? !(found[i] == expected[i]) : found[i].finished) return "a wrong answer";
      const size_t count = std::min(found[i].ids.size(), expected[i].ids.size());
      if (!std::equal(found[i].ids.begin(), found[i].ids.begin() + static_cast<long>(count), expected[i].ids.begin())) {
        return "wrong ids before the fault";
      }
    }
    if (late.fails_at == 0 && found[0].fault.empty() && found[1].fault.empty()) return "a failure was not told";
    late.fails_at = 0;
    if (code == Code::device_lost) {
      try {
        engine.generate(good.requests[0]);
        return "a lost device goes on";
      } catch (const Fault&) {
      }
      continue;
    }
    if (const std::string left = all_free(engine); !left.empty()) return left;
    const std::vector<Answered> after = run(engine, good);
    if (!(after[0] == expected[0]) || !(after[1] == expected[1])) return "other answers afterwards";
  }
  return late.broken_rule;
}

// -- encoders --------------------------------------------------------------------------------------------------------
using Vectors = Outcome<std::vector<float>>;

std::vector<std::vector<int32_t>> texts(int32_t count, int32_t seed) {
  std::vector<std::vector<int32_t>> all;
  for (int32_t i = 0; i < count; ++i) {
    std::vector<int32_t>& ids = all.emplace_back();
    for (int32_t j = 0; j <= (i * 7 + seed) % 40; ++j) ids.push_back((i * 3 + j * 5 + seed) % 60);
  }
  return all;
}

// Several jobs at once, of many steps and of one.
std::vector<Vectors> embed_all(Engine& engine) {
  const std::vector<std::vector<std::vector<int32_t>>> jobs{texts(300, 1), texts(1, 2), texts(120, 3), texts(5, 4)};
  std::vector<Vectors> answers(jobs.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < jobs.size(); ++i) {
    threads.emplace_back(
        [&, i] { answers[i] = waited<std::vector<float>>([&](auto answer) { engine.embed(jobs[i], answer); }); });
  }
  for (std::thread& thread : threads) thread.join();
  return answers;
}

std::string check_embedder(const char* plan) {
  Engine plain(options_for(plan, 0), open_waiting_device());
  const std::vector<Vectors> expected = embed_all(plain);
  {
    Engine engine(options_for(plan, 0), open_late_device());
    for (int again = 0; again < 5; ++again) {
      const std::vector<Vectors> found = embed_all(engine);
      for (size_t i = 0; i < found.size(); ++i) {
        if (found[i].fault || found[i].value != expected[i].value) return "other vectors";
      }
    }
    engine.close();
    if (!late.broken_rule.empty()) return late.broken_rule;
    if (!late.downloads.empty()) return "a download was not finished";
    if (!is_on_gpu && late.num_at_once == 0) return "no step ran ahead";
  }
  for (const Code code : {Code::internal, Code::device_lost}) {
    for (int64_t n = 1; n < 60 && !is_on_gpu; ++n) {
      Engine engine(options_for(plan, 0), open_late_device());
      late.fails_with = code;
      late.fails_at = n;
      std::vector<Vectors> found = embed_all(engine);
      bool was_told = false;
      for (size_t i = 0; i < found.size(); ++i) {
        was_told = was_told || found[i].fault;
        if (!found[i].fault && found[i].value != expected[i].value) return "other vectors beside a fault";
      }
      if (late.fails_at == 0 && !was_told) return "a failure was not told";
      late.fails_at = 0;
      if (code == Code::device_lost) continue;
      found = embed_all(engine);
      for (size_t i = 0; i < found.size(); ++i) {
        if (found[i].fault || found[i].value != expected[i].value) return "other vectors after a fault";
      }
    }
  }
  return late.broken_rule;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3 && count != 4) return 2;
  is_on_gpu = count == 4;
  try {
    for (const Case& one : cases()) {
      report(one.name, check(arguments[1], one));
      if (is_on_gpu) std::printf("# %.1f ms, waiting %.1f ms\n", spent[1].count(), spent[0].count());
    }
    report("an encoder", check_embedder(arguments[2]));
    if (is_on_gpu) {
      std::printf("%s\n", num_failed == 0 ? "all ok" : "FAILED");
      return num_failed == 0 ? 0 : 1;
    }
    report("a step that fails", check_faults(arguments[1], Code::internal));
    report("a device that is lost", check_faults(arguments[1], Code::device_lost));
  } catch (const Fault& fault) {
    report("the engine", fault.what());
  }
  std::printf("%s\n", num_failed == 0 ? "all ok" : "FAILED");
  return num_failed == 0 ? 0 : 1;
}
