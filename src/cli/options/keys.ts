import type { KeyedType, Keys } from './value.ts';

const TRISTATE = ['on', 'off', 'auto'] as const;

export const VIRTIO_MEM_KEYS: Keys = {
  size: { value: 'size', help: 'what the guest can grow by; costs nothing until it is plugged' },
  memdev: { value: 'text', shown: 'ID', help: 'take this memory backend, and its size' },
  id: { value: 'text', shown: 'ID', help: 'name in the monitor (default: vm0, vm1, ...)' },
  'requested-size': {
    value: 'size',
    help: 'what the guest is asked to plug at start (default: 0)',
  },
  'block-size': {
    value: 'size',
    help: 'what is plugged at once (default: the size of a huge page)',
  },
  'dynamic-memslots': { value: 'flag', help: 'map only what is plugged (default: off)' },
  'memslot-size': {
    value: 'size',
    help: 'size of one memslot (default: at least 1G, as many as KVM has)',
  },
  memaddr: {
    value: 'size',
    shown: 'ADDRESS',
    help: 'guest-physical address (default: the next free one)',
  },
  node: { value: 'count', help: 'NUMA node (default: 0)' },
  prealloc: { value: 'flag', help: 'allocate memory before the guest sees it (default: off)' },
  'unplugged-inaccessible': {
    value: TRISTATE,
    help: 'whether the guest must promise not to touch unplugged memory (default: on)',
  },
  'protect-unplugged': {
    value: TRISTATE,
    help:
      "whether unplugged memory is out of the guest's reach, so that touching it is a violation " +
      '(default: auto, on with dynamic-memslots=on)',
  },
};

export const MEMORY_KEYS: Keys = {
  memdev: { value: 'text', shown: 'ID', help: 'take this memory backend, and its size' },
  size: { value: 'size', help: 'the size of the backend, again' },
};

export const VIOLATION_KEYS: Keys = {
  read: {
    value: ['zeros', 'stop', 'reset', 'kill'],
    help: 'when it reads; zeros: that is what it sees, and goes on (default)',
  },
  write: {
    value: ['stop', 'reset', 'kill'],
    help: 'when it does anything else (default: stop)',
  },
};

export const CPU_AFFINITY_KEYS: Keys = {
  loop: { value: 'numbers', help: 'CPUs of the event loop, which serves the devices' },
  vcpus: { value: 'numbers', help: 'CPUs of the vCPUs' },
  pin: { value: 'flag', help: 'each vCPU on one of them, in their order (default: off)' },
};

/** What every memory backend takes. */
export const COMMON_BACKEND_KEYS: Keys = {
  share: {
    value: 'flag',
    help: 'whether others who map it see it (default: on for memfd and devmem)',
  },
  prealloc: { value: 'flag', help: 'allocate all of it before the guest starts (default: off)' },
  'prealloc-threads': { value: 'count', help: 'how many threads do so (default: 1)' },
  reserve: {
    value: 'flag',
    help: 'have the host set it aside (default: off under a memory device)',
  },
  thp: {
    value: 'flag',
    help: 'use transparent huge pages (default: on for ram and memfd)',
  },
  merge: { value: 'flag', help: 'let KSM merge equal pages (default: off)' },
  dump: { value: 'flag', help: 'be part of core dumps (default: on)' },
  policy: {
    value: ['default', 'bind', 'preferred', 'interleave'],
    help: 'where the host takes pages from, among host-nodes',
  },
  'host-nodes': { value: 'numbers', help: 'host NUMA nodes' },
};

const ID = { value: 'text', shown: 'ID', help: 'its name, for memdev=ID' } as const;
const SIZE = { value: 'size', help: 'how much memory it is' } as const;

function backend(help: string, keys: Keys, ...required: readonly string[]): KeyedType {
  return { help, keys: { id: ID, ...keys, ...COMMON_BACKEND_KEYS }, required: ['id', ...required] };
}

export const BACKEND_TYPES: Readonly<Record<string, KeyedType>> = {
  ram: backend('anonymous memory', { size: SIZE }, 'size'),
  memfd: backend(
    'a file without a name',
    {
      size: SIZE,
      hugetlb: { value: 'flag', help: 'have it of hugetlb pages (default: off)' },
      hugetlbsize: { value: 'size', help: "size of those pages, as 1G (default: the host's)" },
      seal: { value: 'flag', help: 'let nobody change its size (default: on)' },
    },
    'size',
  ),
  file: backend(
    'a file, a folder (hugetlbfs, tmpfs) or a device-dax',
    {
      'mem-path': { value: 'path', shown: 'PATH', help: 'where it is' },
      size: { value: 'size', help: "how much of it (default: the file's size)" },
      offset: { value: 'size', help: 'where in the file it begins (default: 0)' },
      align: { value: 'size', help: 'what its address is a multiple of' },
      readonly: { value: 'flag', help: 'do not write to the file (default: off)' },
    },
    'mem-path',
  ),
  devmem: backend(
    'host memory kept from the kernel with mem=, by /dev/mem',
    { size: SIZE, base: { value: 'size', shown: 'ADDRESS', help: 'host-physical address' } },
    'size',
    'base',
  ),
};

export const NUMA_TYPES: Readonly<Record<string, KeyedType>> = {
  node: {
    help: 'a NUMA node; the first is node 0',
    required: [],
    keys: {
      cpus: {
        value: 'numbers',
        help:
          'its CPUs, also several times; each CPU is in exactly one node ' +
          '(default: when no node has it, they are shared out evenly)',
      },
      memory: {
        value: 'size',
        help: 'its boot memory; the sizes sum up to --memory (default: likewise)',
      },
      memdev: {
        value: 'text',
        shown: 'ID',
        help: 'have this boot memory on a memory backend of its own, and take its size',
      },
    },
  },
  dist: {
    help: 'how far memory of node dst is from node src, and the other way unless said otherwise',
    required: ['src', 'dst', 'val'],
    keys: {
      src: { value: 'count', help: 'a node' },
      dst: { value: 'count', help: 'another' },
      val: {
        value: 'count',
        help: '11 to 255, where 10 is within a node, and 255 out of reach; 20 where nothing is said',
      },
    },
  },
};
