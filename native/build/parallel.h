// One loop over blocks of a tensor, on all cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace quoth {

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
