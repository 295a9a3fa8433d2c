// Opening the CPU, its memory, and its table of operations.
#include "device.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "cpu_info.h"
#include "free_memory.h"

namespace quoth {
namespace {

Status allocate(Device*, uint64_t size_bytes, void** memory) {
  *memory = cpu::allocate_aligned(std::max<uint64_t>(size_bytes, 1)).release();
  if (*memory == nullptr) return {Code::out_of_memory, "there is not enough memory for this buffer"};
  return {};
}

void release(Device*, void* memory) {
  cpu::AlignedDelete{}(memory);
}

Status copy(Device*, void* to, const void* from, uint64_t size_bytes) {
  if (size_bytes > 0) std::memcpy(to, from, size_bytes);
  return {};
}

Status synchronize(Device*) {
  return {};
}  // every operation has run when its call returns

uint64_t round_up(uint64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

Status reserve_threads(Device* device, uint64_t bytes_each) {
  const uint64_t bytes = round_up(bytes_each) + 4096;  // so that two threads' shares never meet in one prefetched line
  if (bytes <= device->thread_scratch_bytes) return {};
  cpu::AlignedMemory memory = cpu::allocate_aligned(bytes * static_cast<uint64_t>(device->pool.num_threads()));
  if (memory == nullptr) return {Code::out_of_memory, "there is not enough memory for the threads' scratch"};
  device->thread_scratch = std::move(memory);
  device->thread_scratch_bytes = bytes;
  return {};
}

Status reserve(Device* device, int32_t max_tokens, int32_t max_columns) {
  if (max_tokens < 1 || max_columns < 1 || max_tokens > (1 << 20) || max_columns > (1 << 24)) {
    return {Code::invalid_input, "reserve: rows or columns out of range"};
  }
  const uint64_t columns = (static_cast<uint64_t>(max_columns) + 31) / 32 * 32;
  const uint64_t values = round_up(2 * static_cast<uint64_t>(max_tokens) * columns);
  const uint64_t scales = round_up(values / 64 * 4 + 4);
  cpu::AlignedMemory memory = cpu::allocate_aligned(values + 3 * scales);
  if (memory == nullptr) return {Code::out_of_memory, "there is not enough memory for a step's scratch"};
  const Status threads =
      reserve_threads(device, static_cast<uint64_t>(cpu::unpack_bytes(static_cast<int32_t>(columns))));
  if (!threads.ok()) return threads;
  char* base = static_cast<char*>(memory.get());
  device->packed = {reinterpret_cast<int8_t*>(base), reinterpret_cast<float*>(base + values),
                    reinterpret_cast<int32_t*>(base + values + scales),
                    reinterpret_cast<float*>(base + values + 2 * scales)};
  device->packed_memory = std::move(memory);
  device->max_tokens = max_tokens;
  device->max_columns = static_cast<int32_t>(columns);
  return {};
}

Status memory(Device*, uint64_t* free_bytes, uint64_t* total_bytes) {
  const cpu::MachineMemory memory = cpu::read_machine_memory();
  *free_bytes = memory.free_bytes;
  *total_bytes = memory.total_bytes;
  return {};
}

constexpr Ops kOps = {
    .allocate = allocate,
    .release = release,
    .upload = copy,
    .download = copy,
    .synchronize = synchronize,
    .reserve = reserve,
    .memory = memory,
    .embed = cpu::embed,
    .add_positions = cpu::add_positions,
    .add_segments = cpu::add_segments,
    .gather_outputs = cpu::gather_outputs,
    .linear = cpu::linear,
    .rms_norm = cpu::rms_norm,
    .layer_norm = cpu::layer_norm,
    .rms_norm_heads = cpu::rms_norm_heads,
    .add_rms_norm = cpu::add_rms_norm,
    .add_layer_norm = cpu::add_layer_norm,
    .add = cpu::add,
    .multiply = cpu::multiply,
    .add_bias = cpu::add_bias,
    .activate = cpu::activate,
    .gated = cpu::gated,
    .soft_cap = cpu::soft_cap,
    .clamp = cpu::clamp,
    .permute_columns = cpu::permute_columns,
    .rope = cpu::rope,
    .kv_write = cpu::kv_write,
    .rope_kv_write = cpu::rope_kv_write,
    .attention = cpu::attention,
    .attention_full = cpu::attention_full,
    .pool_mean = cpu::pool_mean,
    .pool_first = cpu::pool_first,
    .normalize = cpu::normalize,
};

}  // namespace

Status open_cpu_device(int32_t num_threads, const char* instructions, Device** device, const Ops** ops,
                       DeviceInfo* info) {
  const cpu::CpuInfo processor = cpu::read_cpu_info();
  if (num_threads < 0 || num_threads > 256) return {Code::invalid_input, "the number of threads must be 0 to 256"};
  if (num_threads == 0) num_threads = std::min(processor.num_cores, 64);
  const char* best = processor.avx512_vnni ? "avx512-vnni"
                     : processor.avx_vnni  ? "avx-vnni"
                     : processor.avx2      ? "avx2"
                                           : "plain";
  const char* chosen = instructions == nullptr ? best : instructions;
  const bool wants_avx512 = std::strcmp(chosen, "avx512-vnni") == 0;
  const bool wants_avx2 = std::strcmp(chosen, "avx2") == 0;
  const bool wants_avx_vnni = std::strcmp(chosen, "avx-vnni") == 0;
  if (!wants_avx512 && !wants_avx_vnni && !wants_avx2 && std::strcmp(chosen, "plain") != 0) {
    return {Code::invalid_input, "instructions must be plain, avx2, avx-vnni or avx512-vnni"};
  }
  if ((wants_avx512 && !processor.avx512_vnni) || (wants_avx_vnni && !processor.avx_vnni) ||
      (wants_avx2 && !processor.avx2)) {
    return {Code::unsupported, "this processor does not have these instructions"};
  }
  try {
    auto opened = std::make_unique<Device>(num_threads);
    cpu::set_plain_linear(&opened->loops);
    cpu::set_plain_linear_int4(&opened->loops);
    cpu::set_plain_norm(&opened->loops);
    cpu::set_plain_elementwise(&opened->loops);
    cpu::set_plain_attention(&opened->loops);
#if QUOTH_X86
    if (wants_avx2) cpu::set_avx2(&opened->loops);
    if (wants_avx_vnni) cpu::set_avx_vnni(&opened->loops);
    if (wants_avx512) cpu::set_avx512(&opened->loops);
#endif
    const Status scratch = reserve_threads(opened.get(), cpu::kAttentionScratch * sizeof(float));
    if (!scratch.ok()) return scratch;
    *info = {};
    std::memcpy(info->name, processor.name, sizeof info->name);
    std::memcpy(info->instructions, chosen, std::strlen(chosen) + 1);
    info->num_threads = num_threads;
    *ops = &kOps;
    *device = opened.release();
    return {};
  } catch (const std::bad_alloc&) {
    return {Code::out_of_memory, "there is not enough memory to open the CPU"};
  } catch (const std::exception&) {
    return {Code::internal, "the system refused to start the engine's threads"};
  }
}

void close_cpu_device(Device* device) {
  delete device;
}

}  // namespace quoth
