#include "exit-decode.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

namespace tsvmm {
namespace {

void SetValues(ExitRecord* record, std::initializer_list<uint64_t> values) {
  std::copy(values.begin(), values.end(), record->values);
  record->value_count = static_cast<uint32_t>(values.size());
}

void CopyValues(ExitRecord* record, const __u64* values, uint32_t count) {
  record->value_count = std::min(count, ExitRecord::kMaxValues);
  std::copy_n(values, record->value_count, record->values);
}

}  // namespace

void DecodeExit(const kvm_run& run, ExitRecord* record) {
  *record = {};
  record->tag = ExitRecord::kNoTag;
  record->reason = run.exit_reason;
  switch (run.exit_reason) {
    case KVM_EXIT_UNKNOWN:
      return SetValues(record, {run.hw.hardware_exit_reason});
    case KVM_EXIT_EXCEPTION:
      record->detail = run.ex.exception;
      return SetValues(record, {run.ex.error_code});
    case KVM_EXIT_HYPERCALL:
      return SetValues(record, {run.hypercall.nr, run.hypercall.args[0], run.hypercall.args[1],
                                run.hypercall.args[2], run.hypercall.args[3]});
    case KVM_EXIT_DEBUG:
      record->detail = run.debug.arch.exception;
      return SetValues(record, {run.debug.arch.pc, run.debug.arch.dr6, run.debug.arch.dr7});
    case KVM_EXIT_FAIL_ENTRY:
      return SetValues(record, {run.fail_entry.hardware_entry_failure_reason, run.fail_entry.cpu});
    case KVM_EXIT_INTERNAL_ERROR:
      record->detail = run.internal.suberror;
      return CopyValues(record, run.internal.data, run.internal.ndata);
    case KVM_EXIT_SYSTEM_EVENT:
      record->detail = run.system_event.type;
      return CopyValues(record, run.system_event.data, run.system_event.ndata);
    case kExitMemoryFault: {
      MemoryFault fault;
      std::memcpy(&fault, &run.hw, sizeof fault);
      return SetValues(record, {fault.gpa, fault.size, fault.flags});
    }
    default:
      return;
  }
}

}  // namespace tsvmm
