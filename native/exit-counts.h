#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace tsvmm {

/// Returns from KVM_RUN, by what they were about; the order is that of exit-counts.ts.
enum class ExitCount : uint32_t {
  kPort,
  kMmio,
  /// By a signal: somebody wants the vCPU's attention.
  kInterrupted,
  kOther,
  kFailed,
  /// Of all of these, and of single accesses within one: those that JavaScript answered.
  kAnswered,
};
constexpr size_t kExitCounts = 6;

/// Counted by the vCPU's thread alone, read by any.
class ExitCounts {
 public:
  void Add(ExitCount what) {
    auto& count = counts_[static_cast<size_t>(what)];
    // One writer: no need to lock the bus for it.
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  uint64_t Get(size_t index) const { return counts_[index].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kExitCounts> counts_ = {};
};

}  // namespace tsvmm
