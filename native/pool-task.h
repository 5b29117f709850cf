#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>

#include "memory-block.h"
#include "unique-fd.h"

namespace tsvmm {

/// A blocking call on the libuv pool with a promise for its end.
class PoolTask {
 public:
  virtual ~PoolTask() = default;
  PoolTask(const PoolTask&) = delete;
  PoolTask& operator=(const PoolTask&) = delete;

  /// Starts it; it frees itself when it has ended.
  static Napi::Value Start(Napi::Env env, std::unique_ptr<PoolTask> task);

 protected:
  /// @param syscall, args  name the call in a NativeError
  PoolTask(const char* syscall, std::string args) : syscall_(syscall), args_(std::move(args)) {}

  /// The pool's: does the work. @returns errno
  virtual int Work() = 0;
  /// The JavaScript thread's: what the promise gives.
  virtual Napi::Value Result(Napi::Env env) { return env.Undefined(); }

 private:
  static void Execute(napi_env env, void* data);
  static void Complete(napi_env env, napi_status status, void* data);
  void Settle(Napi::Env env);

  const char* const syscall_;
  const std::string args_;
  napi_async_work work_ = nullptr;
  napi_deferred deferred_ = nullptr;
  int error_ = 0;
};

/// A task that needs a mapping to stay until it has ended.
class BlockTask : public PoolTask {
 public:
  ~BlockTask() override { block_->TaskEnded(); }

 protected:
  BlockTask(const char* syscall, std::string args, std::shared_ptr<MemoryBlock> block)
      : PoolTask(syscall, std::move(args)), block_(std::move(block)) {
    block_->TaskStarted();
  }

  const std::shared_ptr<MemoryBlock> block_;
};

/// madvise in steps; stops with ECANCELED when the block is closed meanwhile.
class AdviseTask final : public BlockTask {
 public:
  AdviseTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length, int advice);

 private:
  int Work() override;

  const uint64_t offset_;
  const uint64_t length_;
  const int advice_;
};

/// Counts resident bytes by mincore.
class ResidentTask final : public BlockTask {
 public:
  ResidentTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length);

 private:
  int Work() override;
  Napi::Value Result(Napi::Env env) override;

  const uint64_t offset_;
  const uint64_t length_;
  uint64_t resident_ = 0;
};

/// fallocate, on a duplicate of the descriptor: the caller may close its own meanwhile.
class FallocateTask final : public PoolTask {
 public:
  FallocateTask(int fd, int mode, uint64_t offset, uint64_t length);

 private:
  int Work() override;

  const UniqueFd fd_;
  const int mode_;
  const uint64_t offset_;
  const uint64_t length_;
};

std::string AdviseArgs(uint64_t offset, uint64_t length, int advice);
std::string FallocateArgs(int fd, int mode, uint64_t offset, uint64_t length);
/// @returns errno
int Fallocate(int fd, int mode, uint64_t offset, uint64_t length);

}  // namespace tsvmm
