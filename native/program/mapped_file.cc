#include "mapped_file.h"

#include "../fault.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#endif

namespace quoth {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw Fault(FaultCode::io, "The plan " + path + " cannot be opened: " + why + ".");
}

}  // namespace

#ifdef _WIN32

MappedFile::MappedFile(const std::string& path) {
  if (path.find('\0') != std::string::npos) fail(path, "its name is not a path");
  const int length =
      MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), static_cast<int>(path.size()), nullptr, 0);
  if (length <= 0) fail(path, "its name is not a path");
  std::wstring wide(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), static_cast<int>(path.size()), wide.data(), length);

  // Others may delete it while we read: Windows keeps the bytes until we close.
  HANDLE file = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                            FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) fail(path, "Windows says error " + std::to_string(GetLastError()));
  LARGE_INTEGER size;
  if (!GetFileSizeEx(file, &size)) {
    CloseHandle(file);
    fail(path, "it is not a regular file");
  }
  size_bytes_ = static_cast<uint64_t>(size.QuadPart);
  if (size_bytes_ != 0) {
    HANDLE mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
    if (mapping != nullptr) {
      data_ = static_cast<const uint8_t*>(MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0));
      CloseHandle(mapping);
    }
  }
  const DWORD error = GetLastError();
  CloseHandle(file);
  if (size_bytes_ != 0 && data_ == nullptr) fail(path, "Windows says error " + std::to_string(error));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) UnmapViewOfFile(data_);
}

#else

MappedFile::MappedFile(const std::string& path) {
  if (path.find('\0') != std::string::npos) fail(path, "its name is not a path");
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) fail(path, std::generic_category().message(errno));
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(file);
    fail(path, "it is not a regular file");
  }
  size_bytes_ = static_cast<uint64_t>(status.st_size);
  if (size_bytes_ != 0) {
    void* memory = mmap(nullptr, size_bytes_, PROT_READ, MAP_PRIVATE, file, 0);
    const int error = errno;
    if (memory == MAP_FAILED) {
      close(file);
      fail(path, std::generic_category().message(error));
    }
    // The whole of it is read in every step: let the system begin now.
    madvise(memory, size_bytes_, MADV_WILLNEED);
    data_ = static_cast<const uint8_t*>(memory);
  }
  close(file);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_bytes_);
}

#endif

}  // namespace quoth
