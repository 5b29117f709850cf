#pragma once

#include <sys/ioctl.h>

#include <cerrno>

#include "vm.h"

namespace tsvmm {

template <typename T>
int Vm::Ioctl(Napi::Env env, unsigned long request, const char* name, T argument,
              const std::string& args) {
  const int result = ioctl(core(env).fd(), request, argument);
  if (result < 0) ThrowSystemError(env, errno, name, args);
  return result;
}

}  // namespace tsvmm
