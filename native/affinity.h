#pragma once

#include <napi.h>
#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace tsvmm {

/// The CPUs that a thread may run on, in order. @param tid  0: the caller's thread
/// @throws std::system_error
std::vector<uint32_t> AffinityOf(pid_t tid);

/// @throws std::system_error; EINVAL when there is none that it may run on
void SetAffinity(pid_t tid, std::span<const uint32_t> cpus);

/// A Uint32Array of what AffinityOf() says. @throws NativeError
Napi::Value AffinityToJs(Napi::Env env, pid_t tid);

/// CPUs from a Uint32Array, as SetAffinity() takes them.
std::span<const uint32_t> CpusOf(const Napi::Value& value);

/// SetAffinity() for JavaScript. @throws NativeError
void SetAffinityFromJs(Napi::Env env, pid_t tid, std::span<const uint32_t> cpus);

// Functions of the addon, for the thread that calls them.
Napi::Value CpuAffinity(const Napi::CallbackInfo& info);
void SetCpuAffinity(const Napi::CallbackInfo& info);
Napi::Value CurrentCpu(const Napi::CallbackInfo& info);

}  // namespace tsvmm
