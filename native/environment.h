#pragma once

#include <napi.h>

#include <utility>

#include "error.h"

namespace tsvmm {

/// What the addon keeps per JavaScript environment (main thread or worker).
struct Environment {
  Napi::FunctionReference kvm;
  Napi::FunctionReference vm;
  Napi::FunctionReference vcpu;
  Napi::FunctionReference mapping;
  Napi::FunctionReference event_fd;
  Napi::FunctionReference terminal;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

/// Base of the classes whose objects only the addon makes: `new` from JavaScript is refused, and
/// a type tag tells their objects from all others.
/// T has `Init` (what the constructor takes), `kName` and `kTag`.
template <typename T, typename Init>
class Handle : public Napi::ObjectWrap<T> {
 public:
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<T>(info) {
    if (incoming_ == nullptr) {
      throw Napi::TypeError::New(info.Env(), std::string(T::kName) + ": illegal constructor");
    }
    info.This().template As<Napi::Object>().TypeTag(&T::kTag);
  }

  static Napi::Object Make(Napi::Env, const Napi::FunctionReference& constructor, Init init) {
    incoming_ = &init;
    try {
      Napi::Object object = constructor.New({});
      incoming_ = nullptr;
      return object;
    } catch (...) {
      incoming_ = nullptr;
      throw;
    }
  }

  /// The object behind an argument. @throws TypeError when it is anything else
  static T* From(const Napi::Value& value, const char* name) {
    if (value.IsObject()) {
      auto object = value.As<Napi::Object>();
      if (object.CheckTypeTag(&T::kTag)) return T::Unwrap(object);
    }
    throw Napi::TypeError::New(value.Env(), Format("%s: expected a %s", name, T::kName));
  }

 protected:
  static const Init* PeekInit() { return incoming_; }
  static Init TakeInit() { return std::move(*std::exchange(incoming_, nullptr)); }

 private:
  static inline thread_local Init* incoming_ = nullptr;
};

/// Hides `value` in a property of `object`, so that the collector sees who keeps it alive. A strong
/// reference from C++ would make a cycle through JavaScript immortal.
inline void Keep(Napi::Env env, Napi::Object object, const char* key, Napi::Value value) {
  const Napi::Symbol symbol = Napi::Symbol::For(env, std::string("tsvmm.") + key);
  const auto attributes = static_cast<napi_property_attributes>(napi_writable | napi_configurable);
  object.DefineProperty(Napi::PropertyDescriptor::Value(symbol, value, attributes));
}

/// Calls a function from the event loop, with ticks and microtasks after it. What it throws becomes
/// an uncaught exception.
inline void CallFromLoop(napi_env env, napi_value receiver, napi_value function, size_t argc,
                         const napi_value* argv) {
  napi_value result = nullptr;
  if (napi_make_callback(env, nullptr, receiver, function, argc, argv, &result) !=
      napi_pending_exception) {
    return;
  }
  napi_value error = nullptr;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

}  // namespace tsvmm
