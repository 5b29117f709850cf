#include "vcpu.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "affinity.h"
#include "args.h"
#include "cpuid-table.h"
#include "kvm-abi.h"
#include "shared-block.h"
#include "state-kind.h"

namespace tsvmm {
namespace {

#define KIND(name, type, get, set) \
  { name, sizeof(type), get, #get, set, #set, -1 }
constexpr std::array<StateKind, 9> kStateKinds = {{
    KIND("regs", kvm_regs, KVM_GET_REGS, KVM_SET_REGS),
    KIND("sregs", kvm_sregs, KVM_GET_SREGS, KVM_SET_SREGS),
    KIND("fpu", kvm_fpu, KVM_GET_FPU, KVM_SET_FPU),
    KIND("lapic", kvm_lapic_state, KVM_GET_LAPIC, KVM_SET_LAPIC),
    KIND("mp_state", kvm_mp_state, KVM_GET_MP_STATE, KVM_SET_MP_STATE),
    KIND("vcpu_events", kvm_vcpu_events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS),
    KIND("debugregs", kvm_debugregs, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS),
    KIND("xsave", kvm_xsave, KVM_GET_XSAVE, KVM_SET_XSAVE),
    KIND("xcrs", kvm_xcrs, KVM_GET_XCRS, KVM_SET_XCRS),
}};
#undef KIND

/// A kvm_msrs with its entries.
class MsrList {
 public:
  explicit MsrList(std::span<const uint32_t> indices)
      : storage_((sizeof(kvm_msrs) + indices.size() * sizeof(kvm_msr_entry) + 7) / 8) {
    get()->nmsrs = static_cast<uint32_t>(indices.size());
    for (size_t i = 0; i < indices.size(); ++i) get()->entries[i].index = indices[i];
  }

  kvm_msrs* get() { return reinterpret_cast<kvm_msrs*>(storage_.data()); }

  /// Gets or sets all. @throws naming the first index that KVM refused
  void Transfer(Napi::Env env, int fd, unsigned long request, const char* name) {
    const int count = ioctl(fd, request, get());
    if (count < 0) ThrowSystemError(env, errno, name, Format("msrs=%u", get()->nmsrs));
    if (static_cast<uint32_t>(count) == get()->nmsrs) return;
    ThrowSystemError(env, EINVAL, name, Format("index=0x%x", get()->entries[count].index));
  }

 private:
  std::vector<uint64_t> storage_;
};

/// More than KVM takes in one call, so that its refusal is what the caller sees.
constexpr size_t kMaxMsrs = 4096;

/// KVM_VCPU_TSC_CTRL and KVM_VCPU_TSC_OFFSET (Linux 5.16; virt/kvm/devices/vcpu.rst §4).
kvm_device_attr TscOffsetAttribute(uint64_t* offset) {
  kvm_device_attr attribute = {};
  attribute.group = 0;
  attribute.attr = 0;
  attribute.addr = reinterpret_cast<uint64_t>(offset);
  return attribute;
}

std::span<uint32_t> IndicesOf(const Napi::Value& value) {
  const auto indices = WordsOf(value, "indices");
  if (indices.size() > kMaxMsrs) {
    throw Napi::RangeError::New(value.Env(), Format("indices: %zu MSRs", indices.size()));
  }
  return indices;
}

}  // namespace

Vcpu::Vcpu(const Napi::CallbackInfo& info)
    : Handle(info), vm_(PeekInit()->vm), thread_(TakeInit().thread) {}

Napi::Object Vcpu::New(Napi::Env env, const VcpuInit& init) {
  const auto record = ShareWithJs(env, init.thread->record(), sizeof(ExitRecord));
  Napi::Object vcpu = Make(env, Environment::Of(env).vcpu, init);
  vcpu.DefineProperty(Napi::PropertyDescriptor::Value("exitRecord", record, napi_enumerable));
  return vcpu;
}

Napi::Function Vcpu::Define(Napi::Env env) {
  return DefineClass(
      env, kName,
      {InstanceAccessor<&Vcpu::Id>("id"), InstanceAccessor<&Vcpu::ThreadId>("threadId"),
       InstanceMethod<&Vcpu::ExitCounts>("exitCounts"),
       InstanceMethod<&Vcpu::CpuAffinity>("cpuAffinity"),
       InstanceMethod<&Vcpu::SetCpuAffinity>("setCpuAffinity"),
       InstanceMethod<&Vcpu::SetCpuid>("setCpuid"), InstanceMethod<&Vcpu::GetState>("getState"),
       InstanceMethod<&Vcpu::SetState>("setState"), InstanceMethod<&Vcpu::GetMsrs>("getMsrs"),
       InstanceMethod<&Vcpu::SetMsrs>("setMsrs"), InstanceMethod<&Vcpu::Translate>("translate"),
       InstanceMethod<&Vcpu::MarkPaused>("markPaused"),
       InstanceMethod<&Vcpu::TscOffset>("tscOffset"),
       InstanceMethod<&Vcpu::SetTscOffset>("setTscOffset"), InstanceMethod<&Vcpu::Run>("run"),
       InstanceMethod<&Vcpu::Pause>("pause"), InstanceMethod<&Vcpu::Resume>("resume")});
}

VcpuThread& Vcpu::thread(Napi::Env env) const {
  if (vm_->closed()) ThrowClosed(env, "Vm");
  return *thread_;
}

int Vcpu::RestingFd(Napi::Env env) const {
  if (thread(env).seen() == VcpuThread::Phase::kRunning) {
    ThrowState(env, Format("vCPU %u is running", thread_->id()));
  }
  return thread_->fd();
}

Napi::Value Vcpu::Id(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), thread_->id());
}

Napi::Value Vcpu::ThreadId(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), thread(info.Env()).kernel_id());
}

Napi::Value Vcpu::ExitCounts(const Napi::CallbackInfo& info) {
  const auto& counts = thread(info.Env()).exit_counts();
  auto values = Napi::Float64Array::New(info.Env(), kExitCounts);
  for (size_t i = 0; i < kExitCounts; ++i) values[i] = static_cast<double>(counts.Get(i));
  return values;
}

Napi::Value Vcpu::CpuAffinity(const Napi::CallbackInfo& info) {
  const int tid = thread(info.Env()).kernel_id();
  return tid == 0 ? info.Env().Undefined() : AffinityToJs(info.Env(), tid);
}

void Vcpu::SetCpuAffinity(const Napi::CallbackInfo& info) {
  const auto cpus = CpusOf(info[0]);
  VcpuThread& vcpu = thread(info.Env());
  vcpu.StartOn({cpus.begin(), cpus.end()});
  if (vcpu.kernel_id() != 0) SetAffinityFromJs(info.Env(), vcpu.kernel_id(), cpus);
}

void Vcpu::SetCpuid(const Napi::CallbackInfo& info) {
  constexpr size_t kMostEntries = 4096;
  const auto words = WordsOf(info[0], "table");
  if (words.size() % CpuidTable::kWordsPerEntry != 0 ||
      words.size() / CpuidTable::kWordsPerEntry > kMostEntries) {
    throw Napi::RangeError::New(info.Env(), Format("table: %zu words", words.size()));
  }
  CpuidTable table(words);
  if (ioctl(RestingFd(info.Env()), KVM_SET_CPUID2, table.get()) == 0) return;
  ThrowSystemError(info.Env(), errno, "KVM_SET_CPUID2",
                   Format("vcpu=%u, entries=%u", thread_->id(), table.get()->nent));
}

StateKind Vcpu::KindOf(const Napi::Value& value) const {
  const std::string name = StringOf(value, "kind");
  StateKind kind = FindKind(value.Env(), kStateKinds, name);
  if (name != "xsave" || vm_->closed()) return kind;
  // Features such as AMX need more than the 4 KiB of the old structure.
  const int size = ioctl(vm_->fd(), KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
  if (size <= static_cast<int>(kind.size)) return kind;
  kind.size = static_cast<size_t>(size);
  kind.get = KVM_GET_XSAVE2;
  kind.get_name = "KVM_GET_XSAVE2";
  return kind;
}

Napi::Value Vcpu::GetState(const Napi::CallbackInfo& info) {
  const StateKind kind = KindOf(info[0]);
  return GetStateBytes(info.Env(), RestingFd(info.Env()), kind);
}

void Vcpu::SetState(const Napi::CallbackInfo& info) {
  const StateKind kind = KindOf(info[0]);
  const auto bytes = BytesOf(info[1], "bytes");
  SetStateBytes(info.Env(), RestingFd(info.Env()), kind, bytes);
}

Napi::Value Vcpu::GetMsrs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  MsrList list(IndicesOf(info[0]));
  list.Transfer(env, RestingFd(env), KVM_GET_MSRS, "KVM_GET_MSRS");
  auto values = Napi::BigUint64Array::New(env, list.get()->nmsrs);
  for (uint32_t i = 0; i < list.get()->nmsrs; ++i) values[i] = list.get()->entries[i].data;
  return values;
}

void Vcpu::SetMsrs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto indices = IndicesOf(info[0]);
  const auto values = QuadsOf(info[1], "values");
  if (values.size() != indices.size()) {
    throw Napi::RangeError::New(
        env, Format("values: %zu for %zu indices", values.size(), indices.size()));
  }
  MsrList list(indices);
  for (size_t i = 0; i < values.size(); ++i) list.get()->entries[i].data = values[i];
  list.Transfer(env, RestingFd(env), KVM_SET_MSRS, "KVM_SET_MSRS");
}

Napi::Value Vcpu::Translate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  kvm_translation translation = {};
  translation.linear_address = BigUintOf(info[0], "linear");
  if (ioctl(RestingFd(env), KVM_TRANSLATE, &translation) != 0) {
    ThrowSystemError(env, errno, "KVM_TRANSLATE",
                     Format("linear=0x%llx", translation.linear_address));
  }
  if (translation.valid == 0) return env.Undefined();
  return Napi::Number::New(env, static_cast<double>(translation.physical_address));
}

Napi::Value Vcpu::MarkPaused(const Napi::CallbackInfo& info) {
  if (ioctl(RestingFd(info.Env()), KVM_KVMCLOCK_CTRL) == 0) {
    return Napi::Boolean::New(info.Env(), true);
  }
  // EINVAL: the guest has not set kvmclock up here.
  if (errno == EINVAL || errno == ENOTTY) return Napi::Boolean::New(info.Env(), false);
  ThrowSystemError(info.Env(), errno, "KVM_KVMCLOCK_CTRL", Format("vcpu=%u", thread_->id()));
}

Napi::Value Vcpu::TscOffset(const Napi::CallbackInfo& info) {
  uint64_t offset = 0;
  kvm_device_attr attribute = TscOffsetAttribute(&offset);
  if (ioctl(RestingFd(info.Env()), KVM_GET_DEVICE_ATTR, &attribute) != 0) {
    return info.Env().Undefined();
  }
  return Napi::BigInt::New(info.Env(), offset);
}

void Vcpu::SetTscOffset(const Napi::CallbackInfo& info) {
  uint64_t offset = BigUintOf(info[0], "offset");
  kvm_device_attr attribute = TscOffsetAttribute(&offset);
  if (ioctl(RestingFd(info.Env()), KVM_SET_DEVICE_ATTR, &attribute) == 0) return;
  ThrowSystemError(info.Env(), errno, "KVM_VCPU_TSC_OFFSET", Format("vcpu=%u", thread_->id()));
}

void Vcpu::Run(const Napi::CallbackInfo& info) {
  VcpuThread& vcpu = thread(info.Env());
  if (!vm_->listening()) ThrowState(info.Env(), "setCallbacks() comes before run()");
  try {
    vm_->Run(&vcpu);
  } catch (const std::system_error& error) {
    ThrowSystemError(info.Env(), error.code().value(), "pthread_create",
                     Format("vcpu=%u", vcpu.id()));
  }
}

void Vcpu::Pause(const Napi::CallbackInfo& info) { thread(info.Env()).Pause(); }

void Vcpu::Resume(const Napi::CallbackInfo& info) {
  VcpuThread& vcpu = thread(info.Env());
  if (vcpu.seen() != VcpuThread::Phase::kWaiting) {
    ThrowState(info.Env(), Format("vCPU %u waits for no answer", vcpu.id()));
  }
  vcpu.Resume();
}

}  // namespace tsvmm
