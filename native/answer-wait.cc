#include "answer-wait.h"

#include <emmintrin.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "futex.h"

namespace tsvmm {
namespace {

/// An answer takes JavaScript about 2 µs when it is awake and 30 µs when it is not; sleeping and
/// waking costs this thread about as much as this spin.
constexpr auto kSpin = std::chrono::microseconds(20);
constexpr uint32_t kMaxPenalty = 256;

/// Threads of this process that spin. One core is left to the JavaScript thread, which they wait
/// for. Trivially destructible: threads may outlive static destructors.
std::atomic<unsigned> spinners{0};

bool TakeCore() {
  static const unsigned cores = std::thread::hardware_concurrency();
  if (spinners.fetch_add(1) + 1 < cores) return true;
  spinners.fetch_sub(1);
  return false;
}

}  // namespace

void AnswerWait::Wait(std::atomic<uint32_t>* word, uint32_t expected) {
  if (skip_ > 0) {
    --skip_;
  } else if (TakeCore()) {
    const bool answered = Spin(*word, expected);
    spinners.fetch_sub(1);
    penalty_ = answered ? 0 : std::min(penalty_ * 2 + 1, kMaxPenalty);
    skip_ = penalty_;
    if (answered) return;
  }
  Sleep(word, expected);
}

bool AnswerWait::Spin(const std::atomic<uint32_t>& word, uint32_t expected) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (word.load(std::memory_order_acquire) != expected) return true;
      _mm_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

void AnswerWait::Sleep(std::atomic<uint32_t>* word, uint32_t expected) {
  sleeping_.store(true);
  while (word->load() == expected) FutexWait(word, expected);
  sleeping_.store(false);
}

void AnswerWait::Wake(std::atomic<uint32_t>* word) {
  if (sleeping_.load()) FutexWake(word);
}

}  // namespace tsvmm
