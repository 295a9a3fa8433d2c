// What the engine's thread does when nobody asks for anything: it finds out how its device does the plan's linears
// best.
#include "../fault.h"
#include "engine.h"
#include "tuning_file.h"

namespace quoth {
namespace {

// Of the device's time, in all; what is not reached goes on when the plan is loaded again. A 7B model needs a second or
// two on a large GPU.
constexpr double kTuningMs = 20'000;

}  // namespace

void Engine::start_tuning(const EngineOptions& options) {
  // Only this thread takes pages, and it does nothing else during a measurement: what is free stays free.
  const auto free_pages = [this](int32_t count) {
    Lock lock(mutex_);
    return scheduler_->pool().some_free(count);
  };
  tuning_bench_.emplace(*device_, *runner_, plan_.has_kv ? scheduler_->pool().num_total() : 0, free_pages);
  const std::vector<Tunable> tunables = tuning_bench_->tunables();
  if (tunables.empty()) return;
  if (!options.tunes) {
    stats_.tuning.state = TuningReport::State::off;
    return;
  }
  tuning_file_ = options.tuning_file.empty() ? tuning_path_of(options.plan) : options.tuning_file;
  tuner_.emplace(*tuning_bench_, tunables, read_tuning(tuning_file_, device_->info), kTuningMs,
                 [] { return std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count(); });
  stats_.tuning = tuner_->report();
}

// One measurement. False when there is none left to make.
bool Engine::step_tuning(Lock& lock) {
  if (!tuner_ || tuner_->is_done()) return false;
  lock.unlock();
  (void)tuner_->step();
  if (tuner_->is_done()) keep_tuning();
  lock.lock();
  stats_.tuning = tuner_->report();
  if (tuning_bench_->device_lost()) {
    broken_ = Fault(FaultCode::internal, stats_.tuning.reason);
    fail_all(*broken_);
  }
  return true;
}

// A file that cannot be written costs nothing but the same work next time.
void Engine::keep_tuning() {
  if (!tuner_ || !tuner_->has_news()) return;
  try {
    write_tuning(tuning_file_, device_->info, tuner_->found());
    tuner_->forget_news();
  } catch (...) {
  }
}

}  // namespace quoth
