import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import { PciFunction } from './function.ts';
import { createPciRig } from './testing/pci-rig.ts';
import { IDS, PBA, rigWithVectors, TABLE } from './testing/rigs.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

const COMMAND = 4;
const MEMORY = 2;
const MASTER = 4;
const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;

describe('MSI-X', () => {
  it('shows its table, masked, and its size', () => {
    const { config, control, mmio, msix } = rigWithVectors(33);
    expect(config.read(control, 2)).toBe(32);
    expect(config.read(control + 2)).toBe(0);
    expect(config.read(control + 6)).toBe(0x1000);
    expect(mmio.read(TABLE + 32 * 16 + 12, 4)).toBe(1);
    expect(mmio.ownerOf(TABLE + 33 * 16)).toBe('dev unused');
    expect(msix.vectors).toBe(33);
    expect(msix.enabled).toBe(false);
  });

  it('sends the message of an unmasked vector, on a route made for the first', () => {
    const { program, setControl, msix, interrupts } = rigWithVectors();
    program(0, 0x41);
    program(2, 0x42);
    setControl(ENABLE);
    expect(interrupts.openRoutes).toBe(0);
    msix.signal(2);
    msix.signal(2);
    expect(interrupts.openRoutes).toBe(1);
    expect(interrupts.messages).toEqual([
      { address: 0xfee0_1000, data: 0x42 },
      { address: 0xfee0_1000, data: 0x42 },
    ]);
  });

  it('sends nothing while disabled, nor for vectors that do not exist', () => {
    const { program, setControl, msix, interrupts, pending } = rigWithVectors();
    program(0, 1);
    msix.signal(0);
    setControl(ENABLE);
    for (const vector of [-1, 4, 0xffff]) msix.signal(vector);
    expect(interrupts.messages).toEqual([]);
    expect(pending()).toBe(0n);
  });

  it('keeps a masked vector pending and sends it once when it is unmasked', () => {
    const { program, setControl, msix, interrupts, pending, mask } = rigWithVectors();
    program(0, 1, true);
    program(3, 4, true);
    setControl(ENABLE);
    msix.signal(3);
    msix.signal(3);
    expect(pending()).toBe(8n);
    expect(interrupts.messages).toEqual([]);
    mask(0, false);
    expect(interrupts.takeData()).toEqual([]);
    mask(3, false);
    expect(interrupts.takeData()).toEqual([4]);
    expect(pending()).toBe(0n);
    mask(3, true);
    mask(3, false);
    expect(interrupts.takeData()).toEqual([]);
  });

  it('keeps all vectors pending while the function is masked', () => {
    const { program, setControl, msix, interrupts, pending } = rigWithVectors();
    program(0, 1);
    program(1, 2, true);
    program(2, 3);
    setControl(ENABLE | FUNCTION_MASK);
    for (const vector of [0, 1, 2]) msix.signal(vector);
    expect(pending()).toBe(7n);
    setControl(ENABLE);
    expect(interrupts.takeData()).toEqual([1, 3]);
    expect(pending()).toBe(2n);
  });

  it('holds messages back while the function is no bus master', () => {
    const { program, setControl, msix, interrupts, config } = rigWithVectors();
    program(0, 1);
    setControl(ENABLE);
    config.write(COMMAND, MEMORY, 2);
    msix.signal(0);
    expect(interrupts.takeData()).toEqual([]);
    config.write(COMMAND, MEMORY | MASTER, 2);
    expect(interrupts.takeData()).toEqual([1]);
  });

  it('sends what the table says by now, on the same route', () => {
    const { program, setControl, msix, interrupts } = rigWithVectors();
    program(0, 1);
    setControl(ENABLE);
    msix.signal(0);
    program(0, 9, false, 0xfee0_2003);
    msix.signal(0);
    expect(interrupts.messages.at(-1)).toEqual({ address: 0xfee0_2000, data: 9 });
    expect(interrupts.openRoutes).toBe(1);
  });

  it('drops messages to anywhere but a local APIC', () => {
    const { program, setControl, msix, interrupts, mmio, pending } = rigWithVectors();
    setControl(ENABLE);
    for (const address of [0, 0x1000, 0xfed0_0000, 0xfef0_0000]) {
      program(0, 1, false, address);
      msix.signal(0);
    }
    program(0, 1);
    mmio.write(TABLE + 4, 4, 1);
    msix.signal(0);
    expect(interrupts.messages).toEqual([]);
    expect(interrupts.openRoutes).toBe(0);
    expect(pending()).toBe(0n);
    program(0, 1);
    msix.signal(0);
    expect(interrupts.takeData()).toEqual([1]);
  });

  it('gives routes back and forgets what is pending when it is disabled', () => {
    const { program, setControl, msix, interrupts, pending } = rigWithVectors();
    program(0, 1);
    program(1, 2, true);
    setControl(ENABLE);
    msix.signal(0);
    msix.signal(1);
    setControl(0);
    expect(interrupts.openRoutes).toBe(0);
    expect(pending()).toBe(0n);
    setControl(ENABLE);
    msix.signal(0);
    expect(interrupts.takeData()).toEqual([1, 1]);
  });

  it('keeps a message pending while the host has no route for it', () => {
    const { program, setControl, msix, interrupts, pending, mask } = rigWithVectors();
    program(0, 1);
    program(1, 2);
    setControl(ENABLE);
    interrupts.routeLimit = 1;
    msix.signal(0);
    msix.signal(1);
    expect(interrupts.takeData()).toEqual([1]);
    expect(pending()).toBe(2n);
    interrupts.routeLimit = 2;
    mask(1, false);
    expect(interrupts.takeData()).toEqual([2]);
  });

  it('serves the table in any access size, reserved bits staying 0', () => {
    const { mmio } = rigWithVectors();
    mmio.write64(TABLE, 0xffff_ffff_ffff_ffffn);
    expect(mmio.read64(TABLE)).toBe(0xffff_ffff_ffff_fffcn);
    mmio.write(TABLE + 14, 4, 0xffff_ffff);
    expect(mmio.read(TABLE + 12, 4)).toBe(1);
    expect(mmio.read(TABLE + 16, 4)).toBe(0xfffc);
    mmio.write(TABLE + 12, 1, 0xfe);
    expect(mmio.read(TABLE + 12, 4)).toBe(0);
    mmio.write(PBA, 4, 0xffff_ffff);
    expect(mmio.read(PBA, 4)).toBe(0);
  });

  it('takes 2048 vectors, all of them pending', () => {
    const rig = createPciRig();
    const device = new PciFunction({
      name: 'dev',
      ids: IDS,
      bars: [{ index: 0, kind: 'memory64', size: 0x10000, regions: [] }],
      msix: { vectors: 2048, bar: 0, tableOffset: 0, pbaOffset: 0x8000 },
    });
    rig.bus.addFunction(device);
    const config = rig.slot(1);
    config.write(config.capability(0x11) + 2, ENABLE | FUNCTION_MASK, 2);
    for (let vector = 0; vector < 2048; vector += 1) {
      rig.mmio.write(TABLE + vector * 16, 4, 0xfee0_0000);
      rig.mmio.write(TABLE + vector * 16 + 8, 4, vector);
      rig.mmio.write(TABLE + vector * 16 + 12, 4, 0);
      device.msix?.signal(vector);
    }
    expect(rig.mmio.read64(TABLE + 0x8000 + 31 * 8)).toBe(2n ** 64n - 1n);
    config.write(config.capability(0x11) + 2, ENABLE, 2);
    expect(rig.interrupts.takeData()).toHaveLength(2048);
    rig.reset();
    expect(rig.interrupts.openRoutes).toBe(0);
  });

  it('is off, empty and masked after a system reset', () => {
    const { program, setControl, msix, interrupts, pending, mmio, reset, config, control } =
      rigWithVectors();
    program(0, 1);
    program(1, 2, true);
    setControl(ENABLE);
    msix.signal(0);
    msix.signal(1);
    reset();
    expect(interrupts.openRoutes).toBe(0);
    expect(pending()).toBe(0n);
    expect(msix.enabled).toBe(false);
    expect(config.read(control, 2)).toBe(3);
    expect([0, 4, 8, 12].map((offset) => mmio.read(TABLE + offset, 4))).toEqual([0, 0, 0, 1]);
  });
});
