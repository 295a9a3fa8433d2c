#include "index_file.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "../fault.h"

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace quoth {
namespace {

std::filesystem::path path_of(const std::string& path) {
  return std::filesystem::path(std::u8string(path.begin(), path.end()));
}

}  // namespace

IndexFile::IndexFile(const std::string& path, For purpose) : path_(path) {
  if (path.find('\0') != std::string::npos) fail("its name is not a path");
#ifdef _WIN32
  file_ = _wfopen(path_of(path).c_str(), purpose == For::writing ? L"wb" : L"rb");
#else
  file_ = std::fopen(path.c_str(), purpose == For::writing ? "wb" : "rb");
#endif
  if (file_ == nullptr) fail("it cannot be opened");
}

IndexFile::~IndexFile() {
  if (file_ != nullptr) std::fclose(file_);
}

uint64_t IndexFile::size_bytes() {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path_of(path_), error);
  if (error) fail("it is not a regular file");
  return size;
}

void IndexFile::read(std::span<uint8_t> to) {
  if (std::fread(to.data(), 1, to.size(), file_) != to.size()) fail("it ended early");
}

void IndexFile::write(std::span<const uint8_t> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail("it cannot be written");
}

void IndexFile::to_begin() {
  if (std::fseek(file_, 0, SEEK_SET) != 0) fail("it cannot be written");
}

void IndexFile::sync() {
#ifdef _WIN32
  if (std::fflush(file_) != 0 || _commit(_fileno(file_)) != 0) fail("it cannot be written");
#else
  if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) fail("it cannot be written");
#endif
}

void IndexFile::fail(const char* what) const {
  const std::string why = errno == 0 ? "" : " (" + std::generic_category().message(errno) + ")";
  throw Fault(FaultCode::io, "The index's file " + path_ + ": " + what + why + ".");
}

}  // namespace quoth
