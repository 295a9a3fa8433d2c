// Which rows a step has: the scheduler and the limit that it is given, against what they promise. On a GPU alone do
// steps depend on what others took, so an engine on a processor does not show it. Prints a line for each case:
// "ok <name>" or "FAILED <name>".
#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "../../native/engine/scheduler.h"
#include "../../native/engine/step_limit.h"

using namespace quoth;

namespace {

int num_failed = 0;

void report(const char* name, bool is_right) {
  std::printf("%s %s\n", is_right ? "ok" : "FAILED", name);
  num_failed += is_right ? 0 : 1;
}

// A scheduler with what runs in it: each step is done at once, and every token that is wanted is a 1.
struct Service {
  Scheduler scheduler{4096, 1024, 512, 512};
  std::vector<std::shared_ptr<Sequence>> all;

  explicit Service(StepRows rows) { scheduler.limit_step(rows); }
  void ask(int32_t count, int32_t num_prompt, double priority = 0) {
    for (int32_t i = 0; i < count; ++i) {
      auto sequence = std::make_shared<Sequence>();
      sequence->num_prompt = num_prompt;
      // No two begin alike: nothing comes from the cache.
      sequence->tokens.assign(static_cast<size_t>(num_prompt), 1000 + static_cast<int32_t>(all.size()));
      sequence->max_rows = num_prompt + 300;
      sequence->priority = priority;
      sequence->arrival = all.size();
      all.push_back(sequence);
      scheduler.add(std::move(sequence));
    }
  }
  std::vector<Part> step() {
    std::vector<Part> parts = scheduler.schedule();
    for (const Part& part : parts) {
      if (part.wants_last) part.sequence->tokens.push_back(1);
    }
    scheduler.complete(parts);
    return parts;
  }
};

int32_t rows_of(const std::vector<Part>& parts) {
  int32_t rows = 0;
  for (const Part& part : parts) rows += part.count;
  return rows;
}
int32_t generating_in(const std::vector<Part>& parts) {
  return static_cast<int32_t>(std::count_if(parts.begin(), parts.end(),
                                            [](const Part& part) { return part.first >= part.sequence->num_prompt; }));
}

constexpr StepRows kGpu{1024, 500, 1024, 256, 48, 4};

void limit_cases() {
  StepLimit cpu(256, false);
  cpu.learn(256, 1000);
  report("a processor's steps stay as they are",
         cpu.rows() == 256 && cpu.step_rows().beside == 32 && cpu.step_rows().tile == 1 && cpu.step_rows().many == 0);

  StepLimit gpu(1024, true);
  report("a GPU begins with few rows", gpu.rows() == 256);
  gpu.learn(256, 8);
  report("it grows to twice of what was tried", gpu.rows() == 512);
  gpu.learn(512, 13);
  gpu.learn(1024, 25);
  report("it grows to what there is room for", gpu.rows() == 1024);
  report("beside those that generate: half of what takes 45 ms, whatever there is room for",
         gpu.step_rows().beside > 900 && gpu.step_rows().beside_fewer == 1024);
  gpu.learn(100, 7);
  report("a small step says nothing of a large one", gpu.rows() == 1024);
  gpu.learn(1024, 90);
  report("a step that took too long makes the next ones smaller", gpu.rows() == 512);
  StepLimit slow(1024, true);
  slow.learn(256, 60);
  report("of fewer rows than two tiles it takes what fits", slow.rows() == 192 && slow.step_rows().most == 192);
}

void step_cases() {
  {
    Service service(kGpu);
    service.ask(20, 100);
    const std::vector<Part> parts = service.step();
    report("prompts fill a step", rows_of(parts) == 1024 && parts.size() == 11);
  }
  {
    Service service(kGpu);
    service.ask(40, 10);
    service.step();
    service.ask(10, 200);
    const std::vector<Part> parts = service.step();
    report("while more generate than wait, prompts have their part, and the step whole tiles",
           generating_in(parts) == 40 && rows_of(parts) == 512);
  }
  {
    Service service(kGpu);
    service.ask(5, 10);
    service.step();
    service.ask(10, 200);
    const std::vector<Part> parts = service.step();
    report("while fewer generate than wait, a step is as large as it may be",
           generating_in(parts) == 5 && rows_of(parts) == 1024);
  }
  {
    Service service(kGpu);
    service.ask(60, 10);
    service.step();
    service.ask(40, 200);
    std::vector<int32_t> generating;
    for (int32_t i = 0; i < 6; ++i) generating.push_back(generating_in(service.step()));
    report("many that generate rest for four steps, then all go on",
           generating[0] == 0 && generating[3] == 0 && generating[4] >= 60 && generating[5] == 0);
  }
  {
    Service service(kGpu);
    service.ask(60, 10, 1);
    service.step();
    service.ask(40, 200, 0);
    report("they do not rest for what is less urgent", generating_in(service.step()) == 60);
  }
  {
    Service service(kGpu);
    service.ask(60, 10);
    service.step();
    report("they do not rest for nobody", generating_in(service.step()) == 60);
  }
  {
    Service service({256, 32, 32, 1, 0, 0});
    service.ask(100, 10);
    for (int32_t i = 0; i < 40; ++i) service.step();
    service.ask(3, 200);
    const std::vector<Part> parts = service.step();
    report("on a processor nobody rests, and a prompt has its small part",
           generating_in(parts) == 100 && rows_of(parts) == 132);
  }
  {
    Service service(kGpu);
    service.ask(300, 60);
    int32_t num_steps = 0;
    const auto is_done = [](const auto& one) { return one->tokens.size() >= 100; };
    while (!std::all_of(service.all.begin(), service.all.end(), is_done) && num_steps < 1000) {
      if (service.step().empty()) break;
      ++num_steps;
    }
    report("all come to their end", std::all_of(service.all.begin(), service.all.end(), is_done));
  }
}

}  // namespace

int main() {
  limit_cases();
  step_cases();
  std::printf(num_failed == 0 ? "all ok\n" : "%d failed\n", num_failed);
  return num_failed == 0 ? 0 : 1;
}
