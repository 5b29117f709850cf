#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "answer-wait.h"
#include "exit-counts.h"
#include "exit-record.h"
#include "io-table.h"
#include "kvm-abi.h"
#include "posted-ring.h"
#include "unique-fd.h"

namespace tsvmm {

/// What the vCPU threads of a VM share. Outlives them.
class VcpuHost {
 public:
  virtual const IoTable& io_table() const = 0;
  /// kShadowBytes that JavaScript writes at any time.
  virtual const uint8_t* shadow() const = 0;
  virtual PostedRing& ring() = 0;
  /// The ring is no longer empty.
  virtual void OnPosted() = 0;
  /// A vCPU has left a notice.
  virtual void OnNotice() = 0;

 protected:
  ~VcpuHost() = default;
};

/// One vCPU and its thread. Methods are the JavaScript thread's unless they say otherwise.
///
/// `phase_` says who owns the vCPU and its record: the thread while kRunning, JavaScript while
/// kParked or kWaiting. The thread leaves a notice when it gives them away; JavaScript learns of it
/// when it takes the notice, and only then is `seen()` anything but kRunning.
class VcpuThread {
 public:
  enum class Phase : uint32_t { kParked, kRunning, kWaiting, kStopped };

  VcpuThread(VcpuHost* host, uint32_t id, UniqueFd fd, kvm_run* run, size_t run_bytes,
             std::shared_ptr<ExitRecord> record);
  /// The thread must have been joined.
  ~VcpuThread();
  VcpuThread(const VcpuThread&) = delete;
  VcpuThread& operator=(const VcpuThread&) = delete;

  uint32_t id() const { return id_; }
  int fd() const { return fd_.get(); }
  /// The kernel's id of the thread; 0 before it ran for the first time.
  int kernel_id() const { return kernel_id_.load(); }
  const std::shared_ptr<ExitRecord>& record() const { return record_; }
  Phase seen() const { return seen_; }
  /// Any thread's.
  const ExitCounts& exit_counts() const { return exit_counts_; }

  /// The thread will be on these CPUs from its start, if it can; no effect once it has started.
  void StartOn(std::vector<uint32_t> cpus);

  /// Lets a parked vCPU run; withdraws a pause whose parking has not been seen yet.
  /// @throws std::system_error when the thread cannot start
  void Run();
  void Pause();
  /// Answers; `seen()` must be kWaiting.
  void Resume();
  /// Takes the notice, if there is one; see Deliver().
  void CollectNotice() { collected_ = notice_.exchange(false) || collected_; }
  /// @returns whether there was a notice that still holds; `seen()` is what it says
  bool Deliver();

  /// First half of stopping for good: asks the thread to end.
  void RequestStop();
  /// Second half: waits for it, and closes the vCPU.
  void Join();

 private:
  /// The thread's.
  void Main();
  void HandleExit();
  void HandlePortIo();
  void HandleMmio();
  /// One access of `size` bytes at `data`. @returns false when the thread must end
  bool Access(IoSpace space, bool is_write, uint64_t addr, uint32_t size, uint8_t* data);
  bool Post(const IoRange& range, uint64_t addr, uint32_t size, uint64_t value);
  bool Ask(IoSpace space, bool is_write, uint64_t addr, uint32_t size, uint32_t tag, uint8_t* data);
  /// Gives the record to JavaScript and waits for Resume(). @returns false when the thread must end
  bool AwaitAnswer();
  void ParkIfAsked();
  void Report(ExitKind kind, uint32_t error);

  /// Either thread's.
  void Wake();
  void Kick();

  VcpuHost* const host_;
  const uint32_t id_;
  UniqueFd fd_;
  /// Mapped from `fd_`, unmapped by Join(). The thread's while it runs, except `immediate_exit`,
  /// which only JavaScript writes.
  kvm_run* run_;
  const size_t run_bytes_;
  /// Shared with the ArrayBuffer.
  const std::shared_ptr<ExitRecord> record_;

  std::thread thread_;
  /// The CPUs it starts on; empty: those of the thread that starts it. The thread's from its start.
  std::vector<uint32_t> start_cpus_;
  AnswerWait wait_;
  ExitCounts exit_counts_;
  std::atomic<int> kernel_id_{0};
  std::atomic<uint32_t> phase_;
  std::atomic<bool> notice_{false};
  std::atomic<bool> stop_{false};
  /// Orders parking against Run() and Pause(); guards `pause_`.
  std::mutex park_;
  bool pause_ = false;

  /// The JavaScript thread's alone.
  Phase seen_ = Phase::kParked;
  bool collected_ = false;
};

}  // namespace tsvmm
