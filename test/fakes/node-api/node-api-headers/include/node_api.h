// The functions of Node-API version 8 that ../../node-addon-api/napi.h calls, as https://nodejs.org/api/n-api.html has
// them.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
using napi_env = struct napi_env__*;
using napi_value = struct napi_value__*;
using napi_ref = struct napi_ref__*;
using napi_deferred = struct napi_deferred__*;
using napi_handle_scope = struct napi_handle_scope__*;
using napi_callback_info = struct napi_callback_info__*;
using napi_async_work = struct napi_async_work__*;
using napi_threadsafe_function = struct napi_threadsafe_function__*;
enum napi_status { napi_ok = 0 };
enum napi_valuetype {
  napi_undefined,
  napi_null,
  napi_boolean,
  napi_number,
  napi_string,
  napi_symbol,
  napi_object,
  napi_function,
  napi_external
};
enum napi_typedarray_type {
  napi_int8_array,
  napi_uint8_array,
  napi_uint8_clamped_array,
  napi_int16_array,
  napi_uint16_array,
  napi_int32_array,
  napi_uint32_array,
  napi_float32_array,
  napi_float64_array
};
enum napi_threadsafe_function_call_mode { napi_tsfn_nonblocking, napi_tsfn_blocking };
using napi_callback = napi_value (*)(napi_env, napi_callback_info);
using napi_finalize = void (*)(napi_env, void* data, void* hint);
using napi_async_execute_callback = void (*)(napi_env, void* data);
using napi_async_complete_callback = void (*)(napi_env, napi_status, void* data);
using napi_threadsafe_function_call_js = void (*)(napi_env, napi_value, void* context, void* data);

napi_status napi_get_undefined(napi_env, napi_value*);
napi_status napi_get_null(napi_env, napi_value*);
napi_status napi_get_boolean(napi_env, bool, napi_value*);
napi_status napi_create_object(napi_env, napi_value*);
napi_status napi_create_array_with_length(napi_env, size_t, napi_value*);
napi_status napi_create_double(napi_env, double, napi_value*);
napi_status napi_create_string_utf8(napi_env, const char*, size_t, napi_value*);
napi_status napi_create_function(napi_env, const char*, size_t, napi_callback, void*, napi_value*);
napi_status napi_create_error(napi_env, napi_value code, napi_value message, napi_value*);
napi_status napi_create_external(napi_env, void*, napi_finalize, void* hint, napi_value*);
napi_status napi_create_arraybuffer(napi_env, size_t, void**, napi_value*);
napi_status napi_create_typedarray(napi_env, napi_typedarray_type, size_t, napi_value, size_t, napi_value*);
napi_status napi_typeof(napi_env, napi_value, napi_valuetype*);
napi_status napi_coerce_to_bool(napi_env, napi_value, napi_value*);
napi_status napi_is_array(napi_env, napi_value, bool*);
napi_status napi_is_typedarray(napi_env, napi_value, bool*);
napi_status napi_get_value_double(napi_env, napi_value, double*);
napi_status napi_get_value_bool(napi_env, napi_value, bool*);
napi_status napi_get_value_string_utf8(napi_env, napi_value, char*, size_t, size_t*);
napi_status napi_get_value_external(napi_env, napi_value, void**);
napi_status napi_get_array_length(napi_env, napi_value, uint32_t*);
napi_status napi_get_typedarray_info(napi_env, napi_value, napi_typedarray_type*, size_t*, void**, napi_value*,
                                     size_t*);
napi_status napi_get_named_property(napi_env, napi_value, const char*, napi_value*);
napi_status napi_set_named_property(napi_env, napi_value, const char*, napi_value);
napi_status napi_get_element(napi_env, napi_value, uint32_t, napi_value*);
napi_status napi_set_element(napi_env, napi_value, uint32_t, napi_value);
napi_status napi_get_cb_info(napi_env, napi_callback_info, size_t*, napi_value*, napi_value*, void**);
napi_status napi_throw(napi_env, napi_value);
napi_status napi_is_exception_pending(napi_env, bool*);
napi_status napi_get_and_clear_last_exception(napi_env, napi_value*);
napi_status napi_create_promise(napi_env, napi_deferred*, napi_value*);
napi_status napi_resolve_deferred(napi_env, napi_deferred, napi_value);
napi_status napi_reject_deferred(napi_env, napi_deferred, napi_value);
napi_status napi_open_handle_scope(napi_env, napi_handle_scope*);
napi_status napi_close_handle_scope(napi_env, napi_handle_scope);
napi_status napi_create_reference(napi_env, napi_value, uint32_t, napi_ref*);
napi_status napi_get_reference_value(napi_env, napi_ref, napi_value*);
napi_status napi_delete_reference(napi_env, napi_ref);
napi_status napi_add_finalizer(napi_env, napi_value, void*, napi_finalize, void*, napi_ref*);
napi_status napi_create_async_work(napi_env, napi_value, napi_value, napi_async_execute_callback,
                                   napi_async_complete_callback, void*, napi_async_work*);
napi_status napi_queue_async_work(napi_env, napi_async_work);
napi_status napi_delete_async_work(napi_env, napi_async_work);
napi_status napi_create_threadsafe_function(napi_env, napi_value, napi_value, napi_value, size_t, size_t, void*,
                                            napi_finalize, void*, napi_threadsafe_function_call_js,
                                            napi_threadsafe_function*);
napi_status napi_call_threadsafe_function(napi_threadsafe_function, void*, napi_threadsafe_function_call_mode);
napi_status napi_ref_threadsafe_function(napi_env, napi_threadsafe_function);
napi_status napi_unref_threadsafe_function(napi_env, napi_threadsafe_function);
}
