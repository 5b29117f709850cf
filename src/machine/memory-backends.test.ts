import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostError } from '../errors.ts';
import { MIB } from '../units.ts';
import { backendInfo, backendObject, formatNodes } from './backend-objects.ts';
import type { MachineConfig } from './config/machine-config.ts';
import { parseMemoryBackends } from './config/memory-backend-option.ts';
import { MemoryBackends } from './memory-backends.ts';

let folder = '';
let opened: MemoryBackends | undefined;

beforeEach(() => {
  folder = mkdtempSync('/dev/shm/tsvmm-backends-');
});

afterEach(() => {
  opened?.close();
  opened = undefined;
  rmSync(folder, { recursive: true });
});

/**
 * @param sparse  id of the backend that a memory device uses
 * @param signal  null: they are mapped, and nothing more
 */
async function open(
  texts: readonly string[],
  sparse?: string,
  signal: AbortSignal | null = new AbortController().signal,
): Promise<MemoryBackends> {
  const config: Pick<MachineConfig, 'memoryBackends' | 'virtioMem'> = {
    memoryBackends: parseMemoryBackends(texts),
    virtioMem: sparse === undefined ? [] : [{ id: 'vm0', size: MIB, memdev: sparse }],
  };
  opened = await MemoryBackends.open(config as MachineConfig);
  if (signal !== null) await opened.prepare(config as MachineConfig, signal);
  return opened;
}

describe('memory backends', () => {
  it('are taken by one user', async () => {
    const backends = await open(['ram,id=a,size=4M']);
    expect(backends.take('a', 'vm0')).toMatchObject({ id: 'a', user: 'vm0' });
    expect(() => backends.take('a', 'vm1')).toThrow('memory backend a is used by vm0 already');
    expect(() => backends.get('b')).toThrow('there is no memory backend b');
    expect(backends.all.map(({ id, user }) => [id, user])).toEqual([['a', 'vm0']]);
  });

  it('made for want of one get the first free name', async () => {
    const backends = await open(['ram,id=mem0,size=4M', 'ram,id=mem2,size=4M']);
    const ids = [1, 2].map(() => backends.make('mem', MIB, 'vm').id);
    expect(ids).toEqual(['mem1', 'mem3']);
  });

  it('hold their memory from the start with prealloc', async () => {
    const backends = await open([
      'ram,id=a,size=4M,prealloc=on,prealloc-threads=4',
      'ram,id=b,size=4M',
    ]);
    expect(await backends.get('a').backing.mapping.residentBytes(0, 4 * MIB)).toBe(4 * MIB);
    expect(await backends.get('b').backing.mapping.residentBytes(0, 4 * MIB)).toBe(0);
  });

  it.each([
    ['ram,id=a,size=4M', false, true],
    ['ram,id=a,size=4M', true, false],
    ['ram,id=a,size=4M,reserve=on', true, true],
    ['ram,id=a,size=4M,reserve=off', false, false],
    ['memfd,id=a,size=4M', false, false],
    ['file,id=a,size=4M,share=on,mem-path=/dev/shm', false, true],
    ['file,id=a,size=4M,share=on,mem-path=/dev/shm', true, false],
    ['file,id=a,size=4M,share=on,mem-path=/dev/shm,reserve=off', false, false],
    ['memfd,id=a,size=4M,reserve=on', false, true],
  ])('reserve: %s, for a device: %s', async (text, isSparse, reserved) => {
    const backends = await open([text], isSparse ? 'a' : undefined);
    expect(backendInfo(backends.get('a')).reserve).toBe(reserved);
  });

  it('set all of a shared file aside with reserve=on', async () => {
    const path = join(folder, 'reserved');
    await open([`file,id=a,size=4M,share=on,reserve=on,mem-path=${path}`]);
    expect(statSync(path).blocks * 512).toBe(4 * MIB);
  });

  it('follow a NUMA policy, and name a node that is not there', async () => {
    await open(['ram,id=a,size=4M,policy=bind,host-nodes=0']);
    opened?.close();
    await expect(open(['ram,id=a,size=4M,policy=bind,host-nodes=900'])).rejects.toThrow(
      '--memory-backend id=a: host-nodes=900: the host has memory on the nodes 0',
    );
  });

  it('change no file before they are prepared', async () => {
    const [full, empty, missing] = ['full', 'empty', 'missing'].map((name) => join(folder, name));
    writeFileSync(full ?? '', Buffer.alloc(4 * MIB, 0xa5));
    writeFileSync(empty ?? '', '');
    for (const path of [full, empty, missing]) {
      const text = `file,id=a,size=4M,share=on,prealloc=on,mem-path=${path}`;
      await open([text], 'a', null);
      opened?.close();
      // Given up before anything is done, and refused for another of them.
      await expect(open([text], 'a', AbortSignal.abort(new Error('no')))).rejects.toThrow('no');
      opened?.close();
      await expect(open([text, 'file,id=b,size=4M,mem-path=/dev/null'], 'a')).rejects.toThrow();
    }
    expect(readFileSync(full ?? '').equals(Buffer.alloc(4 * MIB, 0xa5))).toBe(true);
    expect(statSync(empty ?? '').size).toBe(0);
    expect(existsSync(missing ?? '')).toBe(false);
  });

  it('of devices are emptied when they are prepared', async () => {
    const path = join(folder, 'full');
    writeFileSync(path, Buffer.alloc(8 * MIB, 0xa5));
    await open([`file,id=a,size=4M,offset=4M,share=on,mem-path=${path}`], 'a');
    expect(statSync(path).blocks * 512).toBe(4 * MIB);
  });

  it('are given up between two pieces', async () => {
    const controller = new AbortController();
    const preparing = open(['ram,id=a,size=4G,prealloc=on'], undefined, controller.signal);
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(preparing).rejects.toThrow('enough');
    const { mapping } = opened?.get('a').backing ?? {};
    expect(await mapping?.residentBytes(0, mapping.size)).toBeLessThan(2 ** 32);
  });

  it('leave nothing mapped when one of them cannot be opened', async () => {
    const before = mappingsIn(folder);
    const texts = [`file,id=a,size=4M,mem-path=${folder}`, 'file,id=b,size=4M,mem-path=/dev/null'];
    await expect(open(texts)).rejects.toThrow('neither a file');
    expect(mappingsIn(folder)).toBe(before);
  });
});

function mappingsIn(path: string): number {
  return readFileSync('/proc/self/maps', 'utf8').split(path).length - 1;
}

describe('lost memory', () => {
  const file = (): string => join(folder, 'file');
  const text = (): string => `file,id=a,size=4M,share=on,mem-path=${file()}`;

  it('is told with its user and the reason, once somebody touched it', async () => {
    const backends = await open([text()]);
    const { backing } = backends.take('a', 'vm0');
    expect(backends.lost()).toBeUndefined();
    truncateSync(file(), MIB);
    backing.mapping.write(2 * MIB, Uint8Array.of(1));
    expect(backends.lost()).toMatchObject({
      code: 'MEMORY_LOST',
      message: `memory backend a, vm0: there is no memory at offset 0x200000: ${file()} was cut to 1 MiB; 4 MiB are mapped`,
    });
  });

  it('is told when its file is cut short, whether or not it is touched', async () => {
    const backends = await open([text()]);
    backends.take('a', 'vm0');
    const told = new Promise<HostError>((resolve) => backends.onLost(resolve));
    truncateSync(file(), 0);
    expect((await told).message).toBe(
      `memory backend a, vm0: the host has no memory for the guest: ${file()} was cut to 0 B; 4 MiB are mapped`,
    );
  });

  it('of a backend that nobody uses troubles nobody', async () => {
    const backends = await open([text()]);
    truncateSync(file(), 0);
    expect(backends.trouble()).toBeUndefined();
  });
});

describe('a backend as an object', () => {
  it('has the properties of its type', async () => {
    const backends = await open([
      `file,id=a,size=4M,mem-path=${folder},align=2M,policy=preferred,host-nodes=0`,
      'memfd,id=b,size=4M,prealloc-threads=2',
    ]);
    const object = backendObject(backends.get('a'));
    expect(object).toMatchObject({ path: '/objects/a', type: 'memory-backend-file' });
    const values = Object.fromEntries(object.properties.map(({ name, value }) => [name, value]));
    expect(values).toEqual({
      align: 2 * MIB,
      dump: true,
      'host-nodes': '0',
      'mem-path': folder,
      merge: false,
      offset: 0,
      'page-size': 4096,
      policy: 'preferred',
      prealloc: false,
      'prealloc-threads': 1,
      readonly: false,
      reserve: true,
      share: false,
      size: 4 * MIB,
    });
    const memfd = backendObject(backends.get('b')).properties.map(({ name }) => name);
    expect(memfd).toContain('seal');
    expect(memfd).toEqual(memfd.toSorted());
  });

  it.each([
    [[], ''],
    [[0], '0'],
    [[0, 1, 2, 5, 7, 8], '0-2,5,7-8'],
  ])('writes nodes as %j: %s', (nodes, text) => {
    expect(formatNodes(nodes)).toBe(text);
  });
});
