#pragma once

#include <napi.h>

#include <cstdint>
#include <span>
#include <string>

namespace tsvmm {

/// One structure that a pair of ioctls reads and writes.
struct StateKind {
  const char* name;
  size_t size;
  unsigned long get;
  const char* get_name;
  unsigned long set;
  const char* set_name;
  /// kvm_irqchip: `chip_id`, its first field, which is read too. Else -1.
  int chip = -1;
};

/// @throws TypeError naming the kinds there are
const StateKind& FindKind(Napi::Env env, std::span<const StateKind> kinds, const std::string& name);

Napi::Value GetStateBytes(Napi::Env env, int fd, const StateKind& kind);
/// @throws RangeError when `bytes` has another size
void SetStateBytes(Napi::Env env, int fd, const StateKind& kind, std::span<const uint8_t> bytes);

}  // namespace tsvmm
