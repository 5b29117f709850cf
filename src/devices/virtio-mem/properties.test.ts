import { describe, expect, it } from 'vitest';
import { GIB, MIB, TIB } from '../../units.ts';
import { resolveProperties, type PropertyContext, type VirtioMemOptions } from './properties.ts';

const context: PropertyContext = {
  thpSize: 2 * MIB,
  memoryBlock: 128 * MIB,
  pageSize: 4096,
  sharedZeropage: true,
  nodeCount: 0,
  nextAddress: () => 4 * GIB,
  addressLimit: 2 ** 48,
};

const resolve = (options: Partial<VirtioMemOptions>, changes: Partial<PropertyContext> = {}) =>
  resolveProperties({ id: 'vm0', size: 8 * GIB, ...options }, { ...context, ...changes });

describe('resolveProperties', () => {
  it('fills in the defaults', () => {
    expect(resolve({})).toEqual({
      id: 'vm0',
      size: 8 * GIB,
      requestedSize: 0,
      blockSize: 2 * MIB,
      node: 0,
      hasNuma: false,
      memaddr: 4 * GIB,
      prealloc: false,
      unpluggedInaccessible: true,
      dynamicMemslots: false,
      memslotSize: undefined,
      protectUnplugged: false,
      linuxFit: { blockSize: 128 * MIB, usableSize: 8 * GIB },
    });
  });

  it('protects unplugged memory by default where memslots are dynamic', () => {
    expect(resolve({ dynamicMemslots: true }).protectUnplugged).toBe(true);
    const off = { dynamicMemslots: true, protectUnplugged: 'off' } as const;
    expect(resolve(off).protectUnplugged).toBe(false);
    expect(resolve({ protectUnplugged: 'on' }).protectUnplugged).toBe(true);
    expect(resolve({ protectUnplugged: 'auto' }).protectUnplugged).toBe(false);
  });

  it('never splits a huge page by default', () => {
    expect(resolve({}, { thpSize: 32 * MIB }).blockSize).toBe(32 * MIB);
  });

  it('lets auto depend on the shared zeropage', () => {
    const options = { unpluggedInaccessible: 'auto' } as const;
    expect(resolve(options).unpluggedInaccessible).toBe(false);
    expect(resolve(options, { sharedZeropage: false }).unpluggedInaccessible).toBe(true);
  });

  it.each<Partial<VirtioMemOptions>>([{ dynamicMemslots: true }, { protectUnplugged: 'on' }])(
    'has %j where auto means on',
    (options) => {
      const auto = { unpluggedInaccessible: 'auto', ...options } as const;
      expect(resolve(auto, { sharedZeropage: false })).toMatchObject({
        unpluggedInaccessible: true,
        protectUnplugged: true,
      });
    },
  );

  it('asks for a place that suits its block size', () => {
    const nextAddress = (blockSize: number): number => 16 * blockSize;
    expect(resolve({ blockSize: 2 * GIB }, { nextAddress }).memaddr).toBe(32 * GIB);
    expect(resolve({ memaddr: 8 * GIB }, { nextAddress }).memaddr).toBe(8 * GIB);
  });

  it.each<[Partial<VirtioMemOptions>, string]>([
    [{ size: 0 }, 'size=0'],
    [{ size: 3 * MIB }, `size=${3 * MIB}: not a multiple of the block size`],
    [{ blockSize: 3 * MIB }, 'not a power of two'],
    [{ blockSize: MIB / 2 }, 'less than 1 MiB'],
    [
      { requestedSize: 9 * GIB },
      "requested-size=9663676416 (9 GiB) is more than the device's size, 8589934592 (8 GiB)",
    ],
    [{ requestedSize: MIB }, '(1 MiB) is not a multiple of the block size, 2097152 (2 MiB)'],
    [{ node: 1 }, 'node=1: the machine has no NUMA nodes; see --numa'],
    [{ memaddr: 4 * GIB + MIB }, 'not a multiple of the block size'],
    [{ memslotSize: GIB }, 'only with dynamic-memslots=on'],
    [{ dynamicMemslots: true, memslotSize: 3 * GIB }, 'not a power of two'],
    [{ dynamicMemslots: true, memslotSize: MIB }, 'less than the block size'],
    [
      { dynamicMemslots: true, unpluggedInaccessible: 'auto' },
      'dynamic-memslots=on needs unplugged-inaccessible=on, not auto, which is off for this backend',
    ],
    [
      { dynamicMemslots: true, unpluggedInaccessible: 'off' },
      'dynamic-memslots=on needs unplugged-inaccessible=on, not off',
    ],
    [
      { protectUnplugged: 'on', unpluggedInaccessible: 'auto' },
      'protect-unplugged=on needs unplugged-inaccessible=on, not auto, which is off for this backend',
    ],
    [
      { protectUnplugged: 'on', unpluggedInaccessible: 'off' },
      'protect-unplugged=on needs unplugged-inaccessible=on, not off',
    ],
  ])('refuses %j', (options, message) => {
    expect(() => resolve(options)).toThrow(message);
  });

  it('takes any node that the machine has, and no other', () => {
    expect(resolve({}, { nodeCount: 1 })).toMatchObject({ node: 0, hasNuma: true });
    expect(resolve({ node: 2 }, { nodeCount: 3 }).node).toBe(2);
    expect(() => resolve({ node: 3 }, { nodeCount: 3 })).toThrow(
      'node=3: the machine has NUMA nodes 0 to 2',
    );
  });

  it("names both numbers when the region passes the guest's address width", () => {
    const limits = { addressLimit: 2 ** 40, nextAddress: () => 5 * GIB };
    expect(() => resolve({ size: TIB }, limits)).toThrow(
      "1 TiB at 0x140000000 ends at 0x10140000000, past the guest's 40-bit limit 0x10000000000",
    );
  });
});
