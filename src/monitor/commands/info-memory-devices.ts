import type { MemoryDeviceInfo } from '../../machine/control.ts';
import { hex } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

function describeDevice(device: MemoryDeviceInfo, verbose: boolean): string[] {
  const texts = [
    `Memory device [${device.type}]: "${device.id}"`,
    `  memaddr: ${hex(device.memaddr)}`,
    `  node: ${device.node}`,
    `  requested-size: ${device.requestedSize}`,
    `  size: ${device.size}`,
    `  max-size: ${device.maxSize}`,
    `  block-size: ${device.blockSize}`,
    `  memdev: ${device.memdev}`,
  ];
  if (verbose) {
    for (const { name, value } of device.verbose) texts.push(`  ${name}: ${String(value)}`);
  }
  return texts;
}

export const infoMemoryDevices: MonitorCommand = {
  name: 'info memory-devices',
  parameters: [{ name: '-v', optional: true }],
  summary: 'show the memory devices (-v: and why a size is not yet as requested)',
  run: (args, { control }) =>
    lines(control.memoryDevices().flatMap((device) => describeDevice(device, args.has('-v')))),
};
