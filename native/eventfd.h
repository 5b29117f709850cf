#pragma once

#include <memory>

#include "environment.h"
#include "loop-handle.h"
#include "unique-fd.h"

namespace tsvmm {

/// An eventfd: NativeEventFd of addon.ts. The descriptor is shared with each VM that has it
/// assigned, and closed with the last of them.
class EventFd : public Handle<EventFd, std::shared_ptr<UniqueFd>>, private LoopOwner {
 public:
  static constexpr const char* kName = "EventFd";
  static constexpr napi_type_tag kTag = {0x6b1fd0c29d1e4f02, 0x8a5c7f7f4be64b02};

  explicit EventFd(const Napi::CallbackInfo& info);
  ~EventFd() override;
  static Napi::Function Define(Napi::Env env);

  /// @throws when closed
  const std::shared_ptr<UniqueFd>& descriptor(Napi::Env env) const;

 private:
  Napi::Value Fd(const Napi::CallbackInfo& info);
  void Signal(const Napi::CallbackInfo& info);
  Napi::Value Drain(const Napi::CallbackInfo& info);
  void Watch(const Napi::CallbackInfo& info);
  void Unwatch(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void OnEnvironmentEnd() override { StopWatching(); }
  void OnReadable();
  void StopWatching();

  std::shared_ptr<UniqueFd> descriptor_;
  LoopHandle<uv_poll_t>* poll_ = nullptr;
  /// Weak: the JavaScript object keeps it.
  Napi::FunctionReference callback_;
};

/// `createEventFd()`.
Napi::Value CreateEventFd(const Napi::CallbackInfo& info);

}  // namespace tsvmm
