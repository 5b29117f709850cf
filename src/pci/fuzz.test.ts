import { afterAll, beforeAll, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import type { BarOptions } from './bar-options.ts';
import { PciFunction } from './function.ts';
import { createPciRig, RIG_ECAM_BASE, RIG_WINDOWS, type PciRig } from './testing/pci-rig.ts';
import { isInWindow } from './windows.ts';

beforeAll(() => setLogLevel('silent'));
afterAll(() => setLogLevel('info'));

/** Reproducible numbers from 0 to 2^32 - 1 (xorshift32). */
function randomNumbers(seed: number): (limit?: number) => number {
  let state = seed;
  return (limit = 2 ** 32) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const SIZES = [1, 2, 4] as const;
const DEVICES = 6;

function bar(index: number, kind: BarOptions['kind'], size: number): BarOptions {
  const bytes = new Uint8Array(size / 2);
  const handler = {
    read: (offset: number) => bytes[offset] ?? 0,
    write: (offset: number, _size: number, value: number) => {
      bytes[offset] = value;
    },
  };
  return { index, kind, size, regions: [{ name: 'half', offset: 0, size: size / 2, handler }] };
}

function addDevices(rig: PciRig): PciFunction[] {
  return Array.from({ length: DEVICES }, (_, index) => {
    const device = new PciFunction({
      name: `dev${index}`,
      ids: { vendor: 0x1af4, device: 0x1040 + index, classCode: 0xff_00_00 },
      interruptPin: 1,
      capabilities: [{ id: 9, body: new Uint8Array(14), writable: new Uint8Array(14).fill(0xff) }],
      bars: [bar(0, 'memory32', 0x4000), bar(1, 'io', 64), bar(2, 'memory64', 0x2000 << index)],
      msix: { vectors: 5, bar: 0, tableOffset: 0x2000, pbaOffset: 0x3000 },
    });
    rig.bus.addFunction(device);
    return device;
  });
}

function configImage(rig: PciRig): number[] {
  return Array.from({ length: DEVICES * 1024 }, (_, at) =>
    rig.mmio.read(RIG_ECAM_BASE + 0x8000 + (at >> 10) * 0x8000 + (at & 1023) * 4, 4),
  );
}

/** Every BAR is decoded where it says, or may not be, or somebody is in its way. */
function checkBars(rig: PciRig, devices: readonly PciFunction[]): void {
  const bars = devices.flatMap((device) => device.bars.map((each) => ({ device, bar: each })));
  for (const { device, bar: each } of bars) {
    const space = each.kind === 'io' ? rig.ports : rig.mmio;
    const enabled = (device.configRead(4, 2) & (each.kind === 'io' ? 1 : 2)) !== 0;
    const allowed = enabled && isInWindow(RIG_WINDOWS, each.kind, each.address, each.size);
    if (each.base !== undefined) {
      expect([allowed, each.base]).toEqual([true, each.address]);
      expect(space.ownerOf(each.base)).toContain(device.name);
    } else if (allowed) {
      expect(space.isFree(each.address, each.size)).toBe(false);
    }
  }
  for (const space of [rig.ports, rig.mmio]) {
    let end = 0;
    for (const { base, size } of space.ranges()) {
      expect(base).toBeGreaterThanOrEqual(end);
      end = base + size;
    }
  }
}

it.each([1, 0xdead_beef, 0x1234_5678])(
  'survives a guest that writes anything (seed %i)',
  (seed) => {
    const random = randomNumbers(seed);
    const rig = createPciRig();
    const devices = addDevices(rig);
    const atFirst = configImage(rig);
    const rangesAtFirst = rig.mmio.ranges().map(({ name, base }) => `${name} ${base}`);
    // Half of the values land where BARs may be, or are commands that decode.
    const value = (): number =>
      [random(), 0xffff_ffff, 0xc000_0000 + random(0x20) * 0x1000, 0xc000 + random(0x40) * 0x40, 7][
        random(5)
      ] ?? 0;
    for (let round = 0; round < 12_000; round += 1) {
      const size = SIZES[random(3)] ?? 4;
      const device = devices[random(DEVICES)];
      const config = RIG_ECAM_BASE + 0x8000 * (1 + random(DEVICES));
      switch (random(8)) {
        case 0:
          rig.mmio.write(config + random(0x1000), size, value());
          break;
        case 1:
          rig.mmio.write(config + 0x10 + 4 * random(6), 4, value());
          break;
        case 2:
          rig.mmio.write(config + 4, 2, value());
          break;
        case 3:
          rig.mmio.write(config + random(0x100), size, value());
          break;
        case 4:
          rig.ports.write(0xcf8 + random(8), size, value());
          rig.ports.read(0xcf8 + random(8), size);
          break;
        case 5:
          rig.mmio.write(
            (device?.barBase(0) ?? 0xc000_0000) + 0x1ff0 + random(0x80),
            size,
            value(),
          );
          break;
        case 6:
          device?.msix?.signal(random(6));
          device?.intx.set(random(2) === 1);
          break;
        default:
          rig.mmio.read(config + random(0x1000), size);
          device?.writeBar(random(8), value(), size, value());
          device?.readBar(random(8), value(), size);
      }
      if (round % 16 === 0) checkBars(rig, devices);
    }
    expect(rig.interrupts.openRoutes).toBeLessThanOrEqual(DEVICES * 5);
    rig.reset();
    expect(configImage(rig)).toEqual(atFirst);
    expect(rig.mmio.ranges().map(({ name, base }) => `${name} ${base}`)).toEqual(rangesAtFirst);
    expect(rig.interrupts.openRoutes).toBe(0);
    for (let gsi = 16; gsi < 24; gsi += 1) expect(rig.interrupts.level(gsi)).toBe(false);
    checkBars(rig, devices);
  },
);
