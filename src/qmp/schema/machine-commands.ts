import { LOG_LEVELS } from '../../log.ts';
import type { CommandSpecs } from './command-spec.ts';
import { bool, int, listOf, NOTHING, object, oneOf, optional, str } from './type.ts';

export const RUN_STATES = ['running', 'prelaunch', 'paused', 'shutdown', 'internal-error'] as const;

const VersionInfo = object({
  qemu: object({ major: int, minor: int, micro: int }),
  package: str,
});

const CpuInfoFast = object({
  'cpu-index': int,
  'qom-path': str,
  /** 0 before its thread has run for the first time. */
  'thread-id': int,
  props: object({
    /** Absent where the machine has no NUMA nodes. */
    'node-id': optional(int),
    'socket-id': int,
    'core-id': int,
    'thread-id': int,
  }),
  /** Older clients need it where newer ones need `target`. */
  arch: oneOf('x86'),
  target: oneOf('x86_64'),
});

const StatusInfo = object({
  running: bool,
  /** Always false: older clients need it. */
  singlestep: bool,
  status: oneOf(...RUN_STATES),
});

/** What the machine is, does and shall do. */
export const MACHINE_COMMANDS = {
  'query-version': { args: NOTHING, returns: VersionInfo },
  'query-status': {
    args: NOTHING,
    returns: StatusInfo,
    oob: true,
  },
  'query-name': { args: NOTHING, returns: object({ name: str }) },
  'query-uuid': { args: NOTHING, returns: object({ UUID: str }) },
  'query-kvm': { args: NOTHING, returns: object({ enabled: bool, present: bool }) },
  'query-cpus-fast': { args: NOTHING, returns: listOf(CpuInfoFast) },
  stop: { args: NOTHING, returns: NOTHING },
  cont: { args: NOTHING, returns: NOTHING },
  system_reset: { args: NOTHING, returns: NOTHING },
  system_powerdown: { args: NOTHING, returns: NOTHING },
  'inject-nmi': { args: NOTHING, returns: NOTHING },
  quit: { args: NOTHING, returns: NOTHING, oob: true },
  'human-monitor-command': {
    args: object({ 'command-line': str, 'cpu-index': optional(int) }),
    returns: str,
  },
  /** The log of the process: from which level on, and to which file; `''` is stderr. */
  'x-tsvmm-set-log': {
    args: object({ level: optional(oneOf(...LOG_LEVELS)), file: optional(str) }),
    returns: NOTHING,
  },
} as const satisfies CommandSpecs;
