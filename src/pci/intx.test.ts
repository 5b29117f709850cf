import { describe, expect, it } from 'vitest';
import { PciFunction } from './function.ts';
import { createPciRig } from './testing/pci-rig.ts';
import { IDS, rigWithVectors } from './testing/rigs.ts';

const COMMAND = 4;
const INTX_DISABLE = 0x400;
const ENABLE = 0x8000;

describe('INTx', () => {
  it('raises the wire and the status bit, and lowers both', () => {
    const { device, config, interrupts, pin } = rigWithVectors();
    device.intx.set(true);
    expect(interrupts.level(pin)).toBe(true);
    expect(config.read(6, 2) & 8).toBe(8);
    device.intx.set(false);
    expect(interrupts.level(pin)).toBe(false);
    expect(config.read(6, 2) & 8).toBe(0);
  });

  it('leaves the wire alone while Interrupt Disable is set, the status bit telling all the same', () => {
    const { device, config, interrupts, pin } = rigWithVectors();
    config.write(COMMAND, INTX_DISABLE, 2);
    device.intx.set(true);
    expect(interrupts.level(pin)).toBe(false);
    expect(config.read(6, 2) & 8).toBe(8);
    config.write(COMMAND, 0, 2);
    expect(interrupts.level(pin)).toBe(true);
    config.write(COMMAND + 1, INTX_DISABLE >> 8, 1);
    expect(interrupts.level(pin)).toBe(false);
  });

  it('leaves the wire alone while MSI-X is enabled', () => {
    const { device, setControl, interrupts, pin } = rigWithVectors();
    device.intx.set(true);
    setControl(ENABLE);
    expect(interrupts.level(pin)).toBe(false);
    setControl(0);
    expect(interrupts.level(pin)).toBe(true);
  });

  it('shares a wire: high until the last lets go', () => {
    const { device, bus, interrupts, pin } = rigWithVectors();
    const other = new PciFunction({ name: 'other', ids: IDS, interruptPin: 1 });
    bus.addFunction(other, { slot: 3 });
    expect(other.gsi).toBe(pin);
    device.intx.set(true);
    other.intx.set(true);
    device.intx.set(false);
    device.intx.set(false);
    expect(interrupts.level(pin)).toBe(true);
    other.intx.set(false);
    expect(interrupts.level(pin)).toBe(false);
    expect(interrupts.raises(pin)).toBe(1);
  });

  it('is nothing without a pin', () => {
    const { bus, slot } = createPciRig();
    const device = new PciFunction({ name: 'dev', ids: IDS });
    bus.addFunction(device, { slot: 4 });
    device.intx.set(true);
    expect(device.intx.asserted).toBe(false);
    expect(slot(4).read(6, 2)).toBe(0);
  });

  it('is low after a system reset', () => {
    const { device, config, interrupts, pin, reset } = rigWithVectors();
    config.write(COMMAND, INTX_DISABLE, 2);
    device.intx.set(true);
    reset();
    expect(interrupts.level(pin)).toBe(false);
    expect(config.read(6, 2) & 8).toBe(0);
    device.intx.set(true);
    expect(interrupts.level(pin)).toBe(true);
  });
});
