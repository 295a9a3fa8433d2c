// Stands in for the packages node-addon-api and node-api-headers where a checkout is all there is (test/bench/gpu.sh on
// a machine without a network): the names that native/addon uses, over the C functions of Node-API version 8, which
// every Node exports (https://nodejs.org/api/n-api.html). Used by no build that is shipped.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace Napi {

class Env {
 public:
  Env(napi_env env) : env_(env) {}
  operator napi_env() const { return env_; }
  inline class Value Undefined() const;
  inline class Value Null() const;

 private:
  napi_env env_;
};

inline void check(napi_env env, napi_status status);

class Value {
 public:
  Value() = default;
  Value(napi_env env, napi_value value) : env_(env), value_(value) {}
  operator napi_value() const { return value_; }
  Napi::Env Env() const { return env_; }
  bool IsUndefined() const { return type() == napi_undefined; }
  bool IsNull() const { return type() == napi_null; }
  bool IsBoolean() const { return type() == napi_boolean; }
  bool IsNumber() const { return type() == napi_number; }
  bool IsString() const { return type() == napi_string; }
  bool IsExternal() const { return type() == napi_external; }
  bool IsObject() const { return type() == napi_object || type() == napi_function; }
  bool IsArray() const { return is(napi_is_array); }
  bool IsTypedArray() const { return is(napi_is_typedarray); }
  template <typename T>
  T As() const {
    return T(env_, value_);
  }
  inline class Boolean ToBoolean() const;

 protected:
  // The answer of a Node-API function whose last argument is where it goes.
  template <typename T, typename Function, typename... Arguments>
  static T ask(napi_env env, Function function, Arguments... arguments) {
    T answer{};
    check(env, function(env, arguments..., &answer));
    return answer;
  }

  napi_env env_ = nullptr;
  napi_value value_ = nullptr;

 private:
  napi_valuetype type() const {
    napi_valuetype type = napi_undefined;
    if (value_ != nullptr) napi_typeof(env_, value_, &type);
    return type;
  }
  bool is(napi_status (*function)(napi_env, napi_value, bool*)) const {
    bool answer = false;
    return value_ != nullptr && function(env_, value_, &answer) == napi_ok && answer;
  }
};

inline Value Env::Undefined() const {
  napi_value value = nullptr;
  napi_get_undefined(env_, &value);
  return Value(env_, value);
}
inline Value Env::Null() const {
  napi_value value = nullptr;
  napi_get_null(env_, &value);
  return Value(env_, value);
}

class Boolean : public Value {
 public:
  Boolean(napi_env env, napi_value value) : Napi::Value(env, value) {}
  bool Value() const { return ask<bool>(env_, napi_get_value_bool, value_); }
};

inline Boolean Value::ToBoolean() const {
  return Boolean(env_, ask<napi_value>(env_, napi_coerce_to_bool, value_));
}

class Number : public Value {
 public:
  using Value::Value;
  static Number New(napi_env env, double number) {
    return Number(env, ask<napi_value>(env, napi_create_double, number));
  }
  double DoubleValue() const { return ask<double>(env_, napi_get_value_double, value_); }
};

class String : public Value {
 public:
  using Value::Value;
  static String New(napi_env env, const std::string& text) {
    return String(env, ask<napi_value>(env, napi_create_string_utf8, text.c_str(), text.size()));
  }
  std::string Utf8Value() const {
    size_t size = 0;
    check(env_, napi_get_value_string_utf8(env_, value_, nullptr, 0, &size));
    std::string text(size + 1, '\0');
    check(env_, napi_get_value_string_utf8(env_, value_, text.data(), text.size(), &size));
    text.resize(size);
    return text;
  }
};

template <typename T>
Value from(napi_env env, const T& native) {
  if constexpr (std::is_base_of_v<Value, T>) {
    return native;
  } else if constexpr (std::is_same_v<T, bool>) {
    napi_value value = nullptr;
    check(env, napi_get_boolean(env, native, &value));
    return Value(env, value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return Number::New(env, static_cast<double>(native));
  } else {
    return String::New(env, native);
  }
}

class Object : public Value {
 public:
  using Value::Value;
  static Object New(napi_env env) { return Object(env, ask<napi_value>(env, napi_create_object)); }
  Value Get(const char* name) const {
    return Value(env_, ask<napi_value>(env_, napi_get_named_property, value_, name));
  }
  Value Get(uint32_t index) const { return Value(env_, ask<napi_value>(env_, napi_get_element, value_, index)); }
  template <typename T>
  void Set(const char* name, const T& value) {
    check(env_, napi_set_named_property(env_, value_, name, from(env_, value)));
  }
  template <typename T>
  void Set(uint32_t index, const T& value) {
    check(env_, napi_set_element(env_, value_, index, from(env_, value)));
  }
};

class Array : public Object {
 public:
  using Object::Object;
  static Array New(napi_env env, size_t length) {
    return Array(env, ask<napi_value>(env, napi_create_array_with_length, length));
  }
  uint32_t Length() const { return ask<uint32_t>(env_, napi_get_array_length, value_); }
};

class TypedArray : public Object {
 public:
  using Object::Object;
  napi_typedarray_type TypedArrayType() const { return described().type; }
  size_t ElementLength() const { return described().length; }

 protected:
  struct Described {
    napi_typedarray_type type = napi_int8_array;
    size_t length = 0;
    void* data = nullptr;
  };
  Described described() const {
    Described found;
    napi_value buffer = nullptr;
    size_t offset = 0;
    check(env_, napi_get_typedarray_info(env_, value_, &found.type, &found.length, &found.data, &buffer, &offset));
    return found;
  }
};

template <typename T>
class TypedArrayOf : public TypedArray {
 public:
  using TypedArray::TypedArray;
  static TypedArrayOf New(napi_env env, size_t length) {
    void* data = nullptr;
    napi_value buffer = nullptr, array = nullptr;
    check(env, napi_create_arraybuffer(env, length * sizeof(T), &data, &buffer));
    check(env, napi_create_typedarray(env, type(), length, buffer, 0, &array));
    return TypedArrayOf(env, array);
  }
  T* Data() const { return static_cast<T*>(described().data); }

 private:
  static constexpr napi_typedarray_type type() {
    if constexpr (std::is_same_v<T, int8_t>) return napi_int8_array;
    if constexpr (std::is_same_v<T, uint8_t>) return napi_uint8_array;
    if constexpr (std::is_same_v<T, int32_t>) return napi_int32_array;
    if constexpr (std::is_same_v<T, float>) return napi_float32_array;
    return napi_float64_array;
  }
};
using Int8Array = TypedArrayOf<int8_t>;
using Uint8Array = TypedArrayOf<uint8_t>;
using Int32Array = TypedArrayOf<int32_t>;
using Float32Array = TypedArrayOf<float>;
using Float64Array = TypedArrayOf<double>;

template <typename T>
class External : public Value {
 public:
  using Value::Value;
  template <typename Finalizer>
  static External New(napi_env env, T* data, Finalizer finalizer) {
    auto* held = new Finalizer(std::move(finalizer));
    const auto finish = [](napi_env of, void* ended, void* hint) {
      const std::unique_ptr<Finalizer> end(static_cast<Finalizer*>(hint));
      (*end)(Napi::Env(of), static_cast<T*>(ended));
    };
    napi_value value = nullptr;
    check(env, napi_create_external(env, data, finish, held, &value));
    return External(env, value);
  }
  T* Data() const { return static_cast<T*>(ask<void*>(env_, napi_get_value_external, value_)); }
};

template <typename T>
class Reference {
 public:
  Reference() = default;
  Reference(napi_env env, napi_ref held) : env_(env), held_(held) {}
  Reference(Reference&& other) noexcept : env_(other.env_), held_(std::exchange(other.held_, nullptr)) {}
  Reference& operator=(Reference&& other) noexcept {
    std::swap(env_, other.env_);
    std::swap(held_, other.held_);
    return *this;
  }
  ~Reference() {
    if (held_ != nullptr) napi_delete_reference(env_, held_);
  }
  T Value() const {
    napi_value value = nullptr;
    check(env_, napi_get_reference_value(env_, held_, &value));
    return T(env_, value);
  }

 private:
  napi_env env_ = nullptr;
  napi_ref held_ = nullptr;
};

template <typename T>
Reference<T> Persistent(T value) {
  napi_ref held = nullptr;
  check(value.Env(), napi_create_reference(value.Env(), value, 1, &held));
  return Reference<T>(value.Env(), held);
}

class Error : public std::exception {
 public:
  Error(napi_env env, napi_value value) : env_(env) {
    napi_ref held = nullptr;
    napi_create_reference(env, value, 1, &held);
    held_ = std::make_shared<Reference<Object>>(env, held);
  }
  static Error New(napi_env env, const std::string& message) {
    napi_value value = nullptr;
    napi_create_error(env, nullptr, String::New(env, message), &value);
    return Error(env, value);
  }
  template <typename T>
  void Set(const char* name, const T& value) {
    Value().Set(name, value);
  }
  Object Value() const { return held_->Value(); }
  void ThrowAsJavaScriptException() const { napi_throw(env_, Value()); }

 private:
  napi_env env_;
  std::shared_ptr<Reference<Object>> held_;
};

inline void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool is_pending = false;
  napi_is_exception_pending(env, &is_pending);
  napi_value thrown = nullptr;
  if (is_pending && napi_get_and_clear_last_exception(env, &thrown) == napi_ok) throw Error(env, thrown);
  throw Error::New(env, "Node-API refused a call.");
}

class CallbackInfo {
 public:
  CallbackInfo(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = 0;
    check(env, napi_get_cb_info(env, info, &count, nullptr, nullptr, &data_));
    arguments_.resize(count);
    check(env, napi_get_cb_info(env, info, &count, arguments_.data(), nullptr, nullptr));
  }
  Napi::Env Env() const { return env_; }
  Value operator[](size_t index) const {
    return index < arguments_.size() ? Value(env_, arguments_[index]) : Env().Undefined();
  }
  void* Data() const { return data_; }

 private:
  napi_env env_;
  void* data_ = nullptr;
  std::vector<napi_value> arguments_;
};

class Function : public Object {
 public:
  using Object::Object;
  template <typename Callable>
  static Function New(napi_env env, Callable callable, const char* name = "") {
    auto* held = new Callable(std::move(callable));
    const auto call = [](napi_env of, napi_callback_info info) -> napi_value {
      try {
        const CallbackInfo arguments(of, info);
        return (*static_cast<Callable*>(arguments.Data()))(arguments);
      } catch (const Error& error) {
        error.ThrowAsJavaScriptException();
        return nullptr;
      }
    };
    napi_value value = nullptr;
    check(env, napi_create_function(env, name, std::char_traits<char>::length(name), call, held, &value));
    const auto finish = [](napi_env, void* ended, void*) { delete static_cast<Callable*>(ended); };
    check(env, napi_add_finalizer(env, value, held, finish, nullptr, nullptr));
    return Function(env, value);
  }
};

class Promise : public Object {
 public:
  using Object::Object;
  class Deferred {
   public:
    static Deferred New(napi_env env) {
      Deferred made;
      made.env_ = env;
      check(env, napi_create_promise(env, &made.deferred_, &made.promise_));
      return made;
    }
    Napi::Promise Promise() const { return Napi::Promise(env_, promise_); }
    void Resolve(napi_value value) const { check(env_, napi_resolve_deferred(env_, deferred_, value)); }
    void Reject(napi_value value) const { check(env_, napi_reject_deferred(env_, deferred_, value)); }

   private:
    napi_env env_ = nullptr;
    napi_deferred deferred_ = nullptr;
    napi_value promise_ = nullptr;
  };
};

class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { check(env, napi_open_handle_scope(env, &scope_)); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

class AsyncWorker {
 public:
  AsyncWorker(napi_env env, const char* name) : env_(env) {
    const auto execute = [](napi_env, void* worker) { static_cast<AsyncWorker*>(worker)->Execute(); };
    const auto complete = [](napi_env of, napi_status status, void* worker) {
      const std::unique_ptr<AsyncWorker> ended(static_cast<AsyncWorker*>(worker));
      const HandleScope scope(of);
      if (status == napi_ok) ended->OnOK();
    };
    check(env, napi_create_async_work(env, nullptr, String::New(env, name), execute, complete, this, &work_));
  }
  virtual ~AsyncWorker() { napi_delete_async_work(env_, work_); }
  AsyncWorker(const AsyncWorker&) = delete;
  AsyncWorker& operator=(const AsyncWorker&) = delete;
  void Queue() { check(env_, napi_queue_async_work(env_, work_)); }
  Napi::Env Env() const { return env_; }

 protected:
  virtual void Execute() = 0;
  virtual void OnOK() = 0;

 private:
  napi_env env_;
  napi_async_work work_ = nullptr;
};

}  // namespace Napi

#define NODE_API_MODULE(name, start)                                                                           \
  extern "C" __attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1() { return 8; } \
  extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env,           \
                                                                                       napi_value exports) {   \
    try {                                                                                                      \
      return start(env, Napi::Object(env, exports));                                                           \
    } catch (const Napi::Error& error) {                                                                       \
      error.ThrowAsJavaScriptException();                                                                      \
      return nullptr;                                                                                          \
    }                                                                                                          \
  }
