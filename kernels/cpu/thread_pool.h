// Threads that share the chunks of one loop at a time. The caller works too; the others spin for a moment after a loop,
// since the next one usually follows within microseconds, and then sleep: an idle engine uses no processor time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace quoth::cpu {

class ThreadPool {
 public:
  // body(context, chunk, thread): thread is 0 .. num_threads() - 1 and names the scratch that the chunk may use.
  using Body = void (*)(const void* context, int32_t chunk, int32_t thread);

  // Starts num_threads - 1 threads. Throws std::system_error when the system refuses one; none is left running then.
  explicit ThreadPool(int32_t num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t num_threads() const { return static_cast<int32_t>(workers_.size()) + 1; }

  // Runs body for every chunk 0 .. num_chunks - 1, in any order, and returns when all are done. One caller at a time.
  void run(int32_t num_chunks, Body body, const void* context);

 private:
  void work(int32_t thread);
  void run_chunks(int32_t thread);
  void stop();

  // Low 16 bits: threads inside the current loop. Bit 16: the loop may be entered. Above: the number of the loop. A
  // worker that comes too late finds the gate shut and goes back to waiting: the caller never waits for one that is not
  // inside.
  std::atomic<uint64_t> gate_{0};
  std::atomic<int32_t> next_chunk_{0};
  std::atomic<int32_t> num_sleeping_{0};
  std::atomic<bool> stopping_{false};
  int32_t num_chunks_ = 0;
  Body body_ = nullptr;
  const void* context_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

}  // namespace quoth::cpu
