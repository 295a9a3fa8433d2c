#include "tuning_file.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <system_error>

#ifdef _WIN32
#include <process.h>
#else
#include <unistd.h>
#endif

#include "../fault.h"
#include "../program/json.h"

namespace quoth {
namespace {

constexpr int32_t kVersion = 1;
constexpr uint64_t kMaxBytes = uint64_t{1} << 20;
constexpr size_t kMaxWays = 4096;
constexpr int32_t kMaxRows = 1 << 26;

constexpr std::pair<Type, const char*> kTypes[] = {{Type::f32, "f32"},
                                                   {Type::f16, "f16"},
                                                   {Type::q8, "q8"},
                                                   {Type::q4, "q4"},
                                                   {Type::int4_g32, "int4_g32"},
                                                   {Type::int4_g128, "int4_g128"},
                                                   {Type::f8, "f8"},
                                                   {Type::i8, "i8"}};

const char* name_of(Type type) {
  for (const auto& [known, name] : kTypes) {
    if (known == type) return name;
  }
  return "";
}

std::filesystem::path path_of(const std::string& path) {
  return std::filesystem::path(std::u8string(path.begin(), path.end()));
}

std::FILE* open_file(const std::filesystem::path& path, bool for_writing) {
#ifdef _WIN32
  return _wfopen(path.c_str(), for_writing ? L"wb" : L"rb");
#else
  return std::fopen(path.c_str(), for_writing ? "wb" : "rb");
#endif
}

struct File {
  explicit File(std::FILE* opened) : file(opened) {}
  ~File() {
    if (file != nullptr) std::fclose(file);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::FILE* file;
};

// "" when there is none, or one that no tuner wrote.
std::string read_text(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || error) return {};
  const uint64_t size_bytes = std::filesystem::file_size(path, error);
  if (error || size_bytes == 0 || size_bytes > kMaxBytes) return {};
  File file(open_file(path, false));
  if (file.file == nullptr) return {};
  std::string text(static_cast<size_t>(size_bytes), '\0');
  return std::fread(text.data(), 1, text.size(), file.file) == text.size() ? text : std::string();
}

// Letters of JSON: a device's name holds what its maker likes.
std::string quoted(const char* text) {
  std::string to = "\"";
  for (const char* at = text; *at != 0; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte == '"' || byte == '\\') to += '\\';
    if (byte >= 0x20 && byte < 0x7f) to += *at;
  }
  return to + "\"";
}

// Members that must be as this device has them.
std::array<std::pair<const char*, std::string>, 5> key_of(const DeviceInfo& device) {
  return {{{"device", quoted(device.name)},
           {"instructions", quoted(device.instructions)},
           {"multiprocessors", std::to_string(device.num_multiprocessors)},
           {"driver", quoted(device.driver)},
           {"kernels", quoted(device.kernels)}}};
}

bool is_of(const Json& json, const DeviceInfo& device) {
  for (const auto& [name, expected] : key_of(device)) {
    const Json* found = json.find(name);
    if (found == nullptr) return false;
    const bool is_same = found->kind == Json::Kind::string ? quoted(found->string.c_str()) == expected
                         : found->kind == Json::Kind::number
                             ? std::to_string(static_cast<int64_t>(found->number)) == expected
                             : false;
    if (!is_same) return false;
  }
  return true;
}

std::optional<double> number_in(const Json& object, const char* name, double least, double most) {
  const Json* found = object.find(name);
  if (found == nullptr || found->kind != Json::Kind::number) return std::nullopt;
  if (!(found->number >= least && found->number <= most)) return std::nullopt;
  return found->number;
}
std::optional<int32_t> integer_in(const Json& object, const char* name, int32_t least, int32_t most) {
  const auto number = number_in(object, name, least, most);
  if (!number || *number != std::floor(*number)) return std::nullopt;
  return static_cast<int32_t>(*number);
}

std::optional<TunedWay> way_of(const Json& object) {
  TunedWay way;
  const Json* type = object.find("type");
  const Json* gated = object.find("gated");
  if (type == nullptr || type->kind != Json::Kind::string) return std::nullopt;
  if (gated == nullptr || gated->kind != Json::Kind::boolean) return std::nullopt;
  bool is_known = false;
  for (const auto& [known, name] : kTypes) {
    if (type->string == name) way.of.type = known, is_known = true;
  }
  const auto rows = integer_in(object, "rows", 1, kMaxRows), columns = integer_in(object, "columns", 1, kMaxRows);
  const auto least = integer_in(object, "leastTokens", 1, 1 << 20), most = integer_in(object, "tokens", 1, 1 << 20);
  const auto kv_heads = integer_in(object, "kvHeads", 0, 1 << 16), pages = integer_in(object, "pages", 0, 1 << 20);
  const auto chosen = integer_in(object, "way", kOwnWay, 1 << 16);
  const auto us = number_in(object, "microseconds", 0, 1e9), own_us = number_in(object, "ownMicroseconds", 0, 1e9);
  if (!is_known || !rows || !columns || !least || !most || *least > *most || !kv_heads || !pages || !chosen || !us ||
      !own_us) {
    return std::nullopt;
  }
  way.of.is_gated = gated->boolean;
  way.of.num_rows = *rows;
  way.of.num_columns = *columns;
  way.of.num_kv_heads = *kv_heads;
  way.of.num_pages = *pages;
  way.least_rows = *least;
  way.most_rows = *most;
  way.way = *chosen;
  way.ms = *us / 1e3;
  way.own_ms = *own_us / 1e3;
  return way;
}

std::string text_of(const DeviceInfo& device, const std::vector<TunedWay>& found) {
  std::string text = "{\n  \"quothTuning\": " + std::to_string(kVersion);
  for (const auto& [name, value] : key_of(device)) text += ",\n  \"" + std::string(name) + "\": " + value;
  text += ",\n  \"ways\": [";
  const char* between = "\n";
  for (const TunedWay& way : found) {
    if (!std::isfinite(way.ms) || !std::isfinite(way.own_ms)) continue;
    char line[400];
    std::snprintf(
        line, sizeof line,
        "    {\"type\": \"%s\", \"rows\": %d, \"columns\": %d, \"gated\": %s, \"kvHeads\": %d, \"pages\": %d, "
        "\"leastTokens\": %d, \"tokens\": %d, \"way\": %d, \"microseconds\": %.2f, \"ownMicroseconds\": %.2f}",
        name_of(way.of.type), way.of.num_rows, way.of.num_columns, way.of.is_gated ? "true" : "false",
        way.of.num_kv_heads, way.of.num_pages, way.least_rows, way.most_rows, way.way, way.ms * 1e3, way.own_ms * 1e3);
    text += between;
    text += line;
    between = ",\n";
  }
  return text + "\n  ]\n}\n";
}

int process_id() {
#ifdef _WIN32
  return _getpid();
#else
  return static_cast<int>(getpid());
#endif
}

}  // namespace

std::string tuning_path_of(const std::string& plan) {
  return plan + ".tuning.json";
}

std::vector<TunedWay> read_tuning(const std::string& path, const DeviceInfo& device) {
  std::vector<TunedWay> ways;
  try {
    const std::string text = read_text(path_of(path));
    if (text.empty()) return {};
    const Json json = parse_json(text);
    const Json* listed = json.find("ways");
    if (!integer_in(json, "quothTuning", kVersion, kVersion) || !is_of(json, device) || listed == nullptr ||
        listed->kind != Json::Kind::array || listed->items.size() > kMaxWays) {
      return {};
    }
    for (const Json& one : listed->items) {
      const auto way = way_of(one);
      if (!way) return {};  // not what we wrote
      ways.push_back(*way);
    }
  } catch (const Fault&) {  // no JSON
    return {};
  } catch (const std::filesystem::filesystem_error&) {
    return {};
  }
  return ways;
}

void write_tuning(const std::string& path, const DeviceInfo& device, const std::vector<TunedWay>& found) {
  const std::string text = text_of(device, found);
  const auto fail = [&](const std::string& why) {
    throw Fault(FaultCode::io, "The file " + path + " cannot be written: " + why + ".");
  };
  const std::filesystem::path to = path_of(path);
  // Another process may write the same: each has a file of its own until it is whole.
  std::filesystem::path partial = to;
  partial += "." + std::to_string(process_id()) + ".new";
  bool is_whole = false;
  {
    File file(open_file(partial, true));
    if (file.file == nullptr) fail(std::generic_category().message(errno));
    is_whole = std::fwrite(text.data(), 1, text.size(), file.file) == text.size() && std::fflush(file.file) == 0;
  }
  std::error_code error;
  if (is_whole) {
    std::filesystem::rename(partial, to, error);
    if (!error) return;
  }
  std::error_code ignored;
  std::filesystem::remove(partial, ignored);
  fail(error ? error.message() : "the disk is full");
}

}  // namespace quoth
