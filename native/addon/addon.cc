// The addon's entry. Its parts are in the files beside it.
#include <napi.h>

#include "bindings.h"

static Napi::Object start(Napi::Env env, Napi::Object exports) {
  quoth::register_engine(env, exports);
  quoth::register_retrieval(env, exports);
  quoth::register_build(env, exports);
  quoth::register_quantize(env, exports);
  return exports;
}

NODE_API_MODULE(quoth, start)
