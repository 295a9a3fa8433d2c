#include "plan_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "../fault.h"
#include "../sha256.h"

namespace quoth {
namespace {

constexpr char kMagic[9] = "QUOTHPLN";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kPrefixBytes = 48;
constexpr uint64_t kMaxHeaderBytes = 64ull << 20;
constexpr uint64_t kAlignment = 4096;
constexpr int64_t kMaxDimension = 1 << 24;  // rows and columns of a tensor; the largest vocabulary today is 2^18
constexpr int64_t kMaxTensors = 1 << 16;
constexpr int64_t kMaxContext = 1 << 22;

uint32_t read_u32(const uint8_t* bytes) {
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
}

Type type_of(const std::string& name, const std::string& where) {
  if (name == "f32") return Type::f32;
  if (name == "f16") return Type::f16;
  if (name == "q8") return Type::q8;
  if (name == "q4") return Type::q4;
  if (name == "int4_g32") return Type::int4_g32;
  if (name == "int4_g128") return Type::int4_g128;
  if (name == "f8") return Type::f8;
  if (name == "i32") return Type::i32;
  fail_plan(where + " is of the unknown type \"" + name + "\"");
}

// Fits: both dimensions are at most 2^24.
uint64_t size_of(const PlanTensor& tensor) {
  const uint64_t n = static_cast<uint64_t>(tensor.num_rows), k = static_cast<uint64_t>(tensor.num_columns);
  switch (tensor.type) {
    case Type::f32:
    case Type::i32:
      return 4 * n * k;
    case Type::f16:
      return 2 * n * k;
    case Type::f8:
      return static_cast<uint64_t>(f8_scales_offset(tensor.num_rows, tensor.num_columns)) + 4 * n;
    default:
      return (n + 15) / 16 * (k / static_cast<uint64_t>(record_columns(tensor.type))) *
             static_cast<uint64_t>(record_bytes(tensor.type));
  }
}

struct Section {
  uint64_t offset;
  uint64_t size_bytes;
  std::string where;
};

Section read_section(const Json& json, const std::string& where, uint64_t first_offset, uint64_t file_bytes) {
  const int64_t most = int64_t{1} << 53;
  Section section{static_cast<uint64_t>(json_integer(json, "offset", 0, most, where)),
                  static_cast<uint64_t>(json_integer(json, "sizeBytes", 0, most, where)), where};
  if (section.offset % kAlignment != 0) fail_plan(where + " does not start at a multiple of 4096");
  if (section.offset < first_offset) fail_plan(where + " lies inside the header");
  if (section.offset > file_bytes || section.size_bytes > file_bytes - section.offset) {
    fail_plan(where + " reaches beyond the end of the file");
  }
  const std::string& hash = json_string(json, "sha256", where);
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hash.size() != 64 || !std::all_of(hash.begin(), hash.end(), is_hex)) fail_plan(where + " has no SHA-256");
  return section;
}

PlanTensor read_tensor(const Json& json, const std::string& where) {
  if (json.kind != Json::Kind::object) fail_plan(where + " is not an object");
  PlanTensor tensor;
  tensor.name = json_string(json, "name", where);
  tensor.type = type_of(json_string(json, "type", where), where);
  tensor.num_rows = static_cast<int32_t>(json_integer(json, "rows", 1, kMaxDimension, where));
  tensor.num_columns = static_cast<int32_t>(json_integer(json, "columns", 1, kMaxDimension, where));
  const int32_t group = record_columns(tensor.type);
  if (group > 0 && tensor.num_columns % group != 0) {
    fail_plan(where + " has columns that " + std::to_string(group) + " does not divide");
  }
  if (tensor.type == Type::i32 && tensor.num_rows != 1) fail_plan(where + " is of i32 and has more than one row");

  const Json* codebook = json.find("codebook");
  if (codebook != nullptr && codebook->kind == Json::Kind::null) codebook = nullptr;
  if ((tensor.type == Type::q4) != (codebook != nullptr)) {
    fail_plan(where + (codebook ? " has a codebook, but its type takes none" : " has no codebook"));
  }
  if (codebook != nullptr) {
    if (codebook->kind != Json::Kind::array || codebook->items.size() != 16) {
      fail_plan(where + " has a codebook that is not 16 numbers");
    }
    for (size_t i = 0; i < 16; ++i) {
      const Json& item = codebook->items[i];
      if (item.kind != Json::Kind::number || item.number < -128 || item.number > 127 ||
          std::trunc(item.number) != item.number) {
        fail_plan(where + " has a codebook value that is not an int8");
      }
      tensor.codebook[i] = static_cast<int8_t>(item.number);
    }
  }
  return tensor;
}

void check_sections(std::vector<Section>& sections) {
  std::stable_sort(sections.begin(), sections.end(),
                   [](const Section& a, const Section& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < sections.size(); ++i) {
    const Section& before = sections[i - 1];
    if (sections[i].offset < before.offset + before.size_bytes)
      fail_plan(sections[i].where + " overlaps " + before.where);
  }
}

void check_ids(const Json& header, const char* name, int32_t vocabulary_size) {
  for (const Json& id : json_array(header, name, "the header").items) {
    if (id.kind != Json::Kind::number || id.number < 0 || id.number >= vocabulary_size ||
        std::trunc(id.number) != id.number) {
      fail_plan(std::string(name) + " holds something that is not an id of the vocabulary");
    }
  }
}

void read_header(PlanFile& plan, const Json& header, uint64_t first_offset) {
  const std::string where = "the header";
  if (header.kind != Json::Kind::object) fail_plan("the header is not an object");
  plan.architecture = json_string(header, "architecture", where);
  const std::string& role = json_string(header, "role", where);
  if (role != "chat" && role != "embedder" && role != "reranker") fail_plan("the role \"" + role + "\" is unknown");
  plan.role = role == "chat" ? Role::chat : role == "embedder" ? Role::embedder : Role::reranker;
  plan.vocabulary_size = static_cast<int32_t>(json_integer(header, "vocabularySize", 1, kMaxDimension, where));
  plan.context_tokens = static_cast<int32_t>(json_integer(header, "contextTokens", 1, kMaxContext, where));
  plan.embedding_size = static_cast<int32_t>(json_integer(header, "embeddingSize", 0, kMaxDimension, where));
  if ((plan.role == Role::embedder) != (plan.embedding_size > 0)) {
    fail_plan("embeddingSize does not fit the role \"" + role + "\"");
  }
  check_ids(header, "startIds", plan.vocabulary_size);
  check_ids(header, "stopIds", plan.vocabulary_size);

  const Json* kv = header.find("kv");
  if (kv == nullptr || (kv->kind != Json::Kind::null && kv->kind != Json::Kind::object)) fail_plan("kv is missing");
  if (kv->kind == Json::Kind::object) {
    plan.has_kv = true;
    plan.kv.type = type_of(json_string(*kv, "type", "kv"), "kv");
    if (plan.kv.type != Type::f16 && plan.kv.type != Type::f32) fail_plan("kv is of a type that it cannot have");
    plan.kv.num_layers = static_cast<int32_t>(json_integer(*kv, "numLayers", 1, 1024, "kv"));
    plan.kv.num_heads = static_cast<int32_t>(json_integer(*kv, "numHeads", 1, 4096, "kv"));
    plan.kv.head_size = static_cast<int32_t>(json_integer(*kv, "headSize", 1, 4096, "kv"));
  }
  if ((plan.role == Role::chat) != plan.has_kv) fail_plan("kv does not fit the role \"" + role + "\"");

  std::vector<Section> sections;
  const uint64_t file_bytes = plan.file->size_bytes();
  const Json* tokenizer = header.find("tokenizer");
  if (tokenizer == nullptr || tokenizer->kind != Json::Kind::object) fail_plan("the tokenizer is missing");
  sections.push_back(read_section(*tokenizer, "the tokenizer", first_offset, file_bytes));

  const Json& tensors = json_array(header, "tensors", where);
  if (tensors.items.size() > static_cast<size_t>(kMaxTensors)) fail_plan("there are too many tensors");
  plan.tensors.reserve(tensors.items.size());
  for (size_t i = 0; i < tensors.items.size(); ++i) {
    const Json& json = tensors.items[i];
    const Json* name = json.find("name");
    std::string place = "tensor " + std::to_string(i);
    if (name != nullptr && name->kind == Json::Kind::string) place += " (" + name->string + ")";
    PlanTensor tensor = read_tensor(json, place);
    const Section section = read_section(json, place, first_offset, file_bytes);
    tensor.offset = section.offset;
    tensor.size_bytes = section.size_bytes;
    if (tensor.size_bytes != size_of(tensor)) {
      fail_plan(place + " is " + std::to_string(tensor.size_bytes) + " bytes; its shape asks for " +
                std::to_string(size_of(tensor)));
    }
    plan.weight_bytes += tensor.size_bytes;
    sections.push_back(section);
    plan.tensors.push_back(std::move(tensor));
  }
  check_sections(sections);

  const Json* program = header.find("program");
  if (program == nullptr || program->kind != Json::Kind::object) fail_plan("the program is missing");
  plan.program = *program;
}

void read_plan(PlanFile& plan) {
  const uint64_t file_bytes = plan.file->size_bytes();
  const uint8_t* bytes = plan.file->data();
  if (file_bytes < kPrefixBytes || std::memcmp(bytes, kMagic, 8) != 0) fail_plan("it does not begin as a plan does");
  const uint32_t version = read_u32(bytes + 8);
  if (version != kVersion) {
    fail_plan("its version is " + std::to_string(version) + ", this program reads version " + std::to_string(kVersion));
  }
  const uint64_t header_bytes = read_u32(bytes + 12);
  if (header_bytes > kMaxHeaderBytes) fail_plan("its header is larger than 64 MiB");
  if (header_bytes > file_bytes - kPrefixBytes) fail_plan("it ends inside its header");
  Sha256 hash;
  hash.update({bytes + kPrefixBytes, static_cast<size_t>(header_bytes)});
  const auto digest = hash.digest();
  if (std::memcmp(digest.data(), bytes + 16, digest.size()) != 0)
    fail_plan("its header has another SHA-256 than it says");

  const char* text = reinterpret_cast<const char*>(bytes + kPrefixBytes);
  const uint64_t first_offset = (kPrefixBytes + header_bytes + kAlignment - 1) / kAlignment * kAlignment;
  read_header(plan, parse_json(std::string_view(text, header_bytes)), first_offset);
}

}  // namespace

void fail_plan(const std::string& what) {
  throw Fault(FaultCode::invalid_plan, what);
}

PlanFile open_plan(const std::string& path) {
  PlanFile plan;
  plan.path = path;
  plan.file = std::make_unique<MappedFile>(path);
  try {
    read_plan(plan);
  } catch (const Fault& fault) {
    throw Fault(fault.code(), "The plan " + path + " is damaged: " + fault.what() + ".");
  }
  return plan;
}

int64_t json_integer(const Json& object, const char* name, int64_t least, int64_t most, const std::string& where) {
  const Json* value = object.find(name);
  if (value == nullptr || value->kind != Json::Kind::number || std::trunc(value->number) != value->number ||
      value->number < static_cast<double>(least) || value->number > static_cast<double>(most)) {
    fail_plan(where + " has no \"" + name + "\" that is a whole number from " + std::to_string(least) + " to " +
              std::to_string(most));
  }
  return static_cast<int64_t>(value->number);
}

double json_number(const Json& object, const char* name, const std::string& where) {
  const Json* value = object.find(name);
  if (value == nullptr || value->kind != Json::Kind::number || std::fabs(value->number) > 3e38) {
    fail_plan(where + " has no number \"" + name + "\"");
  }
  return value->number;
}

double json_number_or(const Json& object, const char* name, double absent, const std::string& where) {
  return object.find(name) == nullptr ? absent : json_number(object, name, where);
}

bool json_boolean(const Json& object, const char* name, const std::string& where) {
  const Json* value = object.find(name);
  if (value == nullptr || value->kind != Json::Kind::boolean)
    fail_plan(where + " has no true or false \"" + name + "\"");
  return value->boolean;
}

const std::string& json_string(const Json& object, const char* name, const std::string& where) {
  const Json* value = object.find(name);
  if (value == nullptr || value->kind != Json::Kind::string) fail_plan(where + " has no text \"" + name + "\"");
  return value->string;
}

const Json& json_array(const Json& object, const char* name, const std::string& where) {
  const Json* value = object.find(name);
  if (value == nullptr || value->kind != Json::Kind::array) fail_plan(where + " has no list \"" + name + "\"");
  return *value;
}

}  // namespace quoth
