#include "workbench.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "../fault.h"
#include "../program/runner.h"
#include "unpack.h"

namespace quoth {

// Rows of floats where a device may read them: aligned to 64 bytes.
struct AlignedFloats {
  AlignedFloats(int64_t rows, int32_t columns)
      : num_rows(rows),
        num_columns(columns),
        data(static_cast<float*>(
            ::operator new(static_cast<size_t>(rows) * static_cast<size_t>(columns) * 4, std::align_val_t{64}))) {}
  ~AlignedFloats() { ::operator delete(data, std::align_val_t{64}); }
  AlignedFloats(const AlignedFloats&) = delete;
  AlignedFloats& operator=(const AlignedFloats&) = delete;

  int64_t num_rows;
  int32_t num_columns;
  float* data;
};

namespace {

// -ln of the probability that softmax(logits) gives `target`.
double surprise_of(const std::vector<float>& logits, int32_t target) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum) - logits[static_cast<size_t>(target)];
}

int64_t total_rows(const PieceRun& run) {
  int64_t rows = 0;
  for (int32_t length : run.lengths) {
    if (length < 1) throw Fault(FaultCode::invalid_input, "A sequence has no rows.");
    rows += length;
  }
  if (rows < 1 || rows > INT32_MAX) throw Fault(FaultCode::invalid_input, "There are no rows, or too many.");
  return rows;
}

PlanTensor tensor_in_memory(const std::string& name, int64_t num_rows, int32_t num_columns, const float* data) {
  PlanTensor tensor;
  tensor.name = name;
  tensor.type = Type::f32;
  tensor.num_rows = static_cast<int32_t>(num_rows);
  tensor.num_columns = num_columns;
  tensor.size_bytes = static_cast<uint64_t>(num_rows) * static_cast<uint64_t>(num_columns) * 4;
  tensor.memory = reinterpret_cast<const uint8_t*>(data);
  return tensor;
}

}  // namespace

Workbench::Workbench() : device_(open_device(DeviceChoice::cpu, 0)) {}
Workbench::~Workbench() = default;

Bench Workbench::bench() {
  return {device_->device, device_->ops, &abandoned_};
}

Matrix& Workbench::matrix(const std::string& name) {
  const auto found = matrices_.find(name);
  if (found == matrices_.end()) throw Fault(FaultCode::invalid_input, "There is no matrix " + name + ".");
  return found->second;
}

Sample& Workbench::sample(const std::string& name) {
  const auto found = samples_.find(name);
  if (found == samples_.end()) throw Fault(FaultCode::invalid_input, "There is no sample " + name + ".");
  return found->second;
}

void Workbench::put(const std::string& name, int32_t num_rows, int32_t first_row, const PackJob& job) {
  const std::lock_guard lock(mutex_);
  if (const Status status = check_job(job); !status.ok()) throw fault_of(status, name);
  if (matrices_.find(name) == matrices_.end()) {
    auto memory = std::make_unique<AlignedFloats>(num_rows, job.num_columns);
    std::fill_n(memory->data, static_cast<int64_t>(num_rows) * job.num_columns, 0.0f);
    matrices_[name] = Matrix{num_rows, job.num_columns, memory->data};
    memory_[name] = std::move(memory);
  }
  const Matrix& made = matrices_[name];
  if (made.num_columns != job.num_columns || first_row < 0 || job.num_rows > made.num_rows - first_row) {
    throw Fault(FaultCode::invalid_input, name + " has other rows or columns.");
  }
  PackJob as_floats = job;
  as_floats.to = Type::f32;
  uint8_t* to = reinterpret_cast<uint8_t*>(made.data + static_cast<int64_t>(first_row) * made.num_columns);
  if (const Status status = pack(as_floats, to); !status.ok()) throw fault_of(status, name);
}

void Workbench::clear() {
  const std::lock_guard lock(mutex_);
  matrices_.clear();
  memory_.clear();
  limits_.clear();
  samples_.clear();
}

void Workbench::drop(const std::string& name) {
  const std::lock_guard lock(mutex_);
  matrices_.erase(name);
  memory_.erase(name);
  limits_.erase(name);
  tables_.erase(name);
}

PieceScore Workbench::run(const PieceRun& run) {
  const std::lock_guard lock(mutex_);
  const int64_t num_rows = total_rows(run);
  const bool scores = !run.targets.empty();
  if ((run.input.empty() && run.ids.size() != static_cast<size_t>(num_rows)) ||
      (scores && run.targets.size() != static_cast<size_t>(num_rows))) {
    throw Fault(FaultCode::invalid_input, "The ids are not as many as the rows.");
  }

  PlanFile plan;
  plan.path = "of a piece";
  plan.vocabulary_size = run.output_width;
  plan.context_tokens = run.context_tokens;
  plan.has_kv = run.kv_layers > 0;
  plan.kv = PlanKv{Type::f32, run.kv_layers, run.kv_heads, run.head_size};
  const AlignedFloats* input = nullptr;
  if (!run.input.empty()) {
    const auto found = tables_.find(run.input);
    if (found == tables_.end() || found->second->num_rows != num_rows) {
      throw Fault(FaultCode::invalid_input, "There is no table " + run.input + " of so many rows.");
    }
    input = found->second.get();
  }
  int64_t num_ids = num_rows;
  for (const std::string& name : run.tensors) {
    if (input != nullptr && name == run.input) {
      plan.tensors.push_back(tensor_in_memory(name, num_rows, input->num_columns, input->data));
      continue;
    }
    const Matrix& found = matrix(name);
    plan.tensors.push_back(tensor_in_memory(name, found.num_rows, found.num_columns, found.data));
  }
  if (input == nullptr) {
    const auto [least, most] = std::minmax_element(run.ids.begin(), run.ids.end());
    if (*least < 0) throw Fault(FaultCode::invalid_input, "An id is below zero.");
    num_ids = int64_t{*most} + 1;
  }
  plan.num_embedded = static_cast<int32_t>(num_ids);
  plan.program = parse_json(run.program);
  Program program = read_program(plan);

  std::vector<Sample*> taps(program.instructions.size(), nullptr);
  const int64_t stride = std::max<int64_t>(1, (num_rows - 1) / std::max(1, run.loss_rows) + 1);
  for (const PieceRun::Tap& tap : run.taps) {
    if (tap.step < 0 || tap.step >= static_cast<int32_t>(taps.size()) ||
        program.instructions[static_cast<size_t>(tap.step)].num_in == 0) {
      throw Fault(FaultCode::invalid_input, "A tap is on no step that reads.");
    }
    Sample& made = samples_[tap.sample];
    made = Sample{};
    taps[static_cast<size_t>(tap.step)] = &made;
  }

  const int32_t longest = *std::max_element(run.lengths.begin(), run.lengths.end());
  const int32_t num_pages = (longest - 1) / kPageTokens + 1;
  std::unique_ptr<AlignedFloats> output;
  if (!run.output.empty()) output = std::make_unique<AlignedFloats>(num_rows, run.output_width);
  Runner runner(plan, std::move(program), device_->device, device_->ops, true, Capacity{longest, longest, 1},
                num_pages);
  const Runner::Watch watch = [&](size_t step, const Rows& in) {
    if (taps[step] != nullptr) add_to_sample(*taps[step], in, stride);
  };

  PieceScore score;
  std::vector<float> logits(static_cast<size_t>(run.output_width));
  std::vector<int32_t> ids(static_cast<size_t>(longest)), places(static_cast<size_t>(longest));
  std::vector<int32_t> pages(static_cast<size_t>(num_pages));
  for (size_t i = 0; i < places.size(); i++) places[i] = static_cast<int32_t>(i);
  for (size_t i = 0; i < pages.size(); i++) pages[i] = static_cast<int32_t>(i);
  int32_t first = 0;
  for (int32_t length : run.lengths) {
    for (int32_t t = 0; t < length; t++) {
      ids[static_cast<size_t>(t)] = input != nullptr ? first + t : run.ids[static_cast<size_t>(first + t)];
    }
    const int32_t first_row[2] = {0, length};
    Batch batch;
    batch.num_tokens = batch.num_outputs = length;
    batch.ids = ids.data();
    batch.positions = batch.output_rows = places.data();
    batch.num_sequences = 1;
    batch.first_row = first_row;
    batch.page_table = pages.data();
    batch.page_table_stride = num_pages;
    if (!runner.run(batch, abandoned_, watch)) throw Fault(FaultCode::cancelled, "Quantizing was cancelled.");
    for (int32_t t = 0; t < length; t++) {
      if (output != nullptr) {
        runner.read_outputs(t, 1, output->data + static_cast<int64_t>(first + t) * run.output_width);
      }
      const int32_t target = scores ? run.targets[static_cast<size_t>(first + t)] : -1;
      if (target < 0 || target >= run.output_width) continue;
      runner.read_outputs(t, 1, logits.data());
      score.nats += surprise_of(logits, target);
      score.num_scored++;
    }
    first += length;
  }
  if (output != nullptr) tables_[run.output] = std::move(output);
  return score;
}

ScaleSearch Workbench::search_scale(const std::string& sample_name, const std::vector<std::string>& weights,
                                    int32_t group_columns) {
  const std::lock_guard lock(mutex_);
  std::vector<Matrix> group;
  for (const std::string& name : weights) group.push_back(matrix(name));
  return quoth::search_scale(bench(), sample(sample_name), group, group_columns);
}

ClipSearch Workbench::search_clip(const std::string& sample_name, const std::string& weight, int32_t group_columns) {
  const std::lock_guard lock(mutex_);
  ClipSearch found = quoth::search_clip(bench(), sample(sample_name), matrix(weight), group_columns);
  limits_[weight] = found.limits;
  return found;
}

void Workbench::scale_rows(const std::string& name, int32_t first_row, const std::vector<float>& factors) {
  const std::lock_guard lock(mutex_);
  const Matrix& found = matrix(name);
  if (first_row < 0 || first_row > found.num_rows - static_cast<int64_t>(factors.size())) {
    throw Fault(FaultCode::invalid_input, name + " has fewer rows.");
  }
  for (size_t i = 0; i < factors.size(); i++) {
    float* row = found.data + (first_row + static_cast<int64_t>(i)) * found.num_columns;
    for (int32_t k = 0; k < found.num_columns; k++) row[k] *= factors[i];
  }
}

void Workbench::scale_columns(const std::string& name, int32_t first_column, const std::vector<float>& factors) {
  const std::lock_guard lock(mutex_);
  const Matrix& found = matrix(name);
  if (first_column < 0 || first_column > found.num_columns - static_cast<int64_t>(factors.size())) {
    throw Fault(FaultCode::invalid_input, name + " has fewer columns.");
  }
  for (int32_t n = 0; n < found.num_rows; n++) {
    float* row = found.data + static_cast<int64_t>(n) * found.num_columns + first_column;
    for (size_t k = 0; k < factors.size(); k++) row[k] *= factors[k];
  }
}

void Workbench::scale_sample(const std::string& name, const std::vector<float>& factors) {
  const std::lock_guard lock(mutex_);
  Sample& found = sample(name);
  if (factors.size() != static_cast<size_t>(found.num_columns)) {
    throw Fault(FaultCode::invalid_input, "The factors are not as many as the columns of " + name + ".");
  }
  quoth::scale_sample(found, factors.data());
}

std::vector<uint8_t> Workbench::quantize(const std::string& name, Type to, const std::string& sample_name, bool keep,
                                         QuantizeErrors* errors) {
  const std::lock_guard lock(mutex_);
  const Matrix& found = matrix(name);
  const int64_t count = static_cast<int64_t>(found.num_rows) * found.num_columns;
  // What is packed, and then what the packed one means.
  auto rounded = std::make_unique<AlignedFloats>(found.num_rows, found.num_columns);
  std::copy(found.data, found.data + count, rounded->data);
  if (const auto limits = limits_.find(name); limits != limits_.end() && !limits->second.empty()) {
    const int64_t group = count / static_cast<int64_t>(limits->second.size());
    for (int64_t i = 0; i < count; i++) {
      const float limit = limits->second[static_cast<size_t>(i / group)];
      rounded->data[i] = std::clamp(rounded->data[i], -limit, limit);
    }
  }
  PackJob job;
  job.bytes = reinterpret_cast<const uint8_t*>(rounded->data);
  job.size_bytes = static_cast<uint64_t>(count) * 4;
  job.from = find_block_format("f32");
  job.to = to;
  job.num_rows = found.num_rows;
  job.num_columns = found.num_columns;
  if (const Status status = check_job(job); !status.ok()) throw fault_of(status, name);
  std::vector<uint8_t> packed(packed_bytes(to, found.num_rows, found.num_columns));
  if (const Status status = pack(job, packed.data()); !status.ok()) throw fault_of(status, name);
  if (const Status status = unpack(to, packed.data(), found.num_rows, found.num_columns, rounded->data); !status.ok()) {
    throw fault_of(status, name);
  }
  job.bytes = reinterpret_cast<const uint8_t*>(found.data);
  PackLoss loss;
  if (const Status status = measure_packed(job, packed.data(), &loss); !status.ok()) throw fault_of(status, name);
  errors->weight_error = loss.energy > 0 ? loss.lost / loss.energy : 0;
  if (!sample_name.empty()) {
    errors->output_error =
        output_error(bench(), sample(sample_name), found, Matrix{found.num_rows, found.num_columns, rounded->data});
  }
  if (keep) {
    matrices_[name].data = rounded->data;
    memory_[name] = std::move(rounded);
    limits_.erase(name);
  }
  return packed;
}

}  // namespace quoth
