#include "thread_pool.h"

#include <chrono>

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace quoth::cpu {
namespace {

constexpr uint64_t kInsideMask = 0xffff;
constexpr uint64_t kOpen = 1u << 16;
constexpr uint64_t kNextLoop = 1u << 17;

// Long enough to bridge the gap between two operations of a step, short enough to be nothing against a step.
constexpr std::chrono::microseconds kSpin{60};

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#endif
}

uint64_t loop_number(uint64_t gate) {
  return gate / kNextLoop;
}

}  // namespace

ThreadPool::ThreadPool(int32_t num_threads) {
  try {
    for (int32_t thread = 1; thread < num_threads; ++thread) {
      workers_.emplace_back([this, thread] { work(thread); });
    }
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  stop();
}

void ThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::run_chunks(int32_t thread) {
  for (;;) {
    const int32_t chunk = next_chunk_.fetch_add(1, std::memory_order_relaxed);
    if (chunk >= num_chunks_) return;
    body_(context_, chunk, thread);
  }
}

void ThreadPool::run(int32_t num_chunks, Body body, const void* context) {
  if (num_chunks <= 1 || workers_.empty()) {
    for (int32_t chunk = 0; chunk < num_chunks; ++chunk) body(context, chunk, 0);
    return;
  }
  num_chunks_ = num_chunks;
  body_ = body;
  context_ = context;
  next_chunk_.store(0, std::memory_order_relaxed);
  // Sequentially consistent with num_sleeping_: either this sees the sleeper, or the sleeper sees the open gate.
  gate_.store((loop_number(gate_.load()) + 1) * kNextLoop | kOpen);
  if (num_sleeping_.load() > 0) {
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }
  run_chunks(0);
  gate_.fetch_and(~kOpen);
  for (int32_t spins = 0; (gate_.load(std::memory_order_acquire) & kInsideMask) != 0; ++spins) {
    if (spins < 4000) {
      pause();
    } else {
      std::this_thread::yield();  // the one inside was taken off its core: let it have this one
    }
  }
}

void ThreadPool::work(int32_t thread) {
  uint64_t last_loop = 0;
  for (;;) {
    const auto spin_end = std::chrono::steady_clock::now() + kSpin;
    uint64_t gate = gate_.load(std::memory_order_acquire);
    for (int32_t spins = 0; loop_number(gate) == last_loop && !stopping_.load(std::memory_order_relaxed); ++spins) {
      pause();
      gate = gate_.load(std::memory_order_acquire);
      if (spins % 64 == 63 && std::chrono::steady_clock::now() > spin_end) {
        std::unique_lock lock(mutex_);
        num_sleeping_.fetch_add(1);
        wake_.wait(lock, [&] { return stopping_.load() || loop_number(gate = gate_.load()) != last_loop; });
        num_sleeping_.fetch_sub(1);
      }
    }
    if (stopping_.load(std::memory_order_relaxed)) return;
    last_loop = loop_number(gate);
    bool entered = false;
    while (!entered && (gate & kOpen) != 0 && loop_number(gate) == last_loop) {
      entered = gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel, std::memory_order_acquire);
    }
    if (!entered) continue;
    run_chunks(thread);
    gate_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace quoth::cpu
