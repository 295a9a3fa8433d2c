// Every allocation fails once: the n-th `new` of the process or the n-th buffer of the device, for every n until none
// is left, while an engine is loaded and while it answers. Each time there must be an answer or a fault with a
// sentence, nothing may stay behind, and an engine that was loaded must go on. Prints one line for each way, "ok" or
// "FAILED".
//   quoth_memory_faults <plan>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../../native/engine/engine.h"

namespace {

std::atomic<int64_t> countdown{0};  // 0: nothing fails; n: the n-th from now on does
std::atomic<int64_t> num_live{0};   // blocks of `new`
std::atomic<bool> has_failed{false};

bool fails_now() {
  int64_t left = countdown.load();
  while (left > 0) {
    if (!countdown.compare_exchange_weak(left, left - 1)) continue;
    if (left > 1) return false;
    has_failed = true;
    return true;
  }
  return false;
}

void* take(size_t size, size_t alignment) {
  if (fails_now()) throw std::bad_alloc();
  const size_t whole = (std::max<size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* memory = alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, whole) : std::malloc(whole);
  if (memory == nullptr) throw std::bad_alloc();
  ++num_live;
  return memory;
}

void give_back(void* memory) {
  if (memory == nullptr) return;
  --num_live;
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) {
  return take(size, alignof(std::max_align_t));
}
void* operator new[](size_t size) {
  return take(size, alignof(std::max_align_t));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  try {
    return take(size, alignof(std::max_align_t));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  try {
    return take(size, static_cast<size_t>(alignment));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return operator new(size, alignment, std::nothrow);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void* operator new(size_t size, std::align_val_t alignment) {
  return take(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return take(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  give_back(memory);
}
void operator delete[](void* memory) noexcept {
  give_back(memory);
}
void operator delete(void* memory, size_t) noexcept {
  give_back(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  give_back(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  give_back(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  give_back(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  give_back(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  give_back(memory);
}

namespace {

using namespace quoth;

// -- a CPU whose buffers are counted and fail when they are told to
// -----------------------------------------------------
const Ops* cpu_ops = nullptr;
std::atomic<int64_t> device_countdown{0};
std::atomic<int64_t> num_buffers{0};

Status counted_allocate(Device* device, uint64_t size_bytes, void** memory) {
  if (device_countdown > 0 && --device_countdown == 0) {
    has_failed = true;
    return {Code::out_of_memory, "the test let it fail"};
  }
  const Status status = cpu_ops->allocate(device, size_bytes, memory);
  if (status.ok()) ++num_buffers;
  return status;
}

void counted_release(Device* device, void* memory) {
  --num_buffers;
  cpu_ops->release(device, memory);
}

Status counted_reserve(Device* device, int32_t max_tokens, int32_t max_columns) {
  if (device_countdown > 0 && --device_countdown == 0) {
    has_failed = true;
    return {Code::out_of_memory, "the test let it fail"};
  }
  return cpu_ops->reserve(device, max_tokens, max_columns);
}

Ops counted_ops;

std::unique_ptr<OpenDevice> open_counted_device() {
  auto device = open_device(DeviceChoice::cpu, 1);
  cpu_ops = device->ops;
  counted_ops = *cpu_ops;
  counted_ops.allocate = counted_allocate;
  counted_ops.release = counted_release;
  counted_ops.reserve = counted_reserve;
  device->ops = &counted_ops;
  return device;
}

EngineOptions options_for(const char* plan) {
  EngineOptions options;
  options.plan = plan;
  options.device = DeviceChoice::cpu;
  options.num_threads = 1;
  options.kv_tokens = 256;
  return options;
}

// -- asking, and waiting for the end of the answer
// ----------------------------------------------------------------------
struct Answered {
  std::vector<int32_t> ids;
  bool finished = false;
  std::optional<Fault> fault;
};

GenerateRequest request() {
  GenerateRequest asked;
  for (int32_t i = 0; i < 100; ++i) asked.ids.push_back(i * 7 % 13);
  asked.max_tokens = 40;
  asked.num_top = 2;
  asked.speculation = Speculation::always;
  asked.sampling.temperature = 0.8;
  asked.sampling.frequency_penalty = 0.1;
  asked.sampling.seed = 3;
  return asked;
}

// `fault` also for what `generate` itself throws. The faults are armed by `arm` after the request was made.
Answered run(Engine& engine, const std::function<void()>& arm) {
  Answered answered;
  // What this side needs is there before anything fails.
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  answered.ids.reserve(1000);
  GenerateRequest asked = request();
  std::shared_ptr<Generation> generation;
  arm();
  try {
    generation = engine.generate(std::move(asked));
    while (!over) {
      bool is_there = false;
      Outcome<std::vector<Event>> outcome;
      generation->next([&](Outcome<std::vector<Event>> got) {
        std::lock_guard lock(mutex);
        outcome = std::move(got);
        is_there = true;
        changed.notify_one();
      });
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return is_there; });
      if (outcome.fault) answered.fault = outcome.fault;
      over = outcome.fault.has_value() || outcome.value.empty();
      for (const Event& event : outcome.value) {
        answered.ids.insert(answered.ids.end(), event.ids.begin(), event.ids.end());
        if (event.kind == Event::Kind::finished) answered.finished = true;
      }
    }
  } catch (...) {
    answered.fault = current_fault();
  }
  countdown = 0;
  device_countdown = 0;
  if (generation && !over) {  // this side failed to ask on: it leaves, as a caller does
    engine.cancel(generation, [&](Outcome<bool>) {
      std::lock_guard inner(mutex);
      over = true;
      changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return over; });
  }
  return answered;
}

int num_wrong = 0;

void expect(bool is_right, const std::string& what, int64_t n) {
  if (is_right) return;
  ++num_wrong;
  std::printf("FAILED at %lld: %s\n", static_cast<long long>(n), what.c_str());
}

bool is_clear(const Fault& fault) {
  return fault.code() == FaultCode::out_of_memory && std::string(fault.what()).find("memory") != std::string::npos;
}

// Loads with the n-th allocation failing, for every n.
void try_loads(const char* plan, std::atomic<int64_t>& which, const char* name) {
  const EngineOptions options = options_for(plan);
  int64_t n = 1;
  for (;; ++n) {
    const int64_t live_before = num_live;
    has_failed = false;
    {
      std::optional<Fault> fault;
      {
        auto device = open_counted_device();
        which = n;
        try {
          Engine engine(options, std::move(device));
          which = 0;
        } catch (...) {
          which = 0;
          fault = current_fault();
        }
      }
      expect(!fault || is_clear(*fault), fault ? fault->what() : "", n);
      expect(has_failed || !fault, "it failed by itself", n);
    }
    expect(num_buffers == 0, "buffers stay behind", n);
    const int64_t num_left = num_live - live_before;
    expect(num_left == 0, std::to_string(num_left) + " blocks stay behind", n);
    if (!has_failed) break;
  }
  std::printf("%s: %lld allocations of a load by %s\n", num_wrong == 0 ? "ok" : "FAILED", static_cast<long long>(n - 1),
              name);
}

// Answers with the n-th allocation failing, for every n; the engine must answer rightly afterwards.
void try_answers(const char* plan) {
  const EngineOptions options = options_for(plan);
  const int64_t live_before = num_live;
  {
    Engine engine(options, open_counted_device());
    const std::vector<int32_t> expected = run(engine, [] {}).ids;
    int64_t n = 1, num_faults = 0;
    for (;; ++n) {
      has_failed = false;
      const Answered answered = run(engine, [&] { countdown = n; });
      expect(answered.finished || answered.fault, "neither an end nor a fault", n);
      expect(!answered.fault || is_clear(*answered.fault), answered.fault ? answered.fault->what() : "", n);
      expect(!answered.finished || answered.ids == expected, "other ids", n);
      num_faults += answered.fault ? 1 : 0;
      if (!has_failed) break;
      if (n % 10 == 0) expect(run(engine, [] {}).ids == expected, "other ids afterwards", n);
      EngineStats stats;
      engine.stats([&](Outcome<EngineStats> outcome) { stats = outcome.value; });
      expect(stats.num_running + stats.num_waiting == 0, "a sequence stays behind", n);
      expect(stats.kv_pages_free + stats.kv_pages_cached == stats.kv_pages_total, "a kv page stays behind", n);
    }
    expect(num_faults > 0, "no failure was told", n);
    std::printf("%s: %lld allocations of an answer, %lld told as faults\n", num_wrong == 0 ? "ok" : "FAILED",
                static_cast<long long>(n - 1), static_cast<long long>(num_faults));
  }
  expect(num_buffers == 0, "buffers stay behind", 0);
  const int64_t num_left = num_live - live_before;
  expect(num_left == 0, std::to_string(num_left) + " blocks stay behind", 0);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  { Engine warm(options_for(arguments[1]), open_counted_device()); }  // what the library keeps for ever is there now
  try_loads(arguments[1], countdown, "new");
  try_loads(arguments[1], device_countdown, "the device");
  try_answers(arguments[1]);
  std::printf("%s\n", num_wrong == 0 ? "all ok" : "FAILED");
  return num_wrong == 0 ? 0 : 1;
}
