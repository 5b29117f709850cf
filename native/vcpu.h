#pragma once

#include <memory>
#include <string>

#include "environment.h"
#include "vm-core.h"

namespace tsvmm {

struct VcpuInit {
  std::shared_ptr<VmCore> vm;
  /// Of `vm`.
  VcpuThread* thread;
};

/// NativeVcpu of addon.ts.
class Vcpu : public Handle<Vcpu, VcpuInit> {
 public:
  static constexpr const char* kName = "Vcpu";
  static constexpr napi_type_tag kTag = {0x6b1fd0c29d1e4f06, 0x8a5c7f7f4be64b06};

  explicit Vcpu(const Napi::CallbackInfo& info);
  static Napi::Function Define(Napi::Env env);
  static Napi::Object New(Napi::Env env, const VcpuInit& init);

 private:
  Napi::Value Id(const Napi::CallbackInfo& info);
  Napi::Value ThreadId(const Napi::CallbackInfo& info);
  Napi::Value ExitCounts(const Napi::CallbackInfo& info);
  Napi::Value CpuAffinity(const Napi::CallbackInfo& info);
  void SetCpuAffinity(const Napi::CallbackInfo& info);
  void SetCpuid(const Napi::CallbackInfo& info);
  Napi::Value GetState(const Napi::CallbackInfo& info);
  void SetState(const Napi::CallbackInfo& info);
  Napi::Value GetMsrs(const Napi::CallbackInfo& info);
  void SetMsrs(const Napi::CallbackInfo& info);
  Napi::Value Translate(const Napi::CallbackInfo& info);
  Napi::Value MarkPaused(const Napi::CallbackInfo& info);
  Napi::Value TscOffset(const Napi::CallbackInfo& info);
  void SetTscOffset(const Napi::CallbackInfo& info);
  void Run(const Napi::CallbackInfo& info);
  void Pause(const Napi::CallbackInfo& info);
  void Resume(const Napi::CallbackInfo& info);

  /// @throws when the VM is closed
  VcpuThread& thread(Napi::Env env) const;
  /// The descriptor of a vCPU at rest. @throws when it runs
  int RestingFd(Napi::Env env) const;
  struct StateKind KindOf(const Napi::Value& name) const;

  const std::shared_ptr<VmCore> vm_;
  VcpuThread* const thread_;
};

}  // namespace tsvmm
