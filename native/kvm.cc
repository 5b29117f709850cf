#include "kvm.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "args.h"
#include "cpuid-table.h"
#include "kvm-abi.h"
#include "vm.h"

namespace tsvmm {

Kvm::Kvm(const Napi::CallbackInfo& info) : Handle(info), fd_(TakeInit().fd) {}

Napi::Function Kvm::Define(Napi::Env env) {
  return DefineClass(
      env, kName,
      {InstanceMethod<&Kvm::ApiVersion>("apiVersion"),
       InstanceMethod<&Kvm::CheckExtension>("checkExtension"),
       InstanceMethod<&Kvm::SupportedCpuid>("supportedCpuid"),
       InstanceMethod<&Kvm::CreateVm>("createVm"), InstanceMethod<&Kvm::Close>("close")});
}

int Kvm::fd(Napi::Env env) const {
  if (!fd_.valid()) ThrowClosed(env, kName);
  return fd_.get();
}

Napi::Value Kvm::ApiVersion(const Napi::CallbackInfo& info) {
  const int version = ioctl(fd(info.Env()), KVM_GET_API_VERSION, 0);
  if (version < 0) ThrowSystemError(info.Env(), errno, "KVM_GET_API_VERSION", "");
  return Napi::Number::New(info.Env(), version);
}

Napi::Value Kvm::CheckExtension(const Napi::CallbackInfo& info) {
  const uint64_t capability = UintOf(info[0], "capability", kMaxInt);
  const int result = ioctl(fd(info.Env()), KVM_CHECK_EXTENSION, capability);
  if (result < 0) {
    ThrowSystemError(info.Env(), errno, "KVM_CHECK_EXTENSION",
                     Format("capability=%llu", static_cast<unsigned long long>(capability)));
  }
  return Napi::Number::New(info.Env(), result);
}

Napi::Value Kvm::SupportedCpuid(const Napi::CallbackInfo& info) {
  constexpr uint32_t kMostEntries = 4096;
  for (uint32_t entries = 128; entries <= kMostEntries; entries *= 2) {
    CpuidTable table(entries);
    if (ioctl(fd(info.Env()), KVM_GET_SUPPORTED_CPUID, table.get()) == 0) {
      return table.ToJs(info.Env());
    }
    if (errno != E2BIG) break;
  }
  ThrowSystemError(info.Env(), errno, "KVM_GET_SUPPORTED_CPUID", "");
}

Napi::Value Kvm::CreateVm(const Napi::CallbackInfo& info) {
  const int run_bytes = ioctl(fd(info.Env()), KVM_GET_VCPU_MMAP_SIZE, 0);
  if (run_bytes < 0) ThrowSystemError(info.Env(), errno, "KVM_GET_VCPU_MMAP_SIZE", "");
  int vm = -1;
  // Creating one takes locks that a signal interrupts.
  do {
    vm = ioctl(fd(info.Env()), KVM_CREATE_VM, 0);
  } while (vm < 0 && errno == EINTR);
  if (vm < 0) ThrowSystemError(info.Env(), errno, "KVM_CREATE_VM", "type=0");
  return Vm::New(info.Env(),
                 std::make_shared<VmCore>(UniqueFd(vm), static_cast<size_t>(run_bytes)));
}

void Kvm::Close(const Napi::CallbackInfo&) { fd_.reset(); }

Napi::Value OpenKvm(const Napi::CallbackInfo& info) {
  const std::string path = StringOf(info[0], "path");
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) ThrowSystemError(info.Env(), errno, "open", path);
  return Kvm::Make(info.Env(), Environment::Of(info.Env()).kvm, {std::move(fd)});
}

}  // namespace tsvmm
