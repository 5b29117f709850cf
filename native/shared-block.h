#pragma once

#include <napi.h>
#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>

namespace tsvmm {

/// Zeroed pages that C++ threads and an ArrayBuffer share: unmapped when the last of both is gone.
template <typename T>
std::shared_ptr<T> AllocateShared(size_t size) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<T*>(address), [size](T* block) { munmap(block, size); }};
}

/// An ArrayBuffer over `memory` that keeps `share` until the collector has dropped it.
Napi::ArrayBuffer BufferOver(Napi::Env env, void* memory, size_t size, std::shared_ptr<void> share);

/// An ArrayBuffer over `block` that holds a share of it.
template <typename T>
Napi::ArrayBuffer ShareWithJs(Napi::Env env, const std::shared_ptr<T>& block, size_t size) {
  return BufferOver(env, block.get(), size, block);
}

}  // namespace tsvmm
