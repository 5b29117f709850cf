#include "posted-ring.h"

namespace tsvmm {

PostedRing::Appended PostedRing::Append(const PostedWrite& write, const std::atomic<bool>& stop) {
  std::unique_lock lock(mutex_);
  while (head_ - memory_->tail.load() >= PostedRingMemory::kCapacity) {
    // Announced before the second look, so that Drained() either sees a waiter or made room.
    waiters_.fetch_add(1);
    const bool full = head_ - memory_->tail.load() >= PostedRingMemory::kCapacity;
    if (full && !stop.load()) room_.wait(lock);
    waiters_.fetch_sub(1);
    if (stop.load()) return Appended::kStopped;
  }
  memory_->entries[head_ % PostedRingMemory::kCapacity] = write;
  const uint32_t filled = head_++;
  memory_->head.store(head_);
  // Looked at after publishing: a consumer that moved the tail here before it saw the new head
  // has gone to sleep.
  return memory_->tail.load() == filled ? Appended::kWasEmpty : Appended::kQuiet;
}

bool PostedRing::Drained() {
  if (waiters_.load() != 0) WakeAll();
  return memory_->head.load() != memory_->tail.load();
}

void PostedRing::WakeAll() {
  { const std::scoped_lock lock(mutex_); }
  room_.notify_all();
}

}  // namespace tsvmm
