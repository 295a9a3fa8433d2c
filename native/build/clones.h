// Loops that the compiler turns into vectors: once for each of the newer instruction sets, chosen when the library is
// loaded. Elsewhere they are compiled for the oldest processor. The results are the same bits: no contraction (see
// native/CMakeLists.txt) and no sum whose order depends on the width.
#pragma once

#include <cstdlib>  // says whether this is glibc, whose loader chooses

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define QUOTH_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define QUOTH_CLONES
#endif
