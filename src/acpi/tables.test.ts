import { describe, expect, it } from 'vitest';
import { readU64 } from '../bytes.ts';
import { ConfigError } from '../errors.ts';
import { BIOS_AREA_BASE, BIOS_AREA_SIZE, ECAM_BASE, IOAPIC_BASE } from '../memory/layout.ts';
import type { AcpiConfig, AcpiNuma } from './config.ts';
import { buildSrat } from './srat.ts';
import { type AcpiTables, buildAcpiTables } from './tables.ts';

const cpus = (count: number): number[] => Array.from({ length: count }, (_, id) => id);
const CONFIG: AcpiConfig = { apicIds: cpus(4), serial: true };

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const signature = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, 4)).toString();

/** Finds tables as a guest does: by address, from the root pointer. */
function readTables(built: AcpiTables): Map<string, Uint8Array> {
  const at = (gpa: number): Uint8Array => {
    const table = built.tables.find((candidate) => candidate.gpa === gpa);
    if (table === undefined) throw new Error(`no table at ${gpa}`);
    return table.bytes;
  };
  const found = new Map<string, Uint8Array>();
  const rsdp = at(built.rsdp);
  found.set('RSDP', rsdp);
  const xsdt = at(readU64(viewOf(rsdp), 24));
  found.set('XSDT', xsdt);
  for (let offset = 36; offset < xsdt.length; offset += 8) {
    const table = at(readU64(viewOf(xsdt), offset));
    found.set(signature(table), table);
  }
  const fadt = viewOf(found.get('FACP')!);
  found.set('FACS', at(fadt.getUint32(36, true)));
  found.set('DSDT', at(fadt.getUint32(40, true)));
  expect(readU64(fadt, 140)).toBe(fadt.getUint32(40, true));
  return found;
}

/** The entries of a MADT as type and content. */
function madtEntries(built: AcpiTables): { type: number; view: DataView }[] {
  const madt = readTables(built).get('APIC')!;
  const entries = [];
  for (let offset = 44; offset < madt.length; offset += madt[offset + 1]!) {
    entries.push({
      type: madt[offset]!,
      view: viewOf(madt.subarray(offset, offset + madt[offset + 1]!)),
    });
  }
  return entries;
}

describe('the set of tables', () => {
  const built = buildAcpiTables(CONFIG);

  it('is found from the root pointer', () => {
    expect([...readTables(built).keys()].sort()).toEqual(
      ['APIC', 'DSDT', 'FACP', 'FACS', 'MCFG', 'RSDP', 'XSDT'].sort(),
    );
    expect(built.tables).toHaveLength(7);
  });

  it('adds up to zero and gives its lengths', () => {
    for (const [name, bytes] of readTables(built)) {
      if (name === 'RSDP') {
        expect(sum(bytes.subarray(0, 20))).toBe(0);
        expect(viewOf(bytes).getUint32(20, true)).toBe(bytes.length);
      } else {
        expect(viewOf(bytes).getUint32(4, true)).toBe(bytes.length);
      }
      if (name !== 'FACS') expect(sum(bytes)).toBe(0);
    }
  });

  it('lies in the BIOS area, aligned, without overlaps', () => {
    let end = BIOS_AREA_BASE;
    for (const { gpa, bytes } of [...built.tables].sort((a, b) => a.gpa - b.gpa)) {
      expect(gpa).toBeGreaterThanOrEqual(end);
      expect(gpa % (signature(bytes) === 'FACS' ? 64 : 16)).toBe(0);
      end = gpa + bytes.length;
    }
    expect(end).toBeLessThanOrEqual(BIOS_AREA_BASE + BIOS_AREA_SIZE);
  });

  it('holds 1024 processors', () => {
    const entries = madtEntries(buildAcpiTables({ ...CONFIG, apicIds: cpus(1024) }));
    expect(entries.filter(({ type }) => type === 0 || type === 9)).toHaveLength(1024);
  });

  it('is refused, with both sizes, when it does not fit the BIOS area', () => {
    const build = (): unknown => buildAcpiTables({ ...CONFIG, apicIds: cpus(4096) });
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(/^cpus=4096: the ACPI tables take \d+ \S+, the BIOS area has 128 KiB$/);
  });

  it.each<[string, Partial<AcpiConfig>]>([
    ['no processor', { apicIds: [] }],
    ['too many processors', { apicIds: cpus(4097) }],
    ['an APIC id twice', { apicIds: [0, 1, 1] }],
    ['the APIC id that means all', { apicIds: [0xffff_ffff] }],
    ['half an APIC id', { apicIds: [0.5] }],
    ['a 64-bit window below 4 GiB', { mmio64: { base: 0xc000_0000, size: 0x1000 } }],
    ['an empty 64-bit window', { mmio64: { base: 2 ** 40, size: 0 } }],
    ['a 64-bit window past 2^52', { mmio64: { base: 2 ** 51, size: 2 ** 52 } }],
  ])('refuses %s', (_, change) => {
    expect(() => buildAcpiTables({ ...CONFIG, ...change })).toThrow(ConfigError);
  });
});

describe('the MADT', () => {
  const processors = (apicIds: number[]): number[][] =>
    madtEntries(buildAcpiTables({ ...CONFIG, apicIds })).flatMap(({ type, view }) => {
      if (type === 0) return [[0, view.getUint8(2), view.getUint8(3), view.getUint32(4, true)]];
      if (type !== 9) return [];
      return [[9, view.getUint32(12, true), view.getUint32(4, true), view.getUint32(8, true)]];
    });

  it('lists each processor as enabled, with UID and APIC id', () => {
    expect(processors([0, 1, 4])).toEqual([
      [0, 0, 0, 1],
      [0, 1, 1, 1],
      [0, 2, 4, 1],
    ]);
  });

  it('goes over to x2APIC entries past id 254', () => {
    expect(processors([0, 254, 255, 1000])).toEqual([
      [0, 0, 0, 1],
      [0, 1, 254, 1],
      [9, 2, 255, 1],
      [9, 3, 1000, 1],
    ]);
  });

  it('goes over to x2APIC entries past UID 254', () => {
    expect(processors(cpus(256)).slice(254)).toEqual([
      [0, 254, 254, 1],
      [9, 255, 255, 1],
    ]);
  });

  it('has one I/O APIC from GSI 0 on', () => {
    const views = madtEntries(buildAcpiTables(CONFIG)).filter(({ type }) => type === 1);
    expect(views).toHaveLength(1);
    expect(views[0]!.view.getUint32(4, true)).toBe(IOAPIC_BASE);
    expect(views[0]!.view.getUint32(8, true)).toBe(0);
  });

  it('routes ISA 0 to GSI 2, and makes the SCI level-triggered and active-high', () => {
    const overrides = madtEntries(buildAcpiTables(CONFIG))
      .filter(({ type }) => type === 2)
      .map(({ view }) => [view.getUint8(3), view.getUint32(4, true), view.getUint16(8, true)]);
    expect(overrides).toEqual([
      [0, 2, 0],
      [9, 9, 0b1101],
    ]);
  });
});

describe('the FADT', () => {
  const fadt = viewOf(readTables(buildAcpiTables(CONFIG)).get('FACP')!);

  it('has the size of its revision', () => {
    expect([fadt.byteLength, fadt.getUint8(8)]).toEqual([276, 6]);
  });

  it('names the PM registers twice, alike', () => {
    const legacy = [56, 64, 76].map((offset) => fadt.getUint32(offset, true));
    const extended = [148, 172, 208].map((offset) => readU64(fadt, offset + 4));
    expect(legacy).toEqual([0x600, 0x604, 0x608]);
    expect(extended).toEqual(legacy);
    expect([88, 89, 91].map((offset) => fadt.getUint8(offset))).toEqual([4, 2, 4]);
    expect([148, 172, 208].map((offset) => fadt.getUint8(offset + 1))).toEqual([32, 16, 32]);
  });

  it('resets by writing 6 to port 0xcf9', () => {
    expect(fadt.getUint32(112, true) & (1 << 10)).not.toBe(0);
    expect([fadt.getUint8(116), readU64(fadt, 120), fadt.getUint8(128)]).toEqual([1, 0xcf9, 6]);
  });

  it('has a fixed power button, no sleep button, and is not hardware-reduced', () => {
    const flags = fadt.getUint32(112, true);
    expect([(flags >> 4) & 1, (flags >> 5) & 1, (flags >> 20) & 1]).toEqual([0, 1, 0]);
  });

  it('says that there is an RTC, but neither keyboard controller nor VGA', () => {
    expect(fadt.getUint16(109, true)).toBe(0b101);
  });

  it('finds the century in the RTC, and no day or month of its alarm', () => {
    expect([106, 107, 108].map((offset) => fadt.getUint8(offset))).toEqual([0, 0, 0x32]);
  });

  it('raises GSI 9 and knows no SMI', () => {
    expect([fadt.getUint16(46, true), fadt.getUint32(48, true)]).toEqual([9, 0]);
  });
});

describe('NUMA nodes', () => {
  const NUMA: AcpiNuma = {
    cpuNodes: [0, 0, 1, 0x0201],
    memory: [
      { node: 0, base: 0, size: 0xc000_0000, hotPluggable: false },
      { node: 1, base: 2 ** 40, size: 2 ** 41, hotPluggable: true },
    ],
    distances: Array.from({ length: 0x0202 }, () => Array.from({ length: 0x0202 }, () => 10)),
  };
  /** Bytes of the initiators of the nodes without anything. */
  const BARE = (0x0201 - 2) * 32;
  const SMALL: AcpiNuma = {
    cpuNodes: [0, 0, 1, 1],
    memory: NUMA.memory,
    distances: [
      [10, 20],
      [30, 10],
    ],
  };
  const srat = (apicIds: number[], numa: AcpiNuma): DataView =>
    viewOf(buildSrat({ ...CONFIG, apicIds }, numa));

  it('bring SRAT and SLIT, and without them there is neither', () => {
    const names = [...readTables(buildAcpiTables({ ...CONFIG, numa: SMALL })).keys()];
    expect(names).toContain('SRAT');
    expect(names).toContain('SLIT');
    expect(names).toHaveLength(9);
  });

  it('have processors by local APIC id, the number of the node in two pieces', () => {
    const view = srat([0, 1, 2, 254], NUMA);
    const entries = [0, 1, 2, 3].map((index) => {
      // Nodes that have nothing are before the last one.
      const at = 48 + 16 * index + (index === 3 ? BARE : 0);
      const bytes = [0, 1, 2, 3, 8, 9].map((offset) => view.getUint8(at + offset));
      return [...bytes, view.getUint32(at + 4, true)];
    });
    expect(entries).toEqual([
      [0, 16, 0, 0, 0, 0, 1],
      [0, 16, 0, 1, 0, 0, 1],
      [0, 16, 1, 2, 0, 0, 1],
      [0, 16, 1, 254, 0, 2, 1],
    ]);
  });

  it('have processors by x2APIC id from 255 on', () => {
    const view = srat([0, 1, 2, 255], NUMA);
    const at = 48 + 3 * 16 + BARE;
    expect([view.getUint8(at), view.getUint8(at + 1)]).toEqual([2, 24]);
    expect([4, 8, 12].map((offset) => view.getUint32(at + offset, true))).toEqual([0x0201, 255, 1]);
  });

  /** The nodes in the order in which a guest meets them: processors and initiators, then memory. */
  function nodesAsMet(view: DataView): readonly number[] {
    const first: number[] = [];
    const second: number[] = [];
    for (let at = 48; at < view.byteLength; at += view.getUint8(at + 1)) {
      const type = view.getUint8(at);
      if (type === 0) first.push(view.getUint8(at + 2));
      if (type === 5) first.push(view.getUint32(at + 4, true));
      if (type === 1) second.push(view.getUint32(at + 2, true));
    }
    return [...new Set([...first, ...second])];
  }

  const ram = (node: number, base: number) => {
    return { node, base, size: 2 ** 30, hotPluggable: false };
  };
  it.each<[string, readonly number[], AcpiNuma['memory'], number, number]>([
    ['all have processors', [1, 0, 1, 0], [ram(1, 0), ram(0, 2 ** 30)], 2, 0],
    ['memory alone is last', [0, 0, 1, 1], [ram(0, 0), ram(2, 2 ** 30)], 3, 0],
    ['one has nothing', [0, 0, 2, 2], [ram(0, 0), ram(2, 2 ** 30)], 3, 1],
    ['the last has nothing', [0, 0, 0, 0], [ram(0, 0), ram(1, 2 ** 30)], 3, 2],
    ['memory alone comes first', [1, 1, 1, 1], [ram(0, 0), ram(1, 2 ** 30)], 2, 1],
    ['addresses go another way', [0, 0, 0, 0], [ram(2, 0), ram(0, 2 ** 30), ram(1, 2 ** 31)], 3, 0],
  ])('are met in their order where %s', (_case, cpuNodes, memory, count, initiators) => {
    const distances = Array.from({ length: count }, () => Array.from({ length: count }, () => 10));
    const view = srat([0, 1, 2, 3], { cpuNodes, memory, distances });
    expect(nodesAsMet(view)).toEqual(Array.from({ length: count }, (_, node) => node));
    expect(view.byteLength).toBe(48 + 4 * 16 + initiators * 32 + memory.length * 40);
  });

  it('have an initiator where there is nothing else, which is in the DSDT', () => {
    const numa = { ...SMALL, cpuNodes: [1, 1, 1, 1], memory: [ram(1, 0)] };
    const view = srat([0, 1, 2, 3], numa);
    const handle = Buffer.from(view.buffer, view.byteOffset + 56, 8).toString('latin1');
    expect([48, 49, 51].map((at) => view.getUint8(at))).toEqual([5, 32, 0]);
    expect([52, 64, 72].map((at) => view.getUint32(at, true))).toEqual([0, 0, 1]);
    expect(handle).toBe('ACPI0004');
    const dsdt = Buffer.from(readTables(buildAcpiTables({ ...CONFIG, numa })).get('DSDT')!.buffer);
    expect(dsdt.includes('N000')).toBe(true);
    expect(dsdt.includes('N001')).toBe(false);
  });

  it('have memory, hot-pluggable where it may come and go', () => {
    const view = srat([0, 1, 2, 3], SMALL);
    const entries = [0, 1].map((index) => {
      const at = 48 + 4 * 16 + 40 * index;
      const words = [2, 28].map((offset) => view.getUint32(at + offset, true));
      return [view.getUint8(at), ...words, readU64(view, at + 8), readU64(view, at + 16)];
    });
    expect(entries).toEqual([
      [1, 0, 1, 0, 0xc000_0000],
      [1, 1, 3, 2 ** 40, 2 ** 41],
    ]);
    expect(view.byteLength).toBe(48 + 4 * 16 + 2 * 40);
  });

  it('are as far from each other as was said, row by row', () => {
    const slit = readTables(buildAcpiTables({ ...CONFIG, numa: SMALL })).get('SLIT')!;
    expect(readU64(viewOf(slit), 36)).toBe(2);
    expect([...slit.subarray(44)]).toEqual([10, 20, 30, 10]);
  });

  it.each<[string, Partial<AcpiNuma>, string]>([
    ['a CPU without a node', { cpuNodes: [0, 0, 1] }, '3 of 4 CPUs'],
    ['a CPU of no node', { cpuNodes: [0, 0, 1, 2] }, 'there is no node 2'],
    ['half a matrix', { distances: [[10, 20], [20]] }, 'not every distance'],
  ])('are refused with %s', (_, change, message) => {
    const build = (): unknown => buildAcpiTables({ ...CONFIG, numa: { ...SMALL, ...change } });
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(message);
  });
});

describe('the MCFG', () => {
  it('gives the ECAM of bus 0', () => {
    const mcfg = viewOf(readTables(buildAcpiTables(CONFIG)).get('MCFG')!);
    expect(mcfg.byteLength).toBe(60);
    expect(readU64(mcfg, 44)).toBe(ECAM_BASE);
    expect([mcfg.getUint16(52, true), mcfg.getUint8(54), mcfg.getUint8(55)]).toEqual([0, 0, 0]);
  });
});
