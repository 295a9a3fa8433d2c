// A fuzz target for what reads untrusted bytes in C++: dequantizing, packing, JSON and plan files. For libFuzzer
// (clang -fsanitize=fuzzer,address,undefined), or, with -DQUOTH_FUZZ_MAIN, a program of its own that makes inputs by
// number: native_fuzz [first] [count]. test/fuzz/native.mjs builds and runs it.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "../../native/build/grouped.h"
#include "../../native/build/pack.h"
#include "../../native/fault.h"
#include "../../native/program/json.h"
#include "../../native/program/plan_file.h"
#include "../../native/program/program.h"
#include "../../native/sha256.h"

namespace {

using namespace quoth;

constexpr uint64_t kMostBytes = 1 << 20;

// Reads the input from its front; zeros after its end.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint32_t below(uint32_t most) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value = value << 8 | byte();
    return value % most;
  }
  uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
  // What is left, again and again, up to `count` bytes: exactly as many as they say, so that a byte too far is seen.
  std::vector<uint8_t> bytes(uint64_t count) {
    std::vector<uint8_t> filled(count);
    const size_t left = size_ - at_;
    for (uint64_t i = 0; i < count && left > 0; i++) filled[i] = data_[at_ + i % left];
    return filled;
  }
  std::string rest() { return std::string(reinterpret_cast<const char*>(data_) + at_, size_ - at_); }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

// Mostly in its range, and now and then a little off.
std::vector<int32_t> order_of(Input& input, int32_t count, int32_t range) {
  std::vector<int32_t> order(static_cast<size_t>(count));
  const bool is_off = input.below(4) == 0;
  for (int32_t& place : order)
    place = static_cast<int32_t>(input.below(static_cast<uint32_t>(range + (is_off ? 2 : 0))));
  if (is_off && count > 0) order[0] = input.below(2) == 0 ? -1 : INT32_MAX;
  return order;
}

Type type_of(Input& input) {
  return static_cast<Type>(input.below(8));
}

void fuzz_pack(Input& input) {
  const char* names[] = {"f32",  "f16",  "bf16", "i32",  "q4_0", "q4_1",    "q5_0",   "q5_1",  "q8_0",
                         "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq2_xxs", "iq4_nl", "iq4_xs"};
  PackJob job;
  job.from = find_block_format(names[input.below(std::size(names))]);
  job.to = type_of(input);
  job.num_rows = static_cast<int32_t>(1 + input.below(50));
  job.num_columns = static_cast<int32_t>(1 + input.below(6)) * (input.below(2) == 0 ? job.from->block_values : 128);
  const int32_t checkpoint_rows =
      input.below(3) == 0 ? job.num_rows + static_cast<int32_t>(input.below(9)) : job.num_rows;
  uint64_t size = checkpoint_bytes(*job.from, checkpoint_rows, job.num_columns);
  if (input.below(16) == 0) size = size - 1 + input.below(3);
  if (size > kMostBytes) return;
  const std::vector<int32_t> order = order_of(input, job.num_rows, checkpoint_rows);
  const std::vector<uint8_t> codebook = input.bytes(16);
  const std::vector<uint8_t> bytes = input.bytes(size);
  if (input.below(2) == 0 || checkpoint_rows != job.num_rows) job.row_order = order.data();
  if (input.below(8) != 0) job.codebook = reinterpret_cast<const int8_t*>(codebook.data());
  job.bytes = bytes.data();
  job.size_bytes = bytes.size();
  if (!check_job(job).ok()) return;
  std::vector<uint8_t> packed(packed_bytes(job.to, job.num_rows, job.num_columns));
  pack(job, packed.data());
  std::vector<float> numbers(static_cast<size_t>(job.num_rows) * static_cast<size_t>(job.num_columns));
  to_float32(job, numbers.data());
}

void fuzz_grouped(Input& input) {
  const char* layouts[] = {"awq_gemm", "awq_gemv",   "awq_gemv_fast",       "gptq",
                           "gptq_v2",  "compressed", "compressed_symmetric"};
  const char* scales[] = {"f16", "bf16", "f32"};
  const int sizes[] = {32, 64, 128, 16, 8, 1, 7, 256, INT32_MAX};
  char name[80];
  std::snprintf(name, sizeof name, "%s-%d-%d-%s", layouts[input.below(7)], input.below(3) == 0 ? 8 : 4,
                sizes[input.below(9)], scales[input.below(3)]);
  GroupedJob job;
  if (!parse_grouped_format(name, &job.format)) std::abort();
  job.to = type_of(input);
  job.num_rows = job.checkpoint_rows = static_cast<int32_t>(8 * (1 + input.below(24)));
  job.num_columns = static_cast<int32_t>((input.below(2) == 0 ? 64 : 8) * (1 + input.below(6)));
  if (input.below(4) == 0) job.num_rows = static_cast<int32_t>(1 + input.below(40));
  uint64_t size = grouped_bytes(job.format, job.checkpoint_rows, job.num_columns);
  if (size == 0 || size > kMostBytes) return;
  const std::vector<int32_t> rows = order_of(input, job.num_rows, job.checkpoint_rows);
  std::vector<int32_t> columns = order_of(input, job.num_columns, job.num_columns);
  const bool sound_groups = input.below(4) != 0;
  const std::vector<uint8_t> codebook = input.bytes(16);
  if (input.below(16) == 0) size = size - 1 + input.below(3);
  std::vector<uint8_t> bytes = input.bytes(size);
  const bool has_groups = job.format.layout >= GroupedLayout::gptq;
  const uint64_t group_bytes = 4 * static_cast<uint64_t>(job.num_columns);
  if (has_groups && sound_groups && size > group_bytes) {  // else they are whatever the bytes are
    for (int32_t k = 0; k < job.num_columns; k++) {
      const int32_t group = k / job.format.group_size;
      std::memcpy(bytes.data() + size - group_bytes + 4 * static_cast<uint64_t>(k), &group, 4);
    }
  }
  if (input.below(2) == 0 || job.num_rows != job.checkpoint_rows) job.row_order = rows.data();
  if (input.below(3) == 0) job.column_order = columns.data();
  job.codebook = reinterpret_cast<const int8_t*>(codebook.data());
  job.bytes = bytes.data();
  job.size_bytes = bytes.size();
  if (!check_grouped_job(job).ok()) return;
  std::vector<uint8_t> packed(packed_bytes(job.to, job.num_rows, job.num_columns));
  pack_grouped(job, packed.data());
  std::vector<float> numbers(static_cast<size_t>(job.num_rows) * static_cast<size_t>(job.num_columns));
  grouped_to_float32(job, numbers.data());
}

void fuzz_json(Input& input) {
  try {
    parse_json(input.rest());
  } catch (const Fault&) {
  }
}

bool plan_was_read = false;

// The input is a header; it gets a preamble with its hash, and zeros for its sections.
void fuzz_plan(Input& input) {
  static const std::string path = std::string(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") + "/quoth-fuzz-" +
                                  std::to_string(std::random_device{}()) + ".plan";
  const uint32_t tail = input.below(40000);
  const std::string header = input.rest();
  std::string file = "QUOTHPLN";
  const uint32_t numbers[] = {1, static_cast<uint32_t>(header.size())};
  file.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
  Sha256 hash;
  hash.update({reinterpret_cast<const uint8_t*>(header.data()), header.size()});
  const std::array<uint8_t, 32> digest = hash.digest();
  file.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  file += header;
  file.resize(std::max(file.size(), size_t{tail}));
  std::ofstream(path, std::ios::binary).write(file.data(), static_cast<std::streamsize>(file.size()));
  try {
    const PlanFile plan = open_plan(path);
    read_program(plan);
    plan_was_read = true;
  } catch (const Fault&) {
  }
  std::remove(path.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Input input(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      fuzz_pack(input);
      break;
    case 1:
      fuzz_grouped(input);
      break;
    case 2:
      fuzz_plan(input);
      break;
    default:
      fuzz_json(input);
  }
  return 0;
}

#ifdef QUOTH_FUZZ_MAIN
namespace {

uint32_t next(uint32_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  return *state ^= *state << 5;
}

// A sound header of a plan of two tensors and one step; the tokenizer is at 4096, the tensors follow.
std::string sound_header() {
  const std::string hash(64, '0');
  return R"({"architecture":"llama","name":"a","role":"embedder","vocabularySize":4,"contextTokens":8,"embeddingSize":32,)"
         R"("startIds":[1],"stopIds":[2],"kv":null,"tokenizer":{"offset":4096,"sizeBytes":2,"sha256":")" +
         hash +
         R"("},"template":null,"program":{"buffers":[{"rows":"tokens","width":32},{"rows":"sequences","width":32}],)"
         R"("steps":[{"op":"embed","in":[],"out":[[0,0,32]],"weights":[0],"scale":1},)"
         R"({"op":"pool_mean","in":[[0,0,32]],"out":[[1,0,32]],"weights":[]}],"output":1},)"
         R"("tensors":[{"name":"t","type":"f32","rows":4,"columns":32,"offset":8192,"sizeBytes":512,"sha256":")" +
         hash + R"("},{"name":"u","type":"int4_g32","rows":16,"columns":32,"offset":12288,"sizeBytes":320,"sha256":")" +
         hash + R"("}]})";
}

std::vector<uint8_t> input_of(uint32_t number) {
  uint32_t state = number * 2654435761u ^ 0x9e3779b9u;
  if (state == 0) state = 1;
  std::vector<uint8_t> input(1, static_cast<uint8_t>(next(&state)));
  const uint32_t kind = input[0] % 4;
  if (kind < 2) {
    const uint32_t size = 16 + next(&state) % 6000;
    for (uint32_t i = 0; i < size; i++) input.push_back(static_cast<uint8_t>(next(&state) >> 8));
    return input;
  }
  std::string text = sound_header();
  const char* words[] = {"null", "-1", "0",  "1e308", "4294967296", "9007199254740993",
                         "\"\"", "[]", "{}", "1",     "33",         "\"f16\""};
  for (uint32_t changes = next(&state) % 4; changes > 0; changes--) {
    const size_t at = next(&state) % text.size();
    switch (next(&state) % 5) {
      case 0:
        text[at] = static_cast<char>(next(&state));
        break;
      case 1:
        text.erase(at, 1 + next(&state) % 8);
        break;
      case 2:
        text.insert(at, text.substr(next(&state) % text.size(), next(&state) % 40));
        break;
      default: {  // another value for a number or a text
        const size_t colon = text.find(':', at);
        const size_t end = colon == std::string::npos ? colon : text.find_first_of(",]}", colon);
        if (end != std::string::npos) text.replace(colon + 1, end - colon - 1, words[next(&state) % 12]);
      }
    }
    if (text.empty()) text = "{";
  }
  const uint32_t tail = next(&state) % 2 == 0 ? 12288 + 320 : next(&state) % 40000;
  if (kind == 2) {
    for (int shift = 24; shift >= 0; shift -= 8) input.push_back(static_cast<uint8_t>(tail >> shift));
  }
  input.insert(input.end(), text.begin(), text.end());
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  const uint32_t first = argc > 1 ? static_cast<uint32_t>(std::atoll(argv[1])) : 0;
  const uint32_t count = argc > 2 ? static_cast<uint32_t>(std::atoll(argv[2])) : 20000;
  // The sound header must be one, or nothing behind it is tried.
  std::string sound = sound_header();
  sound.insert(0, std::string("\x02\x00\x00\x31\x40", 5));  // a plan, and a file of 12,608 bytes
  plan_was_read = false;
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(sound.data()), sound.size());
  if (!plan_was_read) {
    std::printf("the sound plan is not read\n");
    return 1;
  }
  for (uint32_t number = first; number < first + count; number++) {
    const std::vector<uint8_t> input = input_of(number);
    if (number % 1000 == 0) std::fprintf(stderr, "%u\n", number);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%u inputs from %u on: nothing found\n", count, first);
}
#endif
