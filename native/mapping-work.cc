#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <utility>
#include <vector>

#include "args.h"
#include "eventfd.h"
#include "mapping.h"
#include "populate.h"

namespace tsvmm {
namespace {

/// More than any kernel is built for.
constexpr uint32_t kMaxNodes = 1024;
constexpr uint64_t kMaxThreads = 1024;
constexpr uint32_t kBitsPerWord = std::numeric_limits<unsigned long>::digits;

}  // namespace

Napi::Value Mapping::Populate(const Napi::CallbackInfo& info) {
  const uint64_t offset = UintOf(info[0], "offset", kMaxSafe);
  const uint64_t length = UintOf(info[1], "length", kMaxSafe);
  const auto threads = static_cast<uint32_t>(UintOf(info[2], "threads", kMaxThreads));
  const auto& memory = block(info.Env());
  CheckRange(info.Env(), offset, length, size_);
  return PoolTask::Start(info.Env(),
                         std::make_unique<PopulateTask>(memory, offset, length, threads));
}

Napi::Value Mapping::Zero(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint64_t offset = UintOf(info[0], "offset", kMaxSafe);
  const uint64_t length = UintOf(info[1], "length", kMaxSafe);
  const auto& memory = block(env);
  CheckRange(env, offset, length, size_);
  if (length > 0 && !memory->Allows(offset, length, MemoryAccess::kReadWrite)) {
    throw Napi::RangeError::New(env, Format("offset 0x%llx and length 0x%llx: not all writable",
                                            static_cast<unsigned long long>(offset),
                                            static_cast<unsigned long long>(length)));
  }
  return PoolTask::Start(env, std::make_unique<ZeroTask>(memory, offset, length));
}

void Mapping::SetPolicy(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto mode = static_cast<int>(UintOf(info[0], "mode", kMaxInt));
  const auto flags = static_cast<unsigned>(UintOf(info[1], "flags", kMaxU32));
  const auto nodes = WordsOf(info[2], "nodes");
  std::vector<unsigned long> mask(kMaxNodes / kBitsPerWord);
  for (const uint32_t node : nodes) {
    if (node >= kMaxNodes) throw Napi::RangeError::New(env, Format("node %u", node));
    mask[node / kBitsPerWord] |= 1UL << (node % kBitsPerWord);
  }
  // The kernel takes one bit less than it is told.
  const unsigned long bits = nodes.empty() ? 0 : kMaxNodes + 1;
  const auto& memory = block(env);
  if (syscall(SYS_mbind, memory->base(), size_, mode, mask.data(), bits, flags) == 0) {
    memory->RecordPolicy(mode, std::move(mask), bits);
    return;
  }
  ThrowSystemError(env, errno, "mbind", Format("mode=%d, flags=0x%x", mode, flags));
}

void Mapping::WatchFaults(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto& event = EventFd::From(info[0], "event")->descriptor(env);
  block(env)->WatchFaults(event);
}

Napi::Value Mapping::FaultOffset(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint64_t offset = block(env)->fault();
  if (offset == GuardedRange::kNoFault) return env.Undefined();
  return Napi::Number::New(env, static_cast<double>(offset));
}

}  // namespace tsvmm
