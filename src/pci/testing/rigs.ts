import type { IoHandler } from '../../bus/io-space.ts';
import type { BarOptions } from '../bar-options.ts';
import { PciFunction } from '../function.ts';
import type { PciFunctionOptions } from '../function-options.ts';
import { createPciRig } from './pci-rig.ts';

export const IDS = { vendor: 0x1af4, device: 0x1058, classCode: 0xff_00_00 };
/** Where the MSI-X table of `rigWithVectors` is, and its pending bits. */
export const TABLE = 0xc000_0000;
export const PBA = TABLE + 0x1000;

/** Reads as `tag` plus the offset. */
export function tagged(tag: number): IoHandler {
  return { read: (offset) => (tag + offset) & 0xff, write: () => undefined };
}

/** All one region. */
export function memoryBar(
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

/** Functions in slots 1 up; `mapped` tells what happened to their BARs. */
export function rigWith(
  options: Partial<PciFunctionOptions>,
  ...others: Partial<PciFunctionOptions>[]
) {
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

/** A function with MSI-X in slot 1, and the guest's ways to it. */
export function rigWithVectors(vectors = 4) {
  const rig = createPciRig();
  const device = new PciFunction({
    name: 'dev',
    ids: IDS,
    interruptPin: 1,
    bars: [{ index: 0, kind: 'memory32', size: 0x10000, regions: [] }],
    msix: { vectors, bar: 0, tableOffset: 0, pbaOffset: 0x1000 },
  });
  rig.bus.addFunction(device, { slot: 1 });
  const { msix } = device;
  if (msix === undefined) throw new Error('no MSI-X');
  const config = rig.slot(1);
  const control = config.capability(0x11) + 2;
  return {
    ...rig,
    device,
    msix,
    config,
    control,
    setControl: (value: number) => {
      config.write(control, value, 2);
    },
    /** Writes an entry as Linux does: message first, mask last. */
    program: (vector: number, data: number, masked = false, address = 0xfee0_1000) => {
      const entry = TABLE + vector * 16;
      rig.mmio.write(entry, 4, address);
      rig.mmio.write(entry + 4, 4, 0);
      rig.mmio.write(entry + 8, 4, data);
      rig.mmio.write(entry + 12, 4, masked ? 1 : 0);
    },
    mask: (vector: number, masked: boolean) => {
      rig.mmio.write(TABLE + vector * 16 + 12, 4, masked ? 1 : 0);
    },
    pending: () => rig.mmio.read64(PBA),
    pin: 16 + 4,
  };
}
