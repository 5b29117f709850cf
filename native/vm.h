#pragma once

#include <memory>

#include "environment.h"
#include "vm-core.h"

namespace tsvmm {

/// NativeVm of addon.ts. Collecting the object closes the VM.
class Vm : public Handle<Vm, std::shared_ptr<VmCore>>, private VmListener {
 public:
  static constexpr const char* kName = "Vm";
  static constexpr napi_type_tag kTag = {0x6b1fd0c29d1e4f05, 0x8a5c7f7f4be64b05};

  explicit Vm(const Napi::CallbackInfo& info);
  ~Vm() override { core_->Close(); }
  static Napi::Function Define(Napi::Env env);
  static Napi::Object New(Napi::Env env, const std::shared_ptr<VmCore>& core);

 private:
  // vm.cc: the machine as a whole, its threads and what they tell.
  Napi::Value CheckExtension(const Napi::CallbackInfo& info);
  void EnableCap(const Napi::CallbackInfo& info);
  void SetTssAddr(const Napi::CallbackInfo& info);
  void SetIdentityMapAddr(const Napi::CallbackInfo& info);
  Napi::Value GetState(const Napi::CallbackInfo& info);
  void SetState(const Napi::CallbackInfo& info);
  void SetCallbacks(const Napi::CallbackInfo& info);
  Napi::Value AddIoRange(const Napi::CallbackInfo& info);
  void RemoveIoRange(const Napi::CallbackInfo& info);
  void RingDrained(const Napi::CallbackInfo& info);
  Napi::Value CreateVcpu(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  // vm-memory.cc
  void SetMemslot(const Napi::CallbackInfo& info);
  void DeleteMemslot(const Napi::CallbackInfo& info);
  Napi::Value DeleteMemslots(const Napi::CallbackInfo& info);
  void GetDirtyLog(const Napi::CallbackInfo& info);

  // vm-interrupts.cc
  void CreateIrqchip(const Napi::CallbackInfo& info);
  void CreatePit(const Napi::CallbackInfo& info);
  void SetGsiRouting(const Napi::CallbackInfo& info);
  void IrqLine(const Napi::CallbackInfo& info);
  void SignalMsi(const Napi::CallbackInfo& info);
  void AssignIrqfd(const Napi::CallbackInfo& info);
  void DeassignIrqfd(const Napi::CallbackInfo& info);
  void AssignIoeventfd(const Napi::CallbackInfo& info);
  void DeassignIoeventfd(const Napi::CallbackInfo& info);

  void SetIrqfd(const Napi::CallbackInfo& info, bool assign);
  void SetIoeventfd(const Napi::CallbackInfo& info, bool assign);

  void TellPosted() override;
  void TellExit(uint32_t vcpu) override;

  /// @throws when closed
  VmCore& core(Napi::Env env) const;
  /// An ioctl on the VM; @throws NativeError
  template <typename T>
  int Ioctl(Napi::Env env, unsigned long request, const char* name, T argument,
            const std::string& args = "");

  const std::shared_ptr<VmCore> core_;
  /// Weak: the JavaScript object keeps them.
  Napi::FunctionReference on_exit_;
  Napi::FunctionReference on_posted_;
};

/// `port` or `mmio`.
IoSpace IoSpaceOf(const Napi::Value& value);

}  // namespace tsvmm
