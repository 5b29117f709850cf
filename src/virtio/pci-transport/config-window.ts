import { readSized, writeSized } from '../../bytes.ts';
import type { PciCapability } from '../../pci/capability.ts';
import { VIRTIO_PCI_CAP_PCI_CFG } from '../spec.ts';
import { capabilityBody, PCI_CAP_ID_VENDOR, VIRTIO_PCI_CAP } from './capabilities.ts';

/** What the window looks into: the BARs of the function. */
export interface BarAccess {
  readBar(index: number, offset: number, size: number): number;
  writeBar(index: number, offset: number, size: number, value: number): void;
}

interface Target {
  readonly bar: number;
  readonly offset: number;
  readonly length: number;
}

/** pci_cfg_data: offset in the capability. */
const DATA = VIRTIO_PCI_CAP.end;

/**
 * The PCI configuration access capability (virtio 1.3 §4.1.4.9): a driver names bar, offset and
 * length, then accesses to pci_cfg_data go there. For drivers that cannot map BARs yet.
 */
export function configWindow(bars: () => BarAccess): PciCapability {
  const body = capabilityBody({ type: VIRTIO_PCI_CAP_PCI_CFG, offset: 0, length: 0, extra: 0 });
  const writable = new Uint8Array(body.length);
  const mayWrite = (from: number, size: number): unknown =>
    writable.fill(0xff, from - 2, from - 2 + size);
  mayWrite(VIRTIO_PCI_CAP.bar, 1);
  mayWrite(VIRTIO_PCI_CAP.offset, 4);
  mayWrite(VIRTIO_PCI_CAP.length, 4);
  mayWrite(DATA, 4);
  return {
    id: PCI_CAP_ID_VENDOR,
    body,
    writable,
    beforeRead: (view, offset, size) => {
      const target = targetOf(view, offset, size);
      if (target === undefined) return;
      const value = bars().readBar(target.bar, target.offset, target.length);
      writeSized(view, DATA, target.length, value);
    },
    afterWrite: (view, offset, size) => {
      const target = targetOf(view, offset, size);
      if (target === undefined) return;
      const value = readSized(view, DATA, target.length);
      bars().writeBar(target.bar, target.offset, target.length, value);
    },
  };
}

/** What an access to the capability means: nothing unless it covers the data of a valid window. */
function targetOf(view: DataView, offset: number, size: number): Target | undefined {
  const bar = view.getUint8(VIRTIO_PCI_CAP.bar);
  const at = view.getUint32(VIRTIO_PCI_CAP.offset, true);
  const length = view.getUint32(VIRTIO_PCI_CAP.length, true);
  if (length !== 1 && length !== 2 && length !== 4) return undefined;
  if (at % length !== 0 || offset > DATA || offset + size < DATA + length) return undefined;
  return { bar, offset: at, length };
}
