import { LOG_LEVELS } from '../../log.ts';
import {
  BACKEND_TYPES,
  CPU_AFFINITY_KEYS,
  MEMORY_KEYS,
  NUMA_TYPES,
  VIOLATION_KEYS,
  VIRTIO_MEM_KEYS,
} from './keys.ts';
import { PROMPT_NAME } from '../../monitor/prompt.ts';
import type { RunOption } from './value.ts';

/**
 * Every option that says what a machine is. The command line, `--help`, configuration files and their
 * schema all come from this table.
 */
export const RUN_OPTIONS: readonly RunOption[] = [
  {
    name: 'kernel',
    argument: '<file>',
    scalar: 'path',
    help: 'bzImage, or an ELF file with a PVH entry (vmlinux); required',
  },
  { name: 'initrd', argument: '<file>', scalar: 'path', help: 'initial RAM disk' },
  {
    name: 'append',
    argument: '<text>',
    scalar: 'text',
    default: '',
    help: 'kernel command line',
  },
  {
    name: 'memory',
    argument: '<size>',
    scalar: 'size',
    keys: MEMORY_KEYS,
    help: 'boot memory: a size, or memdev=ID (default: what the NUMA nodes have, or 1G)',
  },
  {
    name: 'cpus',
    argument: '<n>',
    scalar: 'count',
    default: '1',
    help: 'number of virtual CPUs',
  },
  {
    name: 'numa',
    argument: '<keys>',
    repeats: true,
    types: NUMA_TYPES,
    help: 'add a NUMA node, or say how far two are; see below',
  },
  {
    name: 'virtio-mem',
    argument: '<keys>',
    repeats: true,
    keys: VIRTIO_MEM_KEYS,
    byId: { prefix: 'vm' },
    help: 'add a memory device; see below',
  },
  {
    name: 'memory-backend',
    argument: '<type,keys>',
    repeats: true,
    types: BACKEND_TYPES,
    byId: {},
    help: 'name host memory; see below',
  },
  {
    name: 'serial',
    argument: '<where>',
    scalar: 'where',
    default: 'stdio',
    help:
      'serial port: stdio, none, file:PATH or unix:PATH; with unix:PATH,when-full=block the guest waits ' +
      'for a client that does not read (default: drop)',
  },
  {
    name: 'monitor',
    argument: '<where>',
    scalar: 'where',
    help: 'monitor: stdio, none, unix:PATH or tcp:ADDR:PORT (default: shares the terminal, if there is one)',
  },
  {
    name: 'monitor-prompt',
    argument: '<name>',
    scalar: 'text',
    default: PROMPT_NAME,
    help:
      "what the monitor's prompt has in parentheses; with qemu, command lines are echoed on sockets and pipes " +
      'as well, for what reads the established monitor',
  },
  {
    name: 'qmp',
    argument: '<where>',
    repeats: true,
    scalar: 'where',
    help: 'let programs in: unix:PATH or tcp:ADDR:PORT; see below',
  },
  {
    name: 'qmp-event-interval',
    argument: '<ms>',
    scalar: 'count',
    default: '1000',
    help: 'least time between two events of a kind about one memory device',
  },
  { name: 'no-reboot', scalar: 'flag', help: 'exit when the guest reboots' },
  {
    name: 'on-violation',
    argument: '<action>',
    scalar: ['stop', 'reset', 'kill'],
    keys: VIOLATION_KEYS,
    default: 'read=zeros,write=stop',
    help: 'when the guest touches protected memory: stop, reset or kill; or read=ACTION,write=ACTION',
  },
  {
    name: 'pause-clock',
    argument: '<what>',
    scalar: ['stop', 'run'],
    default: 'stop',
    help: "what the guest's clocks do while the machine is paused: stop or run",
  },
  {
    name: 'cpu-affinity',
    argument: '<cpus>',
    scalar: ['auto', 'off'],
    keys: CPU_AFFINITY_KEYS,
    default: 'auto',
    help: "the host's CPUs for its threads: auto, off, or loop=CPUS,vcpus=CPUS,pin=on",
  },
  {
    name: 'name',
    argument: '<text>',
    scalar: 'text',
    help: "the machine's name, for the monitor (default: tsvmm)",
  },
  {
    name: 'uuid',
    argument: '<uuid>',
    scalar: 'text',
    help: "the machine's UUID, for the monitor",
  },
  {
    name: 'log-level',
    argument: '<level>',
    scalar: LOG_LEVELS,
    default: 'info',
    help: 'what to log on stderr; of trace, 100 lines a second of a kind, of trace-all every one',
  },
];

/** What commander calls an option's value: `virtioMem`, and `reboot` for `no-reboot`. */
export function attributeOf({ name }: RunOption): string {
  return name.replace(/^no-/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
