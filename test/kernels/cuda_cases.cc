// The CUDA device itself: memory, refusals, steps that follow each other without a wait.
#include "cuda_backend.h"
#include "harness.h"

namespace quoth::test {
namespace {

struct Opened {
  CudaDevice cuda;
  Opened(int32_t max_tokens, int32_t max_columns) : cuda(make_cuda_device(max_tokens, max_columns)) {}
  ~Opened() { close_cuda_device(cuda.device); }
};

std::string check_memory() {
  Opened opened(8, 64);
  const CudaDevice& cuda = opened.cuda;
  void* memory = nullptr;
  if (!cuda.bare->allocate(cuda.device, 1000, &memory).ok()) return "allocate failed";
  if (reinterpret_cast<uintptr_t>(memory) % 64 != 0) return "memory is not 64-byte aligned";
  const std::string sent(1000, 'q');
  std::string received(1000, ' ');
  cuda.bare->upload(cuda.device, memory, sent.data(), 1000);
  cuda.bare->download(cuda.device, received.data(), memory, 1000);
  cuda.bare->release(cuda.device, memory);
  if (received != sent) return "what came back is not what was sent";
  void* none = nullptr;
  if (cuda.bare->allocate(cuda.device, uint64_t{1} << 60, &none).code != Code::out_of_memory) {
    return "an exabyte was promised";
  }
  return cuda.bare->synchronize(cuda.device).ok() ? "" : "the device did not survive a refused allocation";
}

std::string check_refusals() {
  Opened opened(8, 64);
  const CudaDevice& cuda = opened.cuda;
  Random random(1);
  const TestWeight w = make_weight(Type::q8, 16, 64, random);
  Matrix x(9, 64), out(9, 16), narrow(9, 15);
  x.fill(random, Shape::normal);
  const auto run = [&](Rows from, Rows to) {
    return cuda.ops->linear(cuda.device, from, &w.weight, nullptr, Activation::none, to);
  };
  if (run(x.rows(), out.rows()).code != Code::invalid_input) return "a step larger than was reserved was run";
  if (run(x.rows(), narrow.rows()).code != Code::invalid_input) return "a wrong shape was run";
  Rows none = x.rows(), no_out = out.rows();
  none.num_rows = no_out.num_rows = 0;
  if (!run(none, no_out).ok()) return "a step of no rows failed";
  const std::vector<int32_t> positions(9, 0), first_row = {0, 4, 3, 8};
  Batch batch;
  batch.num_tokens = 8;
  batch.num_sequences = 3;
  batch.first_row = first_row.data();
  const Attention shape{1, 1, 64, 1, 0};
  Rows eight = x.rows();
  eight.num_rows = 8;
  Matrix result(8, 64);
  if (cuda.ops->attention_full(cuda.device, eight, eight, eight, &shape, &batch, result.rows()).code !=
      Code::invalid_input) {
    return "sequences that overlap were run";
  }
  return {};
}

// The integers of a step are sent once and kept: steps that differ in one of them must not see an older one's.
std::string check_steps() {
  Opened opened(8, 64);
  const CudaDevice& cuda = opened.cuda;
  constexpr int32_t kWidth = 64;
  const auto rows = [&](int32_t count) {
    void* memory = nullptr;
    cuda.bare->allocate(cuda.device, sizeof(float) * static_cast<uint64_t>(count) * kWidth, &memory);
    return Rows{static_cast<float*>(memory), count, kWidth, kWidth};
  };
  Random random(7);
  TestWeight table = make_weight(Type::f32, 20, kWidth, random);
  void* on_gpu = nullptr;
  cuda.bare->allocate(cuda.device, sizeof(float) * 20 * kWidth, &on_gpu);
  cuda.bare->upload(cuda.device, on_gpu, table.weight.data, sizeof(float) * 20 * kWidth);
  Weight weight = table.weight;
  weight.data = on_gpu;
  constexpr int32_t kSteps = 40;
  const Rows x = rows(8);
  std::vector<Rows> pooled;
  std::vector<std::vector<int32_t>> all_ids, all_first_rows;
  for (int32_t step = 0; step < kSteps; ++step) {
    std::vector<int32_t> ids, first_row = {0};
    const int32_t num_sequences = 1 + random.below(3);
    for (int32_t b = 0; b < num_sequences; ++b) {
      const int32_t count = 1 + random.below(2);
      for (int32_t i = 0; i < count; ++i) ids.push_back(random.below(20));
      first_row.push_back(static_cast<int32_t>(ids.size()));
    }
    Batch batch;
    batch.num_tokens = static_cast<int32_t>(ids.size());
    batch.ids = ids.data();
    batch.num_sequences = num_sequences;
    batch.first_row = first_row.data();
    Rows some = x;
    some.num_rows = batch.num_tokens;
    pooled.push_back(rows(num_sequences));
    if (!cuda.bare->embed(cuda.device, &weight, &batch, 1, some).ok() ||
        !cuda.bare->pool_mean(cuda.device, some, &batch, pooled.back()).ok()) {
      return "a step failed";
    }
    all_ids.push_back(ids);
    all_first_rows.push_back(first_row);
    std::fill(ids.begin(), ids.end(), -1);  // the caller's arrays are its own again
    std::fill(first_row.begin(), first_row.end(), -1);
  }
  std::string why;
  for (size_t step = 0; step < pooled.size() && why.empty(); ++step) {
    std::vector<float> got(static_cast<size_t>(pooled[step].num_rows) * kWidth);
    cuda.bare->download(cuda.device, got.data(), pooled[step].data, got.size() * sizeof(float));
    for (int32_t b = 0; b < pooled[step].num_rows; ++b) {
      const int32_t first = all_first_rows[step][b], end = all_first_rows[step][b + 1];
      for (int32_t k = 0; k < kWidth && why.empty(); ++k) {
        double mean = 0;
        for (int32_t t = first; t < end; ++t) mean += table.at(all_ids[step][t], k) / (end - first);
        why = compare("mean", b, k, got[static_cast<size_t>(b) * kWidth + k], mean, 1e-5 * (1 + std::abs(mean)));
      }
    }
    if (!why.empty()) why = text("step %zu: ", step) + why;
  }
  for (const Rows& row : pooled) cuda.bare->release(cuda.device, row.data);
  cuda.bare->release(cuda.device, x.data);
  cuda.bare->release(cuda.device, on_gpu);
  return why;
}

}  // namespace

void cuda_cases() {
  run_case("memory of the GPU is aligned, holds what is sent, and ends in out_of_memory, cuda", check_memory);
  run_case("wrong shapes and unreserved sizes are refused, no rows are none, cuda", check_refusals);
  run_case("steps that follow each other see their own ids and sequences, cuda", check_steps);
}

}  // namespace quoth::test
