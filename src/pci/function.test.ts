import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import type { IoHandler } from '../bus/io-space.ts';
import { setLogLevel } from '../log.ts';
import type { BarOptions } from './bar-options.ts';
import { PciFunction } from './function.ts';
import type { PciFunctionOptions } from './function-options.ts';
import { createPciRig } from './testing/pci-rig.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

const IDS = { vendor: 0x1af4, device: 0x1058, classCode: 0xff_00_00 };
const MEMORY = 2;
const COMMAND = 4;

function tagged(tag: number): IoHandler {
  return { read: (offset) => (tag + offset) & 0xff, write: () => undefined };
}

function memoryBar(
  index: number,
  size = 0x1000,
  kind: BarOptions['kind'] = 'memory32',
): BarOptions {
  return {
    index,
    kind,
    size,
    regions: [{ name: `bar${index}`, offset: 0, size, handler: tagged(index) }],
  };
}

function rigWith(options: Partial<PciFunctionOptions>, ...others: Partial<PciFunctionOptions>[]) {
  const rig = createPciRig();
  const mapped: string[] = [];
  const functions = [options, ...others].map((each, index) => {
    const hooks = {
      barMapped: (bar: number, base: number | undefined) =>
        mapped.push(`${index}.${bar} ${base?.toString(16) ?? 'off'}`),
    };
    const made = new PciFunction({ name: `dev${index}`, ids: IDS, hooks, ...each });
    rig.bus.addFunction(made, { slot: index + 1 });
    return made;
  });
  const [first] = functions;
  if (first === undefined) throw new Error('no function');
  return { ...rig, mapped, functions, first, config: rig.slot(1), other: rig.slot(2) };
}

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

describe('a BAR', () => {
  it('tells its size to a driver that writes all ones, and takes its address back', () => {
    const io: BarOptions = { index: 3, kind: 'io', size: 32, regions: [] };
    const prefetchable = { ...memoryBar(1, 0x8000, 'memory64'), prefetchable: true };
    const { config } = rigWith({ bars: [memoryBar(0, 16), prefetchable, io] });
    const before = [0x10, 0x14, 0x18, 0x1c].map((register) => config.read(register));
    for (const register of [0x10, 0x14, 0x18, 0x1c]) config.write(register, 0xffff_ffff);
    expect([0x10, 0x14, 0x18, 0x1c].map((register) => config.read(register))).toEqual([
      0xffff_fff0, 0xffff_800c, 0xffff_ffff, 0xffff_ffe1,
    ]);
    for (const [index, value] of before.entries()) config.write(0x10 + 4 * index, value);
    expect([0x10, 0x14, 0x18, 0x1c].map((register) => config.read(register))).toEqual(before);
  });

  it('tells sizes of 4 GiB and more', () => {
    const { first } = rigWith({ bars: [{ ...memoryBar(0, 2 ** 32, 'memory64'), regions: [] }] });
    first.configWrite(0x10, 4, 0xffff_ffff);
    first.configWrite(0x14, 4, 0xffff_ffff);
    expect(first.configRead(0x10, 4)).toBe(4);
    expect(first.configRead(0x14, 4)).toBe(0xffff_ffff);
    expect(first.barBase(0)).toBeUndefined();
  });

  it('is assigned and decoded before the guest looks', () => {
    const { first, mmio, ports, mapped } = rigWith({
      bars: [
        memoryBar(0),
        {
          index: 1,
          kind: 'io',
          size: 16,
          regions: [{ name: 'io', offset: 0, size: 16, handler: tagged(9) }],
        },
      ],
    });
    expect(first.barBase(0)).toBe(0xc000_0000);
    expect(first.barBase(1)).toBe(0xc000);
    expect(mmio.read(0xc000_0002, 1)).toBe(2);
    expect(ports.read(0xc001, 1)).toBe(10);
    expect(mapped).toEqual(['0.0 c0000000', '0.1 c000']);
    expect(first.configRead(COMMAND, 2)).toBe(7);
  });

  it('follows the guest to another address while it is decoded', () => {
    const { config, mmio, mapped } = rigWith({ bars: [memoryBar(0, 0x1000, 'memory64')] });
    mapped.splice(0);
    config.write(0x10, 0xc800_0000);
    expect(mmio.ownerOf(0xc000_0000)).toBeUndefined();
    expect(mmio.ownerOf(0xc800_0fff)).toBe('dev0 bar0');
    config.write(0x10, 0x3000);
    config.write(0x14, 0x10);
    expect(mmio.ownerOf(0x10_0000_3000)).toBe('dev0 bar0');
    expect(mapped).toEqual(['0.0 off', '0.0 c8000000', '0.0 off', '0.0 1000003000']);
  });

  it('is not decoded while the command register forbids it', () => {
    const { config, mmio, mapped } = rigWith({ bars: [memoryBar(0)] });
    config.write(COMMAND, 0, 2);
    expect(mmio.ownerOf(0xc000_0000)).toBeUndefined();
    config.write(0x10, 0xc100_0000);
    config.write(COMMAND, MEMORY, 2);
    expect(mmio.ownerOf(0xc100_0000)).toBe('dev0 bar0');
    expect(mapped).toEqual(['0.0 c0000000', '0.0 off', '0.0 c1000000']);
  });

  it('is not decoded outside the windows, and is again inside', () => {
    const { config, first, mmio } = rigWith({ bars: [memoryBar(0)] });
    for (const address of [0, 0x1000, 0xbfff_f000, 0xd000_0000, 0xfee0_0000, 0xffff_f000]) {
      config.write(0x10, address);
      expect(first.barBase(0)).toBeUndefined();
      expect(config.read(0x10)).toBe(address);
      expect(mmio.ranges().map(({ name }) => name)).toEqual(['pci-ecam']);
    }
    config.write(0x10, 0xcfff_f000);
    expect(first.barBase(0)).toBe(0xcfff_f000);
  });

  it('waits for a place that another function has, and gets it when that one leaves', () => {
    const { config, other, functions, mmio } = rigWith(
      { bars: [memoryBar(0)] },
      { bars: [memoryBar(0, 0x4000)] },
    );
    const [first, second] = functions;
    const at = second?.barBase(0) ?? 0;
    config.write(0x10, at + 0x1000);
    expect(first?.barBase(0)).toBeUndefined();
    expect(mmio.ownerOf(at + 0x1000)).toBe('dev1 bar0');
    other.write(COMMAND, 0, 2);
    expect(first?.barBase(0)).toBe(at + 0x1000);
    other.write(COMMAND, MEMORY, 2);
    expect(second?.barBase(0)).toBeUndefined();
    config.write(0x10, 0xc000_0000);
    expect(second?.barBase(0)).toBe(at);
  });

  it('waits for another BAR of the same function, and takes over when that moves', () => {
    const { config, first } = rigWith({ bars: [memoryBar(0), memoryBar(1)] });
    config.write(0x14, 0xc000_0000);
    expect([first.barBase(0), first.barBase(1)]).toEqual([0xc000_0000, undefined]);
    config.write(0x10, 0xc500_0000);
    expect([first.barBase(0), first.barBase(1)]).toEqual([0xc500_0000, 0xc000_0000]);
  });

  it('owns the holes between its regions', () => {
    const regions = [{ name: 'notify', offset: 0x800, size: 0x100, handler: tagged(1) }];
    const { mmio, config, other, functions } = rigWith(
      { bars: [{ index: 0, kind: 'memory32', size: 0x1000, regions }] },
      { bars: [memoryBar(0, 0x100)] },
    );
    expect(mmio.read(0xc000_0000, 4)).toBe(0);
    expect(mmio.read(0xc000_0900, 4)).toBe(0);
    mmio.write(0xc000_0ffc, 4, 1);
    other.write(0x10, 0xc000_0f00);
    expect(functions[1]?.barBase(0)).toBeUndefined();
    expect(config.read(0x10)).toBe(0xc000_0000);
  });

  it('answers the device itself wherever it is, or is not', () => {
    const written: number[] = [];
    const handler: IoHandler = {
      read: (offset) => offset + 1,
      write: (offset, _size, value) => written.push(offset, value),
    };
    const regions = [{ name: 'common', offset: 0x10, size: 0x10, handler }];
    const { first, config } = rigWith({
      bars: [{ index: 2, kind: 'memory32', size: 0x1000, regions }],
    });
    config.write(COMMAND, 0, 2);
    expect(first.readBar(2, 0x14, 4)).toBe(5);
    first.writeBar(2, 0x1c, 4, 7);
    expect(written).toEqual([0xc, 7]);
    expect([
      first.readBar(2, 0x1e, 4),
      first.readBar(2, 0xffff_ffff, 1),
      first.readBar(5, 0, 4),
    ]).toEqual([0, 0, 0]);
    first.writeBar(0, 0, 4, 1);
    first.writeBar(2, 0x2000, 4, 1);
    expect(written).toHaveLength(2);
  });

  it('lends a shadow while it is decoded', () => {
    let shadow: Uint8Array | undefined;
    const fill = (given: Uint8Array | undefined) => {
      shadow = given;
      given?.set([0x78, 0x56, 0x34, 0x12]);
    };
    const regions = [
      {
        name: 'config',
        offset: 0,
        size: 0x1000,
        handler: tagged(0),
        read: 'shadow',
        onShadow: fill,
      } as const,
    ];
    const { mmio, config } = rigWith({
      bars: [{ index: 0, kind: 'memory32', size: 0x1000, regions }],
    });
    expect(mmio.read(0xc000_0000, 4)).toBe(0x1234_5678);
    config.write(COMMAND, 0, 2);
    expect(shadow).toBeUndefined();
    config.write(0x10, 0xc100_0000);
    config.write(COMMAND, MEMORY, 2);
    shadow?.set([0xff]);
    expect(mmio.read(0xc100_0000, 4)).toBe(0x1234_56ff);
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
