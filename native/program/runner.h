// A checked program on a device: its buffers and weights there, and one call per instruction.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "../../kernels/ops.h"
#include "plan_file.h"
#include "program.h"

namespace quoth {

// The most rows of each kind that a step can have.
struct Capacity {
  int32_t tokens = 0;
  int32_t outputs = 0;  // not more than tokens
  int32_t sequences = 0;
};

class Runner {
 public:
  // Takes memory on the device: every buffer, every weight if the device cannot read the mapped file, and kv pages
  // [P, G, S, d] for each layer. `plan` and the device must outlive the runner.
  // Throws Fault out_of_memory, or unsupported when the device lacks an operation.
  Runner(const PlanFile& plan, Program program, Device* device, const Ops* ops, bool reads_host_memory,
         Capacity capacity, int32_t num_pages);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Called before each instruction with its place in the program and its first input, on the device. For programs as
  // they are written: one that was fused may have two ends.
  using Watch = std::function<void(size_t instruction, const Rows& in)>;

  // Runs one step. False when `abandon` became true before its end: what it was to write is then unknown, but only in
  // the rows of this step. Throws Fault; see `device_lost`.
  bool run(const Batch& batch, const std::atomic<bool>& abandon, const Watch& watch = {});
  // The same without waiting for the step's end, where the device does not do it at once; `wait` waits for it.
  bool start(const Batch& batch, const std::atomic<bool>& abandon);
  void wait();

  // Whether the device chooses ids from the logits of a step, and whether the next step can take them from it.
  bool can_sample() const { return ops_->sample != nullptr; }
  bool can_run_ahead() const { return can_sample() && ops_->begin_step != nullptr; }
  // Lets the device choose an id from each of the first rows of the output; gives how many, or 0 when it cannot for
  // these. `read_samples` waits for them, in the order in which they were asked for.
  int32_t sample(const std::vector<SampleRow>& rows);
  void read_samples(SampledRow* rows);

  // The program's linears as they are called, with no rows yet, and how many each can have: to tune them. Between two
  // steps their rows are nobody's.
  struct LinearUse {
    LinearCall call;
    int32_t most_rows = 0;
  };
  std::vector<LinearUse> linears() const;
  // The same of its attentions, with no batch yet; a row each for so many sequences at most.
  std::vector<AttentionCall> attentions() const;
  int32_t most_sequences() const { return capacity_.sequences; }

  // Copies rows of the output (logits or embeddings) of the last step to `to`, f32 [num_rows, output_width].
  void read_outputs(int32_t first_row, int32_t num_rows, float* to);
  // The same of the first rows, for a step that was started, while the next one is started: false where the device does
  // not do that. `finish_outputs` waits for the oldest.
  bool start_outputs(int32_t num_rows);
  void finish_outputs(float* to);
  // The output's rows on the device, of the last step that was started.
  Rows output(int32_t num_rows) const;
  int32_t output_width() const { return program_.buffers[static_cast<size_t>(program_.output)].width; }

  // What the buffers of a step take. Throws Fault out_of_memory for more than any real model needs.
  static uint64_t activation_bytes_of(const PlanFile& plan, const Program& program, Capacity capacity);
  uint64_t activation_bytes() const { return activation_bytes_; }
  uint64_t kv_bytes() const { return kv_bytes_; }
  // True once the device said that nothing more will work on it.
  bool device_lost() const { return device_lost_; }

 private:
  struct Call;  // an instruction with its arguments made ready

  void prepare();
  bool call_all(const Batch& batch, const std::atomic<bool>& abandon, const Watch& watch);
  void release();
  void check(const Status& status, const std::string& what);
  void* allocate(uint64_t size_bytes, const std::string& what);
  Status call(const Call& call, const Instruction& step, const Batch& batch);

  Program program_;
  Device* device_;
  const Ops* ops_;
  Capacity capacity_;
  std::vector<void*> allocations_;
  std::vector<float*> buffers_;
  std::vector<std::array<int8_t, 16>> codebooks_;
  std::vector<const int8_t*> device_codebooks_;
  std::vector<Weight> weights_;
  std::vector<KvPages> layers_;
  std::vector<Call> calls_;
  std::vector<Call> narrow_calls_;  // of the program's narrow end
  uint64_t activation_bytes_ = 0;
  uint64_t kv_bytes_ = 0;
  bool device_lost_ = false;
};

}  // namespace quoth
