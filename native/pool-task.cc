#include "pool-task.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "error.h"

namespace tsvmm {
namespace {

/// A step of madvise below this makes the next one longer. Nobody can map or protect memory of the
/// process during a step, JavaScript's heap included.
constexpr std::chrono::microseconds kQuickStep{250};
constexpr uint64_t kLongestStep = uint64_t{256} << 20;

}  // namespace

Napi::Value PoolTask::Start(Napi::Env env, std::unique_ptr<PoolTask> task) {
  const auto name = Napi::String::New(env, task->syscall_);
  napi_status status =
      napi_create_async_work(env, nullptr, name, Execute, Complete, task.get(), &task->work_);
  if (status != napi_ok) throw Napi::Error::New(env, "napi_create_async_work failed");
  napi_value promise = nullptr;
  status = napi_create_promise(env, &task->deferred_, &promise);
  if (status == napi_ok) status = napi_queue_async_work(env, task->work_);
  if (status != napi_ok) {
    napi_delete_async_work(env, task->work_);
    throw Napi::Error::New(env, "napi_queue_async_work failed");
  }
  task.release();
  return {env, promise};
}

void PoolTask::Execute(napi_env, void* data) {
  auto* self = static_cast<PoolTask*>(data);
  self->error_ = self->Work();
}

void PoolTask::Complete(napi_env env, napi_status, void* data) {
  const std::unique_ptr<PoolTask> self(static_cast<PoolTask*>(data));
  napi_delete_async_work(env, self->work_);
  const Napi::HandleScope scope(env);
  // An environment that ends runs no JavaScript and settles nothing: Node fails every call then,
  // and node-addon-api would make exceptions of that which nobody catches.
  napi_value global = nullptr;
  bool found = false;
  if (napi_get_global(env, &global) != napi_ok) return;
  if (napi_has_named_property(env, global, "Object", &found) != napi_ok) return;
  WithoutThrowing([&] { self->Settle(env); });
}

void PoolTask::Settle(Napi::Env env) {
  if (error_ == 0) {
    napi_resolve_deferred(env, deferred_, Result(env));
  } else {
    napi_reject_deferred(env, deferred_, SystemError(env, error_, syscall_, args_).Value());
  }
}

AdviseTask::AdviseTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length,
                       int advice)
    : BlockTask("madvise", AdviseArgs(offset, length, advice), std::move(block)),
      offset_(offset),
      length_(length),
      advice_(advice) {}

int AdviseTask::Work() {
  using Clock = std::chrono::steady_clock;
  const uint64_t end = offset_ + length_;
  uint64_t step = block_->step();
  for (uint64_t at = offset_; at < end;) {
    if (block_->cancelled()) return ECANCELED;
    const uint64_t length = std::min(step, end - at);
    const auto start = Clock::now();
    if (madvise(block_->base() + at, length, advice_) != 0) return errno;
    at += length;
    // Dropping memory that was never touched costs next to nothing but the calls.
    const auto taken = Clock::now() - start;
    if (taken < kQuickStep) {
      step = std::max(block_->step(), std::min(4 * step, kLongestStep));
    } else if (taken > 4 * kQuickStep) {
      step = std::max(block_->step(), step / 4);
    }
  }
  return 0;
}

ResidentTask::ResidentTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length)
    : BlockTask("mincore",
                Format("offset=0x%llx, length=0x%llx", static_cast<unsigned long long>(offset),
                       static_cast<unsigned long long>(length)),
                std::move(block)),
      offset_(offset),
      length_(length) {}

int ResidentTask::Work() {
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> present(block_->step() / page);
  const uint64_t end = offset_ + length_;
  for (uint64_t at = offset_; at < end;) {
    if (block_->cancelled()) return ECANCELED;
    const uint64_t length = std::min(block_->step(), end - at);
    if (mincore(block_->base() + at, length, present.data()) != 0) return errno;
    const auto pages = static_cast<ptrdiff_t>((length + page - 1) / page);
    resident_ += page * static_cast<uint64_t>(
                            std::count_if(present.begin(), present.begin() + pages,
                                          [](unsigned char entry) { return (entry & 1) != 0; }));
    at += length;
  }
  return 0;
}

Napi::Value ResidentTask::Result(Napi::Env env) {
  return Napi::Number::New(env, static_cast<double>(resident_));
}

FallocateTask::FallocateTask(int fd, int mode, uint64_t offset, uint64_t length)
    : PoolTask("fallocate", FallocateArgs(fd, mode, offset, length)),
      fd_(fcntl(fd, F_DUPFD_CLOEXEC, 0)),
      mode_(mode),
      offset_(offset),
      length_(length) {}

int FallocateTask::Work() { return Fallocate(fd_.get(), mode_, offset_, length_); }

std::string AdviseArgs(uint64_t offset, uint64_t length, int advice) {
  return Format("offset=0x%llx, length=0x%llx, advice=%d", static_cast<unsigned long long>(offset),
                static_cast<unsigned long long>(length), advice);
}

std::string FallocateArgs(int fd, int mode, uint64_t offset, uint64_t length) {
  return Format("fd=%d, mode=0x%x, offset=0x%llx, length=0x%llx", fd, static_cast<unsigned>(mode),
                static_cast<unsigned long long>(offset), static_cast<unsigned long long>(length));
}

int Fallocate(int fd, int mode, uint64_t offset, uint64_t length) {
  while (fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace tsvmm
