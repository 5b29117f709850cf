#pragma once

#include <napi.h>

namespace tsvmm {

/// `createMemfd(options)`.
Napi::Value CreateMemfd(const Napi::CallbackInfo& info);
/// `closeMemfd(fd)`.
void CloseMemfd(const Napi::CallbackInfo& info);
/// `fallocate(fd, mode, offset, length)`.
void FallocateNow(const Napi::CallbackInfo& info);
/// `fallocateAsync(fd, mode, offset, length)`.
Napi::Value FallocateOnPool(const Napi::CallbackInfo& info);

}  // namespace tsvmm
