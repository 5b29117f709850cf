import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IoHandler } from '../bus/io-space.ts';
import { setLogLevel } from '../log.ts';
import type { BarOptions } from './bar-options.ts';
import { memoryBar, rigWith, tagged } from './testing/rigs.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

const COMMAND = 4;
const MEMORY = 2;

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
