#pragma once

#include "exit-record.h"
#include "kvm-abi.h"

namespace tsvmm {

/// Fills in what KVM says of an exit that is neither port I/O nor MMIO: `reason`, `detail`,
/// `values`. The rest of the record is cleared.
void DecodeExit(const kvm_run& run, ExitRecord* record);

}  // namespace tsvmm
