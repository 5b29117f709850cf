import { machineConfig } from '../api/parse-options.ts';
import {
  planMachine,
  type DeviceMetadata,
  type Plan,
  type PlannedDevice,
} from '../machine/plan.ts';
import { roughSize } from '../monitor/text.ts';
import { formatSize, GIB, hex, KIB, MIB } from '../units.ts';
import { vmOptions, type MachineOptions } from './machine-options.ts';
import { checkTalkOptions, type TalkOptions } from './talk-options.ts';

export interface PlanOptions extends MachineOptions, TalkOptions {
  readonly json?: true;
}

/** Rounded: nobody needs a cost to the byte. */
function cost(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(2)} GiB`;
  return bytes >= MIB ? `${(bytes / MIB).toFixed(2)} MiB` : `${Math.ceil(bytes / KIB)} KiB`;
}

/** What KVM takes, and saves. */
function metadataLines(plan: Plan): readonly string[] {
  const { metadata, devices } = plan;
  const nesting = metadata.whenNesting;
  const grows = nesting.allPlugged > metadata.allPlugged;
  const lines = [
    "KVM's metadata, of host memory:",
    `  at the start: ${cost(metadata.atStart)}`,
    `  with everything plugged: ${cost(metadata.allPlugged)}`,
  ];
  if (grows) {
    lines.push(
      `  once the guest runs guests of its own: ${cost(nesting.atStart)} and ${cost(nesting.allPlugged)}`,
    );
  }
  return [...lines, ...devices.map((device) => deviceMetadataLine(device, grows))];
}

function deviceMetadataLine(device: PlannedDevice, grows: boolean): string {
  const { id, dynamicMemslots, whenNesting } = device;
  const costs = ({ staticMetadata, metadataPerGib }: DeviceMetadata): string =>
    `${cost(staticMetadata)} in all, ${cost(metadataPerGib)} for each GiB`;
  const when = dynamicMemslots
    ? 'as memory is plugged'
    : 'all at the start; with dynamic-memslots=on as memory is plugged';
  const later = grows ? ` (once the guest runs guests: ${costs(whenNesting)})` : '';
  return `  ${id}: ${costs(device)}${later}, ${when}`;
}

function slots({ id, dynamicMemslots, memslots, memslotSize }: PlannedDevice): string {
  if (!dynamicMemslots) return `  ${id}: 1, always there`;
  return `  ${id}: up to ${memslots} of ${formatSize(memslotSize)}, as memory is plugged`;
}

/** A plan for people, line by line. */
export function renderPlan(plan: Plan): readonly string[] {
  const { host, regions, end, ramMemslots, devices, warnings, guestOptions } = plan;
  const limit = 2 ** host.addressBits;
  const width = hex(limit).length;
  const lines = [
    `KVM of this host: ${host.kvm}; ${host.memslots} memslots; guests have ${host.addressBits} address bits`,
    'Guest-physical memory:',
    ...regions.map(({ name, gpa, size }) => {
      const to = hex(gpa + size - 1).padEnd(width);
      return `  ${hex(gpa).padStart(width)} - ${to}  ${name}, ${formatSize(size)}`;
    }),
    `  it ends at ${hex(end)}, ${roughSize(limit - end)} below the limit ${hex(limit)}`,
    'Memslots:',
    `  RAM: ${ramMemslots}, always there`,
    ...devices.map(slots),
    ...metadataLines(plan),
  ];
  if (devices.length > 0) lines.push('Memory that a Linux guest needs to add all of a device:');
  for (const { id, guestMemmap } of devices) {
    lines.push(`  ${id}: ${cost(guestMemmap)} (64 B for each page of 4 KiB)`);
  }
  for (const warning of warnings) lines.push(`Warning: ${warning}`);
  if (guestOptions !== '') lines.push(`Command line of a Linux guest: ${guestOptions}`);
  return lines;
}

/** Says what a machine would be and cost on this host, and makes none. */
export async function plan(options: PlanOptions): Promise<void> {
  checkTalkOptions(options);
  const config = await machineConfig(vmOptions({ ...options, kernel: options.kernel ?? 'none' }));
  const planned = await planMachine(config);
  const text =
    options.json === true ? JSON.stringify(planned, undefined, 2) : renderPlan(planned).join('\n');
  process.stdout.write(`${text}\n`);
}
