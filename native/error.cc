#include "error.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace tsvmm {
namespace {

/// EHWPOISON and its like have names too, so the C library is asked and not libuv.
std::string NameOf(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : Format("E%d", error);
}

std::string DescriptionOf(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : Format("error %d", error);
}

[[noreturn]] void ThrowCoded(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

}  // namespace

std::string Format(const char* format, ...) {
  char buffer[512];
  va_list list;
  va_start(list, format);
  vsnprintf(buffer, sizeof buffer, format, list);
  va_end(list);
  return buffer;
}

Napi::Error SystemError(Napi::Env env, int error, const char* syscall, const std::string& args) {
  const std::string name = NameOf(error);
  const std::string message =
      std::string(syscall) + "(" + args + "): " + DescriptionOf(error) + " (" + name + ")";
  Napi::Error result = Napi::Error::New(env, message);
  result.Set("code", Napi::String::New(env, name));
  result.Set("errno", Napi::Number::New(env, error));
  result.Set("syscall", Napi::String::New(env, syscall));
  result.Set("args", Napi::String::New(env, args));
  return result;
}

void ThrowSystemError(Napi::Env env, int error, const char* syscall, const std::string& args) {
  throw SystemError(env, error, syscall, args);
}

void ThrowClosed(Napi::Env env, const char* what) {
  ThrowCoded(env, "ERR_CLOSED", std::string("the ") + what + " is closed");
}

void ThrowState(Napi::Env env, const std::string& message) {
  ThrowCoded(env, "ERR_STATE", message);
}

}  // namespace tsvmm
