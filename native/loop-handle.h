#pragma once

#include <node_api.h>
#include <uv.h>

namespace tsvmm {

/// Whoever owns a LoopHandle.
class LoopOwner {
 public:
  /// The environment ends: close the handle now. JavaScript cannot be called any more.
  virtual void OnEnvironmentEnd() = 0;

 protected:
  ~LoopOwner() = default;
};

/// A libuv handle that lives until libuv has let go of it, which is later than Close(). The
/// environment waits for that before it ends. All but `handle` is the loop thread's.
template <typename T>
class LoopHandle {
 public:
  T handle;

  /// @param init  initialises `handle` on the loop and returns libuv's error
  /// @returns nullptr with `error` set when libuv refuses
  template <typename Init>
  static LoopHandle* Open(napi_env env, LoopOwner* owner, Init init, int* error) {
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    auto* self = new LoopHandle(owner);
    *error = init(loop, &self->handle);
    if (*error != 0) {
      delete self;
      return nullptr;
    }
    self->handle.data = self;
    napi_add_async_cleanup_hook(env, &LoopHandle::OnEnd, self, &self->hook_);
    return self;
  }

  LoopOwner* owner() const { return owner_; }

  /// Ends callbacks at once and frees this object later.
  void Close() {
    owner_ = nullptr;
    uv_close(base(), [](uv_handle_t* closed) {
      auto* self = static_cast<LoopHandle*>(closed->data);
      napi_remove_async_cleanup_hook(self->hook_);
      delete self;
    });
  }

  uv_handle_t* base() { return reinterpret_cast<uv_handle_t*>(&handle); }

 private:
  explicit LoopHandle(LoopOwner* owner) : owner_(owner) {}

  static void OnEnd(napi_async_cleanup_hook_handle, void* data) {
    auto* self = static_cast<LoopHandle*>(data);
    if (self->owner_ != nullptr) self->owner_->OnEnvironmentEnd();
  }

  LoopOwner* owner_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace tsvmm
