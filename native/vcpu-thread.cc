#include "vcpu-thread.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "affinity.h"
#include "exit-decode.h"
#include "kick-signal.h"

namespace tsvmm {
namespace {

constexpr uint32_t Word(VcpuThread::Phase phase) { return static_cast<uint32_t>(phase); }

}  // namespace

VcpuThread::VcpuThread(VcpuHost* host, uint32_t id, UniqueFd fd, kvm_run* run, size_t run_bytes,
                       std::shared_ptr<ExitRecord> record)
    : host_(host),
      id_(id),
      fd_(std::move(fd)),
      run_(run),
      run_bytes_(run_bytes),
      record_(std::move(record)),
      phase_(Word(Phase::kParked)) {}

VcpuThread::~VcpuThread() { Join(); }

void VcpuThread::StartOn(std::vector<uint32_t> cpus) {
  if (!thread_.joinable()) start_cpus_ = std::move(cpus);
}

void VcpuThread::Run() {
  if (!thread_.joinable()) {
    phase_.store(Word(Phase::kRunning));
    const SignalsBlocked inherited;
    thread_ = std::thread(&VcpuThread::Main, this);
    seen_ = Phase::kRunning;
    return;
  }
  const std::scoped_lock lock(park_);
  pause_ = false;
  __atomic_store_n(&run_->immediate_exit, 0, __ATOMIC_RELAXED);
  if (phase_.load() != Word(Phase::kParked)) return;
  notice_.store(false);
  collected_ = false;
  seen_ = Phase::kRunning;
  phase_.store(Word(Phase::kRunning));
  Wake();
}

void VcpuThread::Pause() {
  if (seen_ == Phase::kParked) return;
  const std::scoped_lock lock(park_);
  pause_ = true;
  Kick();
}

void VcpuThread::Resume() {
  seen_ = Phase::kRunning;
  phase_.store(Word(Phase::kRunning));
  Wake();
}

bool VcpuThread::Deliver() {
  if (!std::exchange(collected_, false)) return false;
  seen_ = static_cast<Phase>(phase_.load());
  return true;
}

void VcpuThread::RequestStop() {
  stop_.store(true);
  if (!thread_.joinable()) return;
  // After `stop_`: a thread that announces kWaiting or kParked looks at it afterwards.
  phase_.store(Word(Phase::kStopped));
  Wake();
  Kick();
}

void VcpuThread::Join() {
  if (thread_.joinable()) thread_.join();
  if (run_ != nullptr) munmap(std::exchange(run_, nullptr), run_bytes_);
  fd_.reset();
}

void VcpuThread::Wake() { wait_.Wake(&phase_); }

void VcpuThread::Kick() {
  // For a thread on its way into KVM_RUN; the signal is for one that is inside.
  __atomic_store_n(&run_->immediate_exit, 1, __ATOMIC_SEQ_CST);
  pthread_kill(thread_.native_handle(), KickSignal());
}

void VcpuThread::Main() {
  AcceptKicks();
  if (!start_cpus_.empty()) {
    try {
      SetAffinity(0, start_cpus_);
    } catch (const std::system_error&) {
      // The host has taken them away since they were chosen: it runs on what is left.
    }
  }
  kernel_id_.store(static_cast<int>(syscall(SYS_gettid)));
  char name[16];
  snprintf(name, sizeof name, "vcpu%u", id_);
  pthread_setname_np(pthread_self(), name);
  while (!stop_.load()) {
    // Errors do not always set it.
    run_->exit_reason = KVM_EXIT_UNKNOWN;
    if (ioctl(fd_.get(), KVM_RUN, 0) == 0) {
      HandleExit();
    } else if (errno == EINTR) {
      exit_counts_.Add(ExitCount::kInterrupted);
      // Only now: whatever the last exit left to complete is complete.
      ParkIfAsked();
    } else if (errno != EAGAIN) {
      const int error = errno;
      exit_counts_.Add(ExitCount::kFailed);
      DecodeExit(*run_, record_.get());
      Report(ExitKind::kRunFailed, static_cast<uint32_t>(error));
    }
  }
}

void VcpuThread::HandleExit() {
  switch (run_->exit_reason) {
    case KVM_EXIT_IO:
      exit_counts_.Add(ExitCount::kPort);
      return HandlePortIo();
    case KVM_EXIT_MMIO:
      exit_counts_.Add(ExitCount::kMmio);
      return HandleMmio();
    case KVM_EXIT_INTR:
      exit_counts_.Add(ExitCount::kInterrupted);
      return ParkIfAsked();
    default:
      exit_counts_.Add(ExitCount::kOther);
      DecodeExit(*run_, record_.get());
      Report(ExitKind::kOther, 0);
  }
}

void VcpuThread::HandlePortIo() {
  const auto io = run_->io;
  auto* data = reinterpret_cast<uint8_t*>(run_) + io.data_offset;
  const bool is_write = io.direction == KVM_EXIT_IO_OUT;
  // A string instruction comes as one exit: here it is `count` accesses.
  for (uint32_t i = 0; i < io.count; ++i, data += io.size) {
    if (!Access(IoSpace::kPort, is_write, io.port, io.size, data)) return;
  }
}

void VcpuThread::HandleMmio() {
  auto& mmio = run_->mmio;
  Access(IoSpace::kMmio, mmio.is_write != 0, mmio.phys_addr, mmio.len, mmio.data);
}

bool VcpuThread::Access(IoSpace space, bool is_write, uint64_t addr, uint32_t size, uint8_t* data) {
  const auto range = host_->io_table().Find(space, addr, size);
  if (is_write) {
    if (!range || range->write == IoWrite::kDrop) return true;
    if (range->write == IoWrite::kSync) return Ask(space, true, addr, size, range->tag, data);
    uint64_t value = 0;
    std::memcpy(&value, data, size);
    return Post(*range, addr, size, value);
  }
  if (range && range->read == IoRead::kSync) {
    return Ask(space, false, addr, size, range->tag, data);
  }
  if (range && range->read == IoRead::kShadow) {
    const uint8_t* shadow = host_->shadow() + range->shadow_offset + (addr - range->base);
    for (uint32_t i = 0; i < size; ++i) data[i] = __atomic_load_n(shadow + i, __ATOMIC_RELAXED);
  } else {
    std::memset(data, 0xff, size);
  }
  return true;
}

bool VcpuThread::Post(const IoRange& range, uint64_t addr, uint32_t size, uint64_t value) {
  const PostedWrite write = {range.tag, id_, static_cast<uint32_t>(addr - range.base), size, value};
  const auto appended = host_->ring().Append(write, stop_);
  if (appended == PostedRing::Appended::kWasEmpty) host_->OnPosted();
  return appended != PostedRing::Appended::kStopped;
}

bool VcpuThread::Ask(IoSpace space, bool is_write, uint64_t addr, uint32_t size, uint32_t tag,
                     uint8_t* data) {
  ExitRecord& record = *record_;
  record.kind = static_cast<uint32_t>(space == IoSpace::kPort ? ExitKind::kPort : ExitKind::kMmio);
  record.is_write = is_write ? 1 : 0;
  record.addr = addr;
  record.size = size;
  record.tag = tag;
  // An answer that never comes reads as all ones.
  record.data = is_write ? 0 : ~uint64_t{0};
  if (is_write) std::memcpy(&record.data, data, size);
  record.reason = run_->exit_reason;
  record.error = 0;
  record.detail = 0;
  record.value_count = 0;
  if (!AwaitAnswer()) return false;
  if (!is_write) std::memcpy(data, &record.data, size);
  return true;
}

void VcpuThread::Report(ExitKind kind, uint32_t error) {
  record_->kind = static_cast<uint32_t>(kind);
  record_->error = error;
  AwaitAnswer();
}

bool VcpuThread::AwaitAnswer() {
  exit_counts_.Add(ExitCount::kAnswered);
  phase_.store(Word(Phase::kWaiting));
  if (stop_.load()) return false;
  notice_.store(true);
  host_->OnNotice();
  wait_.Wait(&phase_, Word(Phase::kWaiting));
  return !stop_.load();
}

void VcpuThread::ParkIfAsked() {
  {
    const std::scoped_lock lock(park_);
    if (!pause_) return;
    pause_ = false;
    *record_ = {};
    record_->kind = static_cast<uint32_t>(ExitKind::kParked);
    record_->tag = ExitRecord::kNoTag;
    record_->reason = KVM_EXIT_INTR;
    phase_.store(Word(Phase::kParked));
    if (stop_.load()) return;
    notice_.store(true);
  }
  host_->OnNotice();
  wait_.Sleep(&phase_, Word(Phase::kParked));
}

}  // namespace tsvmm
