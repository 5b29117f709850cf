#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace tsvmm {

struct PostedWrite {
  uint32_t tag;
  uint32_t vcpu;
  uint32_t offset;
  uint32_t size;
  uint64_t data;
};
static_assert(sizeof(PostedWrite) == 24);

/// The layout of posted-ring.ts. JavaScript reads `head` and writes `tail`, and may write
/// anything: nothing here is used as an index without a mask.
struct PostedRingMemory {
  static constexpr uint32_t kCapacity = 1024;

  std::atomic<uint32_t> head;
  uint8_t gap0[60];
  std::atomic<uint32_t> tail;
  uint8_t gap1[60];
  PostedWrite entries[kCapacity];
};
static_assert(offsetof(PostedRingMemory, tail) == 64);
static_assert(offsetof(PostedRingMemory, entries) == 128);

/// Writes on their way to JavaScript: many producers, the vCPU threads; one consumer.
class PostedRing {
 public:
  explicit PostedRing(PostedRingMemory* memory) : memory_(memory) {}

  enum class Appended { kQuiet, kWasEmpty, kStopped };

  /// Appends; waits for room as long as `stop` is false.
  /// @returns kWasEmpty when the consumer must be told
  Appended Append(const PostedWrite& write, const std::atomic<bool>& stop);

  /// The consumer moved the tail. @returns whether there is more to drain
  bool Drained();

  /// Wakes producers so that they look at `stop` again.
  void WakeAll();

 private:
  /// Pages shared with JavaScript, owned by the VM and by the ArrayBuffer.
  PostedRingMemory* const memory_;
  std::mutex mutex_;
  std::condition_variable room_;
  /// The truth of which memory_->head is the published copy; under mutex_.
  uint32_t head_ = 0;
  std::atomic<uint32_t> waiters_{0};
};

}  // namespace tsvmm
