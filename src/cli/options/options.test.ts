import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { parseCpuAffinity } from '../../machine/config/cpu-affinity-option.ts';
import { parseMemory } from '../../machine/config/machine-config.ts';
import { parseMemoryBackend } from '../../machine/config/memory-backend-option.ts';
import { parseNumaOptions } from '../../machine/config/numa-option.ts';
import { parseViolationPolicy } from '../../machine/config/violation-option.ts';
import { parseVirtioMemOption } from '../../machine/config/virtio-mem-option.ts';
import {
  BACKEND_TYPES,
  CPU_AFFINITY_KEYS,
  MEMORY_KEYS,
  NUMA_TYPES,
  VIOLATION_KEYS,
  VIRTIO_MEM_KEYS,
} from './keys.ts';
import { configSchema } from './schema.ts';
import { RUN_OPTIONS } from './table.ts';
import type { Keys } from './value.ts';

/** The keys that a parser knows: it lists them when it meets another. */
function keysOf(parse: () => unknown): readonly string[] {
  let message = '';
  try {
    parse();
  } catch (error) {
    message = String(error);
  }
  return /unknown key nobody; the keys are (.*)$/.exec(message)?.[1]?.split(', ') ?? [message];
}

const named = (keys: Keys | undefined): readonly string[] => Object.keys(keys ?? {}).sort();

const numa = (text: string): unknown =>
  parseNumaOptions(['node', text], { cpus: 2, memory: undefined, backends: [] });

describe('the table of options has the keys of the parser of', () => {
  it.each([
    ['virtio-mem', VIRTIO_MEM_KEYS, () => parseVirtioMemOption('size=1G,nobody=1', 0)],
    ['cpu-affinity', CPU_AFFINITY_KEYS, () => parseCpuAffinity('loop=0,nobody=1', 1)],
    ['memory', MEMORY_KEYS, () => parseMemory('size=1G,nobody=1', [])],
    ['numa node', NUMA_TYPES.node?.keys, () => numa('node,nobody=1')],
    [
      'numa dist',
      NUMA_TYPES.dist?.keys,
      () =>
        parseNumaOptions(['node', 'node', 'dist,src=0,dst=1,val=20,nobody=1'], {
          cpus: 2,
          memory: undefined,
          backends: [],
        }),
    ],
    ['ram', BACKEND_TYPES.ram?.keys, () => parseMemoryBackend('ram,id=m,size=1G,nobody=1')],
    ['memfd', BACKEND_TYPES.memfd?.keys, () => parseMemoryBackend('memfd,id=m,size=1G,nobody=1')],
    [
      'file',
      BACKEND_TYPES.file?.keys,
      () => parseMemoryBackend(`file,id=m,size=2M,mem-path=${tmpdir()},nobody=1`),
    ],
    [
      'devmem',
      BACKEND_TYPES.devmem?.keys,
      () => parseMemoryBackend('devmem,id=m,size=1G,base=8G,nobody=1'),
    ],
  ] as const)('%s', (_name, keys, parse) => {
    expect(keysOf(parse)).toEqual(named(keys));
  });

  it('memory-backend and numa, whose types are all there', () => {
    const types = (table: object): string => Object.keys(table).join(', ');
    expect(() => parseMemoryBackend('nobody')).toThrow(`write ${types(BACKEND_TYPES)}, then`);
    expect(() => numa('nobody')).toThrow('write node,… or dist,…');
    expect(types(NUMA_TYPES)).toBe('node, dist');
  });

  it('choices', () => {
    const choices = RUN_OPTIONS.find(({ name }) => name === 'on-violation')?.scalar;
    for (const choice of choices ?? []) {
      expect(parseViolationPolicy(choice)).toEqual({ read: choice, write: choice });
    }
    for (const [key, { value }] of Object.entries(VIOLATION_KEYS)) {
      for (const choice of value) {
        const policy = { read: 'zeros', write: 'stop', [key]: choice };
        expect(parseViolationPolicy(`${key}=${choice}`)).toEqual(policy);
      }
    }
    for (const bad of ['zeros', 'write=zeros', 'read=', 'exec=stop', 'read=stop,read=kill', '']) {
      expect(() => parseViolationPolicy(bad)).toThrow(/^--on-violation/);
    }
    for (const choice of ['on', 'off', 'auto']) {
      const text = `size=1G,unplugged-inaccessible=${choice},protect-unplugged=${choice}`;
      expect(parseVirtioMemOption(text, 0).protectUnplugged).toBe(choice);
    }
  });
});

it('the schema that is published is that of the table', () => {
  const file = new URL('../../../schema/vm.schema.json', import.meta.url);
  const published: unknown = JSON.parse(readFileSync(file, 'utf8'));
  // Otherwise: node scripts/docs/schema.mjs
  expect(published).toEqual(JSON.parse(JSON.stringify(configSchema())));
});
