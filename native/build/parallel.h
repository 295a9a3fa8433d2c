// One loop of the builder, on all cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace quoth {

inline int32_t num_cores() {
  return std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

// body(item, worker) for every item 0 .. num_items - 1, in any order; worker is 0 .. num_cores() - 1 and names the
// scratch that the call may use. `body` must not throw.
template <typename Body>
void share(int32_t num_items, const Body& body) {
  std::atomic<int32_t> next{0};
  const auto work = [&](int32_t worker) {
    for (int32_t item = next.fetch_add(1); item < num_items; item = next.fetch_add(1)) body(item, worker);
  };
  std::vector<std::thread> helpers;
  const int32_t num_workers = std::min(num_cores(), num_items);
  helpers.reserve(static_cast<size_t>(std::max(0, num_workers)));
  try {
    for (int32_t i = 1; i < num_workers; i++) helpers.emplace_back(work, i);
  } catch (const std::system_error&) {
    // No more threads to be had: those that run, and this one, do the work.
  }
  work(0);
  for (std::thread& helper : helpers) helper.join();
}

// Calls body(block) for every block from 0 to num_blocks - 1, in any order, on several threads, until one returns
// false. Returns whether all returned true. One tensor is packed at a time, so it may take what the machine has; eight
// threads read as fast as disks do.
template <typename Body>
bool for_each_block(int64_t num_blocks, const Body& body) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> sound{true};
  const auto work = [&] {
    while (sound.load(std::memory_order_relaxed)) {
      const int64_t block = next.fetch_add(1);
      if (block >= num_blocks) return;
      if (!body(block)) sound = false;
    }
  };
  const int64_t cores = static_cast<int64_t>(std::thread::hardware_concurrency());
  const int64_t num_workers = std::min({cores, int64_t{8}, num_blocks});
  std::vector<std::thread> helpers;
  helpers.reserve(static_cast<size_t>(std::max(int64_t{1}, num_workers)));
  try {
    for (int64_t i = 1; i < num_workers; i++) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // No more threads to be had: those that run, and this one, do the work.
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  return sound;
}

}  // namespace quoth
