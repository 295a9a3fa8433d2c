// Promises that a thread of ours settles. run_async (async_work.h) is for work that Node's pool runs; this is for the
// engine, whose own thread knows the answer when it comes.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "../engine/generation.h"
#include "async_work.h"

namespace quoth {

// The way back to the JavaScript thread; one per environment. While a promise is open it keeps the event loop alive.
class Settler {
 public:
  static std::shared_ptr<Settler> create(Napi::Env env) {
    auto settler = std::make_shared<Settler>();
    auto* held = new std::shared_ptr<Settler>(settler);
    const Napi::String name = Napi::String::New(env, "quoth.engine");
    const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, held, on_end,
                                                               settler.get(), on_message, &settler->function_);
    if (status != napi_ok) {
      delete held;
      throw Napi::Error::New(env, "Node-API gives no way back to JavaScript's thread.");
    }
    napi_unref_threadsafe_function(env, settler->function_);
    return settler;
  }

  // A promise for what `start` finds out. JavaScript's thread only.
  //   start   (Answer<T>)                     asks; the answer may come at once or later, from any thread
  //   finish  (Napi::Env, T&&) -> Napi::Value      on JavaScript's thread
  template <typename T, typename Start, typename Finish>
  static Napi::Value promise(const std::shared_ptr<Settler>& settler, Napi::Env env, Start start, Finish finish) {
    const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
    if (settler->num_open_++ == 0) napi_ref_threadsafe_function(env, settler->function_);
    start(Answer<T>([settler, deferred, finish](Outcome<T> outcome) {
      auto held = std::make_shared<Outcome<T>>(std::move(outcome));  // a std::function must be copyable
      settler->post([deferred, finish, held](Napi::Env env) {
        try {
          if (held->fault) throw *held->fault;
          deferred.Resolve(finish(env, std::move(held->value)));
        } catch (const Napi::Error& error) {
          deferred.Reject(error.Value());
        } catch (...) {
          deferred.Reject(to_error(env, current_fault()).Value());
        }
      });
    }));
    return deferred.Promise();
  }

 private:
  using Message = std::function<void(Napi::Env)>;

  void post(Message message) {
    auto held = std::make_unique<Message>(std::move(message));
    std::lock_guard lock(mutex_);
    if (ended_) return;
    if (napi_call_threadsafe_function(function_, held.get(), napi_tsfn_nonblocking) == napi_ok) held.release();
  }

  static void on_message(napi_env env, napi_value, void* context, void* data) {
    const std::unique_ptr<Message> message(static_cast<Message*>(data));
    if (env == nullptr) return;  // the environment is going away
    const Napi::HandleScope scope(env);
    auto* settler = static_cast<Settler*>(context);
    if (--settler->num_open_ == 0) napi_unref_threadsafe_function(env, settler->function_);
    try {
      (*message)(env);
    } catch (...) {  // the environment is going away: nobody is there to tell
    }
  }

  static void on_end(napi_env, void* data, void*) {
    const std::unique_ptr<std::shared_ptr<Settler>> held(static_cast<std::shared_ptr<Settler>*>(data));
    std::lock_guard lock((*held)->mutex_);
    (*held)->ended_ = true;
  }

  napi_threadsafe_function function_ = nullptr;
  int64_t num_open_ = 0;  // JavaScript's thread only
  std::mutex mutex_;
  bool ended_ = false;
};

}  // namespace quoth
