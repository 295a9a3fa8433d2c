#include "shared_library.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#include <unistd.h>
#endif

namespace quoth {

#ifdef _WIN32

void* open_library_beside(const std::string& name, std::string* why) {
  HMODULE self = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                     reinterpret_cast<LPCWSTR>(&open_library_beside), &self);
  std::wstring path(32768, L'\0');  // the longest path of Windows
  path.resize(GetModuleFileNameW(self, path.data(), static_cast<DWORD>(path.size())));
  path.resize(path.find_last_of(L'\\') + 1);
  path.append(name.begin(), name.end()).append(L".dll");
  if (GetFileAttributesW(path.c_str()) == INVALID_FILE_ATTRIBUTES) {
    *why = "there are no CUDA kernels beside the addon";
    return nullptr;
  }
  HMODULE library = LoadLibraryExW(path.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (library == nullptr)
    *why = "the CUDA kernels cannot be loaded: Windows says error " + std::to_string(GetLastError());
  return library;
}

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

#else

void* open_library_beside(const std::string& name, std::string* why) {
  Dl_info self;
  std::string path;
  if (dladdr(reinterpret_cast<void*>(&open_library_beside), &self) != 0 && self.dli_fname != nullptr) {
    path = self.dli_fname;
  }
  const size_t slash = path.find_last_of('/');
  path = (slash == std::string::npos ? std::string("./") : path.substr(0, slash + 1)) + "lib" + name + ".so";
  if (access(path.c_str(), F_OK) != 0) {
    *why = "there are no CUDA kernels beside the addon";
    return nullptr;
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* error = dlerror();
    *why = std::string("the CUDA kernels cannot be loaded: ") + (error != nullptr ? error : "no reason given");
  }
  return library;
}

void* find_symbol(void* library, const char* name) {
  return dlsym(library, name);
}

#endif

}  // namespace quoth
