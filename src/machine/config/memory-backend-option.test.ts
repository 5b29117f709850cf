import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GIB, MIB } from '../../units.ts';
import { checkBackendUsers, parseMemory, type MachineConfig } from './machine-config.ts';
import { parseMemoryBackend, parseMemoryBackends } from './memory-backend-option.ts';
import { parseVirtioMemOption } from './virtio-mem-option.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-option-'));
  writeFileSync(join(folder, 'file'), new Uint8Array(3 * MIB));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const parse = (text: string): ReturnType<typeof parseMemoryBackend> =>
  parseMemoryBackend(text.replace('FOLDER', folder));

describe('--memory-backend', () => {
  it('fills in the defaults', () => {
    expect(parse('ram,id=m0,size=1G')).toEqual({
      type: 'ram',
      id: 'm0',
      size: GIB,
      share: false,
      prealloc: false,
      preallocThreads: 1,
      reserve: undefined,
      sparse: false,
      thp: undefined,
      merge: false,
      dump: true,
      policy: 'default',
      hostNodes: [],
    });
    expect(parse('memfd,id=m0,size=1G')).toMatchObject({
      share: true,
      seal: true,
      hugePageSize: 0,
    });
    expect(parse('file,id=m0,mem-path=FOLDER/file')).toMatchObject({ share: false, size: 3 * MIB });
    expect(parse('file,id=m0,mem-path=FOLDER/file,offset=1M')).toMatchObject({ size: 2 * MIB });
    expect(parse('devmem,id=m0,size=1G,base=8G')).toMatchObject({ share: true, base: 8 * GIB });
  });

  it('reads every key', () => {
    expect(
      parse(
        'memfd,id=a.b-c,size=4G,hugetlb=on,hugetlbsize=1G,seal=off,share=off,prealloc=on,' +
          'prealloc-threads=8,reserve=off,dump=off,host-nodes=0-1,policy=interleave,host-nodes=3',
      ),
    ).toEqual({
      type: 'memfd',
      id: 'a.b-c',
      size: 4 * GIB,
      hugePageSize: GIB,
      seal: false,
      share: false,
      prealloc: true,
      preallocThreads: 8,
      reserve: false,
      sparse: false,
      thp: undefined,
      merge: false,
      dump: false,
      policy: 'interleave',
      hostNodes: [0, 1, 3],
    });
    expect(
      parse('file,id=f,size=2M,mem-path=FOLDER/file,align=2M,readonly=on,merge=on,thp=on'),
    ).toMatchObject({ size: 2 * MIB, align: 2 * MIB, readonly: true, merge: true, thp: true });
  });

  it.each([
    ['', 'unknown type '],
    ['disk,id=m', 'unknown type disk; write ram, memfd, file, devmem'],
    ['ram', 'empty'],
    ['ram,size=1G', 'ram: id is missing'],
    ['ram,id=9,size=1G', 'id=9: letters'],
    ['ram,id=m', 'ram: size is missing'],
    ['ram,id=m,size=0', 'size=0: a backend needs memory'],
    ['ram,id=m,size=5000', 'size=5000: not a multiple of the page size'],
    ['ram,id=m,size=1G,hugetlb=on', 'hugetlb=on: unknown key'],
    ['ram,id=m,size=1G,id=n', 'id=n: id is given twice'],
    ['ram,id=m,size=1G,share=on,merge=on', 'merge=on: KSM merges private memory'],
    ['ram,id=m,size=1G,prealloc-threads=0', 'prealloc-threads=0: must be from 1 to 1024'],
    ['ram,id=m,size=1G,policy=bind', 'policy=bind: say which nodes'],
    ['ram,id=m,size=1G,host-nodes=0', 'host-nodes=0: say how to use them'],
    ['ram,id=m,size=1G,policy=first,host-nodes=0', 'policy=first: must be default, bind'],
    ['ram,id=m,size=1G,policy=bind,host-nodes=2-1', 'host-nodes=2-1: must be a number or a range'],
    ['ram,id=m,size=1G,policy=bind,host-nodes=1024', 'host-nodes=1024: must be'],
    ['memfd,id=m,size=1G,hugetlbsize=2M', 'hugetlbsize=2M: only with hugetlb=on'],
    ['memfd,id=m,size=1G,hugetlb=on,hugetlbsize=3M', 'hugetlbsize=3M: not a power of two'],
    ['memfd,id=m,size=1G,hugetlb=on,thp=on', 'thp=on: hugetlb pages are huge already'],
    ['memfd,id=m,size=1G,hugetlb=on,share=off,merge=on', 'merge=on: KSM'],
    ['file,id=m,size=1G', 'file: mem-path is missing'],
    ['file,id=m,mem-path=FOLDER', 'size is missing, and'],
    ['file,id=m,mem-path=FOLDER/file,offset=3M', 'file ends at 3145728 bytes; give a size to'],
    ['file,id=m,mem-path=FOLDER/file,offset=1T', 'offset=1T'],
    ['file,id=m,mem-path=FOLDER/no/file,size=1G', 'mem-path='],
    ['devmem,id=m,size=1G', 'devmem: base is missing'],
    ['devmem,id=m,size=1G,base=5', 'base=5: not a multiple'],
    ['devmem,id=m,size=1G,base=8G,share=off', 'share=off: host-physical memory is always shared'],
    ['devmem,id=m,size=1G,base=8G,thp=on', 'thp=on: does not apply'],
    ['devmem,id=m,size=1G,base=8G,reserve=on', 'reserve=on: does not apply'],
    ['devmem,id=m,size=1G,base=8G,prealloc=on', 'prealloc=on: does not apply'],
    ['devmem,id=m,size=1G,base=8G,prealloc-threads=2', 'prealloc-threads=2: does not apply'],
    ['devmem,id=m,size=1G,base=8G,dump=off', 'dump=off: does not apply'],
    ['devmem,id=m,size=1G,base=8G,policy=bind,host-nodes=0', 'policy=bind: does not apply'],
  ])('refuses %j, naming the option and the value', (text, message) => {
    expect(() => parse(text)).toThrow(message);
    expect(() => parse(text)).toThrow('--memory-backend');
  });

  it('refuses two with one id', () => {
    const texts = ['ram,id=a,size=1G', 'memfd,id=a,size=1G'];
    expect(() => parseMemoryBackends(texts)).toThrow('--memory-backend id=a: two backends');
  });
});

describe('memdev', () => {
  const backends = parseMemoryBackends([
    'ram,id=m0,size=4G',
    'ram,id=pre,size=1G,prealloc=on',
    'ram,id=tiny,size=4K',
  ]);

  it('brings its size along', () => {
    expect(parseVirtioMemOption('memdev=m0', 0, backends)).toMatchObject({
      memdev: 'm0',
      size: 4 * GIB,
    });
    expect(parseMemory('memdev=m0', backends)).toEqual({ memorySize: 4 * GIB, memdev: 'm0' });
    expect(parseMemory('size=4G,memdev=m0', backends).memorySize).toBe(4 * GIB);
    expect(parseMemory('2G', backends)).toEqual({ memorySize: 2 * GIB, memdev: undefined });
    expect(parseMemory('memdev=pre', backends).memdev).toBe('pre');
  });

  it.each([
    ['memdev=m1', 'memdev=m1: no memory backend has this id (there is m0, pre, tiny)'],
    ['memdev=m0,size=1G', 'size=1G: the backend m0 has 4294967296 bytes; leave size out'],
    ['memdev=pre', 'prealloc=on; set prealloc on the virtio-mem device instead'],
  ])('of a device is refused: %s', (text, message) => {
    expect(() => parseVirtioMemOption(text, 0, backends)).toThrow('--virtio-mem');
    expect(() => parseVirtioMemOption(text, 0, backends)).toThrow(message);
  });

  it.each([
    ['memdev=m1', 'no memory backend has this id'],
    ['memdev=tiny', 'a guest needs at least 2 MiB'],
    ['memdev=m0,size=1G', 'leave size out'],
    ['colour=red', 'unknown key colour'],
  ])('of boot memory is refused: %s', (text, message) => {
    expect(() => parseMemory(text, backends)).toThrow(message);
  });

  it('serves one user only', () => {
    const config = {
      memdev: 'm0',
      virtioMem: [parseVirtioMemOption('id=a,memdev=m0', 0, backends)],
    } as unknown as MachineConfig;
    expect(() => checkBackendUsers(config)).toThrow(
      '--virtio-mem id=a: memdev=m0: already used by --memory',
    );
    const two = {
      virtioMem: ['id=a,memdev=m0', 'id=b,memdev=m0'].map((text) =>
        parseVirtioMemOption(text, 0, backends),
      ),
    } as unknown as MachineConfig;
    expect(() => checkBackendUsers(two)).toThrow(
      '--virtio-mem id=b: memdev=m0: already used by --virtio-mem id=a',
    );
  });
});
