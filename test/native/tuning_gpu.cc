// Tuning, the planned memory, and failing allocations on a GPU, with a model of Mistral-7B's shape. The shared library
// quoth_kernels_cuda must lie beside the program. Prints "ok <name>" or "FAILED <name>: <why>", and figures after '#'.
//   quoth_tuning_gpu tune [layers] | memory | faults | full
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../../native/engine/memory_plan.h"
#include "../../native/engine/tuning_bench.h"
#include "../../native/fault.h"
#include "../../native/program/fuse.h"
#include "mistral_shape.h"

using namespace quoth;

namespace {

int num_failed = 0;

void report(const std::string& name, const std::string& why) {
  std::printf(why.empty() ? "ok %s\n" : "FAILED %s: %s\n", name.c_str(), why.c_str());
  std::fflush(stdout);
  num_failed += why.empty() ? 0 : 1;
}

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Program fused(const PlanFile& plan, const Ops& ops) {
  Program program = read_program(plan);
  fuse(program, fusions_of(ops));
  return program;
}

double free_mb(const OpenDevice& gpu) {
  uint64_t free_bytes = 0, total_bytes = 0;
  (void)gpu.ops->memory(gpu.device, &free_bytes, &total_bytes);
  return static_cast<double>(free_bytes) / 1e6;
}

// A step of sequences with so many rows each, all new, and a logit row of each.
struct Step {
  std::vector<int32_t> ids, positions, first_row{0}, page_table, output_rows;
  Batch batch;
};
Step step_of(int32_t num_sequences, int32_t num_rows, int32_t first_position) {
  Step step;
  const int32_t stride = static_cast<int32_t>(
      std::bit_ceil(static_cast<uint32_t>((first_position + num_rows + kPageTokens - 1) / kPageTokens)));
  int32_t next_page = 0;
  for (int32_t b = 0; b < num_sequences; ++b) {
    for (int32_t t = 0; t < num_rows; ++t) {
      step.ids.push_back((b * 131 + t * 7919) % 32000);
      step.positions.push_back(first_position + t);
    }
    step.first_row.push_back(static_cast<int32_t>(step.ids.size()));
    step.output_rows.push_back(static_cast<int32_t>(step.ids.size()) - 1);
    for (int32_t page = 0; page < stride; ++page) step.page_table.push_back(next_page++);
  }
  step.batch.num_tokens = static_cast<int32_t>(step.ids.size());
  step.batch.ids = step.ids.data();
  step.batch.positions = step.positions.data();
  step.batch.num_sequences = num_sequences;
  step.batch.first_row = step.first_row.data();
  step.batch.page_table = step.page_table.data();
  step.batch.page_table_stride = stride;
  step.batch.num_outputs = num_sequences;
  step.batch.output_rows = step.output_rows.data();
  return step;
}

std::vector<float> logits_of(Runner& runner, const Step& step) {
  const std::atomic<bool> never{false};
  runner.run(step.batch, never);
  std::vector<float> found(static_cast<size_t>(step.batch.num_outputs) * static_cast<size_t>(runner.output_width()));
  runner.read_outputs(0, step.batch.num_outputs, found.data());
  return found;
}

// Of several, the least: milliseconds of a whole step, replayed where steps are recorded.
double ms_of(Runner& runner, const Step& step) {
  const std::atomic<bool> never{false};
  double least = 1e9;
  for (int i = 0; i < 12; ++i) {
    const double start = now_ms();
    runner.run(step.batch, never);
    if (i >= 3) least = std::min(least, now_ms() - start);
  }
  return least;
}

constexpr struct {
  int32_t sequences, rows;
} kSteps[] = {{1, 1}, {1, 5}, {8, 1}, {16, 1}, {32, 1}, {64, 1}, {1, 100}, {1, 256}, {1, 700}, {1, 1024}};

void tune(OpenDevice& gpu, int32_t num_layers) {
  std::vector<uint8_t> bytes;
  const PlanFile plan = test::mistral_shape(bytes, num_layers);
  Runner runner(plan, fused(plan, *gpu.ops), gpu.device, gpu.ops, false, {1024, 256, 256}, 512);
  std::vector<Step> steps;
  for (const auto& one : kSteps) steps.push_back(step_of(one.sequences, one.rows, 0));
  std::vector<std::vector<float>> logits;
  std::vector<double> before;
  for (const Step& step : steps) {
    logits.push_back(logits_of(runner, step));
    before.push_back(ms_of(runner, step));
  }

  // All pages are free, in some order.
  const auto free_pages = [](int32_t count) {
    std::vector<int32_t> pages;
    for (int32_t i = 0; i < std::min(count, 512); ++i) pages.push_back((i * 37 + 11) % 512);
    return pages;
  };
  DeviceBench bench(gpu, runner, 512, free_pages);
  double longest = 0;
  const double start = now_ms();
  Tuner tuner(bench, bench.tunables(), {}, 60'000, now_ms);
  while (!tuner.is_done()) {
    const double from = now_ms();
    (void)tuner.step();
    longest = std::max(longest, now_ms() - from);
  }
  const TuningReport& told = tuner.report();
  std::printf("# %s, driver %s, kernels %s, %d multiprocessors\n", gpu.info.name, gpu.info.driver, gpu.info.kernels,
              gpu.info.num_multiprocessors);
  std::printf("# %d of %d tasks, %d timings, %.0f ms, longest slice %.1f ms, %d changed, gain %.2f %%\n",
              told.num_measured, told.num_tasks, told.num_timings, now_ms() - start, longest, told.num_changed,
              100 * told.gain);
  report("all was measured", told.state == TuningReport::State::tuned ? "" : told.reason);
  for (const TunedWay& way : tuner.found()) {
    if (way.way == kOwnWay) continue;
    std::printf("# %dx%d%s, %d pages, %d..%d rows: way %d, %.2f -> %.2f us (%.1f %%)\n", way.of.num_rows,
                way.of.num_columns, way.of.is_gated ? " gated" : "", way.of.num_pages, way.least_rows, way.most_rows,
                way.way, 1e3 * way.own_ms, 1e3 * way.ms, 100 * (1 - way.ms / way.own_ms));
  }

  // Every way of every shape and some numbers of rows, its bits.
  int32_t num_ways = 0, num_other = 0;
  for (const Tunable& of : bench.tunables()) {
    for (const int32_t rows : {1, 3, 4, 8, 9, 65, 129, 256, 1000}) {
      if (rows > of.most_rows) continue;
      const std::vector<float> own = bench.sample(of, rows, kOwnWay);
      for (int32_t way = 0; way < bench.count_ways(of, rows); ++way) {
        if (!bench.time(of, rows, way, 1)) continue;
        const std::vector<float> other = bench.sample(of, rows, way);
        ++num_ways;
        if (std::memcmp(own.data(), other.data(), own.size() * sizeof(float)) != 0) ++num_other;
      }
    }
  }
  std::printf("# %d ways compared\n", num_ways);
  report("every way gives the same bits", num_other == 0 ? "" : std::to_string(num_other) + " do not");

  std::string why;
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::vector<float> tuned = logits_of(runner, steps[i]);
    bool is_number = true;
    for (const float number : tuned) is_number = is_number && std::isfinite(number);
    if (!is_number || std::memcmp(tuned.data(), logits[i].data(), tuned.size() * sizeof(float)) != 0) {
      why = "other logits of " + std::to_string(steps[i].batch.num_tokens) + " rows";
    }
    const double after = ms_of(runner, steps[i]);
    std::printf("# a step of %d x %d rows: %.3f -> %.3f ms (%+.1f %%)\n", kSteps[i].sequences, kSteps[i].rows,
                before[i], after, 100 * (after / before[i] - 1));
  }
  report("tuned and untuned give the same logits", why);
}

// What was planned beside what is really taken.
void memory(OpenDevice& gpu) {
  uint64_t free_bytes = 0, total_bytes = 0;
  (void)gpu.ops->memory(gpu.device, &free_bytes, &total_bytes);
  std::printf("# %.0f MB are gone before anything is loaded\n", static_cast<double>(total_bytes - free_bytes) / 1e6);
  std::vector<uint8_t> bytes;
  const PlanFile plan = test::mistral_shape(bytes, 32);
  const Program program = fused(plan, *gpu.ops);
  EngineOptions options;
  options.kv_tokens = 8192;
  const MemoryPlan planned = plan_memory(options, plan, program, gpu);
  const double before_all = free_mb(gpu);
  std::printf("# %s\n", planned.sentence.c_str());
  // Each kind of memory by itself, then a whole load, twice: what a process takes only once is not of the second.
  const auto staged = [&](const char* what, const auto& work) {
    const double from = free_mb(gpu);
    work();
    std::printf("# %s: %.1f MB\n", what, from - free_mb(gpu));
  };
  void* small = nullptr;
  const float one = 1;
  staged("the first allocation", [&] { (void)gpu.ops->allocate(gpu.device, 4, &small); });
  staged("the first copy", [&] { (void)gpu.ops->upload(gpu.device, small, &one, 4); });
  staged("giving it back", [&] { gpu.ops->release(gpu.device, small); });
  staged("scratch", [&] { (void)gpu.ops->reserve(gpu.device, planned.capacity.tokens, program.max_columns); });
  for (const char* which : {"first", "second"}) {
    const double start = free_mb(gpu);
    {
      Runner runner(plan, program, gpu.device, gpu.ops, false, planned.capacity, planned.num_pages);
      const double loaded = free_mb(gpu);
      for (int32_t i = 0; i < 60; ++i) (void)logits_of(runner, step_of(1 + i % 30, 1, 64 * (i / 30)));
      (void)logits_of(runner, step_of(1, 1024, 0));
      (void)logits_of(runner, step_of(1, 200, 0));
      const double ran = free_mb(gpu);
      std::printf("# %s load: %.0f MB, with many recorded steps %.0f MB\n", which, start - loaded, start - ran);
    }
    std::printf("# closed: %.1f MB of it stay\n", start - free_mb(gpu));
  }
  (void)gpu.ops->memory(gpu.device, &free_bytes, &total_bytes);
  {
    Runner runner(plan, program, gpu.device, gpu.ops, false, planned.capacity, planned.num_pages);
    for (int32_t i = 0; i < 60; ++i) (void)logits_of(runner, step_of(1 + i % 30, 1, 64 * (i / 30)));
    (void)logits_of(runner, step_of(1, 1024, 0));
    const double taken = before_all - free_mb(gpu);
    const double needed = static_cast<double>(planned.needed_bytes()) / 1e6;
    std::printf("# planned %.0f MB: activations %.0f, scratch and recorded steps %.0f; taken %.0f MB\n", needed,
                static_cast<double>(planned.activation_bytes) / 1e6, static_cast<double>(planned.working_bytes) / 1e6,
                taken);
    report("no more is taken than was planned", taken <= needed + 1 ? "" : "it takes more");
    report("what was planned is near what is taken", needed <= 1.08 * taken ? "" : "it takes much less");
  }
}

const Ops* gpu_ops = nullptr;
int64_t countdown = 0;  // the allocation that fails; 0: none
int64_t num_buffers = 0;
bool has_failed = false;

bool fails_now() {
  if (countdown == 0 || --countdown != 0) return false;
  has_failed = true;
  return true;
}

Ops failing_ops(const Ops& ops) {
  gpu_ops = &ops;
  Ops failing = ops;
  failing.allocate = [](Device* device, uint64_t size_bytes, void** memory) -> Status {
    if (fails_now()) return {Code::out_of_memory, "the test let it fail"};
    const Status status = gpu_ops->allocate(device, size_bytes, memory);
    if (status.ok()) ++num_buffers;
    return status;
  };
  failing.release = [](Device* device, void* memory) {
    --num_buffers;
    gpu_ops->release(device, memory);
  };
  failing.reserve = [](Device* device, int32_t max_tokens, int32_t max_columns) -> Status {
    if (fails_now()) return {Code::out_of_memory, "the test let it fail"};
    return gpu_ops->reserve(device, max_tokens, max_columns);
  };
  return failing;
}

// The n-th allocation fails, for each n.
void faults(OpenDevice& gpu) {
  std::vector<uint8_t> bytes;
  const PlanFile plan = test::mistral_shape(bytes, 1);
  const Ops failing = failing_ops(*gpu.ops);
  const Step step = step_of(2, 20, 0);
  std::vector<float> expected;
  {
    Runner runner(plan, fused(plan, failing), gpu.device, &failing, false, {64, 8, 8}, 8);
    expected = logits_of(runner, step);
  }
  const double start = free_mb(gpu);
  std::string why;
  int64_t n = 1;
  for (;; ++n) {
    has_failed = false;
    countdown = n;
    try {
      Runner runner(plan, fused(plan, failing), gpu.device, &failing, false, {64, 8, 8}, 8);
      countdown = 0;
      if (has_failed) why = "a failure was not told";
      if (logits_of(runner, step) != expected) why = "other logits afterwards";
    } catch (const Fault& fault) {
      countdown = 0;
      if (fault.code() != FaultCode::out_of_memory || !has_failed) why = fault.what();
      if (std::string(fault.what()).find("memory") == std::string::npos) why = fault.what();
    }
    if (num_buffers != 0) why = std::to_string(num_buffers) + " buffers stay behind";
    if (!has_failed) break;
  }
  const double lost = start - free_mb(gpu);
  std::printf("# %lld allocations failed once each; %.1f MB less free\n", static_cast<long long>(n - 1), lost);
  if (why.empty() && lost > 4) why = "memory stays behind";
  report("any allocation of a load may fail on the GPU, and the next load works", why);
}

// A GPU that is full for real, up to so many megabytes: loads, scratch, the code of kernels and recorded steps.
void full(OpenDevice& gpu) {
  std::vector<uint8_t> bytes;
  const PlanFile plan = test::mistral_shape(bytes, 1);
  const Program program = fused(plan, *gpu.ops);
  const Step steps[] = {step_of(1, 1, 0), step_of(2, 20, 0)};
  const double need = (static_cast<double>(plan.weight_bytes) +
                       static_cast<double>(Runner::activation_bytes_of(plan, program, {64, 8, 8}))) /
                      1e6;
  std::vector<float> expected;
  std::string why;
  int32_t num_refused = 0, num_late = 0, num_run = 0;
  const auto attempt = [&]() -> std::string {
    std::unique_ptr<Runner> runner;
    try {
      runner = std::make_unique<Runner>(plan, program, gpu.device, gpu.ops, false, Capacity{64, 8, 8}, 8);
    } catch (const Fault& fault) {
      ++num_refused;
      return fault.code() == FaultCode::out_of_memory ? "" : fault.what();
    }
    try {
      for (const Step& step : steps) {
        const std::vector<float> found = logits_of(*runner, step);
        if (&step != &steps[1]) continue;
        if (expected.empty()) expected = found;
        if (found != expected) return "other logits";
      }
      ++num_run;
    } catch (const Fault& fault) {
      ++num_late;
      std::printf("# late: %s\n", fault.what());
      if (runner->device_lost()) return std::string("the device is lost: ") + fault.what();
      return fault.code() == FaultCode::out_of_memory ? "" : fault.what();
    }
    return "";
  };
  for (double left = 0; left < need + 400 && why.empty(); left += left < need ? need / 6 : 16) {
    std::vector<void*> ballast;
    const double to_take = free_mb(gpu) - left;
    for (double taken = 0; taken + 2 <= to_take;) {  // in pieces: the last ones may not fit in one
      const double size = std::min(4096.0, to_take - taken);
      void* memory = nullptr;
      if (!gpu.ops->allocate(gpu.device, static_cast<uint64_t>(size * 1e6), &memory).ok()) break;
      ballast.push_back(memory);
      taken += size;
    }
    why = attempt();
    for (void* memory : ballast) gpu.ops->release(gpu.device, memory);
  }
  std::printf("# %d loads refused, %d steps failed, %d ran\n", num_refused, num_late, num_run);
  if (why.empty()) why = attempt();
  if (why.empty() && (num_refused == 0 || num_run == 0)) why = "not both were seen";
  report("a GPU that is full refuses, and goes on when there is room again", why);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  try {
    const auto gpu = open_device(DeviceChoice::cuda, 0);
    if (what == "tune") tune(*gpu, count > 2 ? std::atoi(arguments[2]) : 32);
    if (what == "memory") memory(*gpu);
    if (what == "faults") faults(*gpu);
    if (what == "full") full(*gpu);
  } catch (const std::exception& error) {
    report(what, error.what());
  }
  return num_failed == 0 ? 0 : 1;
}
