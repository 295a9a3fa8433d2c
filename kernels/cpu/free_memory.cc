#include "free_memory.h"

#if defined(_WIN32)
#include <windows.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#else
#include <algorithm>
#include <fstream>
#include <string>
#endif

namespace quoth::cpu {

#if defined(_WIN32)

MachineMemory read_machine_memory() {
  MEMORYSTATUSEX status;
  status.dwLength = sizeof status;
  if (!GlobalMemoryStatusEx(&status)) return {};
  return {status.ullAvailPhys, status.ullTotalPhys};
}

#elif defined(__APPLE__)

MachineMemory read_machine_memory() {
  MachineMemory memory;
  size_t size = sizeof memory.total_bytes;
  if (sysctlbyname("hw.memsize", &memory.total_bytes, &size, nullptr, 0) != 0) return {};
  vm_statistics64_data_t pages;
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  if (host_statistics64(mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count) ==
      KERN_SUCCESS) {
    const uint64_t reusable = uint64_t{pages.free_count} + pages.inactive_count + pages.purgeable_count;
    memory.free_bytes = reusable * vm_kernel_page_size;
  }
  return memory;
}

#else

namespace {

// The number after `name` in a file of lines "name number"; 0 when it is not there.
uint64_t number_in(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  uint64_t number = 0;
  while (file >> word) {
    if (word == name) return file >> number ? number : 0;
  }
  return 0;
}

// A file of one number; 0 when it is not there or says "max".
uint64_t number_of(const std::string& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : 0;
}

// The group's folder of this process, "" when there is none.
std::string group_folder() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("0::/", 0) == 0) return "/sys/fs/cgroup" + line.substr(3);
  }
  return "";
}

}  // namespace

MachineMemory read_machine_memory() {
  MachineMemory memory{number_in("/proc/meminfo", "MemAvailable:") * 1024,
                       number_in("/proc/meminfo", "MemTotal:") * 1024};
  // A group is limited by those above it, too; inside a container the folder may be named as outside and not be there.
  for (std::string folder = group_folder(); folder.size() >= 14;) {
    const uint64_t limit = number_of(folder + "/memory.max");
    if (limit > 0) {
      const uint64_t used = number_of(folder + "/memory.current");
      // Pages of files, such as a plan that is mapped already, are given back when they are needed.
      const uint64_t files =
          number_in(folder + "/memory.stat", "inactive_file") + number_in(folder + "/memory.stat", "active_file");
      const uint64_t taken = used - std::min(used, files);
      memory.total_bytes = std::min(memory.total_bytes, limit);
      memory.free_bytes = std::min(memory.free_bytes, limit > taken ? limit - taken : 1);
    }
    if (folder.size() == 14 || folder == "/sys/fs/cgroup/") break;
    folder.resize(std::max<size_t>(14, folder.rfind('/')));
  }
  return memory;
}

#endif

}  // namespace quoth::cpu
