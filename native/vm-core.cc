#include "vm-core.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "kvm-abi.h"
#include "shared-block.h"

namespace tsvmm {

VmCore::VmCore(UniqueFd fd, size_t run_bytes)
    : fd_(std::move(fd)),
      run_bytes_(run_bytes),
      shadow_(AllocateShared<uint8_t>(IoTable::kShadowBytes)),
      ring_memory_(AllocateShared<PostedRingMemory>(sizeof(PostedRingMemory))),
      ring_(ring_memory_.get()) {}

int VmCore::Listen(napi_env env, VmListener* listener) {
  listener_ = listener;
  if (wake_ != nullptr) return 0;
  int error = 0;
  const auto init = [](uv_loop_t* loop, uv_async_t* async) {
    return uv_async_init(loop, async, [](uv_async_t* sent) {
      auto* owner = static_cast<LoopHandle<uv_async_t>*>(sent->data)->owner();
      if (owner != nullptr) static_cast<VmCore*>(owner)->Dispatch();
    });
  };
  wake_ = LoopHandle<uv_async_t>::Open(env, this, init, &error);
  if (wake_ != nullptr) uv_unref(wake_->base());
  return error;
}

void VmCore::OnPosted() {
  posted_.store(true);
  uv_async_send(&wake_->handle);
}

void VmCore::RingDrained() {
  // What came since, or was left, gets a call of its own: draining never starves the loop.
  if (ring_.Drained() && wake_ != nullptr) OnPosted();
}

void VmCore::Dispatch() {
  const auto self = shared_from_this();
  // Notices before the ring: writes that a vCPU posted before it left a notice are told first.
  for (const auto& vcpu : vcpus_) vcpu->CollectNotice();
  if (posted_.exchange(false)) listener_->TellPosted();
  // JavaScript may create vCPUs meanwhile, and close the VM.
  for (size_t i = 0; i < vcpus_.size() && !closed(); ++i) {
    if (!vcpus_[i]->Deliver()) continue;
    UpdateRef();
    listener_->TellExit(vcpus_[i]->id());
  }
}

void VmCore::UpdateRef() {
  const bool runs = std::any_of(vcpus_.begin(), vcpus_.end(), [](const auto& vcpu) {
    return vcpu->seen() != VcpuThread::Phase::kParked;
  });
  if (runs) {
    uv_ref(wake_->base());
  } else {
    uv_unref(wake_->base());
  }
}

VcpuThread* VmCore::CreateVcpu(uint32_t id, SyscallFailure* failure) {
  UniqueFd vcpu(ioctl(fd(), KVM_CREATE_VCPU, static_cast<unsigned long>(id)));
  if (!vcpu.valid()) {
    *failure = {errno, "KVM_CREATE_VCPU"};
    return nullptr;
  }
  void* run = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.get(), 0);
  if (run == MAP_FAILED) {
    *failure = {errno, "mmap"};
    return nullptr;
  }
  auto record = AllocateShared<ExitRecord>(sizeof(ExitRecord));
  vcpus_.push_back(std::make_unique<VcpuThread>(
      this, id, std::move(vcpu), static_cast<kvm_run*>(run), run_bytes_, std::move(record)));
  return vcpus_.back().get();
}

void VmCore::Run(VcpuThread* vcpu) {
  vcpu->Run();
  UpdateRef();
}

void VmCore::RecordMemslot(uint32_t slot, std::shared_ptr<MemoryBlock> block, uint64_t size) {
  ForgetMemslot(slot);
  block->slots().push_back(slot);
  memslots_.insert_or_assign(slot, Memslot{std::move(block), size});
}

void VmCore::ForgetMemslot(uint32_t slot) {
  const auto found = memslots_.find(slot);
  if (found == memslots_.end()) return;
  auto& users = found->second.block->slots();
  users.erase(std::find(users.begin(), users.end(), slot));
  memslots_.erase(found);
}

void VmCore::ForgetAssigned(const Assigned& assigned) {
  const auto found = std::find_if(assigned_.begin(), assigned_.end(), [&](const Assigned& other) {
    return other.event == assigned.event && other.key == assigned.key;
  });
  if (found != assigned_.end()) assigned_.erase(found);
}

void VmCore::Close() {
  if (closed()) return;
  for (const auto& vcpu : vcpus_) vcpu->RequestStop();
  ring_.WakeAll();
  for (const auto& vcpu : vcpus_) vcpu->Join();
  // Nobody is left who could send.
  if (wake_ != nullptr) std::exchange(wake_, nullptr)->Close();
  listener_ = nullptr;
  // The VM goes first: it uses the memory until then.
  fd_.reset();
  while (!memslots_.empty()) ForgetMemslot(memslots_.begin()->first);
  assigned_.clear();
}

}  // namespace tsvmm
