// Recorded steps: the kernels of a step as a CUDA graph, launched again in one call for each later step of its shape.
//
// `begin_step` brings all arrays of the batch to fixed places on the GPU, with one kernel that reads a pinned slot of
// the host; operations find them there (`stage`). What a step's launches depend on beside these arrays is its key.
#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "step.h"
#include "stretch.h"

namespace quoth::cuda {

struct StepKey {
  const void* program = nullptr;
  int32_t num_tokens = 0;
  int32_t num_sequences = 0;
  int32_t num_outputs = 0;
  int32_t page_table_stride = 0;
  int32_t longest_pages = 0;
  bool has_segments = false;
  bool has_one_row_each = false;
  bool has_few = false;  // sequences of up to 8 rows, and those of more: attention has kernels for each
  bool has_many = false;
  bool has_some = false;  // of few rows, and more than one

  bool operator==(const StepKey&) const = default;
};

struct StepRecorder {
  struct Recorded {
    StepKey key;
    cudaGraphExec_t graph = nullptr;  // null: seen once, or never to be recorded
    bool is_refused = false;
  };

  std::vector<Recorded> recorded;  // the last used first
  StepKey key;                     // of the frame that is open
  Batch batch;                     // its numbers
  bool is_open = false;
  bool is_recording = false;
  bool was_refused = false;  // an operation did what a recording does not allow
};

namespace {

// More rows keep the GPU busy for longer than the host needs to call all operations.
constexpr int32_t kMaxRecordedTokens = 64;
// Up to this many rows, or with a row for each sequence, a shape is worth recording when it is first seen: it will come
// again. Others, parts of prompts, when they come again.
constexpr int32_t kAtOnceTokens = 8;
constexpr size_t kMaxGraphs = 48;
constexpr size_t kMaxSeen = 128;  // keys with and without a graph
constexpr int32_t kThreads = 256;
constexpr int32_t kArrays = 7;

// Arrays that lie one after another in a slot of the host, and where each goes.
struct Arrays {
  const int32_t* from[kArrays];
  int32_t* to[kArrays];
  int32_t count[kArrays];
  const int32_t* chosen_rows;  // [T] or null: rows of `chosen`
  const int32_t* chosen;
  StretchStart stretch;  // done by the blocks behind those of the arrays
};

// Block (part, array). The ids are array 0.
__global__ void __launch_bounds__(kThreads) bring_kernel(const __grid_constant__ Arrays arrays) {
  const int32_t array = blockIdx.y;
  const int32_t index = static_cast<int32_t>(blockIdx.x) * kThreads + static_cast<int32_t>(threadIdx.x);
  if (array == kArrays) {
    if (index == 0 && arrays.stretch.step != nullptr) *arrays.stretch.step = arrays.stretch.number;
    for (int32_t i = index; i < arrays.stretch.count; i += static_cast<int32_t>(gridDim.x) * kThreads) {
      arrays.stretch.exchange[i] = uint4{0, 0, 0, 0};
    }
    return;
  }
  if (index >= arrays.count[array]) return;
  int32_t value = arrays.from[array][index];
  if (array == 0 && arrays.chosen_rows != nullptr) {
    const int32_t row = arrays.chosen_rows[index];
    if (row >= 0) value = arrays.chosen[row];
  }
  arrays.to[array][index] = value;
}

Status check_batch(const Device* device, const Batch& batch) {
  const int64_t table_size = static_cast<int64_t>(batch.num_sequences) * batch.page_table_stride;
  if (batch.num_tokens < 1 || batch.num_tokens > device->max_tokens || batch.num_sequences < 1 ||
      batch.num_sequences > batch.num_tokens || batch.num_outputs < 0 || batch.num_outputs > batch.num_tokens ||
      batch.page_table_stride < 0 || table_size > kMaxPageTable) {
    return {Code::invalid_input, "the step is larger than was reserved"};
  }
  bool covers = batch.first_row[0] == 0 && batch.first_row[batch.num_sequences] == batch.num_tokens;
  for (int32_t b = 0; b < batch.num_sequences; ++b) covers = covers && batch.first_row[b] < batch.first_row[b + 1];
  if (!covers) return {Code::invalid_input, "the sequences do not cover the rows of the step"};
  for (int32_t t = 0; t < batch.num_tokens; ++t) {
    if (batch.positions[t] < 0 ||
        (batch.page_table_stride > 0 && batch.positions[t] / kPageTokens >= batch.page_table_stride)) {
      return {Code::invalid_input, "a position lies outside its sequence's page table"};
    }
    if (batch.chosen_ids != nullptr && batch.chosen_ids[t] >= kMaxChosen) {
      return {Code::invalid_input, "an id that nobody chose"};
    }
  }
  for (int32_t o = 0; o < batch.num_outputs; ++o) {
    if (batch.output_rows[o] < 0 || batch.output_rows[o] >= batch.num_tokens) {
      return {Code::invalid_input, "gather_outputs: a row is outside the step"};
    }
  }
  return {};
}

StepKey key_of(const void* program, const Batch& batch) {
  StepKey key;
  key.program = program;
  key.num_tokens = batch.num_tokens;
  key.num_sequences = batch.num_sequences;
  key.num_outputs = batch.num_outputs;
  key.page_table_stride = batch.page_table_stride;
  key.longest_pages = pages_bound(batch);
  key.has_segments = batch.segments != nullptr;
  key.has_one_row_each = batch.num_tokens == batch.num_sequences;
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    const int32_t num_rows = batch.first_row[b + 1] - batch.first_row[b];
    (num_rows <= 8 ? key.has_few : key.has_many) = true;
    if (num_rows > 1 && num_rows <= 8) key.has_some = true;
  }
  return key;
}

// Brings every array of the batch to its place.
Status bring(Device* device, const Batch& batch) {
  const int32_t slot_index = device->next_frame_slot;
  device->next_frame_slot = (slot_index + 1) % kFrameSlots;
  Status status = status_of(device, cudaEventSynchronize(device->brought[slot_index]));
  if (!status.ok()) return status;
  int32_t* slot = device->frame_slots[slot_index];
  const DeviceBatch places = places_of(device);
  Arrays arrays{};
  int32_t longest = 0;
  const auto put = [&](int32_t index, const int32_t* from, const int32_t* to, int64_t count) {
    arrays.from[index] = slot;
    arrays.to[index] = const_cast<int32_t*>(to);
    arrays.count[index] = static_cast<int32_t>(count);
    longest = std::max(longest, arrays.count[index]);
    if (count > 0 && from != nullptr) std::memcpy(slot, from, sizeof(int32_t) * static_cast<size_t>(count));
    slot += count;
  };
  const int64_t num_tokens = batch.num_tokens;
  put(0, batch.ids, places.ids, num_tokens);
  put(1, batch.positions, places.positions, num_tokens);
  int32_t* sequences = slot;
  put(2, nullptr, places.sequences, num_tokens);
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    std::fill(sequences + batch.first_row[b], sequences + batch.first_row[b + 1], b);
  }
  put(3, batch.first_row, places.first_row, int64_t{batch.num_sequences} + 1);
  put(4, batch.segments, places.segments, batch.segments == nullptr ? 0 : num_tokens);
  put(5, batch.output_rows, places.output_rows, batch.num_outputs);
  put(6, batch.page_table, places.page_table, int64_t{batch.num_sequences} * batch.page_table_stride);
  if (batch.chosen_ids != nullptr) {
    std::memcpy(slot, batch.chosen_ids, sizeof(int32_t) * static_cast<size_t>(num_tokens));
    arrays.chosen_rows = slot;
    arrays.chosen = device->chosen;
  }
  device->staged_count = 0;  // what `stage` brought is not there any more
  // Of rows that all generate: attention of others needs kernels of its own.
  close_stretches(device);
  if (batch.num_tokens == batch.num_sequences) arrays.stretch = begin_stretches(device, batch.num_tokens);
  const int32_t blocks = std::max(ceil_div(longest, kThreads), std::min(64, ceil_div(arrays.stretch.count, kThreads)));
  const dim3 grid(static_cast<unsigned>(blocks), kArrays + (arrays.stretch.count > 0 ? 1 : 0));
  bring_kernel<<<grid, kThreads, 0, device->stream>>>(arrays);
  status = launched(device);
  if (!status.ok()) return status;
  return status_of(device, cudaEventRecord(device->brought[slot_index], device->stream));
}

void destroy(StepRecorder::Recorded& recorded) {
  if (recorded.graph != nullptr) (void)cudaGraphExecDestroy(recorded.graph);
  recorded.graph = nullptr;
}

// The entry of the key, moved to the front; made when there is none. `is_new` true then.
StepRecorder::Recorded& entry_of(StepRecorder& recorder, const StepKey& key, bool* is_new) {
  auto& all = recorder.recorded;
  auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.key == key; });
  *is_new = found == all.end();
  if (*is_new) {
    if (all.size() >= kMaxSeen) {
      destroy(all.back());
      all.pop_back();
    }
    all.insert(all.begin(), StepRecorder::Recorded{key, nullptr, false});
  } else {
    std::rotate(all.begin(), found, found + 1);
  }
  return all.front();
}

// No more graphs than there is room for: those that were not used for longest go.
void limit_graphs(StepRecorder& recorder) {
  size_t count = 0;
  for (auto& one : recorder.recorded) {
    if (one.graph != nullptr && ++count > kMaxGraphs) destroy(one);
  }
}

}  // namespace

Status make_recorder(Device* device) {
  device->recorder = new (std::nothrow) StepRecorder;
  if (device->recorder == nullptr) return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  try {
    device->recorder->recorded.reserve(kMaxSeen + 1);
  } catch (const std::bad_alloc&) {
    return {Code::out_of_memory, "there is not enough memory to open the GPU"};
  }
  return {};
}

void free_recorder(Device* device) {
  if (device->recorder == nullptr) return;
  forget_steps(device);
  delete device->recorder;
  device->recorder = nullptr;
}

void forget_steps(Device* device) {
  StepRecorder& recorder = *device->recorder;
  close_stretches(device);
  if (recorder.is_recording) {
    cudaGraph_t graph = nullptr;
    (void)cudaStreamEndCapture(device->stream, &graph);
    if (graph != nullptr) (void)cudaGraphDestroy(graph);
    (void)cudaGetLastError();
  }
  recorder.is_open = recorder.is_recording = false;
  for (auto& one : recorder.recorded) destroy(one);
  recorder.recorded.clear();
}

bool is_in_frame(const Device* device) {
  return device->recorder->is_open;
}

bool is_recording(const Device* device) {
  return device->recorder->is_recording;
}

void refuse_recording(Device* device) {
  device->recorder->was_refused = true;
}

Status stage_in_frame(Device* device, const Batch& batch, DeviceBatch* staged) {
  const Batch& own = device->recorder->batch;
  if (batch.num_tokens != own.num_tokens || batch.num_sequences != own.num_sequences ||
      batch.num_outputs != own.num_outputs || batch.page_table_stride != own.page_table_stride) {
    return {Code::internal, "an operation of another step"};
  }
  *staged = places_of(device);
  return {};
}

int32_t rows_bound(const Device* device, const Batch& batch) {
  if (device->recorder->is_recording) return batch.num_tokens - batch.num_sequences + 1;
  int32_t longest = 0;
  for (int32_t b = 0; b < batch.num_sequences; ++b) {
    longest = std::max(longest, batch.first_row[b + 1] - batch.first_row[b]);
  }
  return longest;
}

Status begin_step(Device* device, const void* program, const Batch* batch, bool* replayed) {
  *replayed = false;
  if (!device->lost.ok()) return device->lost;
  StepRecorder& recorder = *device->recorder;
  if (recorder.is_open) return {Code::internal, "the step before has no end"};
  Status status = check_batch(device, *batch);
  if (status.ok()) status = bring(device, *batch);
  if (!status.ok()) return status;

  recorder.key = key_of(program, *batch);
  recorder.batch = *batch;
  recorder.was_refused = false;
  const bool can_record = batch->num_tokens <= kMaxRecordedTokens && batch->page_table_stride > 0;
  if (can_record) {
    bool is_new = false;
    StepRecorder::Recorded& entry = entry_of(recorder, recorder.key, &is_new);
    if (entry.graph != nullptr) {
      status = status_of(device, cudaGraphLaunch(entry.graph, device->stream));
      *replayed = status.ok();
      close_stretches(device);  // its stretches are in it
      if (*replayed || !device->lost.ok()) return status;
      destroy(entry);  // it goes on without
      entry.is_refused = true;
    }
    const bool comes_again = !is_new || recorder.key.has_one_row_each || batch->num_tokens <= kAtOnceTokens;
    if (comes_again && !entry.is_refused) {
      // Of this thread only: another engine may allocate meanwhile.
      status = status_of(device, cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal));
      if (!status.ok()) return status;
      recorder.is_recording = true;
    }
  }
  recorder.is_open = true;
  return {};
}

Status end_step(Device* device, bool is_whole, bool* again) {
  *again = false;
  StepRecorder& recorder = *device->recorder;
  if (!recorder.is_open) return {Code::internal, "a step without a beginning"};
  recorder.is_open = false;
  const Status ended = is_whole ? end_stretch(device) : Status{};
  close_stretches(device);
  if (!recorder.is_recording) return ended.ok() ? device->lost : ended;
  recorder.is_recording = false;
  cudaGraph_t graph = nullptr;
  Status status = status_of(device, cudaStreamEndCapture(device->stream, &graph));
  if (status.ok()) status = ended;
  if (status.ok() && is_whole) {
    cudaGraphExec_t ready = nullptr;
    status = status_of(device, cudaGraphInstantiate(&ready, graph, 0));
    if (status.ok()) {
      status = status_of(device, cudaGraphLaunch(ready, device->stream));
      if (status.ok()) {
        recorder.recorded.front().graph = ready;  // `begin_step` moved the key there
        limit_graphs(recorder);
      } else {
        (void)cudaGraphExecDestroy(ready);
      }
    }
  }
  if (graph != nullptr) (void)cudaGraphDestroy(graph);
  if (!device->lost.ok()) return device->lost;
  if (status.ok() && !recorder.was_refused) return {};
  // It cannot be recorded: from now on it runs without.
  recorder.recorded.front().is_refused = true;
  *again = true;
  return {};
}

}  // namespace quoth::cuda
