#include "cpu_info.h"

#include <algorithm>
#include <cstring>
#include <thread>

#if QUOTH_X86
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#include <immintrin.h>
#endif

namespace quoth::cpu {

#if QUOTH_X86
namespace {

struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t part) {
  Registers out;
#if defined(_MSC_VER)
  int values[4] = {};
  __cpuidex(values, static_cast<int>(leaf), static_cast<int>(part));
  out = {static_cast<uint32_t>(values[0]), static_cast<uint32_t>(values[1]), static_cast<uint32_t>(values[2]),
         static_cast<uint32_t>(values[3])};
#else
  __cpuid_count(leaf, part, out.a, out.b, out.c, out.d);
#endif
  return out;
}

// XCR0: which registers the operating system saves for each thread.
uint64_t saved_registers() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

bool bit(uint32_t word, int index) {
  return ((word >> index) & 1u) != 0;
}

}  // namespace

CpuInfo read_cpu_info() {
  CpuInfo info;
  const uint32_t num_leaves = cpuid(0, 0).a;
  const Registers basic = cpuid(1, 0);
  if (num_leaves >= 7 && bit(basic.c, 27)) {  // OSXSAVE
    const uint64_t saved = saved_registers();
    const Registers extended = cpuid(7, 0);
    const bool fma_and_f16c = bit(basic.c, 12) && bit(basic.c, 29);
    info.avx2 = (saved & 0x6) == 0x6 && bit(basic.c, 28) && bit(extended.b, 5) && fma_and_f16c;
    if (extended.a >= 1) info.avx_vnni = info.avx2 && bit(cpuid(7, 1).a, 4);
    info.avx512_vnni = info.avx2 && (saved & 0xe6) == 0xe6 && bit(extended.b, 16) /* F */ &&
                       bit(extended.b, 17)                                                                   /* DQ */
                       && bit(extended.b, 30) /* BW */ && bit(extended.b, 31) /* VL */ && bit(extended.c, 1) /* VBMI */
                       && bit(extended.c, 11) /* VNNI */;
  }
  if (cpuid(0x80000000u, 0).a >= 0x80000004u) {
    char brand[49] = {};
    for (uint32_t part = 0; part < 3; ++part) {
      const Registers words = cpuid(0x80000002u + part, 0);
      std::memcpy(brand + 16 * part, &words, 16);
    }
    const char* start = brand;
    while (*start == ' ') ++start;
    size_t length = std::strlen(start);
    while (length > 0 && start[length - 1] == ' ') --length;
    std::memcpy(info.name, start, length);
    info.name[length] = '\0';
  }
  const int32_t num_logical = static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  int32_t threads_per_core = 1;
  if (num_leaves >= 0xb) threads_per_core = std::clamp(static_cast<int32_t>(cpuid(0xb, 0).b & 0xffff), 1, 8);
  info.num_cores = std::max(1, num_logical / threads_per_core);
  return info;
}

#else

CpuInfo read_cpu_info() {
  CpuInfo info;
  info.num_cores = static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  return info;
}

#endif

}  // namespace quoth::cpu
