// A plan file, opened and checked: engines/plan/format.md. Everything in it is untrusted; nothing is allocated by a
// size that the file names before that size is found to be inside the file.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../../kernels/tensor.h"
#include "json.h"
#include "mapped_file.h"

namespace quoth {

enum class Role { chat, embedder, reranker };

struct PlanTensor {
  std::string name;
  Type type = Type::f32;
  int32_t num_rows = 0;
  int32_t num_columns = 0;
  uint64_t offset = 0;  // in the file
  uint64_t size_bytes = 0;
  std::array<int8_t, 16> codebook{};  // q4
  const uint8_t* memory = nullptr;    // where it is when it is in no file: the workbench of native/build
};

struct PlanKv {
  Type type = Type::f16;
  int32_t num_layers = 0;
  int32_t num_heads = 0;  // G
  int32_t head_size = 0;  // d
};

struct PlanFile {
  std::string path;
  std::unique_ptr<MappedFile> file;

  std::string architecture;
  Role role = Role::chat;
  int32_t vocabulary_size = 0;
  int32_t context_tokens = 0;
  int32_t embedding_size = 0;
  int32_t num_embedded = 0;  // ids that `embed` is given are below this; 0 = vocabulary_size
  bool has_kv = false;
  PlanKv kv;
  std::vector<PlanTensor> tensors;
  uint64_t weight_bytes = 0;
  Json program;  // as written; program.cc reads it

  const uint8_t* bytes_of(const PlanTensor& tensor) const {
    return tensor.memory != nullptr ? tensor.memory : file->data() + tensor.offset;
  }
};

// Throws Fault io when the file cannot be opened, invalid_plan when it is not a plan or damaged.
PlanFile open_plan(const std::string& path);

// A whole number in [least, most] that is a member of `object`; else Fault invalid_plan, with `where` in the sentence.
int64_t json_integer(const Json& object, const char* name, int64_t least, int64_t most, const std::string& where);
double json_number(const Json& object, const char* name, const std::string& where);
// `absent` when the object has no such member.
double json_number_or(const Json& object, const char* name, double absent, const std::string& where);
bool json_boolean(const Json& object, const char* name, const std::string& where);
const std::string& json_string(const Json& object, const char* name, const std::string& where);
const Json& json_array(const Json& object, const char* name, const std::string& where);

// "The plan <path> is damaged: <what>."
[[noreturn]] void fail_plan(const std::string& what);

}  // namespace quoth
