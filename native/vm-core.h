#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "io-table.h"
#include "loop-handle.h"
#include "memory-block.h"
#include "posted-ring.h"
#include "unique-fd.h"
#include "vcpu-thread.h"

namespace tsvmm {

/// Who is told of what vCPU threads leave, on the event loop.
class VmListener {
 public:
  virtual void TellPosted() = 0;
  virtual void TellExit(uint32_t vcpu) = 0;

 protected:
  ~VmListener() = default;
};

/// A VM without its JavaScript face: descriptors, threads, what they share, and what KVM uses of
/// others. Owned by the Vm object and by each Vcpu object; closed by the Vm object.
/// The JavaScript thread's, except for the VcpuHost part.
class VmCore final : public std::enable_shared_from_this<VmCore>,
                     public VcpuHost,
                     private LoopOwner {
 public:
  struct Memslot {
    std::shared_ptr<MemoryBlock> block;
    uint64_t size;
  };

  /// An eventfd that KVM signals or listens to; `key` tells what it is assigned to.
  struct Assigned {
    std::shared_ptr<UniqueFd> event;
    std::vector<uint64_t> key;
  };

  VmCore(UniqueFd fd, size_t run_bytes);
  ~VmCore() { Close(); }
  VmCore(const VmCore&) = delete;
  VmCore& operator=(const VmCore&) = delete;

  int fd() const { return fd_.get(); }
  bool closed() const { return !fd_.valid(); }
  IoTable& table() { return table_; }
  const std::shared_ptr<uint8_t>& shadow_memory() const { return shadow_; }
  const std::shared_ptr<PostedRingMemory>& ring_memory() const { return ring_memory_; }

  /// Starts telling `listener` until Close(). @returns libuv's error
  int Listen(napi_env env, VmListener* listener);
  bool listening() const { return wake_ != nullptr; }
  void RingDrained();

  /// @returns nullptr with `failure` set
  VcpuThread* CreateVcpu(uint32_t id, SyscallFailure* failure);
  /// VcpuThread's, keeping the loop alive while anything runs.
  void Run(VcpuThread* vcpu);

  /// Slots that KVM has, by id.
  const std::map<uint32_t, Memslot>& memslots() const { return memslots_; }
  /// KVM has the slot now, in the place of any before.
  void RecordMemslot(uint32_t slot, std::shared_ptr<MemoryBlock> block, uint64_t size);
  void ForgetMemslot(uint32_t slot);

  void RecordAssigned(Assigned assigned) { assigned_.push_back(std::move(assigned)); }
  void ForgetAssigned(const Assigned& assigned);

  /// Stops and joins every thread and lets go of everything; idempotent.
  void Close();

 private:
  const IoTable& io_table() const override { return table_; }
  const uint8_t* shadow() const override { return shadow_.get(); }
  PostedRing& ring() override { return ring_; }
  void OnPosted() override;
  void OnNotice() override { uv_async_send(&wake_->handle); }
  void OnEnvironmentEnd() override { Close(); }

  void Dispatch();
  void UpdateRef();

  UniqueFd fd_;
  const size_t run_bytes_;
  const std::shared_ptr<uint8_t> shadow_;
  const std::shared_ptr<PostedRingMemory> ring_memory_;
  IoTable table_;
  PostedRing ring_;
  std::atomic<bool> posted_{false};
  /// In the order they were created. Kept when closed: Vcpu objects point to them.
  std::vector<std::unique_ptr<VcpuThread>> vcpus_;
  /// Open from Listen() to Close(); vCPU threads, which run only in between, send it.
  LoopHandle<uv_async_t>* wake_ = nullptr;
  VmListener* listener_ = nullptr;
  std::map<uint32_t, Memslot> memslots_;
  std::vector<Assigned> assigned_;
};

}  // namespace tsvmm
