import type { AddressSpaceInfo, ObjectInfo, PciFunctionInfo } from '../../machine/control.ts';
import { formatSize, hex } from '../../units.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';
import { className } from '../pci-class.ts';

const digits = (value: number, width: number): string => value.toString(16).padStart(width, '0');

const indent = (texts: readonly string[], by: number): string[] =>
  texts.map((text) => `${' '.repeat(by)}${text}`);

function describeProperty({ name, type, value }: ObjectInfo['properties'][number]): string {
  if (type === 'size' && typeof value === 'number')
    return `${name} = ${value} (${formatSize(value)})`;
  if (type === 'int' && typeof value === 'number') return `${name} = ${value} (${hex(value)})`;
  return `${name} = ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`;
}

function describeFunction(info: PciFunctionInfo, object: ObjectInfo | undefined): string[] {
  const { bus, device, subsystem } = info;
  const place = `${digits(bus, 2)}:${digits(device, 2)}.${info.function}`;
  const ids = `${digits(info.vendorId, 4)}:${digits(info.deviceId, 4)}`;
  const sub =
    subsystem === undefined
      ? ''
      : ` (sub ${digits(subsystem.vendorId, 4)}:${digits(subsystem.id, 4)})`;
  const bars = info.bars.map(({ index, kind, addr, size }) => {
    const what = `bar ${index}: ${kind === 'io' ? 'i/o' : 'mem'}`;
    if (addr === undefined) return `${what} of ${hex(size)}, not placed`;
    return `${what} at ${hex(addr)} [${hex(addr + size - 1)}]`;
  });
  return [
    `dev: ${object?.type ?? 'pci-function'}, id "${info.id}"`,
    ...indent((object?.properties ?? []).map(describeProperty), 2),
    `  class ${className(info.classCode)}, addr ${place}, pci id ${ids}${sub}`,
    ...indent(bars, 2),
  ];
}

/** What answers at fixed places, by names: `com1 data` and `com1 ier` are one device. */
function fixedDevices(
  spaces: readonly AddressSpaceInfo[],
  pci: readonly PciFunctionInfo[],
): string[] {
  const byDevice = new Map<string, { readonly name: string; readonly where: string }[]>();
  for (const { name: space, root } of spaces) {
    for (const { kind, name, start, size } of root.children ?? []) {
      // What is behind a BAR belongs to its function, which is shown below its bus.
      if (kind !== 'i/o' || isBehindBar(pci, space, start)) continue;
      const where =
        space === 'I/O'
          ? `pio ${hex(start)}/${hex(size)}`
          : `mmio ${digits(start, 16)}/${digits(size, 16)}`;
      const device = name.split(' ', 1)[0] ?? name;
      byDevice.set(device, [...(byDevice.get(device) ?? []), { name, where }]);
    }
  }
  return [...byDevice].flatMap(([device, ranges]) => {
    const title = ranges.length === 1 ? (ranges[0]?.name ?? device) : device;
    return [`dev: ${title}, id ""`, ...ranges.map(({ where }) => `  ${where}`)];
  });
}

function isBehindBar(pci: readonly PciFunctionInfo[], space: string, start: number): boolean {
  return pci.some(({ bars }) =>
    bars.some(
      ({ kind, addr, size }) =>
        addr !== undefined &&
        (kind === 'io') === (space === 'I/O') &&
        start >= addr &&
        start < addr + size,
    ),
  );
}

export const infoQtree: MonitorCommand = {
  name: 'info qtree',
  parameters: [{ name: '-b', optional: true }],
  summary: 'show the devices, their buses and properties (-b: without properties and places)',
  run: (args, { control }) => {
    const pci = control.pciFunctions();
    const objects = control.objects();
    const objectOf = (id: string): ObjectInfo | undefined =>
      id === '' ? undefined : objects.find(({ path }) => path === `/machine/peripheral/${id}`);
    const functions = pci.flatMap((info) => describeFunction(info, objectOf(info.id)));
    const all = [
      'bus: main-system-bus',
      '  type System',
      ...indent(fixedDevices(control.addressSpaces(), pci), 2),
      '  dev: pci-host, id ""',
      '    bus: pci.0',
      '      type PCI',
      ...indent(functions, 6),
    ];
    return lines(args.has('-b') ? all.filter((text) => /^ *(bus|dev): /.test(text)) : all);
  },
};
