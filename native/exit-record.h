#pragma once

#include <cstddef>
#include <cstdint>

namespace tsvmm {

/// The layout of exit.ts. Written by the vCPU thread, read and answered by JavaScript while the
/// thread waits; ownership goes back and forth with VcpuThread's phase.
struct ExitRecord {
  static constexpr uint32_t kMaxValues = 16;
  static constexpr uint32_t kNoTag = 0xffff'ffff;

  uint32_t kind;
  uint32_t is_write;
  uint64_t addr;
  uint32_t size;
  uint32_t tag;
  uint64_t data;
  uint32_t reason;
  uint32_t error;
  uint32_t detail;
  uint32_t value_count;
  uint64_t values[kMaxValues];
};
static_assert(offsetof(ExitRecord, data) == 24);
static_assert(offsetof(ExitRecord, values) == 48);
static_assert(sizeof(ExitRecord) == 176);

enum class ExitKind : uint32_t { kPort = 1, kMmio = 2, kParked = 3, kOther = 4, kRunFailed = 5 };

}  // namespace tsvmm
