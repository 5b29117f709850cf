import { describe, expect, it } from 'vitest';
import { parseCpuCount, parseMemorySize } from './machine-config.ts';
import {
  MEMORY_DEVICE_LIMIT,
  parseVirtioMemOption,
  parseVirtioMemOptions,
} from './virtio-mem-option.ts';

describe('--virtio-mem', () => {
  it('reads every key', () => {
    const text =
      'id=big,size=1T,requested-size=4G,block-size=4M,node=1,memaddr=0x200000000,prealloc=on,' +
      'unplugged-inaccessible=on,dynamic-memslots=on,memslot-size=512M,protect-unplugged=off';
    expect(parseVirtioMemOption(text, 0)).toEqual({
      id: 'big',
      size: 2 ** 40,
      requestedSize: 2 ** 32,
      blockSize: 2 ** 22,
      node: 1,
      memaddr: 0x2_0000_0000,
      prealloc: true,
      unpluggedInaccessible: 'on',
      dynamicMemslots: true,
      memslotSize: 2 ** 29,
      protectUnplugged: 'off',
    });
  });

  it('numbers devices that have no id', () => {
    const ids = parseVirtioMemOptions(['size=1G', 'size=1G']).map((it) => it.id);
    expect(ids).toEqual(['vm0', 'vm1']);
  });

  it.each([
    ['', 'empty'],
    ['size', 'size: no value'],
    ['size=', 'size=: the value is empty'],
    ['size=1G,size=2G', 'size=2G: size is given twice'],
    ['size=1X', 'size=1X: not a size'],
    ['size=-1', 'size=-1: a size cannot be negative'],
    ['size=1.3', 'size=1.3: not a whole number of bytes'],
    ['size=99999T', 'size=99999T: a size ends at 4096T'],
    ['size=1G,colour=red', 'colour=red: unknown key colour'],
    ['size=1G,prealloc=yes', 'prealloc=yes: must be on or off'],
    ['size=1G,node=x', 'node=x: not a whole number'],
    ['memdev=m0', 'memdev=m0: no memory backend has this id (there are none)'],
    ['size=1G,id=0', 'id=0: '],
    ['requested-size=1G', 'size is missing'],
    [',size=1G', 'a key is missing'],
  ])('refuses %j, naming the option and the value', (text, message) => {
    expect(() => parseVirtioMemOption(text, 0)).toThrow(message);
    expect(() => parseVirtioMemOption(text, 0)).toThrow('--virtio-mem');
  });

  it('refuses two devices with one id', () => {
    expect(() => parseVirtioMemOptions(['id=a,size=1G', 'id=a,size=1G'])).toThrow('id=a: two');
  });

  it('refuses more devices than the bus has room for, before it looks at any', () => {
    const devices = (count: number): string[] => Array.from({ length: count }, () => 'size=1G');
    expect(parseVirtioMemOptions(devices(MEMORY_DEVICE_LIMIT))).toHaveLength(31);
    expect(() => parseVirtioMemOptions([...devices(999), 'nonsense'])).toThrow(
      '--virtio-mem: 1000 memory devices; the PCI bus has room for 31',
    );
  });
});

describe('machine options', () => {
  it.each(['0', '-1', '1.5', 'x', '255', ''])('refuses --cpus=%s', (text) => {
    expect(() => parseCpuCount(text)).toThrow(`--cpus=${text}: `);
  });

  it.each(['0', '1M', '4097K', '5000001', '-1'])('refuses --memory=%s', (text) => {
    expect(() => parseMemorySize(text)).toThrow(`--memory=${text}: `);
  });
});
