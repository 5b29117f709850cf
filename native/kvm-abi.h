#pragma once

/*
 * <linux/kvm.h> as C sees it. Kernel headers before 6.7 declare flexible arrays by way of an empty
 * structure, which takes a byte in C++: the sizes, and with them the ioctl numbers, would differ.
 */
#include <linux/stddef.h>
#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(type, name) type name[0]
#include <linux/kvm.h>

#include <cstdint>

static_assert(sizeof(kvm_cpuid2) == 8);
static_assert(sizeof(kvm_msrs) == 8);
static_assert(sizeof(kvm_irq_routing) == 8);

namespace tsvmm {

/// Newer than some headers that this compiles with (Linux 6.8).
constexpr uint32_t kExitMemoryFault = 39;
struct MemoryFault {
  uint64_t flags;
  uint64_t gpa;
  uint64_t size;
};

}  // namespace tsvmm
