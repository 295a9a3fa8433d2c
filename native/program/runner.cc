#include "runner.h"

#include <algorithm>
#include <limits>

#include "../fault.h"

namespace quoth {

struct Runner::Call {
  Rows in[3];
  Rows source;
  Rows out;
  RowsOf in_rows[3] = {RowsOf::tokens, RowsOf::tokens, RowsOf::tokens};
  RowsOf out_rows = RowsOf::tokens;
  const Weight* table = nullptr;  // embed, add_positions, add_segments, linear, permute_columns
  const float* vectors[2] = {};   // norms: weight, bias; linear: bias in [1]; add_bias: in [0]
  LinearFusion fusion;
  Rope rope;
  Attention attention;
};

namespace {

// Systems promise memory that they do not have: what no step of a real model needs is refused, not tried.
constexpr uint64_t kMaxActivationBytes = uint64_t{64} << 30;

bool offers(const Ops& ops, Op op) {
  switch (op) {
    case Op::embed:
      return ops.embed != nullptr;
    case Op::add_positions:
      return ops.add_positions != nullptr;
    case Op::add_segments:
      return ops.add_segments != nullptr;
    case Op::gather_outputs:
      return ops.gather_outputs != nullptr;
    case Op::linear:
      return ops.linear != nullptr;
    case Op::rms_norm:
      return ops.rms_norm != nullptr;
    case Op::layer_norm:
      return ops.layer_norm != nullptr;
    case Op::rms_norm_heads:
      return ops.rms_norm_heads != nullptr;
    case Op::add_rms_norm:
      return ops.add_rms_norm != nullptr;
    case Op::add_layer_norm:
      return ops.add_layer_norm != nullptr;
    case Op::add:
      return ops.add != nullptr;
    case Op::multiply:
      return ops.multiply != nullptr;
    case Op::add_bias:
      return ops.add_bias != nullptr;
    case Op::activate:
      return ops.activate != nullptr;
    case Op::gated:
      return ops.gated != nullptr;
    case Op::soft_cap:
      return ops.soft_cap != nullptr;
    case Op::clamp:
      return ops.clamp != nullptr;
    case Op::permute_columns:
      return ops.permute_columns != nullptr;
    case Op::rope:
      return ops.rope != nullptr;
    case Op::kv_write:
      return ops.kv_write != nullptr;
    case Op::rope_kv_write:
      return ops.rope_kv_write != nullptr;
    case Op::attention:
      return ops.attention != nullptr;
    case Op::attention_full:
      return ops.attention_full != nullptr;
    case Op::pool_mean:
      return ops.pool_mean != nullptr;
    case Op::pool_first:
      return ops.pool_first != nullptr;
    case Op::normalize:
      return ops.normalize != nullptr;
    case Op::linear_fused:
      return ops.linear_fused != nullptr;
    case Op::rope_kv_attention:
      return ops.rope_kv_attention != nullptr;
  }
  return false;
}

int32_t rows_in(const Batch& batch, RowsOf rows) {
  switch (rows) {
    case RowsOf::tokens:
      return batch.num_tokens;
    case RowsOf::outputs:
      return batch.num_outputs;
    case RowsOf::sequences:
      return batch.num_sequences;
  }
  return 0;
}

// What a tensor takes among others: each begins where an allocation would.
constexpr uint64_t in_places(uint64_t size_bytes) {
  return (size_bytes + 255) / 256 * 256;
}

uint64_t bytes_of(const Buffer& buffer, Capacity capacity) {
  if (buffer.lies_in >= 0) return 0;
  const int32_t rows = buffer.rows == RowsOf::tokens    ? capacity.tokens
                       : buffer.rows == RowsOf::outputs ? capacity.outputs
                                                        : capacity.sequences;
  return uint64_t{4} * static_cast<uint64_t>(rows) * static_cast<uint64_t>(buffer.width);
}

}  // namespace

uint64_t Runner::activation_bytes_of(const PlanFile& plan, const Program& program, Capacity capacity) {
  uint64_t size_bytes = 0;
  for (const Buffer& buffer : program.buffers) {
    size_bytes += bytes_of(buffer, capacity);  // at most 4096 buffers of 2^35 bytes: it cannot wrap
    if (size_bytes > kMaxActivationBytes) {
      throw Fault(FaultCode::out_of_memory, "The plan " + plan.path + " asks for more than 64 GiB for a step's rows.");
    }
  }
  return size_bytes;
}

Runner::Runner(const PlanFile& plan, Program program, Device* device, const Ops* ops, bool reads_host_memory,
               Capacity capacity, int32_t num_pages)
    : program_(std::move(program)), device_(device), ops_(ops), capacity_(capacity) {
  try {
    for (const Instruction& step : program_.instructions) {
      if (!offers(*ops_, step.op)) {
        throw Fault(FaultCode::unsupported,
                    "The plan " + plan.path + ", " + step.place + ": the device has no such operation.");
      }
    }

    activation_bytes_ = activation_bytes_of(plan, program_, capacity);
    for (const Buffer& buffer : program_.buffers) {
      const uint64_t size_bytes = bytes_of(buffer, capacity);
      void* memory = size_bytes == 0 ? nullptr : allocate(size_bytes, "an activation buffer");
      buffers_.push_back(static_cast<float*>(memory));
    }
    for (size_t i = 0; i < buffers_.size(); ++i) {
      const int32_t lies_in = program_.buffers[i].lies_in;
      if (lies_in >= 0) buffers_[i] = buffers_[static_cast<size_t>(lies_in)];
    }

    codebooks_.resize(plan.tensors.size());
    weights_.resize(plan.tensors.size());
    // One piece for all: a GPU gives memory in pieces of 2 MiB.
    uint64_t weight_bytes = 0;
    for (const PlanTensor& tensor : plan.tensors) {
      weight_bytes += in_places(tensor.size_bytes) + (tensor.type == Type::q4 ? in_places(16) : 0);
    }
    uint8_t* place = nullptr;
    if (!reads_host_memory) place = static_cast<uint8_t*>(allocate(weight_bytes, "the weights"));
    const auto put = [&](const void* from, uint64_t size_bytes, const std::string& name) {
      uint8_t* const put_at = place;
      check(ops_->upload(device_, put_at, from, size_bytes), name);
      place += in_places(size_bytes);
      return put_at;
    };
    for (size_t i = 0; i < plan.tensors.size(); ++i) {
      const PlanTensor& tensor = plan.tensors[i];
      Weight& weight = weights_[i];
      weight = Weight{tensor.type, tensor.num_rows, tensor.num_columns, plan.bytes_of(tensor), nullptr};
      codebooks_[i] = tensor.codebook;
      if (tensor.type == Type::q4) weight.codebook = codebooks_[i].data();
      if (reads_host_memory) continue;
      weight.data = put(weight.data, tensor.size_bytes, tensor.name);
      if (tensor.type == Type::q4) {
        weight.codebook = reinterpret_cast<const int8_t*>(put(weight.codebook, 16, tensor.name));
      }
    }

    for (int32_t layer = 0; plan.has_kv && layer < plan.kv.num_layers; ++layer) {
      const uint64_t half = static_cast<uint64_t>(num_pages) * static_cast<uint64_t>(plan.kv.num_heads) *
                            static_cast<uint64_t>(kv_block_bytes(plan.kv.type, plan.kv.head_size));
      KvPages pages{plan.kv.type, nullptr, nullptr, plan.kv.num_heads, plan.kv.head_size};
      pages.keys = allocate(half, "the kv pages");
      pages.values = allocate(half, "the kv pages");
      layers_.push_back(pages);
      kv_bytes_ += 2 * half;
    }

    const Status reserved = ops_->reserve(device_, capacity.tokens, std::max(program_.max_columns, 1));
    check(reserved, reserved.code == Code::out_of_memory ? "There is not enough memory for the device's scratch"
                                                         : "The device's scratch");

    prepare();
  } catch (...) {
    release();
    throw;
  }
}

void Runner::prepare() {
  const auto rows_of = [this](const View& view) {
    const Buffer& buffer = program_.buffers[static_cast<size_t>(view.buffer)];
    return Rows{buffers_[static_cast<size_t>(view.buffer)] + view.first_column, 0, view.width, buffer.width};
  };
  const auto make_ready = [&](const Instruction& step, Call& call) {
    for (size_t i = 0; i < static_cast<size_t>(step.num_in); ++i) {
      call.in[i] = rows_of(step.in[i]);
      call.in_rows[i] = program_.buffers[static_cast<size_t>(step.in[i].buffer)].rows;
    }
    if (step.source) call.source = rows_of(*step.source);
    if (step.num_out == 1) {
      call.out = rows_of(step.out);
      call.out_rows = program_.buffers[static_cast<size_t>(step.out.buffer)].rows;
    }
    for (size_t i = 0; i < 2; ++i) {
      if (step.weights[i] < 0) continue;
      const Weight& weight = weights_[static_cast<size_t>(step.weights[i])];
      call.vectors[i] = static_cast<const float*>(weight.data);
      if (i == 0) call.table = &weight;
    }
    call.attention = step.attention;
    if (step.op == Op::attention) call.attention.slopes = call.vectors[0];
    if (step.op == Op::rope_kv_attention) call.attention.slopes = call.vectors[1];
    call.rope = Rope{call.vectors[0], step.rotary_size, step.adjacent_pairs, step.rope_factor};
    const auto norm_weight = [&](size_t i) {
      const int32_t index = step.norm_weights[i];
      return index < 0 ? nullptr : static_cast<const float*>(weights_[static_cast<size_t>(index)].data);
    };
    call.fusion = LinearFusion{step.norm, norm_weight(0), norm_weight(1), step.epsilon, step.is_gated, step.adds};
  };
  for (const Instruction& step : program_.instructions) make_ready(step, calls_.emplace_back());
  for (const Instruction& step : program_.narrow_end) make_ready(step, narrow_calls_.emplace_back());
}

std::vector<Runner::LinearUse> Runner::linears() const {
  std::vector<LinearUse> uses;
  for (size_t i = 0; i < calls_.size(); ++i) {
    const Instruction& step = program_.instructions[i];
    if (step.op != Op::linear && step.op != Op::linear_fused) continue;
    const Call& call = calls_[i];
    LinearUse& use = uses.emplace_back();
    use.call = {call.in[0], call.table, call.vectors[1], step.activation, {}, call.out};
    if (step.op == Op::linear_fused) use.call.fusion = call.fusion;
    use.most_rows = call.out_rows == RowsOf::tokens    ? capacity_.tokens
                    : call.out_rows == RowsOf::outputs ? capacity_.outputs
                                                       : capacity_.sequences;
  }
  return uses;
}

std::vector<AttentionCall> Runner::attentions() const {
  std::vector<AttentionCall> uses;
  for (size_t i = 0; i < calls_.size(); ++i) {
    const Instruction& step = program_.instructions[i];
    if (step.op != Op::rope_kv_attention) continue;
    const Call& call = calls_[i];
    const KvPages& pages = layers_[static_cast<size_t>(step.layer)];
    uses.push_back({call.in[0], &call.attention, &call.rope, nullptr, pages, call.out});
  }
  return uses;
}

Runner::~Runner() {
  release();
}

void Runner::release() {
  for (void* memory : allocations_) ops_->release(device_, memory);
  allocations_.clear();
}

void Runner::check(const Status& status, const std::string& what) {
  if (status.ok()) return;
  if (status.code == Code::device_lost) device_lost_ = true;
  throw fault_of(status, what);
}

void* Runner::allocate(uint64_t size_bytes, const std::string& what) {
  // A size_t of 32 bits must not cut the size.
  if (size_bytes > std::numeric_limits<size_t>::max() / 2) {
    throw Fault(FaultCode::out_of_memory, "There is not enough memory for " + what + ".");
  }
  allocations_.reserve(allocations_.size() + 1);
  void* memory = nullptr;
  const Status status = ops_->allocate(device_, size_bytes, &memory);
  if (!status.ok()) {
    check(status, "There is not enough memory for " + what + " (" + std::to_string(size_bytes) + " bytes)");
  }
  allocations_.push_back(memory);
  return memory;
}

bool Runner::run(const Batch& batch, const std::atomic<bool>& abandon, const Watch& watch) {
  const bool is_done = watch ? call_all(batch, abandon, watch) : start(batch, abandon);
  if (is_done) wait();
  return is_done;
}

bool Runner::start(const Batch& batch, const std::atomic<bool>& abandon) {
  if (ops_->begin_step == nullptr) return call_all(batch, abandon, {});
  bool again = true;
  while (again) {
    bool replayed = false;
    if (abandon.load(std::memory_order_relaxed)) return false;
    check(ops_->begin_step(device_, this, &batch, &replayed), "The engine failed at the start of a step");
    if (replayed) return true;
    bool is_whole = false;
    try {
      is_whole = call_all(batch, abandon, {});
    } catch (...) {
      const Status ended = ops_->end_step(device_, false, &again);
      if (!ended.ok() || !again) throw;
      continue;
    }
    check(ops_->end_step(device_, is_whole, &again), "The engine failed at the end of a step");
    if (!is_whole) return false;
  }
  return true;
}

void Runner::wait() {
  check(ops_->synchronize(device_), "The engine failed at the end of a step");
}

bool Runner::call_all(const Batch& batch, const std::atomic<bool>& abandon, const Watch& watch) {
  const bool is_narrow = !narrow_calls_.empty() && batch.num_outputs < batch.num_tokens;
  const size_t num_shared = is_narrow ? program_.first_of_end : calls_.size();
  const size_t num_calls = num_shared + (is_narrow ? narrow_calls_.size() : 0);
  for (size_t i = 0; i < num_calls; ++i) {
    if (abandon.load(std::memory_order_relaxed)) return false;
    const bool is_shared = i < num_shared;
    const Instruction& step = is_shared ? program_.instructions[i] : program_.narrow_end[i - num_shared];
    const Call& ready = is_shared ? calls_[i] : narrow_calls_[i - num_shared];
    if (watch && step.num_in > 0) {
      Rows in = ready.in[0];
      in.num_rows = rows_in(batch, ready.in_rows[0]);
      watch(i, in);
    }
    const Status status = call(ready, step, batch);
    if (!status.ok()) check(status, "The engine failed in " + step.place);
  }
  return true;
}

Rows Runner::output(int32_t num_rows) const {
  return Rows{buffers_[static_cast<size_t>(program_.output)], num_rows, output_width(), output_width()};
}

bool Runner::start_outputs(int32_t num_rows) {
  if (ops_->start_download == nullptr) return false;
  const uint64_t size_bytes = uint64_t{4} * static_cast<uint64_t>(num_rows) * static_cast<uint64_t>(output_width());
  const Status status = ops_->start_download(device_, output(num_rows).data, size_bytes);
  if (status.code == Code::unsupported) return false;
  check(status, "The engine failed to read its output");
  return true;
}

void Runner::finish_outputs(float* to) {
  check(ops_->finish_download(device_, to), "The engine failed to read its output");
}

int32_t Runner::sample(const std::vector<SampleRow>& rows) {
  if (rows.empty()) return 0;
  const int32_t num_rows = static_cast<int32_t>(rows.size());
  const Status status = ops_->sample(device_, output(num_rows), rows.data());
  if (status.code == Code::unsupported) return 0;
  check(status, "The engine failed to choose an id");
  return num_rows;
}

void Runner::read_samples(SampledRow* rows) {
  check(ops_->read_samples(device_, rows), "The engine failed to choose an id");
}

void Runner::read_outputs(int32_t first_row, int32_t num_rows, float* to) {
  const size_t width = static_cast<size_t>(output_width());
  const float* from = buffers_[static_cast<size_t>(program_.output)] + static_cast<size_t>(first_row) * width;
  check(ops_->download(device_, to, from, static_cast<size_t>(num_rows) * width * sizeof(float)),
        "The engine failed to read its output");
}

Status Runner::call(const Call& call, const Instruction& step, const Batch& batch) {
  Rows a = call.in[0], b = call.in[1], c = call.in[2], out = call.out;
  a.num_rows = rows_in(batch, call.in_rows[0]);
  b.num_rows = rows_in(batch, call.in_rows[1]);
  c.num_rows = rows_in(batch, call.in_rows[2]);
  out.num_rows = rows_in(batch, call.out_rows);
  if (step.num_out == 1 && out.num_rows == 0) return Status{};  // a step that wants no logits
  if (step.source && batch.num_outputs == batch.num_tokens) {
    if (step.op == Op::gather_outputs) return Status{};
    a = call.source;
    a.num_rows = batch.num_tokens;
  }
  const float* weight = call.vectors[0];
  const float* bias = call.vectors[1];
  const auto pages = [&] { return layers_[static_cast<size_t>(step.layer)]; };

  switch (step.op) {
    case Op::embed:
      return ops_->embed(device_, call.table, &batch, step.scale, out);
    case Op::add_positions:
      return ops_->add_positions(device_, call.table, &batch, step.offset, out);
    case Op::add_segments:
      return ops_->add_segments(device_, call.table, &batch, out);
    case Op::gather_outputs:
      return ops_->gather_outputs(device_, a, &batch, out);
    case Op::linear:
      return ops_->linear(device_, a, call.table, bias, step.activation, out);
    case Op::rms_norm:
      return ops_->rms_norm(device_, a, weight, step.epsilon, out);
    case Op::layer_norm:
      return ops_->layer_norm(device_, a, weight, bias, step.epsilon, out);
    case Op::rms_norm_heads:
      return ops_->rms_norm_heads(device_, out, step.attention.num_heads, step.attention.head_size, weight,
                                  step.epsilon);
    case Op::add_rms_norm:
      return ops_->add_rms_norm(device_, a, b, weight, step.epsilon, out);
    case Op::add_layer_norm:
      return ops_->add_layer_norm(device_, a, b, weight, bias, step.epsilon, out);
    case Op::add:
      return ops_->add(device_, a, b, out);
    case Op::multiply:
      return ops_->multiply(device_, a, b, out);
    case Op::add_bias:
      return ops_->add_bias(device_, out, weight);
    case Op::activate:
      return ops_->activate(device_, a, step.activation, out);
    case Op::gated:
      return ops_->gated(device_, a, step.activation, out);
    case Op::soft_cap:
      return ops_->soft_cap(device_, out, step.limit);
    case Op::clamp:
      return ops_->clamp(device_, out, step.limit);
    case Op::permute_columns:
      return ops_->permute_columns(device_, a, static_cast<const int32_t*>(call.table->data), out);
    case Op::rope:
      return ops_->rope(device_, out, step.attention.num_heads, step.attention.head_size, &call.rope, &batch);
    case Op::kv_write:
      return ops_->kv_write(device_, a, b, &batch, pages());
    case Op::rope_kv_write:
      return ops_->rope_kv_write(device_, out, &step.attention, &call.rope, &batch, pages());
    case Op::attention:
      return ops_->attention(device_, a, &call.attention, &batch, pages(), out);
    case Op::attention_full:
      return ops_->attention_full(device_, a, b, c, &step.attention, &batch, out);
    case Op::pool_mean:
      return ops_->pool_mean(device_, a, &batch, out);
    case Op::pool_first:
      return ops_->pool_first(device_, a, &batch, out);
    case Op::normalize:
      return ops_->normalize(device_, out);
    case Op::linear_fused:
      return ops_->linear_fused(device_, a, call.table, bias, step.activation, &call.fusion, out);
    case Op::rope_kv_attention:
      return ops_->rope_kv_attention(device_, a, &call.attention, &call.rope, &batch, pages(), out);
  }
  return Status{Code::internal, "an operation without a call"};
}

}  // namespace quoth
