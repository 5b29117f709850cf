import type { AddressSpaceInfo, RegionInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

function address(value: number): string {
  return value.toString(16).padStart(16, '0');
}

function describeRange(region: RegionInfo): string {
  const last = address(region.start + region.size - 1);
  const kind = region.kind === 'container' ? 'i/o' : region.kind;
  return `${address(region.start)}-${last} (prio 0, ${kind}): ${region.name}`;
}

function describeRegion(region: RegionInfo, depth: number): string[] {
  return [
    `${'  '.repeat(depth)}${describeRange(region)}`,
    ...(region.children ?? []).flatMap((child) => describeRegion(child, depth + 1)),
  ];
}

/** What answers, without what only holds it together. */
function leaves(region: RegionInfo): RegionInfo[] {
  if (region.kind !== 'container') return [region];
  return (region.children ?? []).flatMap(leaves);
}

/** What boot memory is called where nobody named a backend for it: readers look for that. */
const BOOT_MEMORY = 'pc.ram';

/** A range of memory by its backend, with how far into that it is, and that KVM has a memslot for it. */
function describeFlatRange(region: RegionInfo): string {
  if (region.memory === undefined) return describeRange(region);
  const { backend = BOOT_MEMORY, offset } = region.memory;
  const at = offset === 0 ? '' : ` @${address(offset)}`;
  return `${describeRange({ ...region, name: backend })}${at} KVM`;
}

function describeFlat({ name, root }: AddressSpaceInfo, index: number): string[] {
  const ranges = leaves(root).sort((a, b) => a.start - b.start);
  return [
    `FlatView #${index}`,
    ` AS "${name}", root: ${root.name}`,
    ` Root memory region: ${root.name}`,
    ...(ranges.length === 0 ? ['  No rendered FlatView'] : []),
    ...ranges.map((range) => `  ${describeFlatRange(range)}`),
    '',
  ];
}

export const infoMtree: MonitorCommand = {
  name: 'info mtree',
  parameters: [{ name: '-f', optional: true }],
  summary: 'show what answers at which memory address and port (-f: as flat lists)',
  details:
    'The region of a memory device holds its memslots, those that KVM has now; `info memory-map` ' +
    'shows what is plugged in them. With `-f` memory has the name of its backend (boot memory without one: ' +
    '`pc.ram`), behind `@` how many bytes into the backend it is, unless none, and `KVM` since KVM maps it: ' +
    'so a program that has opened a shared file of `--memory-backend` finds guest memory in it, behind ' +
    'the `offset` that the backend has.',
  run: (args, { control }) => {
    const spaces = control.addressSpaces();
    if (args.has('-f')) return lines(spaces.flatMap(describeFlat));
    return lines(
      spaces.flatMap(({ name, root }) => [
        `address-space: ${name}`,
        ...describeRegion(root, 1),
        '',
      ]),
    );
  },
};
