#!/usr/bin/env bash
# Builds the CUDA device and its tests on a machine with a GPU, checks every kernel, and times them. Needs nvcc, CMake and
# a C++20 compiler; no Node, no network. From the repository's root or anywhere:
#   test/bench/gpu.sh [check|sanitize|bench|all]
# Logs go to $OUT (or a temporary folder); what is printed last is short. The GPU's settings are left alone.
set -uo pipefail
cd "$(dirname "$0")/../.."
what=${1:-all}
out=${OUT:-$(mktemp -d)}
build=${QUOTH_GPU_BUILD:-/tmp/quoth-gpu}
failed=0
mkdir -p "$out" "$build"

case $what in check | sanitize | bench | all) ;; *)
  echo "gpu.sh [check|sanitize|bench|all]" >&2
  exit 2
  ;;
esac

capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader -i 0 | tr -d '. ')
[ -n "$capability" ] || { echo "there is no NVIDIA GPU" >&2; exit 77; }
[ "$capability" = 90 ] && architecture=90a || architecture=$capability
jobs=$(nproc)

echo "== build for sm_$architecture"
{
  cmake -S kernels/cuda -B "$build/cuda" -DCMAKE_CUDA_ARCHITECTURES="$architecture-real" &&
    cmake --build "$build/cuda" --parallel "$jobs" &&
    cmake -S kernels -B "$build/kernels" -DQUOTH_TESTS=ON -DCMAKE_BUILD_TYPE=Release &&
    cmake --build "$build/kernels" --target quoth_kernels_test --parallel "$jobs" &&
    nvcc -std=c++20 -O3 -gencode="arch=compute_$architecture,code=sm_$architecture" -I. -o "$build/cuda_bench" \
      test/bench/cuda_bench.cu
} > "$out/build.log" 2>&1 || { tail -40 "$out/build.log"; exit 1; }
library=$build/cuda/libquoth_kernels_cuda.so
tests=$build/kernels/quoth_kernels_test

if [ "$what" = check ] || [ "$what" = all ]; then
  timeout 240 "$tests" --cuda "$library" > "$out/check.log" 2>&1 || failed=1
fi

if [ "$what" = sanitize ] || [ "$what" = all ]; then
  # A subset: each call is many times slower. Every family, both sides of each choice of kernel.
  for tool in memcheck racecheck initcheck synccheck; do
    for only in 'linear q4 [T=9 N=272' 'linear q8 [T=1 N=272' 'linear f16 [T=65 N=272' 'linear f32 [T=8 N=272' \
      'decode and prefill in one step' 'f32 pages' 'attention_full [H=3' 'rope_kv_write f16 [H=4' 'rope [d=80' \
      'linear q4 gives a row the same bits in all' 'add_layer_norm [D=384] of biased' 'embed q4 [V=37 D=128]' 'gated silu [F=37]' 'pool_mean' 'steps that follow' \
      'linear int4_g128 [T=9 N=272' 'linear int4_g32 [T=65 N=272' 'linear f8 [T=8 N=272' 'linear f8 [T=65 N=272' \
      'embed int4_g128 [V=37 D=128]' 'slopes, a cap and a window' 'rms_norm_heads [H=3 d=80] of biased' \
      'soft_cap [cap=30 D=1000]' 'clamp [T=40' 'permute_columns [T=37' 'add_segments f16'; do
      echo "-- $tool: $only"
      timeout 60 compute-sanitizer --tool "$tool" --error-exitcode 9 "$tests" --cuda "$library" --only "$only" || failed=1
    done > "$out/$tool.log" 2>&1
  done
fi

if [ "$what" = bench ] || [ "$what" = all ]; then
  timeout 150 "$build/cuda_bench" "$library" > "$out/bench.log" 2>&1 || failed=1
fi

echo "== $(nvidia-smi --query-gpu=name,driver_version,memory.used,clocks.sm --format=csv,noheader -i 0)"
if [ -f "$out/check.log" ]; then
  grep '^not ok' "$out/check.log" | cut -c1-200 | head -30
  tail -1 "$out/check.log"
fi
for tool in memcheck racecheck initcheck synccheck; do
  [ -f "$out/$tool.log" ] || continue
  echo "$tool: $(grep -c '^-- ' "$out/$tool.log") runs, $(grep -c 'ERROR SUMMARY: 0 errors\|RACECHECK SUMMARY: 0 hazards' "$out/$tool.log") clean, $(grep -c '^not ok' "$out/$tool.log") cases failed"
done
[ -f "$out/bench.log" ] && cat "$out/bench.log"
[ $failed = 0 ] && echo "all passed" || echo "something failed: the logs are in $out"
exit $failed
