#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "error.h"
#include "unique-fd.h"

namespace tsvmm {

/// What the addon keeps per JavaScript environment (main thread or worker).
struct Environment {
  Napi::FunctionReference kvm;
  Napi::FunctionReference vm;
  Napi::FunctionReference vcpu;
  Napi::FunctionReference mapping;
  Napi::FunctionReference mapping_share;
  Napi::FunctionReference event_fd;
  Napi::FunctionReference terminal;
  /// Files that JavaScript knows by number, closed here where it had no chance to.
  std::map<int, UniqueFd> memfds;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

/// Base of the classes whose objects only the addon makes: `new` from JavaScript is refused, and
/// a type tag tells their objects from all others.
/// T has `Init` (what the constructor takes), `kName` and `kTag`.
template <typename T, typename Init>
class Handle : public Napi::ObjectWrap<T> {
 public:
  /// Constructors throw before the base is made, or not at all: the base of one that threw has to
  /// be taken back from the JavaScript object, which fails in an environment that ends, and the
  /// finalizer would then find what is freed.
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<T>(Checked(info)) {
    // One that stays without its tag is taken for no handle.
    napi_type_tag_object(info.Env(), info.This(), &T::kTag);
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
  static const Napi::CallbackInfo& Checked(const Napi::CallbackInfo& info) {
    if (incoming_ != nullptr) return info;
    throw Napi::TypeError::New(info.Env(), std::string(T::kName) + ": illegal constructor");
  }

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
/// an uncaught exception. Where receiver or function are gone, since the collector has run and the
/// finalizer has not, or the environment ends, nothing is called.
void CallFromLoop(napi_env env, napi_ref receiver, napi_ref function,
                  std::optional<uint32_t> argument = std::nullopt);

}  // namespace tsvmm
