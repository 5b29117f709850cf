import type { RegionInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

function address(value: number): string {
  return value.toString(16).padStart(16, '0');
}

function describeRegion(region: RegionInfo, depth: number): string[] {
  const last = address(region.start + region.size - 1);
  const kind = region.kind === 'container' ? 'i/o' : region.kind;
  return [
    `${'  '.repeat(depth)}${address(region.start)}-${last} (prio 0, ${kind}): ${region.name}`,
    ...(region.children ?? []).flatMap((child) => describeRegion(child, depth + 1)),
  ];
}

export const infoMtree: MonitorCommand = {
  name: 'info mtree',
  summary: 'show what answers at which memory address and port',
  run: (_args, { control }) =>
    lines(
      control
        .addressSpaces()
        .flatMap(({ name, root }) => [`address-space: ${name}`, ...describeRegion(root, 1), '']),
    ),
};
