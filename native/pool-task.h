#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "memory-block.h"

namespace tsvmm {

/// A blocking call on the libuv pool with a promise for its end.
class PoolTask : public Napi::AsyncWorker {
 public:
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  /// @param call  names the call and its arguments in a NativeError
  PoolTask(Napi::Env env, const char* syscall, std::string args);

  /// The pool's: does the work. @returns errno
  virtual int Work() = 0;
  /// The JavaScript thread's: what the promise gives.
  virtual Napi::Value Result(Napi::Env env) { return env.Undefined(); }
  /// The JavaScript thread's, before the promise is settled.
  virtual void Ended() {}

 private:
  void Execute() final { error_ = Work(); }
  void OnOK() final;

  const Napi::Promise::Deferred deferred_;
  const char* const syscall_;
  const std::string args_;
  int error_ = 0;
};

/// Starts a task, which frees itself.
template <typename Task, typename... Args>
Napi::Value StartOnPool(Args&&... args) {
  auto* task = new Task(std::forward<Args>(args)...);
  const Napi::Promise promise = task->promise();
  task->Queue();
  return promise;
}

/// madvise in steps; stops with ECANCELED when the block is closed meanwhile.
class AdviseTask final : public PoolTask {
 public:
  AdviseTask(Napi::Env env, std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length,
             int advice);

 private:
  int Work() override;
  void Ended() override { block_->TaskEnded(); }

  const std::shared_ptr<MemoryBlock> block_;
  const uint64_t offset_;
  const uint64_t length_;
  const int advice_;
};

/// Counts resident bytes by mincore.
class ResidentTask final : public PoolTask {
 public:
  ResidentTask(Napi::Env env, std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length);

 private:
  int Work() override;
  Napi::Value Result(Napi::Env env) override;
  void Ended() override { block_->TaskEnded(); }

  const std::shared_ptr<MemoryBlock> block_;
  const uint64_t offset_;
  const uint64_t length_;
  uint64_t resident_ = 0;
};

/// fallocate.
class FallocateTask final : public PoolTask {
 public:
  FallocateTask(Napi::Env env, int fd, int mode, uint64_t offset, uint64_t length);

 private:
  int Work() override;

  const int fd_;
  const int mode_;
  const uint64_t offset_;
  const uint64_t length_;
};

std::string AdviseArgs(uint64_t offset, uint64_t length, int advice);
std::string FallocateArgs(int fd, int mode, uint64_t offset, uint64_t length);
/// @returns errno
int Fallocate(int fd, int mode, uint64_t offset, uint64_t length);

}  // namespace tsvmm
