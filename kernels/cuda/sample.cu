// From logits to ids, with the arithmetic of ../chance.h: the same id as native/engine/sampler.cc chooses, to the bit.
//
// A block takes a row. The best logit is one pass. For a random choice a second pass makes a histogram of the
// candidates over their distance from the best, with their number and their weights as whole numbers: so sums do not
// depend on an order. Where a sum reaches what is wanted (the k-th candidate, the share p, the random number) is then a
// bin; its few candidates are brought together, put in order and summed one by one. Where one bin holds too many, as
// when all logits are equal, the place is found bit by bit, with a pass for each.
#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

#include "sample.h"
#include "sample_candidates.h"

namespace quoth::cuda {
namespace {

constexpr int32_t kRowsOfCall = 24;  // that travel with the launch: 4 KB in all
constexpr int32_t kSlots = 2;
constexpr uint64_t kListBytes = uint64_t{1} << 20;
constexpr int64_t kCopyFloats = int64_t{1} << 20;

struct Task {
  SampleRow row;
  float* copy;  // f32 [V] to change instead of the logits, whose own numbers are still wanted; or null
};
struct Call {
  Task tasks[kRowsOfCall];
};
static_assert(sizeof(Call) <= 4000);

}  // namespace

struct SampleBuffers {
  struct Slot {
    uint8_t* lists = nullptr;       // pinned: biases and counts, then rows that do not travel with a launch
    SampledRow* results = nullptr;  // pinned [kMaxChosen]
    cudaEvent_t done = nullptr;
    int32_t num_rows = 0;
  };
  Slot slots[kSlots];
  int32_t num_unread = 0;
  int32_t oldest = 0;
  int32_t* chosen[2] = {};  // [kMaxChosen], in turn
  int32_t last_chosen = 0;
  float* copies = nullptr;  // f32 [kCopyFloats]
};

namespace {

// Block r: row r of the logits. far_tasks: null, or where the tasks are when they do not travel with the launch.
__global__ void __launch_bounds__(kThreads, 1)
    sample_kernel(const __grid_constant__ Call call, const Task* far_tasks, Rows all, const int32_t* chosen_before,
                  int32_t* chosen, SampledRow* results) {
  __shared__ __align__(alignof(Task)) uint32_t far_words[sizeof(Task) / 4];
  if (far_tasks != nullptr && threadIdx.x < sizeof(Task) / 4) {
    far_words[threadIdx.x] = reinterpret_cast<const uint32_t*>(far_tasks + blockIdx.x)[threadIdx.x];
  }
  __syncthreads();
  const Task& task = far_tasks != nullptr ? *reinterpret_cast<const Task*>(far_words) : call.tasks[blockIdx.x];
  const SampleRow& row = task.row;
  wait_for_previous();
  float* own = row_of(all, static_cast<int32_t>(blockIdx.x));
  const bool is_aligned = all.width % 4 == 0 && reinterpret_cast<uintptr_t>(own) % 16 == 0;
  Logits logits{own, all.width, is_aligned};
  SampledRow* result = results + blockIdx.x;
  if (row.num_top >= 0) think(logits, row.num_top, result);
  if (task.copy != nullptr) {
    logits.each([&](int32_t id, float logit) { task.copy[id] = logit; });
    logits.data = task.copy;
  }
  __syncthreads();  // all have read before anything changes
  weaken(logits, row, chosen_before);

  uint64_t key = 0;
  float least = INFINITY;
  logits.each([&](int32_t id, float logit) {
    key = max(key, key_of(logit, id));
    if (logit > -INFINITY) least = fminf(least, logit);
  });
  key = block_most(key);
  const float best = logit_of(key);
  const bool is_number = key != 0 && !isinf(best);
  if (is_number && !(row.temperature < kLeastTemperature)) {
    const float farthest = least < INFINITY ? best - least : 0.0f;
    Candidates candidates(logits, best, farthest, row.temperature, share_of(row.min_p, uint64_t{1} << kWeightBits));
    uint64_t total = candidates.total();
    if (row.top_k > 0 && static_cast<uint32_t>(row.top_k) < candidates.num_candidates()) {
      total = candidates.reach<true>(static_cast<uint64_t>(row.top_k));
    }
    if (row.top_p < 1) total = candidates.reach<false>(share_of(row.top_p, total));
    candidates.reach<false>(upper_product(total, random_bits(row.seed, row.index)) + 1);
    key = shared_memory().cut_key;
  }
  if (threadIdx.x == 0) {
    const int32_t id = is_number ? id_of(key) : -1;
    chosen[blockIdx.x] = max(id, 0);
    result->id = id;
    result->logit = own[max(id, 0)];
  }
}

bool has_penalties(const SampleRow& row) {
  return row.repetition_penalty != 1 || row.presence_penalty != 0 || row.frequency_penalty != 0;
}

bool is_right(const SampleRow& row, int32_t vocabulary_size) {
  const auto is_id = [&](int32_t id) { return id >= 0 && id < vocabulary_size; };
  bool right = row.num_top <= std::min(kMaxTopIds, vocabulary_size) && row.num_later >= 0 &&
               row.num_later <= kMaxLaterIds && row.temperature >= 0 && row.min_p >= 0 && row.min_p <= 1 &&
               row.top_p > 0 && row.top_p <= 1;
  for (int32_t i = 0; right && i < row.num_later; ++i) {
    right = row.later_ids[i] < vocabulary_size && row.later_ids[i] >= -kMaxChosen;
  }
  for (int32_t i = 0; right && i < row.num_biases; ++i) right = is_id(row.biases[i].id);
  for (int32_t i = 0; right && has_penalties(row) && i < row.num_counts; ++i) right = is_id(row.counts[i].id);
  return right;
}

}  // namespace

Status make_samples(Device* device) {
  device->samples = new (std::nothrow) SampleBuffers;
  if (device->samples == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  SampleBuffers& samples = *device->samples;
  Status status;
  const auto take = [&](auto** place, uint64_t size_bytes, bool is_pinned) {
    if (!status.ok()) return;
    void* memory = nullptr;
    status = status_of(device, is_pinned ? cudaMallocHost(&memory, size_bytes) : cudaMalloc(&memory, size_bytes));
    if (status.ok()) *place = static_cast<std::remove_reference_t<decltype(*place)>>(memory);
  };
  for (SampleBuffers::Slot& slot : samples.slots) {
    take(&slot.lists, kListBytes, true);
    take(&slot.results, kMaxChosen * sizeof(SampledRow), true);
    if (status.ok()) status = status_of(device, cudaEventCreateWithFlags(&slot.done, cudaEventDisableTiming));
  }
  for (int32_t*& chosen : samples.chosen) take(&chosen, kMaxChosen * sizeof(int32_t), false);
  take(&samples.copies, kCopyFloats * sizeof(float), false);
  if (!status.ok()) {
    free_samples(device);
    return status;
  }
  device->chosen = samples.chosen[0];
  return status_of(device, cudaMemsetAsync(device->chosen, 0, kMaxChosen * sizeof(int32_t), device->stream));
}

void free_samples(Device* device) {
  if (device->samples == nullptr) return;
  for (SampleBuffers::Slot& slot : device->samples->slots) {
    (void)cudaFreeHost(slot.lists);
    (void)cudaFreeHost(slot.results);
    if (slot.done != nullptr) (void)cudaEventDestroy(slot.done);
  }
  for (int32_t* chosen : device->samples->chosen) (void)cudaFree(chosen);
  (void)cudaFree(device->samples->copies);
  device->chosen = nullptr;
  delete device->samples;
  device->samples = nullptr;
}

Status sample(Device* device, Rows logits, const SampleRow* rows) {
  if (!device->lost.ok()) return device->lost;
  if (device->samples == nullptr) return {Code::invalid_input, "sample: nothing was reserved"};
  SampleBuffers& samples = *device->samples;
  if (is_in_frame(device)) return {Code::internal, "sample: inside a step"};
  if (samples.num_unread == kSlots) return {Code::internal, "sample: what was chosen has not been read"};
  if (logits.num_rows < 1 || logits.num_rows > kMaxChosen || logits.width > kMaxVocabulary) {
    return {Code::unsupported, "sample: more rows or ids than there is room for"};
  }
  SampleBuffers::Slot& slot = samples.slots[(samples.oldest + samples.num_unread) % kSlots];
  const bool is_far = logits.num_rows > kRowsOfCall;
  uint64_t taken = is_far ? sizeof(Task) * static_cast<uint64_t>(logits.num_rows) : 0;
  int64_t copied = 0;
  Call call;
  Task* tasks = is_far ? reinterpret_cast<Task*>(slot.lists) : call.tasks;
  const auto put = [&](auto*& list, int32_t count) {
    const uint64_t size_bytes = sizeof(*list) * static_cast<uint64_t>(std::max(count, 0));
    if (taken + size_bytes > kListBytes) return false;
    if (size_bytes > 0) std::memcpy(slot.lists + taken, list, size_bytes);
    list = reinterpret_cast<std::remove_reference_t<decltype(list)>>(slot.lists + taken);
    taken = ceil_div(taken + size_bytes, uint64_t{16}) * 16;
    return true;
  };
  for (int32_t r = 0; r < logits.num_rows; ++r) {
    Task task{rows[r], nullptr};
    SampleRow& row = task.row;
    if (!is_right(row, logits.width)) return {Code::invalid_input, "sample: a row asks for what there is not"};
    if (!has_penalties(row)) row.num_counts = row.num_later = 0;
    if (!put(row.biases, row.num_biases) || !put(row.counts, row.num_counts)) {
      return {Code::unsupported, "sample: longer lists than there is room for"};
    }
    if (row.num_top >= 0 && (row.num_biases > 0 || has_penalties(row))) {
      if (copied + logits.width > kCopyFloats) return {Code::unsupported, "sample: more rows than there is room for"};
      task.copy = samples.copies + copied;
      copied += ceil_div(logits.width, 4) * 4;
    }
    tasks[r] = task;
  }
  int32_t* chosen = samples.chosen[1 - samples.last_chosen];
  Status status = launch_overlapped(device, sample_kernel, dim3(static_cast<unsigned>(logits.num_rows)), dim3(kThreads),
                                    static_cast<int32_t>(sizeof(Shared)), call, is_far ? tasks : nullptr, logits,
                                    device->chosen, chosen, slot.results);
  if (status.ok()) status = status_of(device, cudaEventRecord(slot.done, device->stream));
  if (!status.ok()) return status;
  samples.last_chosen = 1 - samples.last_chosen;
  device->chosen = chosen;
  slot.num_rows = logits.num_rows;
  ++samples.num_unread;
  return {};
}

Status read_samples(Device* device, SampledRow* rows) {
  if (!device->lost.ok()) return device->lost;
  if (device->samples == nullptr || device->samples->num_unread == 0) {
    return {Code::internal, "read_samples: nothing was chosen"};
  }
  SampleBuffers& samples = *device->samples;
  SampleBuffers::Slot& slot = samples.slots[samples.oldest];
  samples.oldest = (samples.oldest + 1) % kSlots;
  --samples.num_unread;
  const Status status = status_of(device, cudaEventSynchronize(slot.done));
  if (!status.ok()) return status;
  std::memcpy(rows, slot.results, sizeof(SampledRow) * static_cast<size_t>(slot.num_rows));
  return {};
}

}  // namespace quoth::cuda
