import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeIoSpace } from '../bus/testing/fake-io-space.ts';
import { setLogLevel } from '../log.ts';
import { MIB } from '../units.ts';
import { PciFunction } from './function.ts';
import { HostBridge } from './host-bridge.ts';
import { pciInfo } from './info.ts';
import { createPciRig, RIG_ECAM_BASE } from './testing/pci-rig.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

const IDS = { vendor: 0x1af4, device: 0x1058, classCode: 0xff_00_00 };

function rigWithDevice() {
  const rig = createPciRig();
  const bar = { index: 0, kind: 'memory32', size: 0x1000, regions: [] } as const;
  const io = { index: 1, kind: 'io', size: 32, regions: [] } as const;
  const device = new PciFunction({ name: 'dev', ids: IDS, interruptPin: 1, bars: [bar, io] });
  rig.bus.addFunction(device);
  const select = (slot: number, register: number, fn = 0, bus = 0) => {
    const address = 2 ** 31 + bus * 2 ** 16 + slot * 2 ** 11 + fn * 2 ** 8 + register;
    rig.ports.write(0xcf8, 4, address);
  };
  return { ...rig, device, select };
}

describe('the configuration ports', () => {
  it('read what ECAM reads, in every size', () => {
    const { ports, select, slot } = rigWithDevice();
    for (let register = 0; register < 0x100; register += 4) {
      select(1, register);
      expect(ports.read(0xcfc, 4)).toBe(slot(1).read(register));
      for (const offset of [0, 2]) {
        expect(ports.read(0xcfc + offset, 2)).toBe(slot(1).read(register + offset, 2));
      }
      for (const offset of [0, 1, 2, 3]) {
        expect(ports.read(0xcfc + offset, 1)).toBe(slot(1).read(register + offset, 1));
      }
    }
  });

  it('write what ECAM reads', () => {
    const { ports, select, slot } = rigWithDevice();
    select(1, 0x3c);
    ports.write(0xcfc, 1, 0xaa);
    expect(slot(1).read(0x3c, 1)).toBe(0xaa);
    select(1, 4);
    ports.write(0xcfc, 2, 0x400);
    expect(slot(1).read(4, 2)).toBe(0x400);
    ports.write(0xcfd, 1, 0);
    expect(slot(1).read(4, 2)).toBe(0);
  });

  it('read the address back without its reserved bits', () => {
    const { ports } = rigWithDevice();
    ports.write(0xcf8, 4, 0xffff_ffff);
    expect(ports.read(0xcf8, 4)).toBe(0x80ff_fffc);
  });

  it('answer all ones for what is absent or not enabled', () => {
    const { ports, select } = rigWithDevice();
    for (const [slot, fn, bus] of [
      [2, 0, 0],
      [1, 1, 0],
      [31, 7, 0],
      [1, 0, 1],
      [0, 0, 255],
    ] as const) {
      select(slot, 0, fn, bus);
      expect([1, 2, 4].map((size) => ports.read(0xcfc, size))).toEqual([0xff, 0xffff, 0xffff_ffff]);
      ports.write(0xcfc, 4, 0);
    }
    ports.write(0xcf8, 4, 0x0000_0800);
    expect(ports.read(0xcfc, 4)).toBe(0xffff_ffff);
    ports.write(0xcfc, 4, 0);
  });

  it('leave port 0xcf9 to the reset control register', () => {
    const { ports, resets, select } = rigWithDevice();
    select(1, 0);
    ports.write(0xcf9, 1, 6);
    expect(resets).toEqual([6]);
    expect(ports.read(0xcf9, 1)).toBe(6);
    expect(ports.read(0xcfc, 4)).toBe(0x1058_1af4);
    for (const [port, size] of [
      [0xcf8, 1],
      [0xcf8, 2],
      [0xcf9, 2],
      [0xcfa, 1],
      [0xcfa, 4],
    ] as const) {
      ports.write(port, size, 0);
      expect(ports.read(port, size)).toBe(size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1);
    }
    expect(resets).toEqual([6]);
    expect(ports.read(0xcf8, 4)).toBe(0x8000_0800);
  });

  it('forget the address on a reset', () => {
    const { ports, select, reset } = rigWithDevice();
    select(1, 0);
    reset();
    expect(ports.read(0xcf8, 4)).toBe(0);
    expect(ports.read(0xcfc, 4)).toBe(0xffff_ffff);
  });
});

describe('ECAM', () => {
  it('answers all ones for absent functions', () => {
    const { mmio } = rigWithDevice();
    for (const devfn of [1, 9, 16, 255]) {
      expect(mmio.read(RIG_ECAM_BASE + devfn * 0x1000, 4)).toBe(0xffff_ffff);
      mmio.write(RIG_ECAM_BASE + devfn * 0x1000 + 4, 4, 0xffff_ffff);
    }
  });

  it('covers several buses when it is larger, all but the first empty', () => {
    const { mmio } = createPciRig({ ecamSize: 4 * MIB });
    expect(mmio.read(RIG_ECAM_BASE, 4)).toBe(0x0008_1b36);
    expect(mmio.read(RIG_ECAM_BASE + 3 * MIB, 4)).toBe(0xffff_ffff);
    expect(mmio.ownerOf(RIG_ECAM_BASE + 3 * MIB)).toBe('pci-ecam');
    expect(mmio.ownerOf(RIG_ECAM_BASE + 4 * MIB)).toBeUndefined();
  });

  it('is refused where it cannot be', () => {
    const { bus } = createPciRig();
    const mmio = new FakeIoSpace();
    const ports = new FakeIoSpace({ kind: 'port' });
    const build = (ecamBase: number, ecamSize: number) => () =>
      new HostBridge({ bus, ports, mmio, ecamBase, ecamSize });
    expect(build(0xe000_0000, 256 * MIB)).toThrow('slot 0 function 0 is taken by host-bridge');
    expect(build(0xe008_0000, MIB)).toThrow('aligned to its size');
    expect(build(0xe000_0000, 512 * MIB)).toThrow('it takes 1 to 256 MiB');
    expect(build(0xe000_0000, 0)).toThrow('it takes 1 to 256 MiB');
  });

  it('shows extended configuration space as empty', () => {
    const { slot } = rigWithDevice();
    expect(slot(1).read(0x100)).toBe(0);
    expect(slot(1).read(0xffc)).toBe(0);
  });
});

describe('the bus', () => {
  it('lists its functions', () => {
    const { bus, slot } = rigWithDevice();
    slot(1).write(0x10, 0);
    const [bridge, device] = pciInfo(bus);
    expect(bridge).toMatchObject({ address: '00:00.0', classCode: 0x060000, bars: [] });
    expect(device).toMatchObject({
      address: '00:01.0',
      name: 'dev',
      vendor: 0x1af4,
      device: 0x1058,
      busMaster: true,
      bars: [
        { index: 0, kind: 'memory32', size: 0x1000, address: 0, decoded: false },
        { index: 1, kind: 'io', size: 32, address: 0xc000, decoded: true },
      ],
      interrupt: { pin: 1, gsi: 20 },
      msix: undefined,
    });
  });

  it('marks slots with several functions, for good', () => {
    const { bus, slot, reset } = rigWithDevice();
    bus.addFunction(new PciFunction({ name: 'second', ids: IDS }), { slot: 1, fn: 3 });
    bus.addFunction(new PciFunction({ name: 'late', ids: IDS }), { slot: 5, fn: 1 });
    bus.addFunction(new PciFunction({ name: 'later', ids: IDS }), { slot: 5 });
    reset();
    expect([0, 1, 5].map((at) => slot(at).read(0xe, 1))).toEqual([0, 0x80, 0x80]);
    expect(slot(1, 3).read(0)).toBe(0x1058_1af4);
  });

  it('refuses places that are taken or do not exist, and a 32nd device', () => {
    const { bus } = rigWithDevice();
    const add = (at?: { slot?: number; fn?: number }) =>
      bus.addFunction(new PciFunction({ name: 'more', ids: IDS }), at);
    expect(() => add({ slot: 1 })).toThrow('more: PCI slot 1 function 0 is taken by dev');
    expect(() => add({ slot: 32 })).toThrow('slots are 0 to 31');
    expect(() => add({ slot: 2, fn: 8 })).toThrow('functions 0 to 7');
    for (let slot = 2; slot < 32; slot += 1) expect(add()).toEqual({ bus: 0, slot, fn: 0 });
    expect(() => add()).toThrow('more: all 32 PCI slots are taken');
  });

  it('refuses a BAR for which no window has room', () => {
    const { bus } = rigWithDevice();
    const add = (kind: 'memory32' | 'memory64', size: number) => {
      const bars = [{ index: 0, kind, size, regions: [] }];
      return bus.addFunction(new PciFunction({ name: 'big', ids: IDS, bars }));
    };
    expect(() => add('memory32', 0x1000_0000)).toThrow(
      'big: BAR 0: no window has 0x10000000 free for a memory32 BAR',
    );
    const { slot } = add('memory64', 0x1000_0000);
    expect(pciInfo(bus)[slot]?.bars[0]).toMatchObject({ address: 2 ** 36, decoded: true });
  });
});
