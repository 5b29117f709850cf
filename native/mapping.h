#pragma once

#include <list>
#include <memory>

#include "environment.h"
#include "memory-block.h"

namespace tsvmm {

/// NativeMapping of addon.ts.
class Mapping : public Handle<Mapping, std::shared_ptr<MemoryBlock>> {
 public:
  static constexpr const char* kName = "Mapping";
  static constexpr napi_type_tag kTag = {0x6b1fd0c29d1e4f03, 0x8a5c7f7f4be64b03};

  explicit Mapping(const Napi::CallbackInfo& info);
  static Napi::Function Define(Napi::Env env);

  /// @throws when closed
  const std::shared_ptr<MemoryBlock>& block(Napi::Env env) const;

 private:
  struct View;

  Napi::Value Size(const Napi::CallbackInfo& info);
  Napi::Value CreateView(const Napi::CallbackInfo& info);
  void Read(const Napi::CallbackInfo& info);
  void Write(const Napi::CallbackInfo& info);
  void Protect(const Napi::CallbackInfo& info);
  void ShowZeros(const Napi::CallbackInfo& info);
  void HideZeros(const Napi::CallbackInfo& info);
  void Advise(const Napi::CallbackInfo& info);
  Napi::Value AdviseAsync(const Napi::CallbackInfo& info);
  Napi::Value ResidentBytes(const Napi::CallbackInfo& info);
  Napi::Value Populate(const Napi::CallbackInfo& info);
  Napi::Value Zero(const Napi::CallbackInfo& info);
  void SetPolicy(const Napi::CallbackInfo& info);
  void WatchFaults(const Napi::CallbackInfo& info);
  Napi::Value FaultOffset(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void DetachViews(Napi::Env env);

  const uint64_t size_;
  /// Null once closed.
  std::shared_ptr<MemoryBlock> block_;
  /// Shared with the finalizers of the ArrayBuffers, which may come after this object is gone.
  const std::shared_ptr<std::list<View*>> views_;
};

/// `mapMemory(options)`.
Napi::Value MapMemory(const Napi::CallbackInfo& info);

}  // namespace tsvmm
