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
  details:
    'With `-v` also: what the guest can plug at most now, memslots, whether unplugged memory is out of ' +
    'its reach, requests served by answer, reminders sent, and whether the size is what was requested: ' +
    'if not, since when and why, as far as it can be told.',
  run: (args, { control }) =>
    lines(control.memoryDevices().flatMap((device) => describeDevice(device, args.has('-v')))),
};
