#include "memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <utility>

#include "args.h"
#include "environment.h"
#include "error.h"
#include "pool-task.h"
#include "unique-fd.h"

namespace tsvmm {
namespace {

/// Newer than some headers that this compiles with.
constexpr unsigned kNoExecSeal = 0x0008;
constexpr unsigned kHugeShift = 26;

struct FallocateRequest {
  int fd;
  int mode;
  uint64_t offset;
  uint64_t length;
};

FallocateRequest FallocateRequestOf(const Napi::CallbackInfo& info) {
  return {static_cast<int>(UintOf(info[0], "fd", kMaxInt)),
          static_cast<int>(UintOf(info[1], "mode", kMaxInt)), UintOf(info[2], "offset", kMaxSafe),
          UintOf(info[3], "length", kMaxSafe)};
}

}  // namespace

Napi::Value CreateMemfd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = ObjectOf(info[0], "options");
  const std::string name = StringField(options, "name");
  const uint64_t size = UintField(options, "size", kMaxSafe);
  const uint64_t huge = UintField(options, "hugePageSize", uint64_t{1} << 40);
  const bool seal = BoolField(options, "seal");
  if (huge != 0 && !std::has_single_bit(huge)) {
    throw Napi::RangeError::New(env, Format("hugePageSize: 0x%llx is not a power of two",
                                            static_cast<unsigned long long>(huge)));
  }

  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  if (huge != 0) {
    flags |= MFD_HUGETLB | (static_cast<unsigned>(std::countr_zero(huge)) << kHugeShift);
  }
  UniqueFd fd(memfd_create(name.c_str(), flags | kNoExecSeal));
  // Kernels before 6.3 do not know the flag; later ones warn where it is missing.
  if (!fd.valid() && errno == EINVAL) fd = UniqueFd(memfd_create(name.c_str(), flags));
  if (!fd.valid()) {
    ThrowSystemError(env, errno, "memfd_create",
                     Format("name=%s, hugePageSize=0x%llx", name.c_str(),
                            static_cast<unsigned long long>(huge)));
  }
  if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    ThrowSystemError(
        env, errno, "ftruncate",
        Format("memfd %s, size=0x%llx", name.c_str(), static_cast<unsigned long long>(size)));
  }
  if (seal && fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
    ThrowSystemError(env, errno, "fcntl", "F_ADD_SEALS, F_SEAL_GROW|F_SEAL_SHRINK");
  }
  const int number = fd.get();
  Environment::Of(env).memfds.insert_or_assign(number, std::move(fd));
  return Napi::Number::New(env, number);
}

void CloseMemfd(const Napi::CallbackInfo& info) {
  const int fd = static_cast<int>(UintOf(info[0], "fd", kMaxInt));
  if (Environment::Of(info.Env()).memfds.erase(fd) != 0) return;
  ThrowState(info.Env(), Format("fd %d is no memfd that is open", fd));
}

void FallocateNow(const Napi::CallbackInfo& info) {
  const auto [fd, mode, offset, length] = FallocateRequestOf(info);
  const int error = Fallocate(fd, mode, offset, length);
  if (error == 0) return;
  ThrowSystemError(info.Env(), error, "fallocate", FallocateArgs(fd, mode, offset, length));
}

Napi::Value FallocateOnPool(const Napi::CallbackInfo& info) {
  const auto [fd, mode, offset, length] = FallocateRequestOf(info);
  return PoolTask::Start(info.Env(), std::make_unique<FallocateTask>(fd, mode, offset, length));
}

}  // namespace tsvmm
