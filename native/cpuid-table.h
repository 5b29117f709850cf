#pragma once

#include <napi.h>

#include <cstdint>
#include <span>
#include <vector>

#include "kvm-abi.h"

namespace tsvmm {

/// A kvm_cpuid2 with its entries; seven u32 per entry towards JavaScript.
class CpuidTable {
 public:
  static constexpr size_t kWordsPerEntry = 7;

  /// Room for `entries`.
  explicit CpuidTable(uint32_t entries);
  /// From JavaScript: `words` has a multiple of kWordsPerEntry.
  explicit CpuidTable(std::span<const uint32_t> words);

  kvm_cpuid2* get() { return reinterpret_cast<kvm_cpuid2*>(storage_.data()); }
  Napi::Value ToJs(Napi::Env env);

 private:
  /// Bytes, aligned as the structures need.
  std::vector<uint64_t> storage_;
};

}  // namespace tsvmm
