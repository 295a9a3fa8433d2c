// Work off the JavaScript thread: a promise for JavaScript, plain C++ for the work.
//
//   return run_async(env, "quoth.search",
//                    [index, query = copy_floats(info[1], "query")] { return index->search(query); },   // a pool
//                    thread
//                    [](Napi::Env env, Found&& found) { return to_js(env, found); });                    //
//                    JavaScript's thread
//
// `work` must not touch a JavaScript value: copy what it needs before (copy_*), and build the answer in `finish` in
// buffers that Node-API made (make_*): Electron refuses buffers over foreign memory.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../fault.h"

namespace quoth {

// A JavaScript Error with the property `code`.
inline Napi::Error to_error(Napi::Env env, const Fault& fault) {
  Napi::Error error = Napi::Error::New(env, fault.what());
  error.Set("code", Napi::String::New(env, name_of(fault.code())));
  return error;
}

namespace internal {

template <typename Work, typename Finish>
class PromiseWorker final : public Napi::AsyncWorker {
  using Result = std::invoke_result_t<Work>;
  using Held = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;

 public:
  PromiseWorker(Napi::Env env, const char* name, Work work, Finish finish)
      : Napi::AsyncWorker(env, name),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        finish_(std::move(finish)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      if constexpr (std::is_void_v<Result>) {
        work_();
        result_.emplace();
      } else {
        result_.emplace(work_());
      }
    } catch (...) {
      fault_.emplace(current_fault());
    }
  }

  void OnOK() override {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    try {
      if (fault_) throw *fault_;
      if constexpr (std::is_void_v<Result>) {
        deferred_.Resolve(finish_(env));
      } else {
        deferred_.Resolve(finish_(env, std::move(*result_)));
      }
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (...) {
      deferred_.Reject(to_error(env, current_fault()).Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  Work work_;
  Finish finish_;
  std::optional<Held> result_;
  std::optional<Fault> fault_;
};

}  // namespace internal

// A promise that settles when `work` has run on a thread of Node's pool. See the top of this file.
//   work    () -> Result            throws Fault or any std::exception
//   finish  (Napi::Env, Result&&) -> Napi::Value      without the Result when work returns void
template <typename Work, typename Finish>
Napi::Value run_async(Napi::Env env, const char* name, Work work, Finish finish) {
  auto* worker = new internal::PromiseWorker<Work, Finish>(env, name, std::move(work), std::move(finish));
  Napi::Promise promise = worker->promise();
  worker->Queue();  // deletes itself when it is done
  return promise;
}

// The body of a function that answers with a promise: what it throws rejects the promise.
template <typename Body>
Napi::Value promised(const Napi::CallbackInfo& info, Body body) {
  Napi::Env env = info.Env();
  Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  try {
    return body();
  } catch (const Napi::Error& error) {
    deferred.Reject(error.Value());
  } catch (...) {
    deferred.Reject(to_error(env, current_fault()).Value());
  }
  return deferred.Promise();
}

// The body of a function that answers at once: what it throws is thrown in JavaScript.
template <typename Body>
Napi::Value guarded(const Napi::CallbackInfo& info, Body body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_error(info.Env(), current_fault());
  }
}

// What JavaScript holds of ours: an opaque value. Close it by a method; the collector's time is nobody's promise.
struct Handle {
  virtual ~Handle() = default;
};

inline Napi::Value make_handle(Napi::Env env, std::unique_ptr<Handle> handle) {
  return Napi::External<Handle>::New(env, handle.release(), [](Napi::Env, Handle* held) { delete held; });
}

// The handle as a T; `invalid-input` when it is something else.
template <typename T>
T& handle_of(const Napi::Value& value) {
  T* handle = value.IsExternal() ? dynamic_cast<T*>(value.As<Napi::External<Handle>>().Data()) : nullptr;
  if (handle == nullptr) throw Fault(FaultCode::invalid_input, "The handle is not one that this function takes.");
  return *handle;
}

// -- arguments: copies, so that nothing of JavaScript's is held while the work runs
// ------------------------------------

namespace internal {

template <typename T>
std::vector<T> copy_typed(const Napi::Value& value, napi_typedarray_type type, const char* name, const char* wanted) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Fault(FaultCode::invalid_input, std::string(name) + " is not a " + wanted + ".");
  }
  auto array = value.As<Napi::TypedArrayOf<T>>();
  const T* data = array.Data();
  return std::vector<T>(data, data + array.ElementLength());
}

template <typename Array, typename T>
Array make_typed(Napi::Env env, const T* data, size_t length) {
  Array array = Array::New(env, length);
  if (length != 0) std::memcpy(array.Data(), data, length * sizeof(T));
  return array;
}

}  // namespace internal

inline std::vector<float> copy_floats(const Napi::Value& value, const char* name) {
  return internal::copy_typed<float>(value, napi_float32_array, name, "Float32Array");
}
inline std::vector<double> copy_doubles(const Napi::Value& value, const char* name) {
  return internal::copy_typed<double>(value, napi_float64_array, name, "Float64Array");
}
inline std::vector<int32_t> copy_ints(const Napi::Value& value, const char* name) {
  return internal::copy_typed<int32_t>(value, napi_int32_array, name, "Int32Array");
}
inline std::vector<uint8_t> copy_bytes(const Napi::Value& value, const char* name) {
  return internal::copy_typed<uint8_t>(value, napi_uint8_array, name, "Uint8Array");
}

// A number in [least, most] (NaN is in no range).
inline double number_of(const Napi::Value& value, const char* name, double least, double most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= least && number <= most)) {
    throw Fault(FaultCode::invalid_input, std::string(name) + " is not a number in its range.");
  }
  return number;
}

// A whole number in [least, most]; both at most 2^53 in size.
inline int64_t integer_of(const Napi::Value& value, const char* name, int64_t least, int64_t most) {
  const double number = number_of(value, name, static_cast<double>(least), static_cast<double>(most));
  const int64_t integer = static_cast<int64_t>(number);
  if (static_cast<double>(integer) != number) {
    throw Fault(FaultCode::invalid_input, std::string(name) + " is not a whole number.");
  }
  return integer;
}

inline std::string string_of(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw Fault(FaultCode::invalid_input, std::string(name) + " is not a string.");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Object object_of(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) throw Fault(FaultCode::invalid_input, std::string(name) + " is not an object.");
  return value.As<Napi::Object>();
}

// -- answers
// ------------------------------------------------------------------------------------------------------------

inline Napi::Value make_floats(Napi::Env env, const std::vector<float>& values) {
  return internal::make_typed<Napi::Float32Array>(env, values.data(), values.size());
}
inline Napi::Value make_doubles(Napi::Env env, const std::vector<double>& values) {
  return internal::make_typed<Napi::Float64Array>(env, values.data(), values.size());
}
inline Napi::Value make_ints(Napi::Env env, const std::vector<int32_t>& values) {
  return internal::make_typed<Napi::Int32Array>(env, values.data(), values.size());
}
inline Napi::Value make_bytes(Napi::Env env, const std::vector<uint8_t>& values) {
  return internal::make_typed<Napi::Uint8Array>(env, values.data(), values.size());
}

}  // namespace quoth
