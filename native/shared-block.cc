#include "shared-block.h"

#include <utility>

namespace tsvmm {
namespace {

/// The share of an ArrayBuffer. In an environment that ends Node may fail to make the buffer after
/// it has taken the finalizer, which then comes all the same: whoever comes second frees this.
struct Held {
  std::shared_ptr<void> share;
  bool one_has_come = false;

  void Come() {
    share.reset();
    if (std::exchange(one_has_come, true)) delete this;
  }
};

void Finalize(napi_env, void*, void* hint) { static_cast<Held*>(hint)->Come(); }

}  // namespace

Napi::ArrayBuffer BufferOver(Napi::Env env, void* memory, size_t size,
                             std::shared_ptr<void> share) {
  auto* held = new Held{std::move(share)};
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, memory, size, Finalize, held, &buffer) != napi_ok) {
    held->Come();
    throw Napi::Error::New(env);
  }
  held->one_has_come = true;
  return {env, buffer};
}

}  // namespace tsvmm
