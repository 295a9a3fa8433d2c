// How much memory this process could still get, asked of the system: the one place here that knows systems.
#pragma once

#include <cstdint>

namespace quoth::cpu {

// 0 = it cannot be told. Free is what could be had without swapping, with what the system only caches; within the
// limits that a container or service was given (cgroup version 2).
struct MachineMemory {
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
};

MachineMemory read_machine_memory();

}  // namespace quoth::cpu
