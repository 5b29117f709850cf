import { ConfigError } from '../errors.ts';
import { alignUp } from '../units.ts';
import type { PciCapability } from './capability.ts';
import type { ConfigSpace } from './config-space.ts';
import {
  PCI_CAPABILITY_LIST,
  PCI_CFG_SPACE_SIZE,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_STD_HEADER_SIZE,
} from './registers.ts';

interface Placed {
  readonly capability: PciCapability;
  readonly offset: number;
  readonly view: DataView;
}

/** A function's capabilities (PCI 3.0 §6.7), linked in the order given. */
export class CapabilityList {
  readonly #placed: Placed[] = [];

  /** @throws ConfigError when they do not fit below 256 */
  constructor(name: string, config: ConfigSpace, capabilities: readonly PciCapability[]) {
    let offset = PCI_STD_HEADER_SIZE;
    let link = PCI_CAPABILITY_LIST;
    for (const capability of capabilities) {
      const size = 2 + capability.body.length;
      if (offset + size > PCI_CFG_SPACE_SIZE) {
        throw new ConfigError(
          'PCI_CAPABILITIES_TOO_LONG',
          `${name}: capability ${capability.id} at ${offset}, ${size} bytes: the list ends at 256`,
        );
      }
      config.view.setUint8(link, offset);
      config.view.setUint8(offset, capability.id);
      config.put(offset + 2, capability.body, capability.writable);
      this.#placed.push({ capability, offset, view: config.part(offset, size) });
      link = offset + 1;
      offset = alignUp(offset + size, 4);
    }
    if (capabilities.length > 0) config.view.setUint16(PCI_STATUS, PCI_STATUS_CAP_LIST, true);
  }

  beforeRead(register: number, size: number): void {
    for (const { capability, offset, view } of this.#placed) {
      const from = Math.max(register - offset, 0);
      const to = Math.min(register + size - offset, view.byteLength);
      if (from < to) capability.beforeRead?.(view, from, to - from);
    }
  }

  afterWrite(register: number, size: number): void {
    for (const { capability, offset, view } of this.#placed) {
      const from = Math.max(register - offset, 0);
      const to = Math.min(register + size - offset, view.byteLength);
      if (from < to) capability.afterWrite?.(view, from, to - from);
    }
  }
}
