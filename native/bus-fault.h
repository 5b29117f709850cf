#pragma once

#include <atomic>
#include <cstdint>

namespace tsvmm {

/*
 * Memory of a file can be gone when it is touched: the file was cut short, its file system is full,
 * no huge page is free, a memory module is broken. The kernel answers a process's access with
 * SIGBUS. Inside guarded ranges the handler maps zeroed anonymous memory over the lost page, so
 * that the access and the process go on, and notes where; whoever watches ends the VM. SIGBUS from
 * anywhere else does what it did before.
 */

/// A guarded range. Records live forever and are reused: a handler may be looking at one on any
/// thread at any time, so every field is atomic.
struct GuardedRange {
  static constexpr uint64_t kNoFault = ~uint64_t{0};

  /// 0: free.
  std::atomic<uintptr_t> base{0};
  std::atomic<uint64_t> size{0};
  /// Bytes that can be mapped anew at the least.
  std::atomic<uint64_t> unit{0};
  /// An eventfd, or -1. The owner of the range keeps it open.
  std::atomic<int> event{-1};
  /// Byte offset of the first page that was lost.
  std::atomic<uint64_t> fault{kNoFault};
  /// Set once, before the record can be found.
  GuardedRange* next = nullptr;
};

/// Guards a mapping until Unguard(). The first call installs the handler. The JavaScript thread's.
GuardedRange* Guard(uint8_t* base, uint64_t size, uint64_t unit);
void Unguard(GuardedRange* range);

}  // namespace tsvmm
