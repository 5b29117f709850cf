import { describe, expect, it } from 'vitest';
import { PciFunction } from './function.ts';
import type { PciFunctionOptions } from './function-options.ts';
import { IDS, memoryBar, rigWith } from './testing/rigs.ts';

const COMMAND = 4;
const MEMORY = 2;

describe('the header', () => {
  it('shows who the function is', () => {
    const ids = { ...IDS, revision: 1, subsystemVendor: 0x1234, subsystem: 0x5678 };
    const { config } = rigWith({ ids, interruptPin: 2 });
    expect(config.read(0)).toBe(0x1058_1af4);
    expect(config.read(8)).toBe(0xff00_0001);
    expect(config.read(0x2c)).toBe(0x5678_1234);
    expect(config.read(0x3c, 2)).toBe(0x0200 + 16 + 4 + 1);
    expect(config.read(0xe, 1)).toBe(0);
  });

  it('cannot be changed but for what the standard leaves to software', () => {
    const { config } = rigWith({});
    for (let register = 0; register < 0x1000; register += 4) config.write(register, 0xffff_ffff);
    expect(config.read(0)).toBe(0x1058_1af4);
    expect(config.read(COMMAND)).toBe(0x0000_0547);
    expect(config.read(0xc)).toBe(0x0000_ffff);
    expect(config.read(0x10)).toBe(0);
    expect(config.read(0x3c)).toBe(0xff);
    for (let register = 0x40; register < 0x1000; register += 4)
      expect(config.read(register)).toBe(0);
  });

  it('takes accesses of odd sizes at odd places', () => {
    const { config } = rigWith({});
    config.write(0x3b, 0x1234_5678);
    expect(config.read(0x3c, 1)).toBe(0x56);
    expect(config.read(1, 2)).toBe(0x581a);
    expect(config.read(0xffd)).toBe(0xffff_ffff);
    config.write(0xffe, 0xffff_ffff);
  });
});

describe('capabilities', () => {
  it('are linked in order, each with its masks', () => {
    const { config } = rigWith({
      capabilities: [
        { id: 9, body: Uint8Array.of(6, 1, 2, 3), writable: Uint8Array.of(0, 0xff, 0x0f, 0) },
        { id: 5, body: Uint8Array.of(7) },
      ],
    });
    expect(config.read(6, 2) & 0x10).toBe(0x10);
    const first = config.capability(9);
    expect(first).toBe(0x40);
    expect(config.read(first + 1, 1)).toBe(config.capability(5));
    expect(config.read(config.capability(5) + 1, 2)).toBe(0x0700);
    config.write(first + 2, 0xffff_ffff);
    expect(config.read(first + 2)).toBe(0x030f_ff06);
  });

  it('are asked before a read and told after a write, of their own bytes', () => {
    const calls: string[] = [];
    const { config } = rigWith({
      capabilities: [
        {
          id: 9,
          body: new Uint8Array(6),
          writable: new Uint8Array(6).fill(0xff),
          beforeRead: (view, offset, size) => {
            calls.push(`read ${offset} ${size}`);
            view.setUint8(7, 0xee);
          },
          afterWrite: (view, offset, size) =>
            calls.push(`write ${offset} ${size} ${view.getUint16(4, true)}`),
        },
      ],
    });
    expect(config.read(0x46)).toBe(0xee00);
    config.write(0x44, 0xabcd, 2);
    config.write(0x3e, 0xffff_ffff);
    config.read(0x48);
    expect(calls).toEqual(['read 6 2', 'write 4 2 43981', 'write 0 2 43981']);
    expect(config.read(0x40, 1)).toBe(9);
  });

  it('are refused when they do not fit', () => {
    const capabilities = [
      { id: 9, body: new Uint8Array(190) },
      { id: 9, body: new Uint8Array(2) },
    ];
    expect(() => new PciFunction({ name: 'fat', ids: IDS, capabilities })).toThrow(
      'fat: capability 9 at 256, 4 bytes: the list ends at 256',
    );
  });
});

describe('options that contradict each other', () => {
  const make = (options: Partial<PciFunctionOptions>) => () =>
    new PciFunction({ name: 'dev', ids: IDS, ...options });
  it.each([
    ['a size that is no power of two', { bars: [memoryBar(0, 0x1800)] }, 'BAR 0: size 0x1800'],
    ['a size too small', { bars: [memoryBar(0, 8)] }, 'size 0x8'],
    ['a 64-bit BAR at the end', { bars: [memoryBar(5, 16, 'memory64')] }, 'an index ends at 4'],
    [
      'two BARs in one register',
      { bars: [memoryBar(0, 16, 'memory64'), memoryBar(1)] },
      'claim register 1',
    ],
    [
      'MSI-X without its BAR',
      { msix: { vectors: 1, bar: 1, tableOffset: 0, pbaOffset: 16 }, bars: [memoryBar(0)] },
      'memory BAR 1',
    ],
    [
      'MSI-X over a region',
      { msix: { vectors: 1, bar: 0, tableOffset: 0, pbaOffset: 16 }, bars: [memoryBar(0)] },
      'overlaps',
    ],
    [
      'too many vectors',
      { msix: { vectors: 2049, bar: 0, tableOffset: 0, pbaOffset: 16 }, bars: [memoryBar(0)] },
      '2049 vectors',
    ],
  ] as const)('are refused: %s', (_what, options, message) => {
    expect(make(options)).toThrow(message);
  });
});

describe('a system reset', () => {
  it('puts every register and BAR back, even when the guest swapped two', () => {
    let resets = 0;
    const { config, other, functions, reset, mmio } = rigWith(
      { bars: [memoryBar(0)], hooks: { reset: () => (resets += 1) } },
      { bars: [memoryBar(0)] },
    );
    const before = [config, other].map(({ read }) =>
      Array.from({ length: 64 }, (_, at) => read(at * 4)),
    );
    config.write(COMMAND, 0, 2);
    other.write(0x10, 0xc000_0000);
    config.write(0x10, 0xc000_1000);
    config.write(COMMAND, MEMORY, 2);
    config.write(0x3c, 0x55, 1);
    expect(functions.map((each) => each.barBase(0))).toEqual([0xc000_1000, 0xc000_0000]);
    reset();
    const after = [config, other].map(({ read }) =>
      Array.from({ length: 64 }, (_, at) => read(at * 4)),
    );
    expect(after).toEqual(before);
    expect(functions.map((each) => each.barBase(0))).toEqual([0xc000_0000, 0xc000_1000]);
    expect(mmio.ownerOf(0xc000_0000)).toBe('dev0 bar0');
    expect(resets).toBe(1);
  });
});

it('tells the device when the guest takes bus mastering away', () => {
  const seen: boolean[] = [];
  const { config, first, reset } = rigWith({
    hooks: { busMasterChanged: (enabled) => seen.push(enabled) },
  });
  expect(first.busMaster).toBe(true);
  config.write(COMMAND, MEMORY, 2);
  expect(first.busMaster).toBe(false);
  reset();
  expect(seen).toEqual([true, false, true]);
});
