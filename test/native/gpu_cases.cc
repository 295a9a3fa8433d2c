// What only a GPU does: choosing ids, as the CPU chooses them; recorded steps, with the bits of steps that are not
// recorded; and what a step costs the host. The shared library quoth_kernels_cuda must lie beside the program. Prints a
// line for each case, "ok <name>" or "FAILED <name>: <why>", and figures after '#'.
//   quoth_gpu_cases <plan>...
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../../native/engine/device.h"
#include "../../native/engine/sampler.h"
#include "../../native/fault.h"
#include "../../native/program/fuse.h"
#include "../../native/program/runner.h"
#include "mistral_shape.h"

using namespace quoth;

namespace {

Program fused(const PlanFile& plan, const Ops& ops) {
  Program program = read_program(plan);
  fuse(program, fusions_of(ops));
  return program;
}

int num_failed = 0;

void report(const std::string& name, const std::string& why) {
  std::printf(why.empty() ? "ok %s\n" : "FAILED %s: %s\n", name.c_str(), why.c_str());
  std::fflush(stdout);
  num_failed += why.empty() ? 0 : 1;
}

void must(const Status& status) {
  if (!status.ok()) throw fault_of(status, "the GPU");
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// -- choosing ids ----------------------------------------------------------------------------------------------------
struct Asked {
  Sampling sampling;
  std::vector<int32_t> tokens;
  int32_t num_output = 0;
  int32_t num_top = -1;
  std::vector<LogitBias> biases;
  std::vector<TokenCount> counts;
  int32_t num_later = 0;  // of the last tokens
};

SampleRow row_of(Asked& asked) {
  const Sampling& sampling = asked.sampling;
  SampleRow row;
  row.temperature = static_cast<float>(sampling.temperature);
  row.top_k = sampling.top_k;
  row.top_p = sampling.top_p;
  row.min_p = sampling.min_p;
  row.repetition_penalty = static_cast<float>(sampling.repetition_penalty);
  row.presence_penalty = sampling.presence_penalty;
  row.frequency_penalty = sampling.frequency_penalty;
  row.seed = sampling.seed;
  row.index = static_cast<uint64_t>(asked.num_output);
  row.num_top = asked.num_top;
  for (const auto& [id, bias] : sampling.logit_bias) asked.biases.push_back({id, static_cast<float>(bias)});
  row.num_biases = static_cast<int32_t>(asked.biases.size());
  row.biases = asked.biases.data();
  const size_t known = asked.tokens.size() - static_cast<size_t>(asked.num_later);
  const size_t first_output = asked.tokens.size() - static_cast<size_t>(asked.num_output);
  for (size_t i = 0; i < known; ++i) {
    const auto found = std::find_if(asked.counts.begin(), asked.counts.end(),
                                    [&](const TokenCount& count) { return count.id == asked.tokens[i]; });
    TokenCount& count =
        found == asked.counts.end() ? asked.counts.emplace_back(TokenCount{asked.tokens[i], 0, 0}) : *found;
    ++count.num_all;
    if (i >= first_output) ++count.num_output;
  }
  row.num_counts = static_cast<int32_t>(asked.counts.size());
  row.counts = asked.counts.data();
  row.num_later = asked.num_later;
  for (int32_t i = 0; i < asked.num_later; ++i) row.later_ids[i] = asked.tokens[known + static_cast<size_t>(i)];
  return row;
}

std::string check_sampling(OpenDevice& gpu, int32_t vocabulary_size, int32_t num_rows, uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](int32_t most) { return static_cast<int32_t>(random() % static_cast<uint32_t>(most)); };
  const size_t width = static_cast<size_t>(vocabulary_size);
  const int32_t stride = vocabulary_size + below(3);  // also rows that do not start at multiples of 16 bytes
  void* memory = nullptr;
  must(gpu.ops->allocate(gpu.device, static_cast<uint64_t>(num_rows) * static_cast<uint64_t>(stride) * 4, &memory));
  std::string why;
  Sampler sampler;
  for (int32_t round = 0; round < 3 && why.empty(); ++round) {
    std::vector<float> logits(static_cast<size_t>(num_rows) * static_cast<size_t>(stride));
    std::vector<Asked> asked(static_cast<size_t>(num_rows));
    std::vector<SampleRow> rows;
    for (int32_t r = 0; r < num_rows; ++r) {
      float* row = logits.data() + static_cast<int64_t>(r) * stride;
      const float spread = std::pow(10.0F, static_cast<float>(below(5)) - 2);
      const int32_t kind = below(8);
      std::normal_distribution<float> normal(0, spread);
      for (size_t i = 0; i < width; ++i) {
        row[i] = normal(random);
        if (kind == 1) row[i] = std::round(row[i] * 4) / 4;  // many are equal
        if (kind == 2 && below(3) == 0) row[i] = below(2) == 0 ? std::nanf("") : -INFINITY;
        if (kind == 3) row[i] = below(2) == 0 ? 0.0F : -0.0F;
        if (kind == 4 && below(100) == 0) row[i] += 30 * spread;
        if (kind == 5) row[i] *= row[i];
      }
      if (kind == 6 && below(4) == 0) row[below(vocabulary_size)] = INFINITY;
      if (kind == 2 && below(4) == 0) std::fill_n(row, width, std::nanf(""));
      Asked& one = asked[static_cast<size_t>(r)];
      Sampling& sampling = one.sampling;
      const double temperatures[] = {0, 0, 0.01, 0.5, 0.8, 1, 1.3, 5, 100, 1e-35};
      sampling.temperature = temperatures[below(10)];
      if (below(2) == 0) sampling.top_k = below(3) == 0 ? 1 + below(vocabulary_size) : 1 + below(100);
      const double shares[] = {1, 1, 0.95, 0.9, 0.5, 0.1, 1e-9, 0.999999};
      sampling.top_p = shares[below(8)];
      const double least[] = {0, 0, 0.05, 0.5, 1, 1e-6};
      sampling.min_p = least[below(6)];
      sampling.seed = static_cast<uint64_t>(random()) << 32 | random();
      if (below(3) == 0) sampling.repetition_penalty = 0.5 + below(100) / 50.0;
      if (below(3) == 0) sampling.presence_penalty = below(100) / 25.0 - 2;
      if (below(3) == 0) sampling.frequency_penalty = below(100) / 25.0 - 2;
      for (int32_t i = below(2) * below(20); i > 0; --i) {
        const int32_t id = below(vocabulary_size);
        const bool is_there = std::any_of(sampling.logit_bias.begin(), sampling.logit_bias.end(),
                                          [&](const auto& bias) { return bias.first == id; });
        if (!is_there) sampling.logit_bias.emplace_back(id, below(200) / 10.0 - 10);
      }
      const int32_t num_tokens = 1 + below(200), range = 1 + below(std::min(vocabulary_size, 150));
      for (int32_t i = 0; i < num_tokens; ++i) one.tokens.push_back(below(range));
      one.num_output = below(num_tokens + 1);
      one.num_later = std::min(one.num_output, below(kMaxLaterIds + 1));
      if (below(3) == 0) one.num_top = below(std::min(kMaxTopIds, vocabulary_size) + 1);
      rows.push_back(row_of(one));
    }
    must(gpu.ops->upload(gpu.device, memory, logits.data(), logits.size() * sizeof(float)));
    must(
        gpu.ops->sample(gpu.device, Rows{static_cast<float*>(memory), num_rows, vocabulary_size, stride}, rows.data()));
    std::vector<SampledRow> found(rows.size());
    must(gpu.ops->read_samples(gpu.device, found.data()));

    for (int32_t r = 0; r < num_rows && why.empty(); ++r) {
      const size_t i = static_cast<size_t>(r);
      const float* row = logits.data() + static_cast<int64_t>(r) * stride;
      const std::vector<float> unchanged(row, row + width);
      std::vector<float> changed = unchanged;
      int32_t id = -1;
      try {
        id = sampler.sample(changed, asked[i].sampling, asked[i].tokens, asked[i].num_output);
      } catch (const Fault&) {
      }
      const std::string place = "round " + std::to_string(round) + " row " + std::to_string(r);
      if (id != found[i].id) {
        why = place + ": " + std::to_string(found[i].id) + " instead of " + std::to_string(id) + " at " +
              std::to_string(asked[i].sampling.temperature) + " k " + std::to_string(asked[i].sampling.top_k) + " p " +
              std::to_string(asked[i].sampling.top_p) + " min " + std::to_string(asked[i].sampling.min_p);
        break;
      }
      const bool is_finite = std::none_of(unchanged.begin(), unchanged.end(), [](float x) { return x == INFINITY; });
      if (id < 0 || asked[i].num_top < 0 || !is_finite) continue;
      const TokenScore expected = token_score(unchanged, id, asked[i].num_top);
      const auto score_of = [&](float logit) {
        return log_probability_of(logit, found[i].best_logit, found[i].weights);
      };
      if (score_of(found[i].logit) != expected.log_probability) why = place + ": another log-probability";
      for (size_t j = 0; j < expected.top.size() && why.empty(); ++j) {
        if (found[i].top_ids[j] != expected.top[j].first ||
            score_of(found[i].top_logits[j]) != expected.top[j].second) {
          why = place + ": another one of the likeliest";
        }
      }
    }
  }
  gpu.ops->release(gpu.device, memory);
  return why;
}

void time_sampling(OpenDevice& gpu, int32_t vocabulary_size, int32_t num_rows, const char* name,
                   const Sampling& sampling) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 2.5F);
  std::vector<float> logits(static_cast<size_t>(vocabulary_size) * static_cast<size_t>(num_rows));
  for (float& logit : logits) logit = normal(random);
  void* memory = nullptr;
  must(gpu.ops->allocate(gpu.device, logits.size() * 4, &memory));
  must(gpu.ops->upload(gpu.device, memory, logits.data(), logits.size() * 4));
  std::vector<Asked> asked(static_cast<size_t>(num_rows));
  std::vector<SampleRow> rows;
  for (Asked& one : asked) {
    one.sampling = sampling;
    one.tokens = {1, 2, 3};
    rows.push_back(row_of(one));
  }
  std::vector<SampledRow> found(rows.size());
  const Rows all{static_cast<float*>(memory), num_rows, vocabulary_size, vocabulary_size};
  constexpr int kTimes = 500;
  // Two in flight: the kernel's own time, as long as it is above the launch's.
  must(gpu.ops->sample(gpu.device, all, rows.data()));
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; ++i) {
    must(gpu.ops->sample(gpu.device, all, rows.data()));
    must(gpu.ops->read_samples(gpu.device, found.data()));
  }
  const double ms = ms_since(start);
  must(gpu.ops->read_samples(gpu.device, found.data()));
  std::printf("# sample %-10s V %6d rows %3d: %6.1f us\n", name, vocabulary_size, num_rows, 1000 * ms / kTimes);
  gpu.ops->release(gpu.device, memory);
}

// -- recorded steps --------------------------------------------------------------------------------------------------
struct Growing {  // a sequence
  int32_t length = 0;
  std::vector<int32_t> pages;
};

struct Arrays {
  std::vector<int32_t> ids, positions, first_row{0}, page_table, output_rows;
  Batch batch;
};

// Adds counts[i] rows to sequence i; every sequence has pages of its own, dealt out in turn.
void grow(Arrays& arrays, std::vector<Growing>& sequences, const std::vector<int32_t>& counts, int32_t vocabulary_size,
          int32_t* next_page) {
  int32_t stride = 1;
  for (size_t i = 0; i < counts.size(); ++i) {
    const int32_t pages = (sequences[i].length + counts[i] + kPageTokens - 1) / kPageTokens;
    while (static_cast<int32_t>(sequences[i].pages.size()) < pages) sequences[i].pages.push_back((*next_page)++);
    while (stride < pages) stride *= 2;
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    for (int32_t j = 0; j < counts[i]; ++j) {
      const int32_t position = sequences[i].length++;
      arrays.ids.push_back((position * 7 + static_cast<int32_t>(i) * 3 + position / 5) % vocabulary_size);
      arrays.positions.push_back(position);
    }
    arrays.output_rows.push_back(static_cast<int32_t>(arrays.ids.size()) - 1);
    arrays.first_row.push_back(static_cast<int32_t>(arrays.ids.size()));
    const size_t end = arrays.page_table.size() + static_cast<size_t>(stride);
    arrays.page_table.insert(arrays.page_table.end(), sequences[i].pages.begin(), sequences[i].pages.end());
    arrays.page_table.resize(end, 0);
  }
  Batch& batch = arrays.batch;
  batch.num_tokens = static_cast<int32_t>(arrays.ids.size());
  batch.ids = arrays.ids.data();
  batch.positions = arrays.positions.data();
  batch.num_sequences = static_cast<int32_t>(arrays.first_row.size()) - 1;
  batch.first_row = arrays.first_row.data();
  batch.page_table = arrays.page_table.data();
  batch.page_table_stride = stride;
  batch.num_outputs = static_cast<int32_t>(arrays.output_rows.size());
  batch.output_rows = arrays.output_rows.data();
}

int64_t num_replayed = 0, num_begun = 0;
const Ops* gpu_ops = nullptr;
Status counted_begin(Device* device, const void* program, const Batch* batch, bool* replayed) {
  const Status status = gpu_ops->begin_step(device, program, batch, replayed);
  ++num_begun;
  if (*replayed) ++num_replayed;
  return status;
}

// `num_before`: pieces of the first sequence's prompt that come before.
std::string check_steps(OpenDevice& gpu, OpenDevice& other, const PlanFile& plan, int num_before) {
  if (plan.role != Role::chat) return "";
  const Capacity capacity{300, 16, 16};
  constexpr int32_t kPages = 64;
  gpu_ops = gpu.ops;
  Ops recorded = *gpu.ops;
  recorded.begin_step = counted_begin;
  Ops plain = *other.ops;
  plain.begin_step = nullptr;
  plain.end_step = nullptr;
  Runner with(plan, fused(plan, *gpu.ops), gpu.device, &recorded, false, capacity, kPages);
  Runner without(plan, fused(plan, *gpu.ops), other.device, &plain, false, capacity, kPages);
  num_replayed = num_begun = 0;

  std::vector<std::vector<int32_t>> steps{{290}, {1}, {0, 30}, {1, 1}, {1, 1}, {2, 1}, {2, 1}, {3, 0, 45}};
  for (int i = 0; i < num_before; ++i) steps.push_back({290});
  for (int i = 0; i < 40; ++i) steps.push_back({1, 1, 1});  // across borders of pages
  for (int i = 0; i < 3; ++i) steps.push_back({8});
  for (int i = 0; i < 3; ++i) steps.push_back({1, 1, 20});
  for (int i = 0; i < 6; ++i) steps.push_back({1});
  for (int i = 0; i < 4; ++i) steps.push_back({1, 1});
  for (int i = 0; i < 4; ++i) steps.push_back({1, 1, 1, 1});
  std::vector<Growing> sequences(4);
  int32_t next_page = 0;
  const std::atomic<bool> never{false};
  const size_t width = static_cast<size_t>(with.output_width());
  for (size_t i = 0; i < steps.size(); ++i) {
    Arrays arrays;
    grow(arrays, sequences, steps[i], plan.vocabulary_size, &next_page);
    if (sequences[0].length > plan.context_tokens) break;
    std::vector<float> found(static_cast<size_t>(arrays.batch.num_outputs) * width), expected(found.size());
    with.start(arrays.batch, never);
    without.start(arrays.batch, never);
    const Batch batch = arrays.batch;
    std::fill(arrays.ids.begin(), arrays.ids.end(), 1 << 30);  // may be changed once the step was started
    std::fill(arrays.page_table.begin(), arrays.page_table.end(), 1 << 20);
    with.read_outputs(0, batch.num_outputs, found.data());
    without.read_outputs(0, batch.num_outputs, expected.data());
    if (std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) != 0) {
      return "other bits in step " + std::to_string(i);
    }
    for (const float number : found) {
      if (number != number) return "not a number in step " + std::to_string(i);
    }
  }
  std::printf("# %lld of %lld steps were replayed\n", static_cast<long long>(num_replayed),
              static_cast<long long>(num_begun));
  return num_replayed >= 20 ? "" : "steps were not replayed";
}

// An operation that cannot be recorded: the step runs without.
std::string check_refusal(OpenDevice& gpu, const std::string& path) {
  const PlanFile plan = open_plan(path);
  if (plan.role != Role::chat) return "";
  gpu_ops = gpu.ops;
  static int32_t num_embeds;
  static bool fails;
  num_embeds = 0;
  Ops hindered = *gpu.ops;
  hindered.embed = [](Device* device, const Weight* table, const Batch* batch, float scale, Rows out) -> Status {
    ++num_embeds;
    if (fails) return {Code::invalid_input, "the test let it fail"};
    const Status status = gpu_ops->synchronize(device);  // not allowed while it is recorded
    return status.ok() ? gpu_ops->embed(device, table, batch, scale, out) : status;
  };
  Runner runner(plan, fused(plan, *gpu.ops), gpu.device, &hindered, false, {16, 16, 16}, 8);
  Runner plain(plan, fused(plan, *gpu.ops), gpu.device, gpu.ops, false, {16, 16, 16}, 8);
  const std::atomic<bool> never{false};
  std::vector<Growing> sequences(1);
  int32_t next_page = 0;
  std::vector<float> found(static_cast<size_t>(runner.output_width())), expected(found.size());
  for (int i = 0; i < 3; ++i) {
    Arrays arrays;
    grow(arrays, sequences, {1}, plan.vocabulary_size, &next_page);
    runner.run(arrays.batch, never);
    runner.read_outputs(0, 1, found.data());
    plain.run(arrays.batch, never);
    plain.read_outputs(0, 1, expected.data());
    if (found != expected) return "other bits";
    fails = true;
    try {
      runner.run(arrays.batch, never);
      return "a failure was not told";
    } catch (const Fault& fault) {
      if (std::string(fault.what()).find("the test let it fail") == std::string::npos) return fault.what();
    }
    fails = false;
  }
  return num_embeds == 7 ? "" : std::to_string(num_embeds) + " calls";  // one more, that was being recorded
}

// What a step of one row costs the host, and from its start to its end.
void time_steps(OpenDevice& gpu, const std::string& path) {
  const PlanFile plan = open_plan(path);
  if (plan.role != Role::chat) return;
  for (const bool is_recorded : {false, true}) {
    Ops ops = *gpu.ops;
    if (!is_recorded) ops.begin_step = nullptr, ops.end_step = nullptr;
    Runner runner(plan, fused(plan, *gpu.ops), gpu.device, &ops, false, {16, 16, 16}, 16);
    const std::atomic<bool> never{false};
    std::vector<Growing> sequences(1);
    int32_t next_page = 0;
    double host_ms = 0, whole_ms = 0, worst_ms = 0;
    SampleRow row;
    SampledRow chosen;
    constexpr int kTimes = 200;
    for (int i = -20; i < kTimes; ++i) {
      Arrays arrays;
      grow(arrays, sequences, {1}, plan.vocabulary_size, &next_page);
      const auto start = std::chrono::steady_clock::now();
      runner.start(arrays.batch, never);
      must(gpu.ops->sample(gpu.device, runner.output(1), &row));
      const double ms = ms_since(start);
      must(gpu.ops->read_samples(gpu.device, &chosen));
      if (i < 0) continue;
      host_ms += ms;
      whole_ms += ms_since(start);
      worst_ms = std::max(worst_ms, ms);
    }
    std::printf("# %s, %zu calls, %s: host %.1f us (worst %.1f), whole %.1f us\n", plan.architecture.c_str(),
                fused(plan, ops).instructions.size(), is_recorded ? "recorded" : "not recorded",
                1000 * host_ms / kTimes, 1000 * worst_ms, 1000 * whole_ms / kTimes);
  }
}

// Decode of a true shape: each step waited for, and each started before the ids of the last are read.
void time_decode(OpenDevice& gpu, int32_t num_layers, const char* name, const test::ModelShape& shape) {
  std::vector<uint8_t> bytes;
  const PlanFile plan = test::mistral_shape(bytes, num_layers, shape);
  const Ops& ops = *gpu.ops;
  const int32_t chunk = std::getenv("QUOTH_CHUNK") != nullptr ? std::atoi(std::getenv("QUOTH_CHUNK")) : 1024;
  const bool is_short = std::getenv("QUOTH_SHORT") != nullptr;
  Runner runner(plan, fused(plan, ops), gpu.device, &ops, false, {1024, 64, 64}, shape.kv_heads > 8 ? 160 : 512);
  std::printf("# a step of 1,024 rows takes %.1f MB, of the %.1f MB that the plan's buffers would\n",
              static_cast<double>(runner.activation_bytes()) / 1e6,
              static_cast<double>(Runner::activation_bytes_of(plan, read_program(plan), {1024, 64, 64})) / 1e6);
  const std::atomic<bool> never{false};
  std::vector<SampleRow> rows;
  std::vector<SampledRow> chosen(64);
  for (const auto& [num_sequences, context] : std::vector<std::pair<int32_t, int32_t>>{
           {1, 0}, {1, 2000}, {1, 2048}, {2, 2000}, {4, 2000}, {8, 256}, {64, 128}}) {
    if ((is_short || shape.kv_heads > 8) && num_sequences > (is_short ? 1 : 4)) continue;
    std::vector<Growing> sequences(static_cast<size_t>(num_sequences));
    int32_t next_page = 0;
    const auto started = std::chrono::steady_clock::now();
    for (int32_t b = 0; b < num_sequences; ++b) {
      for (int32_t left = context; left > 0; left -= chunk) {
        std::vector<int32_t> counts(static_cast<size_t>(num_sequences), 0);
        counts[static_cast<size_t>(b)] = std::min(left, chunk);
        Arrays arrays;
        grow(arrays, sequences, counts, plan.vocabulary_size, &next_page);
        runner.run(arrays.batch, never);
      }
    }
    const double prefill_ms = ms_since(started);
    rows.assign(static_cast<size_t>(num_sequences), SampleRow{});
    std::vector<int32_t> from_last;
    for (int32_t b = 0; b < num_sequences; ++b) from_last.push_back(b);
    double host_ms = 0;
    const auto start = [&](bool is_ahead) {
      Arrays arrays;
      grow(arrays, sequences, std::vector<int32_t>(static_cast<size_t>(num_sequences), 1), plan.vocabulary_size,
           &next_page);
      if (is_ahead) arrays.batch.chosen_ids = from_last.data();
      const auto begun = std::chrono::steady_clock::now();
      runner.start(arrays.batch, never);
      runner.sample(rows);
      host_ms += ms_since(begun);
    };
    const int kTimes = context == 2048 ? 250 : 60;  // as `quoth bench decode`
    constexpr int kWaits = 60;
    double waiting_ms = 0, ahead_ms = 0;
    for (int i = context == 2048 ? kWaits - 1 : -5; i < kWaits; ++i) {
      const auto begun = std::chrono::steady_clock::now();
      start(false);
      runner.read_samples(chosen.data());
      if (i >= 0) waiting_ms += ms_since(begun);
    }
    start(false);
    host_ms = 0;
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < kTimes; ++i) {
      start(true);
      runner.read_samples(chosen.data());
    }
    ahead_ms = ms_since(begun);
    runner.read_samples(chosen.data());
    std::printf(
        "# %s's shape, %2d sequences after %4d: waiting %.3f ms, ahead %.3f ms, host %.1f us; prefill %.1f ms\n", name,
        num_sequences, context, waiting_ms / kWaits, ahead_ms / kTimes, 1000 * host_ms / kTimes, prefill_ms);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const auto guarded = [](const std::string& name, const std::function<std::string()>& run) {
    std::string why;
    try {
      why = run();
    } catch (const Fault& fault) {
      why = fault.what();
    }
    report(name, why);
  };
  try {
    const std::unique_ptr<OpenDevice> gpu = open_device(DeviceChoice::cuda, 0);
    const std::unique_ptr<OpenDevice> other = open_device(DeviceChoice::cuda, 0);
    std::printf("# %s\n", gpu->info.name);
    must(gpu->ops->reserve(gpu->device, 64, 1024));
    const bool is_short = std::getenv("QUOTH_SHORT") != nullptr;
    const bool is_timed =
        std::getenv("QUOTH_MISTRAL") != nullptr || std::getenv("QUOTH_LLAMA13") != nullptr;  // and nothing else
    for (const int32_t size : {1, 7, 97, 1000, 32000, 32001, 151936}) {
      for (const int32_t rows : {1, 24, 60}) {
        if (is_timed || (is_short && size > 1000) || (size > 100000 && rows > 1)) continue;
        guarded("ids chosen from " + std::to_string(size) + ", rows " + std::to_string(rows),
                [&] { return check_sampling(*gpu, size, rows, static_cast<uint32_t>(size + rows)); });
      }
    }
    for (int i = 1; i < count; ++i) {
      guarded(std::string("recorded steps of ") + arguments[i],
              [&] { return check_steps(*gpu, *other, open_plan(arguments[i]), 0); });
      if (is_short) continue;  // a tool would take what is refused for an error
      guarded(std::string("what cannot be recorded, ") + arguments[i],
              [&] { return check_refusal(*gpu, arguments[i]); });
    }
    // True widths, whose steps of few rows are one kernel; contexts of one split and of many.
    guarded("recorded steps of two layers of Mistral's shape", [&] {
      std::vector<uint8_t> bytes;
      const PlanFile plan = test::mistral_shape(bytes, 2);
      return check_steps(*gpu, *other, plan, is_short ? 1 : 9);
    });
    if (const char* layers = std::getenv("QUOTH_MISTRAL")) time_decode(*gpu, std::atoi(layers), "Mistral-7B", {});
    if (const char* layers = std::getenv("QUOTH_LLAMA13")) {
      time_decode(*gpu, std::atoi(layers), "Llama-2-13B", test::kLlama13Shape);
    }
    if (!is_short) {
      must(gpu->ops->reserve(gpu->device, 64, 1024));
      Sampling warm;
      warm.temperature = 0.8;
      Sampling nucleus = warm;
      nucleus.top_p = 0.95;
      Sampling all = nucleus;
      all.top_k = 40;
      all.min_p = 0.01;
      for (const int32_t rows : {1, 64}) {
        time_sampling(*gpu, 97, rows, "greedy", {});
        time_sampling(*gpu, 32000, rows, "greedy", {});
        time_sampling(*gpu, 32000, rows, "warm", warm);
        time_sampling(*gpu, 32000, rows, "top-p", nucleus);
        time_sampling(*gpu, 32000, rows, "top-k+p", all);
        time_sampling(*gpu, 151936, rows, "greedy", {});
        time_sampling(*gpu, 151936, rows, "top-p", nucleus);
      }
      for (int i = 1; i < count; ++i) time_steps(*gpu, arguments[i]);
    }
  } catch (const Fault& fault) {
    report("the GPU", fault.what());
  }
  std::printf("%s\n", num_failed == 0 ? "all ok" : "FAILED");
  return num_failed == 0 ? 0 : 1;
}
