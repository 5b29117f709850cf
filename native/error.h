#pragma once

#include <napi.h>

#include <string>

namespace tsvmm {

/// printf into a string: the arguments of a failed call, as `slot=7, gpa=0x1000`.
std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// The NativeError of addon.ts: `SYSCALL(args): Invalid argument (EINVAL)`.
Napi::Error SystemError(Napi::Env env, int error, const char* syscall, const std::string& args);

[[noreturn]] void ThrowSystemError(Napi::Env env, int error, const char* syscall,
                                   const std::string& args);

/// A handle that was used after close(): an Error with the code ERR_CLOSED.
[[noreturn]] void ThrowClosed(Napi::Env env, const char* what);

/// Something that the state of the object does not allow now: an Error with the code ERR_STATE.
[[noreturn]] void ThrowState(Napi::Env env, const std::string& message);

/// Runs what Node calls without a wrapper of node-addon-api around it: callbacks of the event loop,
/// of the pool, of finalizers. In an environment that ends every call of JavaScript fails, at any
/// moment, and node-addon-api makes exceptions of that; nobody above catches them, and nobody is
/// left to be told.
template <typename Body>
void WithoutThrowing(Body body) noexcept {
  try {
    body();
  } catch (const Napi::Error&) {
  }
}

}  // namespace tsvmm
