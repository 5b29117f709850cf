import type { PciBarInfo, PciFunctionInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

/** Class and subclass, from the PCI Code and ID Assignment Specification. */
const CLASS_NAMES: Readonly<Record<number, string>> = {
  0x0100: 'SCSI controller',
  0x0101: 'IDE controller',
  0x0106: 'SATA controller',
  0x0180: 'Storage controller',
  0x0200: 'Ethernet controller',
  0x0280: 'Network controller',
  0x0300: 'VGA controller',
  0x0380: 'Display controller',
  0x0500: 'RAM controller',
  0x0580: 'Memory controller',
  0x0600: 'Host bridge',
  0x0601: 'ISA bridge',
  0x0604: 'PCI bridge',
  0x0680: 'Bridge',
  0x0780: 'Communication controller',
  0x0880: 'System peripheral',
  0x0c05: 'SMBus',
};

function hexDigits(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function describeBar(bar: PciBarInfo): string {
  const name = `      BAR${bar.index}: `;
  const isIo = bar.kind === 'io';
  const width = bar.kind === 'mem64' ? 64 : 32;
  const kind = isIo ? 'I/O' : `${width} bit${bar.prefetchable ? ' prefetchable' : ''} memory`;
  if (bar.addr === undefined) return `${name}${kind} of 0x${hexDigits(bar.size, 0)}, not placed.`;
  const digits = isIo ? 4 : 8;
  const last = hexDigits(bar.addr + bar.size - 1, digits);
  return `${name}${kind} at 0x${hexDigits(bar.addr, digits)} [0x${last}].`;
}

function describeFunction(info: PciFunctionInfo): string[] {
  const className =
    CLASS_NAMES[info.classCode] ?? `Class ${String(info.classCode).padStart(4, '0')}`;
  const texts = [
    `  Bus ${String(info.bus).padStart(2)}, device ${String(info.device).padStart(3)}, function ${info.function}:`,
    `    ${className}: PCI device ${hexDigits(info.vendorId, 4)}:${hexDigits(info.deviceId, 4)}`,
  ];
  if (info.subsystem !== undefined) {
    const { vendorId, id } = info.subsystem;
    texts.push(`      PCI subsystem ${hexDigits(vendorId, 4)}:${hexDigits(id, 4)}`);
  }
  if (info.interrupt !== undefined) {
    const pin = String.fromCharCode(0x40 + info.interrupt.pin);
    texts.push(`      IRQ ${info.interrupt.line}, pin ${pin}`);
  }
  return [...texts, ...info.bars.map(describeBar), `      id "${info.id}"`];
}

export const infoPci: MonitorCommand = {
  name: 'info pci',
  summary: 'show the PCI functions and where their BARs are',
  run: (_args, { control }) => lines(control.pciFunctions().flatMap(describeFunction)),
};
