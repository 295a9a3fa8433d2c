// Tuning without a GPU: the tuner with times that are made up and a clock that stands still, the file it is kept in,
// and an engine on a CPU that pretends to have ways to choose from. Prints "ok <name>" or "FAILED <name>: <why>" for
// each.
//   quoth_tuning_cases <plan> <empty folder>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "../../native/engine/engine.h"
#include "../../native/engine/tuning_file.h"
#include "fused_ops.h"

namespace {

using namespace quoth;

int num_failed = 0;

void report(const std::string& name, const std::string& why) {
  std::printf(why.empty() ? "ok %s\n" : "FAILED %s: %s\n", name.c_str(), why.c_str());
  num_failed += why.empty() ? 0 : 1;
}

// The first thing that is not so.
struct Check {
  std::string why;
  void operator()(bool is_right, const std::string& what) {
    if (!is_right && why.empty()) why = what;
  }
};

// -- a device whose times are made up --------------------------------------------------------------------------------
struct FakeBench final : TuningBench {
  int32_t num_ways = 3;
  double now_ms = 0;  // what the clock says: each measurement takes `slice_ms`
  double slice_ms = 1;
  double own_ms = 10;
  std::map<int32_t, double> ms_of;  // of a way; absent: 10
  int32_t missing_way = -2, differing_way = -2, failing_timing = -1;
  int32_t num_timings = 0;
  std::vector<Tunable> asked;  // in the order in which they were first measured
  std::vector<TunedWay> chosen;

  int32_t count_ways(const Tunable&, int32_t) override { return num_ways; }
  std::optional<double> time(const Tunable& of, int32_t, int32_t way, int32_t) override {
    now_ms += slice_ms;
    if (num_timings++ == failing_timing) throw Fault(FaultCode::internal, "the test let it fail");
    if (std::find(asked.begin(), asked.end(), of) == asked.end()) asked.push_back(of);
    if (way == missing_way) return std::nullopt;
    if (way == kOwnWay) return own_ms;
    return ms_of.contains(way) ? ms_of[way] : 10;
  }
  std::vector<float> sample(const Tunable&, int32_t, int32_t way) override {
    return {1, way == differing_way ? 3.0f : 2.0f};
  }
  void choose(const TunedWay& way) override {
    if (way.way >= num_ways) throw Fault(FaultCode::unsupported, "no such way");
    chosen.push_back(way);
  }
};

Tunable shape(int32_t num_rows, uint64_t size_bytes, int32_t most_rows = 1) {
  Tunable of;
  of.type = Type::int4_g128;
  of.num_rows = num_rows;
  of.num_columns = 4096;
  of.most_rows = most_rows;
  of.num_layers = 4;
  of.size_bytes = size_bytes;
  return of;
}

TuningReport tune(FakeBench& bench, const std::vector<Tunable>& of, double budget_ms = 1e9,
                  const std::vector<TunedWay>& known = {}, std::vector<TunedWay>* found = nullptr) {
  Tuner tuner(bench, of, known, budget_ms, [&] { return bench.now_ms; });
  while (tuner.step()) {
  }
  if (found != nullptr) *found = tuner.found();
  return tuner.report();
}

void try_tuner() {
  using State = TuningReport::State;
  {
    Check check;
    FakeBench bench;
    bench.ms_of = {{0, 12}, {1, 8}, {2, 9}};
    const TuningReport told = tune(bench, {shape(100, 10), shape(200, 20)});
    check(told.state == State::tuned && told.num_tasks == 2 && told.num_changed == 2, "not tuned");
    check(bench.chosen.size() == 2 && bench.chosen[0].way == 1 && bench.chosen[1].way == 1, "not the fastest way");
    check(bench.asked.at(0).num_rows == 200, "not the most valuable first");
    check(std::abs(told.gain - 0.2) < 1e-9, "the gain is " + std::to_string(told.gain));
    report("the fastest way is taken, the most valuable shape first", check.why);
  }
  {
    Check check;
    FakeBench bench;
    bench.ms_of = {{0, 9.8}};
    const TuningReport told = tune(bench, {shape(100, 10)});
    check(told.num_changed == 0 && bench.chosen.at(0).way == kOwnWay, "two per cent are noise");
    bench = {};
    bench.ms_of = {{0, 1}};
    bench.differing_way = 0;
    check(tune(bench, {shape(100, 10)}).num_changed == 0, "other bits were taken");
    check(bench.chosen.at(0).way == kOwnWay, "other bits were chosen");
    bench = {};
    bench.ms_of = {{0, 1}, {1, 5}};
    bench.missing_way = 0;
    tune(bench, {shape(100, 10)});
    check(bench.chosen.at(0).way == 1, "a way that is not there");
    report("no way is taken for noise, with other bits, or that is not there", check.why);
  }
  {
    Check check;
    // 2 to begin, 3 ways, 6 to compare: 11 a task. 25 measurements fit: two tasks, and three of the third.
    FakeBench bench;
    bench.ms_of = {{0, 5}};
    std::vector<Tunable> all;
    for (int32_t i = 0; i < 5; ++i) all.push_back(shape(100 + i, 10));
    bench.slice_ms = 1;
    const TuningReport told = tune(bench, all, 25);
    check(told.state == State::stopped && told.num_measured == 2, std::to_string(told.num_measured) + " measured");
    check(bench.num_timings >= 25 && bench.num_timings <= 26, std::to_string(bench.num_timings) + " measurements");
    check(bench.chosen.size() == 2, "more was chosen than was measured");
    check(told.spent_ms <= 26, "longer than its budget");
    report("the budget is respected: what is not reached stays", check.why);
  }
  {
    Check check;
    FakeBench bench;
    bench.ms_of = {{0, 5}};
    bench.failing_timing = 14;
    const TuningReport told = tune(bench, {shape(100, 20), shape(200, 10)});
    check(told.state == State::stopped && told.num_measured == 1, "it went on");
    check(told.reason == "the test let it fail", told.reason);
    bench = {};
    bench.num_ways = 0;
    check(tune(bench, {shape(100, 10)}).state == State::nothing && bench.num_timings == 0, "nothing to choose");
    report("what fails ends the tuning alone", check.why);
  }
  {
    Check check;
    FakeBench bench;
    bench.ms_of = {{2, 5}};
    std::vector<TunedWay> found;
    tune(bench, {shape(100, 20, 64)}, 1e9, {}, &found);
    const size_t num_ranges = row_ranges(64).size();
    check(found.size() == num_ranges, "not each number of rows");
    FakeBench second;
    const TuningReport told = tune(second, {shape(100, 20, 64)}, 1e9, found);
    check(second.num_timings == 0 && told.state == TuningReport::State::tuned, "measured again");
    check(told.num_known == static_cast<int32_t>(num_ranges) && told.num_changed == told.num_known, "not taken over");
    check(second.chosen.size() == num_ranges && second.chosen[0].way == 2, "not chosen");
    for (TunedWay& one : found) one.way = 7;
    FakeBench third;
    check(tune(third, {shape(100, 20, 64)}, 1e9, found).num_known == 0 && third.num_timings > 0, "an unknown way");
    report("what is known is not measured again, what is unknown is", check.why);
  }
  {
    Check check;
    for (const int32_t most : {1, 5, 8, 9, 100, 1024, 1500, 16384}) {
      int32_t next = 1;
      for (const RowRange& rows : row_ranges(most)) {
        check(rows.least == next && rows.most >= rows.least && rows.most <= most, "a gap");
        check((rows.least <= 8) == (rows.most <= 8), "two families of kernels in one range");
        next = rows.most + 1;
      }
      check(next > std::min(most, 4096), "rows are left out");
    }
    report("ranges of rows follow each other within a family", check.why);
  }
}

// -- the file --------------------------------------------------------------------------------------------------------
DeviceInfo some_device() {
  DeviceInfo info{};
  std::snprintf(info.name, sizeof info.name, "NVIDIA \"RTX\" \\ 4090");
  std::snprintf(info.instructions, sizeof info.instructions, "sm_89");
  info.num_multiprocessors = 128;
  std::snprintf(info.driver, sizeof info.driver, "580.159.04");
  std::snprintf(info.kernels, sizeof info.kernels, "0123456789abcdef");
  return info;
}

std::vector<TunedWay> some_ways() {
  std::vector<TunedWay> ways;
  for (int32_t i = 0; i < 3; ++i) ways.push_back({shape(100 + i, 0), 9, 16, i - 1, 0.5, 0.75});
  return ways;
}

std::filesystem::path path_of(const std::string& text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}
std::string read_all(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path_of(path), std::ios::binary).rdbuf();
  return text.str();
}
void write_all(const std::string& path, const std::string& text) {
  std::ofstream(path_of(path), std::ios::binary | std::ios::trunc) << text;
}

void try_file(const std::string& folder) {
  const std::string path = folder + "/\xe5\xb1\xb1\xe7\x94\xb0 \xe5\xa4\xaa\xe9\x83\x8e.plan.tuning.json";
  const DeviceInfo device = some_device();
  {
    Check check;
    check(read_tuning(path, device).empty(), "there is none");
    write_tuning(path, device, some_ways());
    const std::vector<TunedWay> read = read_tuning(path, device);
    check(read.size() == 3, "not all came back");
    for (size_t i = 0; i < read.size(); ++i) {
      const TunedWay was = some_ways()[i];
      check(read[i].way == was.way && read[i].of.num_rows == was.of.num_rows && read[i].least_rows == 9 &&
                read[i].most_rows == 16 && read[i].of.type == was.of.type && read[i].own_ms == 0.75,
            "another way came back");
    }
    report("what is written is read again, under any name", check.why);
  }
  {
    Check check;
    DeviceInfo others[5] = {device, device, device, device, device};
    others[0].name[0] = 'M';
    others[1].instructions[3] = '9';
    others[2].num_multiprocessors = 127;
    others[3].driver[0] = '6';
    others[4].kernels[0] = 'f';
    for (const DeviceInfo& other : others) check(read_tuning(path, other).empty(), "of another device");
    report("a file of another GPU, driver or build is as good as none", check.why);
  }
  {
    Check check;
    const std::string whole = read_all(path);
    const std::string damaged = folder + "/damaged.json";
    for (size_t length = 0; length + 2 < whole.size(); length += 3) {
      write_all(damaged, whole.substr(0, length));
      check(read_tuning(damaged, device).empty(), "half a file was believed");
    }
    for (size_t at = 0; at < whole.size(); at += 5) {
      std::string other = whole;
      other[at] = static_cast<char>(other[at] ^ 0x15);
      write_all(damaged, other);
      for (const TunedWay& way : read_tuning(damaged, device)) {
        check(way.way >= kOwnWay && way.least_rows >= 1 && way.least_rows <= way.most_rows, "a way out of its range");
      }
    }
    const auto replaced = [&](const std::string& from, const std::string& to) {
      std::string other = whole;
      other.replace(other.find(from), from.size(), to);
      write_all(damaged, other);
      return read_tuning(damaged, device).empty();
    };
    check(replaced("\"way\": -1", "\"way\": -2") && replaced("\"way\": -1", "\"way\": 1e99") &&
              replaced("\"tokens\": 16", "\"tokens\": 8") && replaced("int4_g128", "int5") &&
              replaced("\"rows\": 100", "\"rows\": -100") && replaced("\"quothTuning\": 1", "\"quothTuning\": 2") &&
              replaced("\"gated\": false", "\"gated\": 0"),
          "a wrong number was believed");
    write_all(damaged, whole + std::string(2 << 20, ' '));
    check(read_tuning(damaged, device).empty(), "a huge file was read");
    check(read_tuning(folder, device).empty(), "a folder was read");
    report("a damaged file is as good as none", check.why);
  }
  {
    Check check;
    bool is_told = false;
    try {
      write_tuning(folder + "/none/x.json", device, some_ways());
    } catch (const Fault& fault) {
      is_told = fault.code() == FaultCode::io;
    }
    check(is_told, "no fault");
    std::filesystem::create_directory(path_of(folder + "/taken.json"));
    is_told = false;
    try {
      write_tuning(folder + "/taken.json", device, some_ways());
    } catch (const Fault& fault) {
      is_told = fault.code() == FaultCode::io;
    }
    check(is_told, "a folder was replaced");
    for (const auto& one : std::filesystem::directory_iterator(path_of(folder))) {
      check(one.path().extension() != ".new", "something stays behind");
    }
    report("what cannot be written is told, and nothing stays behind", check.why);
  }
}

// -- an engine on a CPU with ways to choose from ---------------------------------------------------------------------
std::atomic<int32_t> num_timed{0}, num_chosen{0}, num_attentions{0};
const Ops* cpu_ops = nullptr;
Ops fake_ops;

std::unique_ptr<OpenDevice> open_fake() {
  auto device = open_device(DeviceChoice::cpu, 1);
  cpu_ops = device->ops;
  fake_ops = test::with_fused_ops(cpu_ops);
  fake_ops.count_ways = [](Device*, const LinearCall*) { return 2; };
  // Times depend on the way alone; the second is faster. The calls are really made.
  fake_ops.time_way = [](Device* of, const LinearCall* calls, int32_t count, int32_t way, double* ms) {
    ++num_timed;
    *ms = (way == 1 ? 1.0 : 2.0) * count;
    for (int32_t i = 0; i < count; ++i) {
      const Status status = test::linear_fused(of, calls[i].x, calls[i].weight, calls[i].bias, calls[i].activation,
                                               &calls[i].fusion, calls[i].out);
      if (!status.ok()) return status;
    }
    return Status{};
  };
  // It writes into the kv pages that it is given: none of them may be somebody's.
  fake_ops.count_attention_ways = [](Device*, const AttentionCall*) { return 2; };
  fake_ops.time_attention_way = [](Device* of, const AttentionCall* calls, int32_t count, int32_t way, double* ms) {
    ++num_attentions;
    *ms = (way == 1 ? 1.0 : 2.0) * count;
    for (int32_t i = 0; i < count; ++i) {
      const AttentionCall& one = calls[i];
      const Status status =
          test::rope_kv_attention(of, one.qkv, one.attention, one.rope, one.batch, one.pages, one.out);
      if (!status.ok()) return status;
    }
    return Status{};
  };
  fake_ops.choose_attention_way = [](Device*, const AttentionCall*, int32_t, int32_t, int32_t) {
    ++num_chosen;
    return Status{};
  };
  fake_ops.choose_way = [](Device*, const LinearCall*, int32_t, int32_t, int32_t) {
    ++num_chosen;
    return Status{};
  };
  device->ops = &fake_ops;
  std::snprintf(device->info.kernels, sizeof device->info.kernels, "fake");
  return device;
}

std::vector<int32_t> answer(Engine& engine, int32_t seed) {
  GenerateRequest asked;
  for (int32_t i = 0; i < 70; ++i) asked.ids.push_back((i * 7 + seed) % 13);
  asked.max_tokens = 20;
  auto generation = engine.generate(std::move(asked));
  std::vector<int32_t> ids;
  for (bool over = false; !over;) {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Outcome<std::vector<Event>>> outcome;
    generation->next([&](Outcome<std::vector<Event>> got) {
      std::lock_guard lock(mutex);
      outcome = std::move(got);
      changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return outcome.has_value(); });
    over = outcome->fault.has_value() || outcome->value.empty();
    for (const Event& event : outcome->value) ids.insert(ids.end(), event.ids.begin(), event.ids.end());
  }
  return ids;
}

TuningReport told_by(Engine& engine) {
  TuningReport told;
  engine.stats([&](Outcome<EngineStats> outcome) { told = outcome.value.tuning; });
  return told;
}

// Looks now and then: who asks all the time keeps the engine from its work.
void wait_for(Engine& engine) {
  while (told_by(engine).state == TuningReport::State::tuning) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void try_engine(const std::string& plan, const std::string& folder) {
  using State = TuningReport::State;
  EngineOptions options;
  options.plan = plan;
  options.device = DeviceChoice::cpu;
  options.num_threads = 1;
  options.kv_tokens = 2048;
  options.step_tokens = 32;
  std::vector<std::vector<int32_t>> expected;
  Check check;
  {
    Engine plain(options);
    check(told_by(plain).state == State::nothing, "a CPU has something to tune");
    for (int32_t seed = 0; seed < 12; ++seed) expected.push_back(answer(plain, seed));
  }
  check(!std::filesystem::exists(path_of(tuning_path_of(plan))), "a CPU wrote a file");
  options.tuning_file = folder + "/engine.json";
  {
    Engine tuned(options, open_fake());
    // Asked while it tunes, and after it.
    for (size_t seed = 0; seed < expected.size(); ++seed) {
      check(answer(tuned, static_cast<int32_t>(seed)) == expected[seed], "another answer while it tunes");
    }
    wait_for(tuned);
    const TuningReport told = told_by(tuned);
    // Again, from the pages that were kept meanwhile.
    EngineStats before, after;
    tuned.stats([&](Outcome<EngineStats> outcome) { before = outcome.value; });
    for (size_t seed = 0; seed < expected.size(); ++seed) {
      check(answer(tuned, static_cast<int32_t>(seed)) == expected[seed], "another answer from what was kept");
    }
    tuned.stats([&](Outcome<EngineStats> outcome) { after = outcome.value; });
    check(after.cached_tokens > before.cached_tokens && num_attentions > 0, "nothing was kept, or nothing measured");
    // Attention over more pages than were free is left for another time.
    check(told.state == State::tuned && 2 * told.num_measured > told.num_tasks, "not tuned");
    check(2 * told.num_changed > told.num_measured && told.gain > 0.25, "not the faster way");
    check(answer(tuned, 0) == expected[0], "another answer after it");
  }
  const int32_t timed_once = num_timed;
  check(timed_once > 0 && num_chosen > 0, "nothing was measured");
  {
    Engine again(options, open_fake());
    wait_for(again);
    const TuningReport told = told_by(again);
    check(told.state == State::tuned && 2 * told.num_known > told.num_tasks && num_timed == timed_once,
          "measured again");
    check(answer(again, 1) == expected[1], "another answer with what was known");
  }
  options.tunes = false;
  {
    Engine off(options, open_fake());
    check(told_by(off).state == State::off && answer(off, 2) == expected[2] && num_timed == timed_once, "not off");
  }
  report("an engine tunes when nobody asks, once, and answers the same", check.why);

  check = {};
  options.tunes = true;
  options.tuning_file = folder + "/left.json";
  { Engine left(options, open_fake()); }  // closed at once: what was measured is kept, half a task is not
  for (const TunedWay& way : read_tuning(options.tuning_file, open_fake()->info)) check(way.way == 1, "half a task");
  options.tuning_file = folder + "/none/x.json";
  {
    Engine engine(options, open_fake());
    wait_for(engine);
    check(answer(engine, 3) == expected[3], "a file that cannot be written");
  }
  report("an engine that is closed meanwhile, or cannot write, goes on", check.why);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  try_tuner();
  try_file(arguments[2]);
  try_engine(arguments[1], arguments[2]);
  std::printf("%s\n", num_failed == 0 ? "all ok" : "FAILED");
  return num_failed == 0 ? 0 : 1;
}
