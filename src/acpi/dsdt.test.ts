import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AcpiConfig } from './config.ts';
import { HEADER_SIZE } from './system-table.ts';
import { buildAcpiTables } from './tables.ts';

/*
 * The tables as ACPICA, the code that guests use, sees them.
 */

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const SMALL: AcpiConfig = { apicIds: [0], serial: false };
const LARGE: AcpiConfig = {
  apicIds: Array.from({ length: 300 }, (_, id) => id),
  serial: true,
  mmio64: { base: 2 ** 40, size: 2 ** 39 },
};

const NUMA: AcpiConfig = {
  ...LARGE,
  numa: {
    cpuNodes: LARGE.apicIds.map((id) => id % 3),
    memory: [
      { node: 0, base: 0, size: 0xc000_0000, hotPluggable: false },
      { node: 1, base: 2 ** 32, size: 2 ** 30, hotPluggable: false },
      { node: 2, base: 2 ** 33, size: 2 ** 43, hotPluggable: true },
    ],
    distances: [
      [10, 20, 255],
      [20, 10, 31],
      [40, 31, 10],
    ],
  },
};

/** The first node has nothing, the second memory alone. */
const BARE: AcpiConfig = {
  ...SMALL,
  numa: {
    cpuNodes: [2],
    memory: [{ node: 1, base: 0, size: 0xc000_0000, hotPluggable: false }],
    distances: [
      [10, 20, 20],
      [20, 10, 20],
      [20, 20, 10],
    ],
  },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-acpi-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function tableOf(config: AcpiConfig, signature: string): Uint8Array {
  const { tables } = buildAcpiTables(config);
  const found = tables.find(
    ({ bytes }) => Buffer.from(bytes.subarray(0, 4)).toString() === signature,
  );
  return found!.bytes;
}

const run = (program: string, args: string[]): string =>
  execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Writes a table, disassembles it. @returns ASL */
function disassemble(config: AcpiConfig, signature: string): string {
  writeFileSync(join(folder, `${signature}.dat`), tableOf(config, signature));
  run('iasl', ['-vs', '-d', `${signature}.dat`]);
  return readFileSync(join(folder, `${signature}.dsl`), 'utf8');
}

describe.skipIf(!isInstalled('iasl'))('with iasl installed', () => {
  it.each([
    ['DSDT', 'small', SMALL],
    ['DSDT', 'large', LARGE],
    ['FACP', 'large', LARGE],
    ['FACS', 'large', LARGE],
    ['APIC', 'small', SMALL],
    ['APIC', 'large', LARGE],
    ['MCFG', 'large', LARGE],
    ['XSDT', 'large', LARGE],
    ['XSDT', 'numa', NUMA],
    ['SRAT', 'numa', NUMA],
    ['DSDT', 'numa', NUMA],
    ['SRAT', 'bare nodes', BARE],
    ['DSDT', 'bare nodes', BARE],
    ['SLIT', 'numa', NUMA],
  ])('%s (%s) recompiles without a remark, to the same bytes', (signature, _, config) => {
    const asl = disassemble(config, signature);
    expect(asl).not.toMatch(/Invalid|Unknown|Error|Warning/);
    const report = run('iasl', ['-vs', '-we', '-oa', '-p', 'again', `${signature}.dsl`]);
    expect(report).toContain('0 Errors, 0 Warnings, 0 Remarks');
    const again = readFileSync(join(folder, 'again.aml'));
    // The compiler puts its own name, and so another checksum, into the header.
    const header = signature === 'FACS' ? 0 : HEADER_SIZE;
    const own = Buffer.from(tableOf(config, signature));
    expect(again.subarray(header).equals(own.subarray(header))).toBe(true);
  });

  it('reads nodes, ranges and distances as they were meant', () => {
    const srat = disassemble(NUMA, 'SRAT');
    const values = (name: string): string[] =>
      [...srat.matchAll(new RegExp(`${name} : (\\w+)`, 'g'))].map(([, value]) => value!);
    expect(values('Base Address')).toEqual(
      [0, 2 ** 32, 2 ** 33].map((base) => base.toString(16).toUpperCase().padStart(16, '0')),
    );
    expect(values('Hot Pluggable')).toEqual(['0', '0', '1']);
    expect(new Set(values('Enabled'))).toEqual(new Set(['1']));
    // By node: every third is in node 0.
    expect(values('Apic ID').slice(0, 2)).toEqual(['00', '03']);
    expect(disassemble(NUMA, 'SLIT')).toContain('28 1F 0A');
  });

  it('describes COM1 only when the machine has it', () => {
    expect(disassemble(LARGE, 'DSDT')).toContain('Device (COM1)');
    expect(disassemble(SMALL, 'DSDT')).not.toContain('COM1');
  });

  it('describes the 64-bit window only when there is one', () => {
    expect(disassemble(LARGE, 'DSDT')).toMatch(/QWordMemory[^)]*0x0000010000000000, /);
    expect(disassemble(SMALL, 'DSDT')).not.toContain('QWordMemory');
  });
});

describe.skipIf(!isInstalled('acpiexec'))('with acpiexec installed', () => {
  const evaluate = (what: string): string => {
    writeFileSync(join(folder, 'run.dat'), tableOf(LARGE, 'DSDT'));
    const output = run('acpiexec', ['-b', `evaluate ${what}`, 'run.dat']);
    expect(output).not.toMatch(/ACPI (BIOS )?(Error|Warning)|AE_/);
    return output;
  };
  const osc = (uuidTail: string, revision: number, capabilities: string): string => {
    const uuid = `5b 4d db 33 f7 1f 1c 40 96 57 74 41 c0 3d d7 ${uuidTail}`;
    const output = evaluate(`\\_SB.PCI0._OSC (${uuid}) ${revision} 3 (${capabilities})`);
    return /0000: ((?:[0-9A-F]{2} ){12})/.exec(output)?.[1]?.trim() ?? output;
  };

  it('_OSC grants native control of what is asked for', () => {
    const asked = '00 00 00 00 1F 00 00 00 1D 00 00 00';
    expect(osc('66', 1, asked)).toBe(asked);
  });

  it('_OSC takes back what it does not know, and says so', () => {
    const answer = osc('66', 1, '00 00 00 00 1F 00 00 00 FF 01 00 80');
    expect(answer).toBe('10 00 00 00 1F 00 00 00 3F 00 00 00');
  });

  it('_OSC names a wrong UUID and a wrong revision', () => {
    expect(osc('67', 1, '00 00 00 00 1F 00 00 00 1D 00 00 00')).toMatch(/^04 .* 1D 00 00 00$/);
    expect(osc('66', 2, '00 00 00 00 1F 00 00 00 1D 00 00 00')).toMatch(/^08 /);
  });

  it('_PRT spreads the slots over the eight interrupt lines', () => {
    const numbers = [...evaluate('\\_SB.PCI0._PRT').matchAll(/\[Integer\] = ([0-9A-F]{16})/g)].map(
      (match) => Number.parseInt(match[1]!, 16),
    );
    const rows = Array.from({ length: 128 }, (_, row) => numbers.slice(4 * row, 4 * row + 4));
    expect(numbers).toHaveLength(4 * 128);
    expect(rows.slice(0, 5)).toEqual([
      [0x0000_ffff, 0, 0, 16],
      [0x0000_ffff, 1, 0, 17],
      [0x0000_ffff, 2, 0, 18],
      [0x0000_ffff, 3, 0, 19],
      [0x0001_ffff, 0, 0, 20],
    ]);
    expect(rows[127]).toEqual([0x001f_ffff, 3, 0, 23]);
  });

  it('_S5 gives the sleep type', () => {
    expect(evaluate('\\_S5')).toMatch(/\[Integer\] = 0{15}5/);
  });
});
