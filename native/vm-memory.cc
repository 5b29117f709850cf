
#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "args.h"
#include "kvm-abi.h"
#include "mapping.h"
#include "pool-task.h"
#include "vm-ioctl.h"

namespace tsvmm {
namespace {

/// KVM counts 16 bits of slots per address space.
constexpr uint64_t kMaxSlot = 0xffff;

std::string SlotArgs(const kvm_userspace_memory_region& region) {
  return Format("slot=%u, gpa=0x%llx, size=0x%llx, flags=0x%x", region.slot, region.guest_phys_addr,
                region.memory_size, region.flags);
}

/// Deletes memslots on the pool: KVM may have to zap all that the guest has mapped, which takes
/// tens of milliseconds. It works on a descriptor of its own, so that the VM may be closed
/// meanwhile.
class DeleteMemslotsTask final : public PoolTask {
 public:
  DeleteMemslotsTask(std::shared_ptr<VmCore> core, std::vector<uint32_t> slots)
      : PoolTask("KVM_SET_USER_MEMORY_REGION", Format("%zu memslots, size=0", slots.size())),
        core_(std::move(core)),
        fd_(fcntl(core_->fd(), F_DUPFD_CLOEXEC, 0)),
        slots_(std::move(slots)) {}

 private:
  int Work() override {
    for (const uint32_t slot : slots_) {
      kvm_userspace_memory_region region = {};
      region.slot = slot;
      if (ioctl(fd_.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0) return errno;
    }
    return 0;
  }

  Napi::Value Result(Napi::Env env) override {
    if (!core_->closed()) {
      for (const uint32_t slot : slots_) core_->ForgetMemslot(slot);
    }
    return env.Undefined();
  }

  const std::shared_ptr<VmCore> core_;
  const UniqueFd fd_;
  const std::vector<uint32_t> slots_;
};

}  // namespace

void Vm::SetMemslot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = ObjectOf(info[0], "memslot");
  kvm_userspace_memory_region region = {};
  region.slot = static_cast<uint32_t>(UintField(options, "slot", kMaxSlot));
  region.flags = static_cast<uint32_t>(UintField(options, "flags", kMaxU32));
  region.guest_phys_addr = UintField(options, "gpa", kMaxSafe);
  region.memory_size = UintField(options, "size", kMaxSafe);
  const uint64_t offset = UintField(options, "offset", kMaxSafe);
  const auto& block = Mapping::From(options.Get("mapping"), "mapping")->block(env);
  CheckRange(env, offset, region.memory_size, block->size());
  if (region.memory_size == 0) {
    throw Napi::RangeError::New(env, Format("memslot %u: the size is 0", region.slot));
  }
  region.userspace_addr = reinterpret_cast<uintptr_t>(block->base() + offset);
  Ioctl(env, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &region, SlotArgs(region));
  core_->RecordMemslot(region.slot, block, region.memory_size);
}

void Vm::DeleteMemslot(const Napi::CallbackInfo& info) {
  kvm_userspace_memory_region region = {};
  region.slot = static_cast<uint32_t>(UintOf(info[0], "slot", kMaxSlot));
  Ioctl(info.Env(), KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &region,
        SlotArgs(region));
  core_->ForgetMemslot(region.slot);
}

Napi::Value Vm::DeleteMemslots(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto words = WordsOf(info[0], "slots");
  std::vector<uint32_t> slots;
  for (const uint32_t slot : words) {
    if (slot > kMaxSlot) throw Napi::RangeError::New(env, Format("slots: %u", slot));
    slots.push_back(slot);
  }
  core(env);
  return PoolTask::Start(env, std::make_unique<DeleteMemslotsTask>(core_, std::move(slots)));
}

void Vm::GetDirtyLog(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  kvm_dirty_log log = {};
  log.slot = static_cast<uint32_t>(UintOf(info[0], "slot", kMaxSlot));
  const auto bitmap = BytesOf(info[1], "bitmap");
  const auto& slots = core(env).memslots();
  const auto found = slots.find(log.slot);
  if (found == slots.end()) ThrowState(env, Format("memslot %u does not exist", log.slot));
  // KVM writes whole longs.
  const uint64_t needed = (found->second.size / 4096 + 63) / 64 * 8;
  if (bitmap.size() < needed) {
    throw Napi::RangeError::New(
        env, Format("bitmap: %zu bytes, and memslot %u needs %llu", bitmap.size(), log.slot,
                    static_cast<unsigned long long>(needed)));
  }
  log.dirty_bitmap = bitmap.data();
  Ioctl(env, KVM_GET_DIRTY_LOG, "KVM_GET_DIRTY_LOG", &log, Format("slot=%u", log.slot));
}

}  // namespace tsvmm
