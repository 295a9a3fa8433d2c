// The addon's entry. Its parts are in the files beside it; which are here is decided in CMakeLists.txt.
#include <napi.h>

#include "bindings.h"

static Napi::Object start([[maybe_unused]] Napi::Env env, Napi::Object exports) {
#ifdef QUOTH_WITH_ENGINE
  quoth::register_engine(env, exports);
#endif
#ifdef QUOTH_WITH_RETRIEVAL
  quoth::register_retrieval(env, exports);
#endif
#ifdef QUOTH_WITH_BUILD
  quoth::register_build(env, exports);
#endif
  return exports;
}

NODE_API_MODULE(quoth, start)
