import { ConfigError } from '../errors.ts';
import { BIOS_AREA_BASE, BIOS_AREA_SIZE } from '../memory/layout.ts';
import { alignUp, formatSize } from '../units.ts';
import { type AcpiConfig, checkAcpiConfig } from './config.ts';
import { buildDsdt } from './dsdt.ts';
import { buildFacs, FACS_SIZE } from './facs.ts';
import { buildFadt } from './fadt.ts';
import { buildMadt } from './madt.ts';
import { buildMcfg } from './mcfg.ts';
import { buildRsdp, RSDP_SIZE } from './rsdp.ts';
import { buildSlit } from './slit.ts';
import { buildSrat } from './srat.ts';
import { buildXsdt } from './xsdt.ts';

export interface PlacedTable {
  readonly gpa: number;
  readonly bytes: Uint8Array;
}

export interface AcpiTables {
  /** Everything to be written to guest memory; none overlaps another. */
  readonly tables: readonly PlacedTable[];
  /** gpa of the root pointer, for whoever boots the guest. */
  readonly rsdp: number;
}

const TABLE_ALIGNMENT = 16;

/** Hands out addresses in the BIOS area, one after the other. */
class BiosArea {
  readonly tables: PlacedTable[] = [];
  #next: number;

  constructor(start: number) {
    this.#next = start;
  }

  place(bytes: Uint8Array, alignment = TABLE_ALIGNMENT): number {
    const gpa = alignUp(this.#next, alignment);
    this.tables.push({ gpa, bytes });
    this.#next = gpa + bytes.length;
    return gpa;
  }

  get sizeBytes(): number {
    return this.#next - BIOS_AREA_BASE;
  }
}

/**
 * Builds the ACPI tables and places them in the BIOS area.
 *
 * @throws ConfigError when the machine cannot be described, or its tables do not fit the area
 */
export function buildAcpiTables(config: AcpiConfig): AcpiTables {
  checkAcpiConfig(config);
  const rsdp = BIOS_AREA_BASE;
  const area = new BiosArea(rsdp + RSDP_SIZE);
  const facs = area.place(buildFacs(), FACS_SIZE);
  const dsdt = area.place(buildDsdt(config));
  // What the XSDT lists, the FADT first.
  const { numa } = config;
  const nodes = numa === undefined ? [] : [buildSrat(config, numa), buildSlit(numa)];
  const listed = [buildFadt({ facs, dsdt }), buildMadt(config), buildMcfg(), ...nodes];
  const xsdt = area.place(buildXsdt(listed.map((table) => area.place(table))));
  if (area.sizeBytes > BIOS_AREA_SIZE) {
    const taken = formatSize(area.sizeBytes);
    throw new ConfigError(
      'ACPI_TOO_LARGE',
      `cpus=${config.apicIds.length}: the ACPI tables take ${taken}, the BIOS area has ${formatSize(BIOS_AREA_SIZE)}`,
    );
  }
  return { tables: [{ gpa: rsdp, bytes: buildRsdp(xsdt) }, ...area.tables], rsdp };
}
