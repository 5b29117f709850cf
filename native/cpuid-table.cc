#include "cpuid-table.h"

namespace tsvmm {
namespace {

size_t QuadsFor(size_t entries) {
  return (sizeof(kvm_cpuid2) + entries * sizeof(kvm_cpuid_entry2) + 7) / 8;
}

}  // namespace

CpuidTable::CpuidTable(uint32_t entries) : storage_(QuadsFor(entries)) { get()->nent = entries; }

CpuidTable::CpuidTable(std::span<const uint32_t> words)
    : CpuidTable(static_cast<uint32_t>(words.size() / kWordsPerEntry)) {
  for (uint32_t i = 0; i < get()->nent; ++i) {
    const auto from = words.subspan(i * kWordsPerEntry, kWordsPerEntry);
    kvm_cpuid_entry2& entry = get()->entries[i];
    entry.function = from[0];
    entry.index = from[1];
    entry.flags = from[2];
    entry.eax = from[3];
    entry.ebx = from[4];
    entry.ecx = from[5];
    entry.edx = from[6];
  }
}

Napi::Value CpuidTable::ToJs(Napi::Env env) {
  auto words = Napi::Uint32Array::New(env, get()->nent * kWordsPerEntry);
  uint32_t* to = words.Data();
  for (uint32_t i = 0; i < get()->nent; ++i, to += kWordsPerEntry) {
    const kvm_cpuid_entry2& entry = get()->entries[i];
    const uint32_t values[kWordsPerEntry] = {entry.function, entry.index, entry.flags, entry.eax,
                                             entry.ebx,      entry.ecx,   entry.edx};
    std::copy(std::begin(values), std::end(values), to);
  }
  return words;
}

}  // namespace tsvmm
