#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bus-fault.h"
#include "unique-fd.h"

namespace tsvmm {

enum class MemoryAccess { kNone, kRead, kReadWrite };

int ProtectionOf(MemoryAccess access);

struct MapRequest {
  uint64_t size;
  uint64_t alignment;
  bool shared;
  bool no_reserve;
  MemoryAccess access;
  /// -1: anonymous.
  int fd;
  uint64_t fd_offset;
  /// What the file maps as one; 0 where its file system says, or for base pages.
  uint64_t page_size;
};

/// What a system call failed with.
struct SyscallFailure {
  int error = 0;
  const char* syscall = "";
};

/// A range of mapped host memory. Who shares it: the Mapping object, each ArrayBuffer on it, each
/// memslot that uses it, each task on it in the libuv pool. It is unmapped by Unmap(), or with the
/// last share. The JavaScript thread's, except base(), size(), step() and cancelled().
class MemoryBlock {
 public:
  explicit MemoryBlock(const MapRequest& request)
      : size_(request.size),
        shared_(request.shared),
        no_reserve_(request.no_reserve),
        fd_offset_(request.fd_offset),
        access_(request) {}
  ~MemoryBlock() { Unmap(); }
  MemoryBlock(const MemoryBlock&) = delete;
  MemoryBlock& operator=(const MemoryBlock&) = delete;

  /// Once, first. @returns error 0 when it went well
  SyscallFailure Map(const MapRequest& request);
  void Unmap();

  uint8_t* base() const { return base_; }
  uint64_t size() const { return size_; }
  /// Bytes that long work takes on at a time, between which the process's memory map is unlocked:
  /// a multiple of the page size, be it huge.
  uint64_t step() const { return step_; }

  /// Signals `event` when memory turns out to be lost (see bus-fault.h).
  void WatchFaults(std::shared_ptr<UniqueFd> event);
  /// Offset of the first page that was lost, GuardedRange::kNoFault when none was.
  uint64_t fault() const;

  /// Has an inaccessible, empty range read zeros, and nothing else: the kernel's page of zeros is
  /// there instead of the memory, whatever its kind, so that it costs none. It is still
  /// inaccessible to JavaScript. @returns errno
  int ShowZeros(uint64_t offset, uint64_t length);
  /// Ends that for a range that ShowZeros() was called with: inaccessible, and the memory is behind
  /// it again. @returns errno: then it still reads zeros
  int HideZeros(uint64_t offset, uint64_t length);
  /// What was advised of all of the memory, for pieces that are mapped anew.
  void RecordAdvice(int advice) { advices_.push_back(advice); }
  void RecordPolicy(int mode, std::vector<unsigned long> mask, unsigned long bits) {
    policy_ = {mode, std::move(mask), bits};
  }

  /// @returns errno
  int Protect(uint64_t offset, uint64_t length, MemoryAccess access);
  /// Whether every byte of the range allows `access`.
  bool Allows(uint64_t offset, uint64_t length, MemoryAccess access) const {
    return access_.Least(offset, length) >= access;
  }

  /// Memslots that use the memory: ids, in the order they came.
  std::vector<uint32_t>& slots() { return slots_; }

  /// Work on the libuv pool that still needs the mapping.
  void TaskStarted() { ++tasks_; }
  void TaskEnded();
  /// Unmaps, or has the last task do so; running tasks stop at their next step.
  void Close();
  bool cancelled() const { return closed_.load(); }

 private:
  /// Which access each byte allows: the key begins a run, and the last run ends at the size.
  class AccessMap {
   public:
    explicit AccessMap(const MapRequest& request) : runs_{{0, request.access}} {}
    void Set(uint64_t offset, uint64_t end, MemoryAccess access);
    MemoryAccess Least(uint64_t offset, uint64_t length) const;

   private:
    MemoryAccess At(uint64_t offset) const;
    std::map<uint64_t, MemoryAccess> runs_;
  };

  struct Policy {
    int mode = 0;
    std::vector<unsigned long> mask;
    unsigned long bits = 0;
  };

  int MapAgain(uint64_t offset, uint64_t length);

  uint8_t* base_ = nullptr;
  const uint64_t size_;
  const bool shared_;
  const bool no_reserve_;
  const uint64_t fd_offset_;
  /// Of the file, for as long as it is mapped; invalid for anonymous memory.
  UniqueFd fd_;
  std::vector<int> advices_;
  Policy policy_;
  /// Shared anonymous memory has no other name than its mapping: where the ranges that show zeros
  /// are mapped meanwhile, length and address, by their offset.
  std::map<uint64_t, std::pair<uint64_t, void*>> aside_;
  uint64_t step_ = 0;
  /// While mapped.
  GuardedRange* guard_ = nullptr;
  std::shared_ptr<UniqueFd> fault_event_;
  AccessMap access_;
  std::vector<uint32_t> slots_;
  uint32_t tasks_ = 0;
  std::atomic<bool> closed_{false};
};

}  // namespace tsvmm
