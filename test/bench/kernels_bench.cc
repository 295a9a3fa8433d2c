// How fast the linear layers and attention of TinyLlama's shape run: one decode step, small batches, a 512-token
// prefill. Weights are random; every layer has its own, so that a decode step reads all of them from memory, as a model
// does.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "kernels/ops.h"

namespace {

using namespace quoth;

constexpr int32_t kHidden = 2048, kInner = 5632, kHeads = 32, kKvHeads = 4, kHeadSize = 64, kVocabulary = 32000;
constexpr int32_t kLayers = 22;
constexpr int32_t kMaxTokens = 512;
constexpr int8_t kCodebook[16] = {-43, -25, -8, 8, 25, 43, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10};

// Processor time of all threads: what the work costs when other programs take turns on the same cores.
double processor_time() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr const char* kTypeNames[] = {"f32", "f16", "q8", "q4", "int4_g32", "int4_g128", "f8"};

uint64_t bytes_of(Type type, int32_t num_rows, int32_t num_columns) {
  if (type == Type::f16) return uint64_t{2} * num_rows * num_columns;
  if (type == Type::f8) return static_cast<uint64_t>(f8_scales_offset(num_rows, num_columns)) + uint64_t{4} * num_rows;
  const uint64_t num_records = static_cast<uint64_t>(num_rows + 15) / 16 * (num_columns / record_columns(type));
  return num_records * static_cast<uint64_t>(record_bytes(type));
}
uint64_t bytes_of(const Weight& w) {
  return bytes_of(w.type, w.num_rows, w.num_columns);
}

struct Bench {
  Device* device = nullptr;
  const Ops* ops = nullptr;
  DeviceInfo info{};
  std::vector<void*> owned;

  void check(Status status) {
    if (status.ok()) return;
    std::fprintf(stderr, "%s\n", status.message);
    std::exit(1);
  }
  void* memory(uint64_t size_bytes) {
    void* made = nullptr;
    check(ops->allocate(device, size_bytes, &made));
    owned.push_back(made);
    return made;
  }
  Rows rows(int32_t num_rows, int32_t width) {
    float* data = static_cast<float*>(memory(sizeof(float) * static_cast<uint64_t>(num_rows) * width));
    for (int64_t i = 0; i < static_cast<int64_t>(num_rows) * width; ++i)
      data[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
    return {data, num_rows, width, width};
  }
  Weight weight(Type type, int32_t num_rows, int32_t num_columns) {
    const uint64_t size_bytes = bytes_of(type, num_rows, num_columns);
    uint16_t* data = static_cast<uint16_t*>(memory(size_bytes));
    uint64_t state = 88172645463325252ull;
    for (uint64_t i = 0; i < size_bytes / 2; ++i) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      data[i] = static_cast<uint16_t>(state & 0x83ff) | 0x2000;  // as halves: small and finite
      if (type == Type::f8) data[i] |= 0x0040;                   // few weights are below the normal numbers
    }
    return {type, num_rows, num_columns, data, type == Type::q4 ? kCodebook : nullptr};
  }
};

// One decoder layer of every type, in turns, so that what else the machine does meets all alike: the least processor
// time of each, and beside it that of q4 as a ratio (above 1: faster than q4).
void compare_types(Bench& bench) {
  constexpr Type kTypes[] = {Type::q4, Type::q8, Type::int4_g32, Type::int4_g128, Type::f8, Type::f16};
  constexpr int32_t kNumTypes = 6, kCopies = 4;  // copies: more than a third-level cache holds
  std::vector<Weight> weights[kNumTypes];
  for (int32_t i = 0; i < kNumTypes; ++i) {
    for (int32_t copy = 0; copy < kCopies; ++copy) {
      weights[i].push_back(bench.weight(kTypes[i], 2 * kInner, kHidden));
      weights[i].push_back(bench.weight(kTypes[i], kHidden, kInner));
    }
  }
  const Rows x = bench.rows(kMaxTokens, kHidden), inner = bench.rows(kMaxTokens, kInner);
  const Rows wide = bench.rows(kMaxTokens, 2 * kInner), out = bench.rows(kMaxTokens, kHidden);
  for (const int32_t tokens : {1, 2, 4, 6, 8, 12, 24, 48, 256}) {
    double least[kNumTypes];
    std::fill(least, least + kNumTypes, 1e9);
    const int32_t copies = tokens > 4 ? 1 : kCopies;
    for (int32_t round = 0; round < (tokens > 48 ? 8 : 40); ++round) {
      for (int32_t i = 0; i < kNumTypes; ++i) {
        const double start = processor_time();
        for (int32_t copy = 0; copy < copies; ++copy) {
          const auto first = [tokens](Rows rows) {
            rows.num_rows = tokens;
            return rows;
          };
          const Weight& up = weights[i][2 * static_cast<size_t>(copy)];
          const Weight& down = weights[i][2 * static_cast<size_t>(copy) + 1];
          bench.check(bench.ops->linear(bench.device, first(x), &up, nullptr, Activation::none, first(wide)));
          bench.check(bench.ops->linear(bench.device, first(inner), &down, nullptr, Activation::none, first(out)));
        }
        least[i] = std::min(least[i], processor_time() - start);
      }
    }
    for (int32_t i = 0; i < kNumTypes; ++i) {
      const double bytes = static_cast<double>(copies) * (bytes_of(weights[i][0]) + bytes_of(weights[i][1]));
      const double products = 3.0 * kHidden * kInner * copies * tokens;
      std::printf("T=%-3d %-9s  %5.1f GB/s  %6.1f GMAC/s  %.2f of q4's speed\n", tokens,
                  kTypeNames[static_cast<int32_t>(kTypes[i])], bytes / least[i] / 1e9, products / least[i] / 1e9,
                  least[0] / least[i]);
    }
  }
}

void bench_linear(Bench& bench, Type type) {
  struct Layer {
    Weight qkv, out, gate_up, down;
  };
  std::vector<Layer> layers;
  uint64_t size_bytes = 0;
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    layers.push_back({bench.weight(type, kHidden + 2 * kKvHeads * kHeadSize, kHidden),
                      bench.weight(type, kHidden, kHidden), bench.weight(type, 2 * kInner, kHidden),
                      bench.weight(type, kHidden, kInner)});
    const Layer& made = layers.back();
    size_bytes += bytes_of(made.qkv) + bytes_of(made.out) + bytes_of(made.gate_up) + bytes_of(made.down);
  }
  const Weight head = bench.weight(type, kVocabulary, kHidden);
  const Rows x = bench.rows(kMaxTokens, kHidden), qkv = bench.rows(kMaxTokens, kHidden + 512);
  const Rows inner = bench.rows(kMaxTokens, kInner), gate_up = bench.rows(kMaxTokens, 2 * kInner);
  const Rows hidden = bench.rows(kMaxTokens, kHidden), logits = bench.rows(16, kVocabulary);
  const auto first = [](Rows rows, int32_t count) {
    rows.num_rows = count;
    return rows;
  };
  for (const int32_t tokens : {1, 2, 4, 8, 12, 16, 32, 128, 512}) {
    double best = 1e9;
    std::vector<double> times;
    double least_processor = 1e9;
    for (int32_t repeat = 0; repeat < (tokens <= 16 ? 9 : 3); ++repeat) {
      const double start = now();
      const double processor_start = processor_time();
      for (const Layer& layer : layers) {
        const auto run = [&](Rows from, const Weight& w, Rows to) {
          bench.check(
              bench.ops->linear(bench.device, first(from, tokens), &w, nullptr, Activation::none, first(to, tokens)));
        };
        run(x, layer.qkv, qkv);
        run(x, layer.out, hidden);
        run(x, layer.gate_up, gate_up);
        run(inner, layer.down, hidden);
      }
      const int32_t outputs = tokens <= 16 ? tokens : 1;
      bench.check(
          bench.ops->linear(bench.device, first(x, outputs), &head, nullptr, Activation::none, first(logits, outputs)));
      times.push_back(now() - start);
      least_processor = std::min(least_processor, processor_time() - processor_start);
    }
    std::sort(times.begin(), times.end());
    best = times.front();
    const double median = times[times.size() / 2];
    const double bytes = static_cast<double>(size_bytes + bytes_of(head));
    const double products = 969e6 * tokens + 65.5e6 * (tokens <= 16 ? tokens : 1);
    std::printf(
        "linear %s T=%-3d  %8.2f ms (best %.2f)  %7.1f tok/s (best %.1f)  %5.1f GB/s  %6.1f GMAC/s, %.1f per core\n",
        kTypeNames[static_cast<int32_t>(type)], tokens, median * 1e3, best * 1e3, tokens / median, tokens / best,
        bytes / best / 1e9, products / best / 1e9, products / least_processor / 1e9);
  }
}

void bench_attention(Bench& bench) {
  const int32_t num_pages = 40;
  const uint64_t pool = uint64_t{2} * num_pages * kKvHeads * 64 * kHeadSize;
  KvPages pages{Type::f16, bench.memory(pool), bench.memory(pool), kKvHeads, kHeadSize};
  std::memset(pages.keys, 0, pool);
  std::memset(pages.values, 0, pool);
  std::vector<int32_t> table(num_pages), positions(kMaxTokens);
  for (int32_t i = 0; i < num_pages; ++i) table[i] = i;
  const Attention shape{kHeads, kKvHeads, kHeadSize, 0.125f, 0};
  const Rows queries = bench.rows(kMaxTokens, kHidden), out = bench.rows(kMaxTokens, kHidden);
  for (const auto& [tokens, before] :
       std::vector<std::pair<int32_t, int32_t>>{{1, 100}, {1, 2000}, {512, 0}, {512, 1500}}) {
    for (int32_t t = 0; t < tokens; ++t) positions[t] = before + t;
    const int32_t first_row[] = {0, tokens};
    Batch batch;
    batch.num_tokens = tokens;
    batch.positions = positions.data();
    batch.num_sequences = 1;
    batch.first_row = first_row;
    batch.page_table = table.data();
    batch.page_table_stride = num_pages;
    Rows some = queries, to = out;
    some.num_rows = to.num_rows = tokens;
    double best = 1e9, least_processor = 1e9;
    for (int32_t repeat = 0; repeat < 5; ++repeat) {
      const double start = now();
      const double processor_start = processor_time();
      for (int32_t layer = 0; layer < kLayers; ++layer)
        bench.check(bench.ops->attention(bench.device, some, &shape, &batch, pages, to));
      best = std::min(best, now() - start);
      least_processor = std::min(least_processor, processor_time() - processor_start);
    }
    std::printf("attention T=%-3d after %-4d  best %8.3f ms for 22 layers (%.3f ms of processor time)\n", tokens,
                before, best * 1e3, least_processor * 1e3);
  }
}

// all-MiniLM-L6-v2's linear layers, f16 weights.
void bench_embedder(Bench& bench) {
  const Weight square = bench.weight(Type::f16, 384, 384), up = bench.weight(Type::f16, 1536, 384);
  const Weight down = bench.weight(Type::f16, 384, 1536);
  const Rows x = bench.rows(kMaxTokens, 384), inner = bench.rows(kMaxTokens, 1536), out = bench.rows(kMaxTokens, 384);
  for (const int32_t tokens : {16, 256, 512}) {
    const auto first = [tokens](Rows rows) {
      rows.num_rows = tokens;
      return rows;
    };
    double best = 1e9, least_processor = 1e9;
    for (int32_t repeat = 0; repeat < 5; ++repeat) {
      const double start = now();
      const double processor_start = processor_time();
      for (int32_t layer = 0; layer < 6; ++layer) {
        for (int32_t i = 0; i < 4; ++i)
          bench.check(bench.ops->linear(bench.device, first(x), &square, nullptr, Activation::none, first(out)));
        bench.check(bench.ops->linear(bench.device, first(x), &up, nullptr, Activation::gelu, first(inner)));
        bench.check(bench.ops->linear(bench.device, first(inner), &down, nullptr, Activation::none, first(out)));
      }
      best = std::min(best, now() - start);
      least_processor = std::min(least_processor, processor_time() - processor_start);
    }
    std::printf("MiniLM linear f16 T=%-3d  best %7.2f ms  %.0f tok/s  %.1f GMAC/s, %.1f per core\n", tokens, best * 1e3,
                tokens / best, 10.6e6 * tokens / best / 1e9, 10.6e6 * tokens / least_processor / 1e9);
  }
}

}  // namespace

// quoth_kernels_bench [threads] [plain|avx2|avx512-vnni|best] [compare|q4|q8|int4_g32|int4_g128|f8]
int main(int count, char** arguments) {
  Bench bench;
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // a run that is cut short still shows what it measured
  const char* instructions = count > 2 && std::strcmp(arguments[2], "best") != 0 ? arguments[2] : nullptr;
  bench.check(
      open_cpu_device(count > 1 ? std::atoi(arguments[1]) : 0, instructions, &bench.device, &bench.ops, &bench.info));
  bench.check(bench.ops->reserve(bench.device, kMaxTokens, kInner));
  std::printf("%s, %s, %d threads\n", bench.info.name, bench.info.instructions, bench.info.num_threads);
  if (count > 3 && std::strcmp(arguments[3], "compare") == 0) {
    compare_types(bench);
  } else {
    Type type = Type::q4;
    for (int32_t i = 1; i < 7; ++i) {
      if (count > 3 && std::strcmp(arguments[3], kTypeNames[i]) == 0) type = static_cast<Type>(i);
    }
    bench_linear(bench, type);
    bench_attention(bench);
    bench_embedder(bench);
  }
  for (void* memory : bench.owned) bench.ops->release(bench.device, memory);
  close_cpu_device(bench.device);
}
