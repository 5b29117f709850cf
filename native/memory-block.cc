#include "memory-block.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace tsvmm {
namespace {

/// About a millisecond of discarding base pages.
constexpr uint64_t kStep = uint64_t{16} << 20;

/// Whether every mapped byte exists: touching one past the end of a file kills the process.
/// Devices have no size to compare with.
SyscallFailure CheckFile(const MapRequest& request) {
  struct stat status = {};
  if (fstat(request.fd, &status) != 0) return {errno, "fstat"};
  if (!S_ISREG(status.st_mode)) return {};
  const auto file_size = static_cast<uint64_t>(status.st_size);
  const bool fits = request.fd_offset <= file_size && request.size <= file_size - request.fd_offset;
  return fits ? SyscallFailure{} : SyscallFailure{ENXIO, "mmap"};
}

int FlagsOf(bool shared, bool no_reserve, bool is_file) {
  return MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | (no_reserve ? MAP_NORESERVE : 0) |
         (is_file ? 0 : MAP_ANONYMOUS);
}

uint64_t HugePageSize(int fd) {
  struct statfs status = {};
  if (fd < 0 || fstatfs(fd, &status) != 0) return 0;
  return status.f_type == HUGETLBFS_MAGIC ? static_cast<uint64_t>(status.f_bsize) : 0;
}

}  // namespace

int ProtectionOf(MemoryAccess access) {
  switch (access) {
    case MemoryAccess::kNone:
      return PROT_NONE;
    case MemoryAccess::kRead:
      return PROT_READ;
    case MemoryAccess::kReadWrite:
      return PROT_READ | PROT_WRITE;
  }
  return PROT_NONE;
}

SyscallFailure MemoryBlock::Map(const MapRequest& request) {
  if (request.fd >= 0) {
    const SyscallFailure failure = CheckFile(request);
    if (failure.error != 0) return failure;
    fd_ = UniqueFd(fcntl(request.fd, F_DUPFD_CLOEXEC, 0));
    if (!fd_.valid()) return {errno, "fcntl"};
  }
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t unit = std::max({page, request.page_size, HugePageSize(request.fd)});
  const uint64_t alignment = std::max(request.alignment, unit);
  const uint64_t slack = alignment - page;
  // First the addresses, with room to align; then what belongs there, over them.
  void* reserved =
      mmap(nullptr, size_ + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return {errno, "mmap"};
  const auto start = reinterpret_cast<uintptr_t>(reserved);
  const uintptr_t aligned = (start + alignment - 1) & ~(alignment - 1);
  base_ = reinterpret_cast<uint8_t*>(aligned);
  const uint64_t before = aligned - start;
  if (before > 0) munmap(reserved, before);
  if (slack > before) munmap(base_ + size_, slack - before);

  const int flags = FlagsOf(request.shared, request.no_reserve, request.fd >= 0);
  void* mapped = mmap(base_, size_, ProtectionOf(request.access), flags, request.fd,
                      static_cast<off_t>(request.fd_offset));
  if (mapped == MAP_FAILED) {
    const int error = errno;
    Unmap();
    return {error, "mmap"};
  }
  // A child process is always another program: copying page tables for it would be waste.
  madvise(base_, size_, MADV_DONTFORK);
  step_ = std::max(kStep, unit);
  guard_ = Guard(base_, size_, unit);
  return {};
}

void MemoryBlock::Unmap() {
  if (base_ == nullptr) return;
  if (guard_ != nullptr) Unguard(std::exchange(guard_, nullptr));
  munmap(base_, size_);
  base_ = nullptr;
  for (const auto& entry : aside_) munmap(entry.second.second, entry.second.first);
  aside_.clear();
  fd_.reset();
}

void MemoryBlock::WatchFaults(std::shared_ptr<UniqueFd> event) {
  if (guard_ == nullptr) return;
  guard_->event.store(event->get());
  // The one before may still be in the hands of a handler until now.
  fault_event_ = std::move(event);
}

uint64_t MemoryBlock::fault() const {
  return guard_ == nullptr ? GuardedRange::kNoFault : guard_->fault.load();
}

int MemoryBlock::ShowZeros(uint64_t offset, uint64_t length) {
  uint8_t* const start = base_ + offset;
  void* aside = nullptr;
  if (shared_ && !fd_.valid()) {
    // With an old size of 0 a second mapping of the same memory is made (mremap(2)).
    aside = mremap(start, 0, length, MREMAP_MAYMOVE);
    if (aside == MAP_FAILED) return errno;
  }
  const int flags = FlagsOf(false, true, false);
  if (mmap(start, length, PROT_READ, flags, -1, 0) == MAP_FAILED) {
    const int error = errno;
    if (aside != nullptr) munmap(aside, length);
    return error;
  }
  madvise(start, length, MADV_DONTFORK);
  madvise(start, length, MADV_DONTDUMP);
  if (aside != nullptr) aside_[offset] = {length, aside};
  return 0;
}

int MemoryBlock::HideZeros(uint64_t offset, uint64_t length) {
  const auto found = aside_.find(offset);
  if (found == aside_.end()) return MapAgain(offset, length);
  void* const aside = found->second.second;
  if (mremap(aside, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, base_ + offset) == MAP_FAILED) {
    return errno;
  }
  aside_.erase(found);
  return 0;
}

int MemoryBlock::MapAgain(uint64_t offset, uint64_t length) {
  uint8_t* const start = base_ + offset;
  const int flags = FlagsOf(shared_, no_reserve_, fd_.valid());
  const auto file_offset = static_cast<off_t>(fd_.valid() ? fd_offset_ + offset : 0);
  if (mmap(start, length, PROT_NONE, flags, fd_.valid() ? fd_.get() : -1, file_offset) ==
      MAP_FAILED) {
    return errno;
  }
  // As the memory around it, with which it becomes one mapping again. All of that went well before.
  madvise(start, length, MADV_DONTFORK);
  for (const int advice : advices_) madvise(start, length, advice);
  if (policy_.bits > 0) {
    syscall(SYS_mbind, start, length, policy_.mode, policy_.mask.data(), policy_.bits, 0);
  }
  return 0;
}

int MemoryBlock::Protect(uint64_t offset, uint64_t length, MemoryAccess access) {
  if (mprotect(base_ + offset, length, ProtectionOf(access)) != 0) return errno;
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t end = std::min(size_, (offset + length + page - 1) & ~(page - 1));
  access_.Set(offset, end, access);
  return 0;
}

void MemoryBlock::TaskEnded() {
  if (--tasks_ == 0 && closed_.load()) Unmap();
}

void MemoryBlock::Close() {
  closed_.store(true);
  if (tasks_ == 0) Unmap();
}

MemoryAccess MemoryBlock::AccessMap::At(uint64_t offset) const {
  return std::prev(runs_.upper_bound(offset))->second;
}

void MemoryBlock::AccessMap::Set(uint64_t offset, uint64_t end, MemoryAccess access) {
  if (offset >= end) return;
  const MemoryAccess after = At(end);
  runs_.erase(runs_.lower_bound(offset), runs_.upper_bound(end));
  if (offset == 0 || At(offset - 1) != access) runs_[offset] = access;
  if (after != access) runs_[end] = after;
}

MemoryAccess MemoryBlock::AccessMap::Least(uint64_t offset, uint64_t length) const {
  MemoryAccess least = At(offset);
  const uint64_t end = offset + length;
  for (auto run = runs_.upper_bound(offset); run != runs_.end() && run->first < end; ++run) {
    least = std::min(least, run->second);
  }
  return least;
}

}  // namespace tsvmm
