#include "environment.h"

namespace tsvmm {
namespace {

/// @returns nullptr when it is gone
napi_value ValueOf(napi_env env, napi_ref reference) {
  napi_value value = nullptr;
  return napi_get_reference_value(env, reference, &value) == napi_ok ? value : nullptr;
}

}  // namespace

// Written with the calls of Node-API themselves: those of node-addon-api throw in an environment
// that ends, and libuv catches nothing.
void CallFromLoop(napi_env env, napi_ref receiver, napi_ref function,
                  std::optional<uint32_t> argument) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value self = ValueOf(env, receiver);
  napi_value callback = ValueOf(env, function);
  napi_value passed = nullptr;
  if (argument) napi_create_uint32(env, *argument, &passed);
  if (self != nullptr && callback != nullptr) {
    napi_value result = nullptr;
    const napi_status status =
        napi_make_callback(env, nullptr, self, callback, argument ? 1 : 0, &passed, &result);
    napi_value error = nullptr;
    if (status == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
      napi_fatal_exception(env, error);
    }
  }
  napi_close_handle_scope(env, scope);
}

}  // namespace tsvmm
