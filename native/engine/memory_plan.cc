#include "memory_plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "../fault.h"

namespace quoth {
namespace {

// Rows of one step when the caller does not say. More rows use the CPU's caches better; at 256 a 1 B model's prefill is
// within a few percent of its best. A cancel does not wait for them: a step is abandoned between two operations.
constexpr int32_t kDefaultStepTokens = 256;
// A GPU wants more of them at once; how many a step really has follows from its speed (step_limit.h).
constexpr int32_t kDefaultGpuStepTokens = 1024;
// An encoder's have no history: as many as fit into so many bytes.
constexpr int64_t kGpuEncoderBytes = int64_t{84} << 20;
constexpr int64_t kLeastGpuEncoderTokens = 1024;
constexpr int32_t kMaxStepTokens = 16384;
// Rows with logits in one step: each costs a row of the vocabulary's size, and a pass over it in `score`.
constexpr int32_t kMaxOutputs = 64;
// On a GPU as many as fit into this part of the kv pages' bytes, within these bounds.
constexpr int64_t kKvBytesPerGpuOutputByte = 64;
constexpr int32_t kMaxGpuOutputs = 1024;  // kMaxChosen of kernels/cuda/device.h
// Entries of all page tables of a step (kMaxPageTable of kernels/cuda/device.h).
constexpr int32_t kMaxGpuPageTable = 128 * 4096;
// Sequences that an encoder takes at once there.
constexpr int32_t kMaxGpuEncoded = 1024;
constexpr int64_t kMaxKvTokens = int64_t{1} << 26;
// Two whole conversations, if they fit into this.
constexpr int64_t kDefaultKvBytes = int64_t{2} << 30;
constexpr int64_t kLeastDefaultKvTokens = 1024;
// Left to everybody else: what the system and the window take while we run.
constexpr uint64_t kMarginBytes = uint64_t{256} << 20;

// "4.0 GB"; below a twentieth of one, "25 MB".
std::string in_words(uint64_t bytes) {
  char text[32];
  if (bytes >= 50'000'000) {
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  } else {
    std::snprintf(text, sizeof text, "%.0f MB", std::ceil(static_cast<double>(bytes) / 1e6));
  }
  return text;
}
// "8,192"
std::string with_commas(int64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

// As engines/catalogue/fit.ts says it before there is a plan.
std::string sentence_of(const MemoryPlan& memory, bool has_kv, bool is_known) {
  const char* where = memory.device == DeviceKind::cuda ? " on the GPU" : "";
  std::string text = in_words(memory.weight_bytes);
  if (has_kv) {
    text += " + " + in_words(memory.kv_bytes()) + " for " + with_commas(int64_t{memory.num_pages} * kPageTokens) +
            " tokens of context";
    if (memory.kv_type == Type::i8 || memory.kv_type == Type::f8) text += " in 8 bits";
  }
  text += " + " + in_words(memory.activation_bytes + memory.working_bytes) + " working memory";
  const std::string free = in_words(memory.free_bytes) + " are free" + where;
  if (!memory.fits) return text + " = " + in_words(memory.needed_bytes()) + ", and " + free + ".";
  if (memory.num_pages < memory.wanted_pages) {
    return text + "; " + free + ", too few for " + with_commas(int64_t{memory.wanted_pages} * kPageTokens) + " tokens.";
  }
  return is_known ? text + "; " + free + "." : text + ".";
}

int32_t pages_for(int64_t kv_tokens) {
  return static_cast<int32_t>((kv_tokens + kPageTokens - 1) / kPageTokens);
}

uint64_t bytes_of_kv_page(const PlanFile& plan, Type type) {
  if (!plan.has_kv) return 0;
  return uint64_t{2} * static_cast<uint64_t>(kv_block_bytes(type, plan.kv.head_size)) *
         static_cast<uint64_t>(plan.kv.num_layers) * static_cast<uint64_t>(plan.kv.num_heads);
}

// The GPU's kernels bring 8 columns of a head at once.
bool can_be_bytes(const PlanFile& plan, const OpenDevice& device) {
  return device.kind == DeviceKind::cpu || plan.kv.head_size % 8 == 0;
}
Type kv_type_of(const EngineOptions& options, const PlanFile& plan, const OpenDevice& device) {
  switch (options.kv_type) {
    case KvChoice::f32:
      return Type::f32;
    case KvChoice::f16:
      return Type::f16;
    case KvChoice::i8:
    case KvChoice::f8:
      if (!can_be_bytes(plan, device)) {
        throw Fault(FaultCode::unsupported,
                    "kvType: on the GPU, bytes are for heads whose size is a multiple of 8, and this model's is " +
                        std::to_string(plan.kv.head_size) + ".");
      }
      return options.kv_type == KvChoice::i8 ? Type::i8 : Type::f8;
    default:
      return plan.kv.type;
  }
}

void check(const EngineOptions& options) {
  const auto fail = [](const std::string& sentence) { throw Fault(FaultCode::invalid_input, sentence); };
  if (options.kv_tokens < 0 || options.kv_tokens > kMaxKvTokens) fail("kvTokens is out of its range.");
  if (options.min_kv_tokens < 0 || options.min_kv_tokens > kMaxKvTokens) fail("minKvTokens is out of its range.");
  if (options.kv_tokens > 0 && options.min_kv_tokens > options.kv_tokens) fail("minKvTokens is above kvTokens.");
  if (options.memory_bytes < 0) fail("memoryBytes is negative.");
  if (options.step_tokens < 0 || options.step_tokens > kMaxStepTokens) {
    fail("stepTokens is not between 1 and " + std::to_string(kMaxStepTokens) + ".");
  }
}

int32_t usual_step_tokens(const PlanFile& plan, const Program& program, DeviceKind kind) {
  if (kind != DeviceKind::cuda) return kDefaultStepTokens;
  if (plan.role == Role::chat) return kDefaultGpuStepTokens;
  int64_t row_bytes = 0;
  for (const Buffer& buffer : program.buffers) {
    if (buffer.rows == RowsOf::tokens) row_bytes += int64_t{4} * buffer.width;
  }
  const int64_t fitting = kGpuEncoderBytes / std::max<int64_t>(row_bytes, 1) / 1024 * 1024;
  return static_cast<int32_t>(std::clamp<int64_t>(fitting, kLeastGpuEncoderTokens, kMaxStepTokens));
}

// `memory`: the kv pages that are wanted.
Capacity capacity_of(const EngineOptions& options, const PlanFile& plan, const Program& program,
                     const MemoryPlan& memory) {
  const bool is_gpu = memory.device == DeviceKind::cuda;
  const bool is_chat = plan.role == Role::chat;
  const int32_t usual = usual_step_tokens(plan, program, memory.device);
  Capacity capacity;
  capacity.tokens = options.step_tokens > 0 ? options.step_tokens : usual;
  // A sequence is encoded in one step.
  if (!is_chat) capacity.tokens = std::max(capacity.tokens, std::min(plan.context_tokens, kMaxStepTokens));
  int32_t most = kMaxOutputs;
  if (is_gpu && is_chat) {
    const int64_t row_bytes = int64_t{4} * std::max(plan.vocabulary_size, 1);
    const int64_t kv_bytes = static_cast<int64_t>(memory.kv_page_bytes) * memory.wanted_pages;
    const int64_t fitting = kv_bytes / kKvBytesPerGpuOutputByte / row_bytes;
    most = static_cast<int32_t>(std::clamp<int64_t>(fitting, kMaxOutputs, kMaxGpuOutputs));
  } else if (is_gpu) {
    most = kMaxGpuEncoded;
  }
  if (is_gpu && plan.has_kv) {  // a step's page tables travel in one piece
    const uint32_t pages = std::bit_ceil(static_cast<uint32_t>(pages_for(plan.context_tokens)));
    most = std::clamp(kMaxGpuPageTable / static_cast<int32_t>(std::min(pages, uint32_t{kMaxGpuPageTable})), 1, most);
  }
  capacity.outputs = capacity.sequences = std::min(capacity.tokens, most);
  return capacity;
}

}  // namespace

MemoryPlan plan_memory(const EngineOptions& options, const PlanFile& plan, const Program& program,
                       const OpenDevice& device) {
  check(options);
  MemoryPlan memory;
  memory.device = device.kind;
  memory.weight_bytes = plan.weight_bytes;
  if (plan.has_kv) memory.kv_type = kv_type_of(options, plan, device);
  memory.kv_page_bytes = bytes_of_kv_page(plan, memory.kv_type);

  int32_t least_pages = 0;
  if (plan.has_kv) {
    int64_t wanted = options.kv_tokens;
    int64_t least = options.min_kv_tokens > 0 ? options.min_kv_tokens : wanted;
    if (wanted == 0) {
      const int64_t page_bytes = static_cast<int64_t>(std::max<uint64_t>(memory.kv_page_bytes, 1));
      wanted = std::min(int64_t{2} * plan.context_tokens,
                        std::max(kDefaultKvBytes / page_bytes * kPageTokens, kLeastDefaultKvTokens));
      if (least == 0) least = std::min<int64_t>(plan.context_tokens, kLeastDefaultKvTokens);
      wanted = std::max(wanted, least);
    }
    memory.wanted_pages = pages_for(wanted);
    least_pages = pages_for(least);
  }
  memory.capacity = capacity_of(options, plan, program, memory);
  memory.activation_bytes = Runner::activation_bytes_of(plan, program, memory.capacity);
  if (device.ops->working_bytes != nullptr) {
    memory.working_bytes =
        device.ops->working_bytes(device.device, memory.capacity.tokens, std::max(program.max_columns, 1));
  }

  if (device.ops->memory != nullptr) {
    const Status status = device.ops->memory(device.device, &memory.free_bytes, &memory.total_bytes);
    if (!status.ok()) throw fault_of(status, "The device's free memory cannot be read");
  }
  const bool is_known = memory.free_bytes > 0;
  // The margin is not for what the caller says may be taken.
  if (is_known) memory.free_bytes -= std::min(memory.free_bytes, kMarginBytes);
  if (options.memory_bytes > 0) {
    const uint64_t most = static_cast<uint64_t>(options.memory_bytes);
    memory.free_bytes = is_known ? std::min(memory.free_bytes, most) : most;
  }
  memory.num_pages = memory.wanted_pages;
  memory.fits = true;
  if (is_known || options.memory_bytes > 0) {
    const uint64_t fixed = memory.weight_bytes + memory.activation_bytes + memory.working_bytes;
    const uint64_t left = memory.free_bytes > fixed ? memory.free_bytes - fixed : 0;
    // A CPU reads bytes slower than halves: not unless it is asked to.
    const bool may_shrink = options.kv_type == KvChoice::automatic && plan.has_kv && device.kind == DeviceKind::cuda &&
                            can_be_bytes(plan, device);
    if (may_shrink && left / memory.kv_page_bytes < static_cast<uint64_t>(memory.wanted_pages)) {
      memory.kv_type = Type::i8;
      memory.kv_page_bytes = bytes_of_kv_page(plan, memory.kv_type);
    }
    if (memory.kv_page_bytes > 0) {
      memory.num_pages = static_cast<int32_t>(
          std::min<uint64_t>(static_cast<uint64_t>(memory.wanted_pages), left / memory.kv_page_bytes));
    }
    memory.fits = memory.free_bytes >= fixed && memory.num_pages >= least_pages;
    memory.num_pages = std::max(memory.num_pages, least_pages);
  }

  memory.sentence = sentence_of(memory, plan.has_kv, is_known || options.memory_bytes > 0);
  return memory;
}

}  // namespace quoth
