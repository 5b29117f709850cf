#include "affinity.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "args.h"
#include "error.h"

namespace tsvmm {
namespace {

/// More than any kernel has (CONFIG_NR_CPUS is 8192 at most).
constexpr uint32_t kMaxCpus = 1 << 16;

struct FreeSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, FreeSet>;

CpuSet EmptySet(uint32_t cpus) {
  CpuSet set(CPU_ALLOC(cpus));
  if (!set) throw std::bad_alloc();
  CPU_ZERO_S(CPU_ALLOC_SIZE(cpus), set.get());
  return set;
}

[[noreturn]] void Fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::vector<uint32_t> AffinityOf(pid_t tid) {
  // The kernel refuses a set that is smaller than its own.
  for (uint32_t size = 1024; size <= kMaxCpus; size *= 2) {
    const CpuSet set = EmptySet(size);
    if (sched_getaffinity(tid, CPU_ALLOC_SIZE(size), set.get()) != 0) {
      if (errno == EINVAL) continue;
      Fail("sched_getaffinity");
    }
    std::vector<uint32_t> cpus;
    for (uint32_t cpu = 0; cpu < size; ++cpu) {
      if (CPU_ISSET_S(cpu, CPU_ALLOC_SIZE(size), set.get())) cpus.push_back(cpu);
    }
    return cpus;
  }
  errno = EINVAL;
  Fail("sched_getaffinity");
}

void SetAffinity(pid_t tid, std::span<const uint32_t> cpus) {
  const uint32_t last = cpus.empty() ? 0 : *std::max_element(cpus.begin(), cpus.end());
  const size_t bytes = CPU_ALLOC_SIZE(last + 1);
  const CpuSet set = EmptySet(last + 1);
  for (const uint32_t cpu : cpus) CPU_SET_S(cpu, bytes, set.get());
  if (sched_setaffinity(tid, bytes, set.get()) != 0) Fail("sched_setaffinity");
}

Napi::Value AffinityToJs(Napi::Env env, pid_t tid) {
  std::vector<uint32_t> cpus;
  try {
    cpus = AffinityOf(tid);
  } catch (const std::system_error& error) {
    ThrowSystemError(env, error.code().value(), "sched_getaffinity", Format("tid=%d", tid));
  }
  auto array = Napi::Uint32Array::New(env, cpus.size());
  std::copy(cpus.begin(), cpus.end(), array.Data());
  return array;
}

std::span<const uint32_t> CpusOf(const Napi::Value& value) {
  const auto cpus = WordsOf(value, "cpus");
  for (const uint32_t cpu : cpus) {
    if (cpu >= kMaxCpus) throw Napi::RangeError::New(value.Env(), Format("cpus: %u", cpu));
  }
  return cpus;
}

void SetAffinityFromJs(Napi::Env env, pid_t tid, std::span<const uint32_t> cpus) {
  try {
    SetAffinity(tid, cpus);
  } catch (const std::system_error& error) {
    const uint32_t first = cpus.empty() ? 0 : cpus.front();
    ThrowSystemError(env, error.code().value(), "sched_setaffinity",
                     Format("tid=%d, cpus=%zu from %u", tid, cpus.size(), first));
  }
}

Napi::Value CpuAffinity(const Napi::CallbackInfo& info) { return AffinityToJs(info.Env(), 0); }

void SetCpuAffinity(const Napi::CallbackInfo& info) {
  SetAffinityFromJs(info.Env(), 0, CpusOf(info[0]));
}

Napi::Value CurrentCpu(const Napi::CallbackInfo& info) {
  const int cpu = sched_getcpu();
  if (cpu < 0) ThrowSystemError(info.Env(), errno, "sched_getcpu", "");
  return Napi::Number::New(info.Env(), cpu);
}

}  // namespace tsvmm
