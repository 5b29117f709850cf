#include "bus-fault.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace tsvmm {
namespace {

std::atomic<GuardedRange*> ranges{nullptr};
std::mutex mutex;
struct sigaction previous = {};

GuardedRange* Find(uintptr_t address, uintptr_t* base, uint64_t* size) {
  for (GuardedRange* range = ranges.load(); range != nullptr; range = range->next) {
    *base = range->base.load();
    *size = range->size.load();
    // Read again: the record may have changed hands in between.
    if (*base != 0 && address - *base < *size && range->base.load() == *base) return range;
  }
  return nullptr;
}

/// @returns whether there is memory at `address` now
bool Replace(uintptr_t address) {
  uintptr_t base = 0;
  uint64_t size = 0;
  GuardedRange* range = Find(address, &base, &size);
  if (range == nullptr) return false;
  const uint64_t unit = range->unit.load();
  const uint64_t offset = (address - base) & ~(unit - 1);
  const uint64_t length = unit < size - offset ? unit : size - offset;
  void* place = reinterpret_cast<void*>(base + offset);
  const int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  if (mmap(place, length, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) return false;
  uint64_t none = GuardedRange::kNoFault;
  range->fault.compare_exchange_strong(none, offset);
  const int event = range->event.load();
  const uint64_t one = 1;
  if (event >= 0 && write(event, &one, sizeof one) < 0) {
    // The counter is full: it is signalled already.
  }
  return true;
}

void OnSigbus(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool by_kernel = info->si_code > 0;
  const bool replaced = by_kernel && Replace(reinterpret_cast<uintptr_t>(info->si_addr));
  errno = saved;
  if (replaced) return;
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(number, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    return previous.sa_handler(number);
  }
  // The access that faulted is repeated when this returns, and ends the process as it should.
  signal(SIGBUS, SIG_DFL);
  if (!by_kernel) raise(SIGBUS);
}

void Install() {
  static bool installed = false;
  if (installed) return;
  struct sigaction action = {};
  action.sa_sigaction = OnSigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  installed = sigaction(SIGBUS, &action, &previous) == 0;
}

GuardedRange* FreeRecord() {
  for (GuardedRange* range = ranges.load(); range != nullptr; range = range->next) {
    if (range->base.load() == 0) return range;
  }
  auto* range = new GuardedRange();
  range->next = ranges.load();
  ranges.store(range);
  return range;
}

}  // namespace

GuardedRange* Guard(uint8_t* base, uint64_t size, uint64_t unit) {
  const std::scoped_lock lock(mutex);
  Install();
  GuardedRange* range = FreeRecord();
  range->size.store(size);
  range->unit.store(unit);
  range->event.store(-1);
  range->fault.store(GuardedRange::kNoFault);
  range->base.store(reinterpret_cast<uintptr_t>(base));
  return range;
}

void Unguard(GuardedRange* range) {
  const std::scoped_lock lock(mutex);
  range->event.store(-1);
  range->base.store(0);
}

}  // namespace tsvmm
