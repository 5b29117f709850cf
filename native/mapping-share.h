#pragma once

#include <cstdint>

#include "environment.h"

namespace tsvmm {

/// NativeMappingShare of addon.ts: what one machine has of the process's mappings. What it holds
/// goes back when it is closed or collected, or its environment ends.
class MappingShare : public Handle<MappingShare, bool> {
 public:
  static constexpr const char* kName = "MappingShare";
  static constexpr napi_type_tag kTag = {0x6b1fd0c29d1e4f07, 0x8a5c7f7f4be64b07};

  explicit MappingShare(const Napi::CallbackInfo& info);
  ~MappingShare() override { GiveBack(); }
  static Napi::Function Define(Napi::Env env);

 private:
  Napi::Value Left(const Napi::CallbackInfo& info);
  Napi::Value Take(const Napi::CallbackInfo& info);
  void Force(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void GiveBack();

  /// Never refused.
  const bool uses_reserve_;
  int64_t held_ = 0;
  bool closed_ = false;
};

/// `shareMappings()`.
Napi::Value ShareMappings(const Napi::CallbackInfo& info);

}  // namespace tsvmm
