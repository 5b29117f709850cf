import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../../units.ts';
import {
  checkBackendUsers,
  memoryOf,
  type MachineConfig,
  type NumaConfig,
} from './machine-config.ts';
import { parseMemoryBackends } from './memory-backend-option.ts';
import { parseNumaOptions, type NumaContext } from './numa-option.ts';

const backends = parseMemoryBackends(['ram,id=m0,size=3G', 'ram,id=m1,size=1G']);
const ofSize = (memorySize: number): NumaContext['memory'] => ({ memorySize, memdev: undefined });

const parse = (texts: readonly string[], change: Partial<NumaContext> = {}): NumaConfig =>
  parseNumaOptions(texts, { cpus: 4, memory: ofSize(4 * GIB), backends, ...change });

const cpusOf = ({ nodes }: NumaConfig) => nodes.map(({ cpus }) => cpus);
const sizesOf = ({ nodes }: NumaConfig) => nodes.map(({ memorySize }) => memorySize);

describe('--numa node', () => {
  it('takes the CPUs it names, by range, one by one, and again', () => {
    expect(cpusOf(parse(['node,cpus=0-1', 'node,cpus=2-3']))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(cpusOf(parse(['node,cpus=3', 'node,cpus=0,cpus=2', 'node,cpus=1', 'node']))).toEqual([
      [3],
      [0, 2],
      [1],
      [],
    ]);
  });

  it('gets its share of the CPUs when no node names any', () => {
    expect(cpusOf(parse(['node', 'node']))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(cpusOf(parse(['node', 'node', 'node'])).flat()).toEqual([0, 1, 2, 3]);
    expect(cpusOf(parse(['node', 'node'], { cpus: 1 }))).toEqual([[0], []]);
  });

  it('gets its share of the memory when no node names any, without cutting huge pages', () => {
    expect(sizesOf(parse(['node', 'node']))).toEqual([2 * GIB, 2 * GIB]);
    const three = sizesOf(parse(['node', 'node', 'node'], { memory: ofSize(GIB) }));
    expect(three).toEqual([340 * MIB, 340 * MIB, 344 * MIB]);
    expect(sizesOf(parse(['node', 'node'], { memory: ofSize(3 * MIB) }))).toEqual([0, 3 * MIB]);
    expect(sizesOf(parse(['node', 'node'], { memory: undefined }))).toEqual([GIB / 2, GIB / 2]);
  });

  it('has the memory it names, and none when only others name some', () => {
    expect(sizesOf(parse(['node,memory=1G', 'node,memory=3G']))).toEqual([GIB, 3 * GIB]);
    expect(sizesOf(parse(['node', 'node,memory=4G', 'node,memory=0']))).toEqual([0, 4 * GIB, 0]);
  });

  it('takes the size of its backend', () => {
    const { nodes } = parse(['node,memdev=m1', 'node,memdev=m0,memory=3G']);
    expect(nodes.map(({ memorySize, memdev }) => [memorySize, memdev])).toEqual([
      [GIB, 'm1'],
      [3 * GIB, 'm0'],
    ]);
    expect(sizesOf(parse(['node,memory=1G', 'node,memdev=m0']))).toEqual([GIB, 3 * GIB]);
  });

  it('says how much boot memory there is where --memory does not', () => {
    const numa = parse(['node,memory=5G', 'node,memdev=m1'], { memory: undefined });
    expect(memoryOf(numa)).toEqual({ memorySize: 6 * GIB, memdev: undefined });
    expect(memoryOf(undefined).memorySize).toBe(GIB);
  });

  it.each<[readonly string[], string]>([
    [['node,'], '--numa node : empty'],
    [['nodes'], '--numa nodes: unknown type nodes; write node,… or dist,…'],
    [['node,colour=red'], 'colour=red: unknown key colour; the keys are cpus, memdev, memory'],
    [['node,size=4G,memdev=m0'], 'size=4G: unknown key size'],
    [['node,memory=2G,memory=2G'], 'memory is given twice'],
    [['node,cpus=4'], '--numa node cpus=4: must be a number or a range as 0-3, below 4'],
    [['node,cpus=2-1'], 'cpus=2-1: must be'],
    [['node,cpus=x'], 'cpus=x: must be'],
    [['node,cpus=0-2', 'node,cpus=2-3'], 'cpus=2-3: CPU 2 is in node 0 already'],
    [['node,cpus=0', 'node,cpus=2'], '--numa: CPU 1, 3: in no node'],
    [['node,memory=5G'], '--numa: the nodes have 5 GiB of memory, --memory says 4 GiB'],
    [['node,memory=1G', 'node'], 'the nodes have 1 GiB of memory, --memory says 4 GiB'],
    [['node,memory=5000'], 'memory=5000: not a multiple of the page size'],
    [['node,memory=lots'], '--numa node memory=lots: not a size'],
    [['node,memdev=m9'], 'memdev=m9: no memory backend has this id (there is m0, m1)'],
    [['node,memdev=m0,memory=1G'], 'memory=1G: the backend m0 has 3221225472 bytes; leave memory'],
    [Array.from({ length: 129 }, () => 'node'), '--numa: 129 nodes; there can be 128'],
    [['dist,src=0,dst=1,val=20'], '--numa: there is no node'],
  ])('refuses %j', (texts, message) => {
    expect(() => parse(texts)).toThrow(message);
    expect(() => parse(texts)).toThrow('--numa');
  });

  it('refuses memory that no guest can boot in', () => {
    expect(() => parse(['node,memory=1M'], { memory: undefined })).toThrow(
      '--numa: the nodes have 1 MiB of memory; a guest needs at least 2 MiB',
    );
  });

  it('refuses backends of nodes beside one of all memory', () => {
    const memory = { memorySize: 4 * GIB, memdev: 'm1' };
    expect(() => parse(['node,memdev=m0'], { memory })).toThrow('memdev: --memory has one as well');
    expect(parse(['node'], { memory }).nodes[0]?.memorySize).toBe(4 * GIB);
  });

  it('uses a backend alone', () => {
    const numa = parse(['node,memdev=m0', 'node,memory=1G']);
    const config = (virtioMem: MachineConfig['virtioMem']): MachineConfig =>
      ({ numa, virtioMem }) as unknown as MachineConfig;
    expect(() => checkBackendUsers(config([{ id: 'a', size: GIB, memdev: 'm1' }]))).not.toThrow();
    expect(() => checkBackendUsers(config([{ id: 'a', size: GIB, memdev: 'm0' }]))).toThrow(
      '--virtio-mem id=a: memdev=m0: already used by --numa node 0',
    );
  });
});

describe('--numa dist', () => {
  const distances = (...texts: string[]): NumaConfig['distances'] =>
    parse(['node', 'node', 'node', ...texts.map((text) => `dist,${text}`)]).distances;

  it('is 10 within a node and 20 between two by default', () => {
    expect(distances()).toEqual([
      [10, 20, 20],
      [20, 10, 20],
      [20, 20, 10],
    ]);
  });

  it('holds both ways unless both are said', () => {
    expect(distances('src=0,dst=1,val=11', 'src=0,dst=2,val=255', 'src=2,dst=0,val=40')).toEqual([
      [10, 11, 255],
      [11, 10, 20],
      [40, 20, 10],
    ]);
    expect(distances('src=1,dst=1,val=10')).toEqual(distances());
  });

  it('may come before the nodes it is about', () => {
    const { distances: found } = parse(['dist,src=0,dst=1,val=30', 'node', 'node']);
    expect(found[1]?.[0]).toBe(30);
  });

  it.each([
    ['src=0,dst=1', 'val is missing'],
    ['dst=1,val=20', 'src is missing'],
    ['src=3,dst=1,val=20', 'src=3: the nodes are 0 to 2'],
    ['src=0,dst=3,val=20', 'dst=3: the nodes are 0 to 2'],
    ['src=0,dst=1,val=10', 'val=10: between two nodes must be from 11 to 255; 10 is within one'],
    ['src=0,dst=1,val=256', 'val=256: between two nodes'],
    ['src=0,dst=1,val=-1', 'val=-1: not a whole number'],
    ['src=1,dst=1,val=20', 'val=20: the distance of a node to itself is 10'],
    ['src=0,dst=1,val=20,via=2', 'via=2: unknown key via'],
    ['', 'empty'],
  ])('refuses %s', (text, message) => {
    expect(() => distances(text)).toThrow(message);
    expect(() => distances(text)).toThrow('--numa dist');
  });

  it('refuses to be told twice', () => {
    expect(() => distances('src=0,dst=1,val=20', 'src=0,dst=1,val=30')).toThrow(
      'dst=1: given twice for src=0',
    );
  });
});
