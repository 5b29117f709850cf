import type { ConfigSpace } from './config-space.ts';
import type { PciIds } from './function-options.ts';
import * as regs from './registers.ts';

/** What the guest may change in the command register. */
const COMMAND_WRITABLE =
  regs.PCI_COMMAND_IO |
  regs.PCI_COMMAND_MEMORY |
  regs.PCI_COMMAND_MASTER |
  regs.PCI_COMMAND_PARITY |
  regs.PCI_COMMAND_SERR |
  regs.PCI_COMMAND_INTX_DISABLE;

/** Fills in the type 0 header (PCI 3.0 §6.1) but for BARs and capabilities. */
export function writeHeader(config: ConfigSpace, ids: PciIds, pin: number | undefined): void {
  const { view, writable } = config;
  view.setUint16(regs.PCI_VENDOR_ID, ids.vendor, true);
  view.setUint16(regs.PCI_DEVICE_ID, ids.device, true);
  view.setUint8(regs.PCI_REVISION_ID, ids.revision ?? 0);
  view.setUint8(regs.PCI_CLASS_PROG, ids.classCode & 0xff);
  view.setUint16(regs.PCI_CLASS_PROG + 1, ids.classCode >>> 8, true);
  view.setUint16(regs.PCI_SUBSYSTEM_VENDOR_ID, ids.subsystemVendor ?? 0, true);
  view.setUint16(regs.PCI_SUBSYSTEM_ID, ids.subsystem ?? 0, true);
  view.setUint8(regs.PCI_INTERRUPT_PIN, pin ?? 0);
  writable.setUint16(regs.PCI_COMMAND, COMMAND_WRITABLE, true);
  writable.setUint8(regs.PCI_CACHE_LINE_SIZE, 0xff);
  writable.setUint8(regs.PCI_LATENCY_TIMER, 0xff);
  writable.setUint8(regs.PCI_INTERRUPT_LINE, 0xff);
}
