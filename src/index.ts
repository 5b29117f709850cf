/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/*
 * tsvmm for programs: machines in this process, and in others over QMP.
 */
export { createVm, Vm, type CreateOptions, type VmEnd } from './api/vm.ts';
export { connectVm, type ConnectOptions, type RemoteVm } from './api/client/remote-vm.ts';
export type {
  MemoryBackendSpec,
  NumaDistanceSpec,
  NumaNodeSpec,
  Size,
  ViolationSpec,
  VirtioMemSpec,
  VmOptions,
} from './api/options.ts';
export type { VmControl } from './api/vm-control.ts';
export type { VmEvent } from './api/event-hub.ts';
export type { EventsOptions } from './api/event-stream.ts';
export { MemoryDevice } from './api/memory-device.ts';
export type { ConvergenceKind, MemoryDeviceState, VmStatus } from './api/memory-host.ts';
export { Resize, type ResizeOptions } from './api/resize.ts';
export { ResizeError, type ResizeFailure } from './api/resize-error.ts';
export {
  ConfigError,
  EXIT_CODE,
  exitCodeOf,
  GuestError,
  HostError,
  messageOf,
  TsvmmError,
} from './errors.ts';
export { LOG_LEVELS, setLogLevel, type LogLevel } from './log.ts';
export { version } from './version.ts';
