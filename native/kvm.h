#pragma once

#include "environment.h"
#include "unique-fd.h"

namespace tsvmm {

struct KvmInit {
  UniqueFd fd;
};

/// `/dev/kvm`: NativeKvm of addon.ts.
class Kvm : public Handle<Kvm, KvmInit> {
 public:
  static constexpr const char* kName = "Kvm";
  static constexpr napi_type_tag kTag = {0x6b1fd0c29d1e4f01, 0x8a5c7f7f4be64b01};

  explicit Kvm(const Napi::CallbackInfo& info);
  static Napi::Function Define(Napi::Env env);

 private:
  Napi::Value ApiVersion(const Napi::CallbackInfo& info);
  Napi::Value CheckExtension(const Napi::CallbackInfo& info);
  Napi::Value SupportedCpuid(const Napi::CallbackInfo& info);
  Napi::Value CreateVm(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  int fd(Napi::Env env) const;

  UniqueFd fd_;
};

/// `openKvm(path)`.
Napi::Value OpenKvm(const Napi::CallbackInfo& info);

}  // namespace tsvmm
