// Opening a shared library that lies beside the addon. The one place that knows how systems do that.
#pragma once

#include <string>

namespace quoth {

// The library of that name ("quoth_kernels_cuda") in the folder of this addon, kept open until the process ends; null
// when there is none or it cannot be loaded, and `why` says which.
void* open_library_beside(const std::string& name, std::string* why);
void* find_symbol(void* library, const char* name);

}  // namespace quoth
