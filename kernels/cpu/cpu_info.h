// What the processor says of itself (cpuid).
#pragma once

#include <cstdint>

namespace quoth::cpu {

struct CpuInfo {
  char name[128] = "CPU";
  bool avx2 = false;         // with FMA and F16C
  bool avx_vnni = false;     // and AVX2: Alder Lake, Zen 5 and later
  bool avx512_vnni = false;  // F, BW, VL, DQ, VBMI and VNNI: Ice Lake, Zen 4 and later
  int32_t num_cores = 1;     // physical, of those this process may use
};

CpuInfo read_cpu_info();

}  // namespace quoth::cpu
