import {
  any,
  bool,
  int,
  listOf,
  NOTHING,
  object,
  oneOf,
  optional,
  str,
  union,
  type ObjectType,
  type TypeOf,
  type WireType,
} from './type.ts';
import { SchemaInfo } from './schema-info.ts';

export interface CommandSpec {
  readonly args: ObjectType;
  readonly returns: WireType;
  /** Whether it may overtake the commands before it: it never waits. */
  readonly oob?: true;
}

export const RUN_STATES = ['running', 'paused', 'shutdown', 'internal-error'] as const;

export const MEMORY_POLICIES = ['default', 'preferred', 'bind', 'interleave'] as const;

export const VersionInfo = object({
  qemu: object({ major: int, minor: int, micro: int }),
  package: str,
});

const VirtioMemDeviceInfo = object({
  id: str,
  memaddr: int,
  'requested-size': int,
  size: int,
  'max-size': int,
  'block-size': int,
  node: int,
  memdev: str,
});

const MemoryDeviceInfo = union(
  'type',
  { type: oneOf('virtio-mem') },
  { 'virtio-mem': object({ data: VirtioMemDeviceInfo }) },
);

const CpuInfoFast = object({
  'cpu-index': int,
  'qom-path': str,
  /** Absent where this host has not told it. */
  'thread-id': optional(int),
  props: object({
    'socket-id': optional(int),
    'core-id': optional(int),
    'thread-id': optional(int),
  }),
  target: oneOf('x86_64'),
});

const Memdev = object({
  id: str,
  size: int,
  merge: bool,
  dump: bool,
  prealloc: bool,
  share: bool,
  reserve: bool,
  'host-nodes': listOf(int),
  policy: oneOf(...MEMORY_POLICIES),
});

const ObjectPropertyInfo = object({ name: str, type: str });

const ObjectTypeInfo = object({ name: str, abstract: optional(bool), parent: optional(str) });

/** Every command there is: arguments, results, checks and introspection come from this table. */
export const COMMANDS = {
  qmp_capabilities: {
    args: object({ enable: optional(listOf(oneOf('oob'))) }),
    returns: NOTHING,
  },
  'query-version': { args: NOTHING, returns: VersionInfo },
  'query-commands': { args: NOTHING, returns: listOf(object({ name: str })) },
  'query-events': { args: NOTHING, returns: listOf(object({ name: str })) },
  'query-qmp-schema': { args: NOTHING, returns: listOf(SchemaInfo) },
  'query-status': {
    args: NOTHING,
    returns: object({ running: bool, status: oneOf(...RUN_STATES) }),
    oob: true,
  },
  'query-name': { args: NOTHING, returns: object({ name: str }) },
  'query-kvm': { args: NOTHING, returns: object({ enabled: bool, present: bool }) },
  'query-cpus-fast': { args: NOTHING, returns: listOf(CpuInfoFast) },
  'query-memory-devices': { args: NOTHING, returns: listOf(MemoryDeviceInfo), oob: true },
  'query-memory-size-summary': {
    args: NOTHING,
    returns: object({ 'base-memory': int, 'plugged-memory': int }),
    oob: true,
  },
  'query-memdev': { args: NOTHING, returns: listOf(Memdev) },
  'qom-list': { args: object({ path: str }), returns: listOf(ObjectPropertyInfo) },
  'qom-list-types': {
    args: object({ implements: optional(str), abstract: optional(bool) }),
    returns: listOf(ObjectTypeInfo),
  },
  'qom-get': { args: object({ path: str, property: str }), returns: any },
  'qom-set': { args: object({ path: str, property: str, value: any }), returns: NOTHING },
  stop: { args: NOTHING, returns: NOTHING },
  cont: { args: NOTHING, returns: NOTHING },
  system_reset: { args: NOTHING, returns: NOTHING },
  system_powerdown: { args: NOTHING, returns: NOTHING },
  quit: { args: NOTHING, returns: NOTHING, oob: true },
  'human-monitor-command': { args: object({ 'command-line': str }), returns: str },
} as const satisfies Readonly<Record<string, CommandSpec>>;

export type CommandName = keyof typeof COMMANDS;
export type ArgumentsOf<Name extends CommandName> = TypeOf<(typeof COMMANDS)[Name]['args']>;
export type ReturnOf<Name extends CommandName> = TypeOf<(typeof COMMANDS)[Name]['returns']>;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** Whether a command may be given out of band. */
export function allowsOob(name: CommandName): boolean {
  const spec: CommandSpec = COMMANDS[name];
  return spec.oob === true;
}
