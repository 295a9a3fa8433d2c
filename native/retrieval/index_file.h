// Inside of native/retrieval: a file that is written or read from its beginning to its end.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace quoth {

// Throws Fault io with a sentence that names the file. `path` is UTF-8 on every system.
class IndexFile {
 public:
  enum class For { reading, writing };

  IndexFile(const std::string& path, For purpose);
  ~IndexFile();
  IndexFile(const IndexFile&) = delete;
  IndexFile& operator=(const IndexFile&) = delete;

  uint64_t size_bytes();
  void read(std::span<uint8_t> to);
  void write(std::span<const uint8_t> bytes);
  void to_begin();
  // After this, what was written is on the disk.
  void sync();

 private:
  [[noreturn]] void fail(const char* what) const;

  const std::string path_;
  std::FILE* file_ = nullptr;
};

}  // namespace quoth
