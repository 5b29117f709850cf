#include "pool-task.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "error.h"

namespace tsvmm {

PoolTask::PoolTask(Napi::Env env, const char* syscall, std::string args)
    : Napi::AsyncWorker(env, syscall),
      deferred_(Napi::Promise::Deferred::New(env)),
      syscall_(syscall),
      args_(std::move(args)) {}

void PoolTask::OnOK() {
  const Napi::HandleScope scope(Env());
  Ended();
  if (error_ == 0) {
    deferred_.Resolve(Result(Env()));
  } else {
    deferred_.Reject(SystemError(Env(), error_, syscall_, args_).Value());
  }
}

AdviseTask::AdviseTask(Napi::Env env, std::shared_ptr<MemoryBlock> block, uint64_t offset,
                       uint64_t length, int advice)
    : PoolTask(env, "madvise", AdviseArgs(offset, length, advice)),
      block_(std::move(block)),
      offset_(offset),
      length_(length),
      advice_(advice) {
  block_->TaskStarted();
}

int AdviseTask::Work() {
  const uint64_t end = offset_ + length_;
  for (uint64_t at = offset_; at < end;) {
    if (block_->cancelled()) return ECANCELED;
    const uint64_t length = std::min(block_->step(), end - at);
    if (madvise(block_->base() + at, length, advice_) != 0) return errno;
    at += length;
  }
  return 0;
}

ResidentTask::ResidentTask(Napi::Env env, std::shared_ptr<MemoryBlock> block, uint64_t offset,
                           uint64_t length)
    : PoolTask(env, "mincore",
               Format("offset=0x%llx, length=0x%llx", static_cast<unsigned long long>(offset),
                      static_cast<unsigned long long>(length))),
      block_(std::move(block)),
      offset_(offset),
      length_(length) {
  block_->TaskStarted();
}

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

FallocateTask::FallocateTask(Napi::Env env, int fd, int mode, uint64_t offset, uint64_t length)
    : PoolTask(env, "fallocate", FallocateArgs(fd, mode, offset, length)),
      fd_(fd),
      mode_(mode),
      offset_(offset),
      length_(length) {}

int FallocateTask::Work() { return Fallocate(fd_, mode_, offset_, length_); }

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
