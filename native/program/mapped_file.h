// A file mapped read-only into memory. The one place that knows how systems do that.
#pragma once

#include <cstdint>
#include <string>

namespace quoth {

class MappedFile {
 public:
  // `path` is UTF-8 on every system. Throws Fault io with a sentence that names the file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return data_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  const uint8_t* data_ = nullptr;  // null for an empty file
  uint64_t size_bytes_ = 0;
};

}  // namespace quoth
