import { GSIS, IOAPIC_BASE, LAPIC_BASE } from '../memory/layout.ts';
import type { AcpiConfig } from './config.ts';
import { type Field, u16, u32, u8 } from './fields.ts';
import { systemTable } from './system-table.ts';

const PCAT_COMPAT = 1;
const LAPIC_ENABLED = 1;
const ALL_PROCESSORS = 0xff;
const ALL_PROCESSORS_X2APIC = 0xffff_ffff;

/** MPS INTI flags (ACPI 6.5 table 5.26). */
const CONFORMS_TO_BUS = 0;
const LEVEL_ACTIVE_HIGH = 0b1101;

/** From this id on, and for such UIDs, the one-byte fields of a local APIC entry do not do. */
const FIRST_X2APIC = 255;

function processor(uid: number, apicId: number): Field {
  if (apicId < FIRST_X2APIC && uid < FIRST_X2APIC) {
    return [u8(0), u8(8), u8(uid), u8(apicId), u32(LAPIC_ENABLED)].flat();
  }
  return [u8(9), u8(16), u16(0), u32(apicId), u32(LAPIC_ENABLED), u32(uid)].flat();
}

function ioApic(): Field {
  return [u8(1), u8(12), u8(0), u8(0), u32(IOAPIC_BASE), u32(0)].flat();
}

function sourceOverride(irq: number, target: number, flags: number): Field {
  return [u8(2), u8(10), u8(0), u8(irq), u32(target), u16(flags)].flat();
}

/** NMI is wired to LINT1 of every processor. */
function nmi(hasX2apic: boolean): Field {
  const xapic = [u8(4), u8(6), u8(ALL_PROCESSORS), u16(CONFORMS_TO_BUS), u8(1)];
  const x2apic = [u8(10), u8(12), u16(CONFORMS_TO_BUS), u32(ALL_PROCESSORS_X2APIC), u8(1)];
  return [...xapic, ...(hasX2apic ? [...x2apic, u8(0), u16(0)] : [])].flat();
}

/**
 * Processors and interrupt controllers. KVM's I/O APIC takes the level of a line as it is, so the
 * SCI is active-high; the timer's ISA interrupt 0 arrives at pin 2, as on any PC.
 *
 * @see ACPI 6.5 §5.2.12
 */
export function buildMadt({ apicIds }: AcpiConfig): Uint8Array {
  const hasX2apic = apicIds.some((id, uid) => id >= FIRST_X2APIC || uid >= FIRST_X2APIC);
  return systemTable('APIC', 5, [
    u32(LAPIC_BASE),
    u32(PCAT_COMPAT),
    ...apicIds.map((id, uid) => processor(uid, id)),
    ioApic(),
    sourceOverride(0, 2, CONFORMS_TO_BUS),
    sourceOverride(GSIS.acpiSci, GSIS.acpiSci, LEVEL_ACTIVE_HIGH),
    nmi(hasX2apic),
  ]);
}
