#include "populate.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "error.h"
#include "kick-signal.h"

namespace tsvmm {
namespace {

/// madvise(2), since Linux 5.14; newer than some headers that this compiles with.
constexpr int kPopulateWrite = 23;

std::string RangeArgs(uint64_t offset, uint64_t length) {
  return Format("offset=0x%llx, length=0x%llx", static_cast<unsigned long long>(offset),
                static_cast<unsigned long long>(length));
}

/// Writes back a byte of each page, through the kernel: it answers EFAULT where an access of our
/// own would be a signal. @returns errno
int TouchPages(uint8_t* start, uint64_t length, uint64_t page) {
  std::array<iovec, 256> remote;
  std::array<uint8_t, 256> bytes;
  for (uint64_t at = 0; at < length;) {
    size_t count = 0;
    for (; count < remote.size() && at < length; ++count, at += page) {
      remote[count] = {start + at, 1};
    }
    const iovec local = {bytes.data(), count};
    const pid_t self = getpid();
    const auto wanted = static_cast<ssize_t>(count);
    // Less than all means that the next page failed.
    ssize_t done = process_vm_readv(self, &local, 1, remote.data(), count, 0);
    if (done == wanted) done = process_vm_writev(self, &local, 1, remote.data(), count, 0);
    if (done != wanted) return done < 0 ? errno : EFAULT;
  }
  return 0;
}

int PopulateStep(const MemoryBlock& block, uint64_t offset, uint64_t length) {
  uint8_t* start = block.base() + offset;
  if (madvise(start, length, kPopulateWrite) == 0) return 0;
  // Kernels before 5.14 do not know the advice.
  if (errno == EINVAL) return TouchPages(start, length, static_cast<uint64_t>(getpagesize()));
  return errno;
}

/// What the threads of one task share: each takes the next step until there is none.
struct Progress {
  std::atomic<uint64_t> next;
  std::atomic<int> error{0};
};

void PopulateSteps(const MemoryBlock& block, Progress* progress, uint64_t end) {
  while (progress->error.load() == 0) {
    const uint64_t at = progress->next.fetch_add(block.step());
    if (at >= end) return;
    const uint64_t length = std::min(block.step(), end - at);
    const int error = block.cancelled() ? ECANCELED : PopulateStep(block, at, length);
    if (error != 0) progress->error.store(error);
  }
}

}  // namespace

PopulateTask::PopulateTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length,
                           uint32_t threads)
    : BlockTask("madvise", RangeArgs(offset, length) + ", advice=MADV_POPULATE_WRITE",
                std::move(block)),
      offset_(offset),
      length_(length),
      threads_(threads) {}

int PopulateTask::Work() {
  const uint64_t end = offset_ + length_;
  Progress progress = {offset_};
  const auto steps = [&] { PopulateSteps(*block_, &progress, end); };
  std::vector<std::thread> helpers;
  try {
    const SignalsBlocked inherited;
    for (uint32_t i = 1; i < threads_; ++i) helpers.emplace_back(steps);
  } catch (const std::system_error&) {
    // Fewer threads than asked for do the same work.
  }
  steps();
  for (auto& helper : helpers) helper.join();
  return progress.error.load();
}

ZeroTask::ZeroTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length)
    : BlockTask("zero", RangeArgs(offset, length), std::move(block)),
      offset_(offset),
      length_(length) {}

int ZeroTask::Work() {
  const uint64_t end = offset_ + length_;
  for (uint64_t at = offset_; at < end;) {
    if (block_->cancelled()) return ECANCELED;
    const uint64_t length = std::min(block_->step(), end - at);
    std::memset(block_->base() + at, 0, length);
    at += length;
  }
  return 0;
}

}  // namespace tsvmm
