import type { PciBarInfo, PciFunctionInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { className } from '../pci-class.ts';
import { lines } from '../text.ts';

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
  const texts = [
    `  Bus ${String(info.bus).padStart(2)}, device ${String(info.device).padStart(3)}, function ${info.function}:`,
    `    ${className(info.classCode)}: PCI device ${hexDigits(info.vendorId, 4)}:${hexDigits(info.deviceId, 4)}`,
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
