#include "state-kind.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "error.h"

namespace tsvmm {

const StateKind& FindKind(Napi::Env env, std::span<const StateKind> kinds,
                          const std::string& name) {
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [&](const StateKind& kind) { return name == kind.name; });
  if (found != kinds.end()) return *found;
  std::string names;
  for (const StateKind& kind : kinds) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  throw Napi::TypeError::New(env, "kind: " + name + " is none of " + names);
}

Napi::Value GetStateBytes(Napi::Env env, int fd, const StateKind& kind) {
  auto bytes = Napi::Uint8Array::New(env, kind.size);
  std::memset(bytes.Data(), 0, kind.size);
  if (kind.chip >= 0) {
    const auto chip = static_cast<uint32_t>(kind.chip);
    std::memcpy(bytes.Data(), &chip, sizeof chip);
  }
  if (ioctl(fd, kind.get, bytes.Data()) != 0) {
    ThrowSystemError(env, errno, kind.get_name, kind.name);
  }
  return bytes;
}

void SetStateBytes(Napi::Env env, int fd, const StateKind& kind, std::span<const uint8_t> bytes) {
  if (bytes.size() != kind.size) {
    throw Napi::RangeError::New(
        env, Format("state %s: %zu bytes and not %zu", kind.name, bytes.size(), kind.size));
  }
  // Aligned as the kernel's structures are.
  std::vector<uint64_t> copy((bytes.size() + 7) / 8);
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  if (kind.chip >= 0) {
    const auto chip = static_cast<uint32_t>(kind.chip);
    std::memcpy(copy.data(), &chip, sizeof chip);
  }
  if (ioctl(fd, kind.set, copy.data()) != 0) {
    ThrowSystemError(env, errno, kind.set_name, kind.name);
  }
}

}  // namespace tsvmm
