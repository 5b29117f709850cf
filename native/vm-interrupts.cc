
#include <vector>

#include "args.h"
#include "eventfd.h"
#include "kvm-abi.h"
#include "vm-ioctl.h"

namespace tsvmm {
namespace {

/// Lookups of what is assigned are by these first words of the key.
constexpr uint64_t kIrqfdKey = 0;
constexpr uint64_t kIoeventfdKey = 1;

constexpr size_t kWordsPerRoute = 5;
/// What KVM takes.
constexpr size_t kMaxRoutes = 4096;

kvm_irq_routing_entry RouteOf(std::span<const uint32_t> words) {
  kvm_irq_routing_entry entry = {};
  entry.gsi = words[0];
  if (words[1] == 0) {
    entry.type = KVM_IRQ_ROUTING_IRQCHIP;
    entry.u.irqchip.irqchip = words[2];
    entry.u.irqchip.pin = words[3];
  } else {
    entry.type = KVM_IRQ_ROUTING_MSI;
    entry.u.msi.address_lo = words[2];
    entry.u.msi.address_hi = words[3];
    entry.u.msi.data = words[4];
  }
  return entry;
}

}  // namespace

void Vm::CreateIrqchip(const Napi::CallbackInfo& info) {
  Ioctl(info.Env(), KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP", 0);
}

void Vm::CreatePit(const Napi::CallbackInfo& info) {
  kvm_pit_config config = {};
  config.flags = KVM_PIT_SPEAKER_DUMMY;
  Ioctl(info.Env(), KVM_CREATE_PIT2, "KVM_CREATE_PIT2", &config, "flags=KVM_PIT_SPEAKER_DUMMY");
}

void Vm::SetGsiRouting(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto words = WordsOf(info[0], "entries");
  const size_t count = words.size() / kWordsPerRoute;
  if (words.size() % kWordsPerRoute != 0 || count > kMaxRoutes) {
    throw Napi::RangeError::New(env, Format("entries: %zu words", words.size()));
  }
  const size_t bytes = sizeof(kvm_irq_routing) + count * sizeof(kvm_irq_routing_entry);
  std::vector<uint64_t> storage((bytes + 7) / 8);
  auto* routing = reinterpret_cast<kvm_irq_routing*>(storage.data());
  routing->nr = static_cast<uint32_t>(count);
  for (size_t i = 0; i < count; ++i) {
    routing->entries[i] = RouteOf(words.subspan(i * kWordsPerRoute, kWordsPerRoute));
  }
  Ioctl(env, KVM_SET_GSI_ROUTING, "KVM_SET_GSI_ROUTING", routing, Format("entries=%zu", count));
}

void Vm::IrqLine(const Napi::CallbackInfo& info) {
  kvm_irq_level line = {};
  line.irq = static_cast<uint32_t>(UintOf(info[0], "gsi", kMaxU32));
  line.level = BoolOf(info[1], "level") ? 1 : 0;
  if (ioctl(core(info.Env()).fd(), KVM_IRQ_LINE, &line) == 0) return;
  ThrowSystemError(info.Env(), errno, "KVM_IRQ_LINE",
                   Format("gsi=%u, level=%u", line.irq, line.level));
}

void Vm::SignalMsi(const Napi::CallbackInfo& info) {
  const uint64_t address = UintOf(info[0], "address", kMaxSafe);
  kvm_msi msi = {};
  msi.address_lo = static_cast<uint32_t>(address);
  msi.address_hi = static_cast<uint32_t>(address >> 32);
  msi.data = static_cast<uint32_t>(UintOf(info[1], "data", kMaxU32));
  // 0 says that the guest blocks the interrupt: its right.
  if (ioctl(core(info.Env()).fd(), KVM_SIGNAL_MSI, &msi) >= 0) return;
  ThrowSystemError(
      info.Env(), errno, "KVM_SIGNAL_MSI",
      Format("address=0x%llx, data=0x%x", static_cast<unsigned long long>(address), msi.data));
}

void Vm::AssignIrqfd(const Napi::CallbackInfo& info) { SetIrqfd(info, true); }

void Vm::DeassignIrqfd(const Napi::CallbackInfo& info) { SetIrqfd(info, false); }

void Vm::SetIrqfd(const Napi::CallbackInfo& info, bool assign) {
  const Napi::Env env = info.Env();
  kvm_irqfd irqfd = {};
  irqfd.gsi = static_cast<uint32_t>(UintOf(info[1], "gsi", kMaxU32));
  irqfd.flags = assign ? 0 : KVM_IRQFD_FLAG_DEASSIGN;
  const auto& event = EventFd::From(info[0], "event")->descriptor(env);
  irqfd.fd = static_cast<uint32_t>(event->get());
  Ioctl(env, KVM_IRQFD, "KVM_IRQFD", &irqfd,
        Format("fd=%u, gsi=%u, flags=0x%x", irqfd.fd, irqfd.gsi, irqfd.flags));
  VmCore::Assigned assigned = {event, {kIrqfdKey, irqfd.gsi}};
  if (assign) {
    core_->RecordAssigned(std::move(assigned));
  } else {
    core_->ForgetAssigned(assigned);
  }
}

void Vm::AssignIoeventfd(const Napi::CallbackInfo& info) { SetIoeventfd(info, true); }

void Vm::DeassignIoeventfd(const Napi::CallbackInfo& info) { SetIoeventfd(info, false); }

void Vm::SetIoeventfd(const Napi::CallbackInfo& info, bool assign) {
  const Napi::Env env = info.Env();
  const Napi::Object options = ObjectOf(info[0], "options");
  kvm_ioeventfd ioeventfd = {};
  ioeventfd.flags = assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN;
  if (IoSpaceOf(options.Get("space")) == IoSpace::kPort) ioeventfd.flags |= KVM_IOEVENTFD_FLAG_PIO;
  ioeventfd.addr = UintField(options, "addr", kMaxSafe);
  ioeventfd.len = static_cast<uint32_t>(UintField(options, "size", 8));
  const Napi::Value datamatch = options.Get("datamatch");
  if (!datamatch.IsUndefined()) {
    ioeventfd.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
    ioeventfd.datamatch = UintOf(datamatch, "datamatch", kMaxSafe);
  }
  const auto& event = EventFd::From(options.Get("event"), "event")->descriptor(env);
  ioeventfd.fd = event->get();
  Ioctl(env, KVM_IOEVENTFD, "KVM_IOEVENTFD", &ioeventfd,
        Format("fd=%d, addr=0x%llx, size=%u, flags=0x%x", ioeventfd.fd, ioeventfd.addr,
               ioeventfd.len, ioeventfd.flags));
  const uint64_t kind = ioeventfd.flags & ~uint64_t{KVM_IOEVENTFD_FLAG_DEASSIGN};
  VmCore::Assigned assigned = {
      event, {kIoeventfdKey, kind, ioeventfd.addr, ioeventfd.len, ioeventfd.datamatch}};
  if (assign) {
    core_->RecordAssigned(std::move(assigned));
  } else {
    core_->ForgetAssigned(assigned);
  }
}

}  // namespace tsvmm
