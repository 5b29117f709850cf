#include "vm.h"

#include <array>

#include "args.h"
#include "kvm-abi.h"
#include "shared-block.h"
#include "state-kind.h"
#include "vcpu.h"
#include "vm-ioctl.h"

namespace tsvmm {
namespace {

#define KIND(name, type, get, set) \
  { name, sizeof(type), get, #get, set, #set, -1 }
#define CHIP(name, chip)                                                            \
  {                                                                                 \
    name, sizeof(kvm_irqchip), KVM_GET_IRQCHIP, "KVM_GET_IRQCHIP", KVM_SET_IRQCHIP, \
        "KVM_SET_IRQCHIP", chip                                                     \
  }
constexpr std::array<StateKind, 5> kStateKinds = {{
    KIND("clock", kvm_clock_data, KVM_GET_CLOCK, KVM_SET_CLOCK),
    KIND("pit2", kvm_pit_state2, KVM_GET_PIT2, KVM_SET_PIT2),
    CHIP("irqchip0", KVM_IRQCHIP_PIC_MASTER),
    CHIP("irqchip1", KVM_IRQCHIP_PIC_SLAVE),
    CHIP("irqchip2", KVM_IRQCHIP_IOAPIC),
}};
#undef KIND
#undef CHIP

IoRead ReadOf(const Napi::Value& value) {
  const std::string text = StringOf(value, "read");
  if (text == "sync") return IoRead::kSync;
  if (text == "shadow") return IoRead::kShadow;
  if (text == "ones") return IoRead::kOnes;
  throw Napi::TypeError::New(value.Env(), "read: expected sync, shadow or ones");
}

IoWrite WriteOf(const Napi::Value& value) {
  const std::string text = StringOf(value, "write");
  if (text == "sync") return IoWrite::kSync;
  if (text == "post") return IoWrite::kPost;
  if (text == "drop") return IoWrite::kDrop;
  throw Napi::TypeError::New(value.Env(), "write: expected sync, post or drop");
}

}  // namespace

IoSpace IoSpaceOf(const Napi::Value& value) {
  const std::string text = StringOf(value, "space");
  if (text == "port") return IoSpace::kPort;
  if (text == "mmio") return IoSpace::kMmio;
  throw Napi::TypeError::New(value.Env(), "space: expected port or mmio");
}

Vm::Vm(const Napi::CallbackInfo& info) : Handle(info), core_(TakeInit()) {}

Napi::Object Vm::New(Napi::Env env, const std::shared_ptr<VmCore>& core) {
  const auto shadow = ShareWithJs(env, core->shadow_memory(), IoTable::kShadowBytes);
  const auto ring = ShareWithJs(env, core->ring_memory(), sizeof(PostedRingMemory));
  Napi::Object vm = Make(env, Environment::Of(env).vm, core);
  vm.DefineProperties({Napi::PropertyDescriptor::Value("ioShadow", shadow, napi_enumerable),
                       Napi::PropertyDescriptor::Value("ioRing", ring, napi_enumerable)});
  return vm;
}

Napi::Function Vm::Define(Napi::Env env) {
  return DefineClass(env, kName,
                     {InstanceMethod<&Vm::CheckExtension>("checkExtension"),
                      InstanceMethod<&Vm::EnableCap>("enableCap"),
                      InstanceMethod<&Vm::SetTssAddr>("setTssAddr"),
                      InstanceMethod<&Vm::SetIdentityMapAddr>("setIdentityMapAddr"),
                      InstanceMethod<&Vm::CreateIrqchip>("createIrqchip"),
                      InstanceMethod<&Vm::CreatePit>("createPit"),
                      InstanceMethod<&Vm::GetState>("getState"),
                      InstanceMethod<&Vm::SetState>("setState"),
                      InstanceMethod<&Vm::SetMemslot>("setMemslot"),
                      InstanceMethod<&Vm::DeleteMemslot>("deleteMemslot"),
                      InstanceMethod<&Vm::DeleteMemslots>("deleteMemslots"),
                      InstanceMethod<&Vm::GetDirtyLog>("getDirtyLog"),
                      InstanceMethod<&Vm::SetGsiRouting>("setGsiRouting"),
                      InstanceMethod<&Vm::IrqLine>("irqLine"),
                      InstanceMethod<&Vm::SignalMsi>("signalMsi"),
                      InstanceMethod<&Vm::AssignIrqfd>("assignIrqfd"),
                      InstanceMethod<&Vm::DeassignIrqfd>("deassignIrqfd"),
                      InstanceMethod<&Vm::AssignIoeventfd>("assignIoeventfd"),
                      InstanceMethod<&Vm::DeassignIoeventfd>("deassignIoeventfd"),
                      InstanceMethod<&Vm::SetCallbacks>("setCallbacks"),
                      InstanceMethod<&Vm::AddIoRange>("addIoRange"),
                      InstanceMethod<&Vm::RemoveIoRange>("removeIoRange"),
                      InstanceMethod<&Vm::RingDrained>("ringDrained"),
                      InstanceMethod<&Vm::CreateVcpu>("createVcpu"),
                      InstanceMethod<&Vm::Close>("close")});
}

VmCore& Vm::core(Napi::Env env) const {
  if (core_->closed()) ThrowClosed(env, kName);
  return *core_;
}

Napi::Value Vm::CheckExtension(const Napi::CallbackInfo& info) {
  const uint64_t capability = UintOf(info[0], "capability", kMaxInt);
  const int result = Ioctl(info.Env(), KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION", capability,
                           Format("capability=%llu", static_cast<unsigned long long>(capability)));
  return Napi::Number::New(info.Env(), result);
}

void Vm::EnableCap(const Napi::CallbackInfo& info) {
  kvm_enable_cap enable = {};
  enable.cap = static_cast<uint32_t>(UintOf(info[0], "capability", kMaxInt));
  if (!info[1].IsArray()) throw Napi::TypeError::New(info.Env(), "args: expected an array");
  const auto values = info[1].As<Napi::Array>();
  const uint32_t count = values.Length();
  if (count > std::size(enable.args)) {
    throw Napi::RangeError::New(info.Env(), Format("args: %u and at most 4", count));
  }
  for (uint32_t i = 0; i < count; ++i) enable.args[i] = BigUintOf(values.Get(i), "args");
  Ioctl(info.Env(), KVM_ENABLE_CAP, "KVM_ENABLE_CAP", &enable,
        Format("capability=%u, args=0x%llx, …", enable.cap, enable.args[0]));
}

void Vm::SetTssAddr(const Napi::CallbackInfo& info) {
  const uint64_t gpa = UintOf(info[0], "gpa", kMaxU32);
  Ioctl(info.Env(), KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR", gpa,
        Format("gpa=0x%llx", static_cast<unsigned long long>(gpa)));
}

void Vm::SetIdentityMapAddr(const Napi::CallbackInfo& info) {
  uint64_t gpa = UintOf(info[0], "gpa", kMaxU32);
  Ioctl(info.Env(), KVM_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR", &gpa,
        Format("gpa=0x%llx", static_cast<unsigned long long>(gpa)));
}

Napi::Value Vm::GetState(const Napi::CallbackInfo& info) {
  const std::string name = StringOf(info[0], "kind");
  const StateKind& kind = FindKind(info.Env(), kStateKinds, name);
  return GetStateBytes(info.Env(), core(info.Env()).fd(), kind);
}

void Vm::SetState(const Napi::CallbackInfo& info) {
  const std::string name = StringOf(info[0], "kind");
  const StateKind& kind = FindKind(info.Env(), kStateKinds, name);
  const auto bytes = BytesOf(info[1], "bytes");
  SetStateBytes(info.Env(), core(info.Env()).fd(), kind, bytes);
}

void Vm::SetCallbacks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object callbacks = ObjectOf(info[0], "callbacks");
  const Napi::Function on_exit = FunctionOf(callbacks.Get("onExit"), "onExit");
  const Napi::Function on_posted = FunctionOf(callbacks.Get("onPosted"), "onPosted");
  const int error = core(env).Listen(env, this);
  if (error != 0) ThrowSystemError(env, -error, "uv_async_init", "");
  const auto self = info.This().As<Napi::Object>();
  Keep(env, self, "onExit", on_exit);
  Keep(env, self, "onPosted", on_posted);
  on_exit_ = Napi::Weak(on_exit);
  on_posted_ = Napi::Weak(on_posted);
}

void Vm::TellPosted() { CallFromLoop(Env(), *this, on_posted_); }

void Vm::TellExit(uint32_t vcpu) { CallFromLoop(Env(), *this, on_exit_, vcpu); }

Napi::Value Vm::AddIoRange(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = ObjectOf(info[0], "range");
  const IoSpace space = IoSpaceOf(options.Get("space"));
  const uint64_t limit = space == IoSpace::kPort ? 65536 : uint64_t{1} << 52;
  IoRange range = {};
  range.base = UintField(options, "base", limit - 1);
  range.size = UintField(options, "size", limit);
  range.read = ReadOf(options.Get("read"));
  range.write = WriteOf(options.Get("write"));
  range.tag = static_cast<uint32_t>(UintField(options, "tag", kMaxU32 - 1));
  const auto where =
      Format("I/O range base=0x%llx, size=0x%llx", static_cast<unsigned long long>(range.base),
             static_cast<unsigned long long>(range.size));
  if (range.size == 0 || range.size > limit - range.base) {
    throw Napi::RangeError::New(env, where + ": empty, or leaves its space");
  }
  // A posted write says its offset in 32 bits.
  if (range.write == IoWrite::kPost && range.size > kMaxU32) {
    throw Napi::RangeError::New(env, where + ": too large for posted writes");
  }
  switch (core(env).table().Add(space, &range)) {
    case IoTable::Added::kOverlap:
      throw Napi::RangeError::New(env, where + ": overlaps another");
    case IoTable::Added::kShadowFull:
      throw Napi::RangeError::New(env, where + ": no room in the shadow");
    case IoTable::Added::kOk:
      break;
  }
  return Napi::Number::New(env, range.shadow_offset);
}

void Vm::RemoveIoRange(const Napi::CallbackInfo& info) {
  const IoSpace space = IoSpaceOf(info[0]);
  const uint64_t base = UintOf(info[1], "base", kMaxSafe);
  if (core(info.Env()).table().Remove(space, base)) return;
  throw Napi::RangeError::New(
      info.Env(), Format("no I/O range at base=0x%llx", static_cast<unsigned long long>(base)));
}

void Vm::RingDrained(const Napi::CallbackInfo& info) { core(info.Env()).RingDrained(); }

Napi::Value Vm::CreateVcpu(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto id = static_cast<uint32_t>(UintOf(info[0], "id", kMaxInt));
  SyscallFailure failure;
  VcpuThread* thread = core(env).CreateVcpu(id, &failure);
  if (thread == nullptr) {
    ThrowSystemError(env, failure.error, failure.syscall, Format("vcpu=%u", id));
  }
  Napi::Object vcpu = Vcpu::New(env, {core_, thread});
  // Whoever holds a vCPU holds its VM.
  Keep(env, vcpu, "vm", info.This());
  return vcpu;
}

void Vm::Close(const Napi::CallbackInfo&) { core_->Close(); }

}  // namespace tsvmm
