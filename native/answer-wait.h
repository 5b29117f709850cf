#pragma once

#include <atomic>
#include <cstdint>

namespace tsvmm {

/// How a vCPU thread waits for a word to change: it spins where that has paid lately and a core
/// is to spare, then sleeps.
class AnswerWait {
 public:
  /// The waiting thread's: returns when `word` is no longer `expected`.
  void Wait(std::atomic<uint32_t>* word, uint32_t expected);
  /// As Wait(), without spinning.
  void Sleep(std::atomic<uint32_t>* word, uint32_t expected);
  /// The answering thread's, after it changed the word.
  void Wake(std::atomic<uint32_t>* word);

 private:
  bool Spin(const std::atomic<uint32_t>& word, uint32_t expected);

  std::atomic<bool> sleeping_{false};
  /// Waits to let pass without spinning; grows each time that spinning was in vain.
  uint32_t skip_ = 0;
  uint32_t penalty_ = 0;
};

}  // namespace tsvmm
