import { GSIS, PORTS } from '../memory/layout.ts';
import { ascii, type Field, u16, u32, u64, u8, zeros } from './fields.ts';
import { systemTable } from './system-table.ts';

export interface FadtAddresses {
  /** gpa */
  readonly facs: number;
  /** gpa */
  readonly dsdt: number;
}

/** What the guest writes to `PORTS.resetControl` to reset the machine. */
export const RESET_VALUE = 6;

/** Register of the RTC that counts centuries. */
const RTC_CENTURY = 0x32;

/** Bytes of the register blocks. */
const PM1_EVENT_LENGTH = 4;
const PM1_CONTROL_LENGTH = 2;
const PM_TIMER_LENGTH = 4;

/** Latencies (µs) above 100 and 1000 say that C2 and C3 do not exist. */
const NO_C2 = 101;
const NO_C3 = 1001;

/**
 * IA-PC boot architecture flags. The 8042 flag stays clear although port 0x64 resets: there is no
 * keyboard to probe for. The RTC exists, so bit 5 (not present) stays clear as well.
 */
const LEGACY_DEVICES = 1 << 0;
const VGA_NOT_PRESENT = 1 << 2;

/**
 * Fixed feature flags. PWR_BUTTON clear: the power button is a fixed one. SLP_BUTTON and FIX_RTC
 * set: no fixed sleep button, no wake-up by the RTC. TMR_VAL_EXT clear: the timer has 24 bits.
 */
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
const SLP_BUTTON = 1 << 5;
const FIX_RTC = 1 << 6;
const RESET_REG_SUP = 1 << 10;

/** Generic address structure of a block of ports (ACPI 6.5 §5.2.3.2). */
function portBlock(port: number, length: number, accessBytes: number): Field {
  const systemIo = 1;
  return [u8(systemIo), u8(8 * length), u8(0), u8(Math.log2(accessBytes) + 1), u64(port)].flat();
}
const NO_BLOCK = zeros(12);

/** The fields of ACPI 1.0, from byte 36 on. */
function legacyFields({ facs, dsdt }: FadtAddresses): Field[] {
  return [
    u32(facs),
    u32(dsdt),
    u8(0),
    u8(0), // preferred profile: unspecified
    u16(GSIS.acpiSci),
    u32(0), // SMI_CMD: no SMI, the machine is always in ACPI mode
    zeros(4), // ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT
    u32(PORTS.acpiPm1Event),
    u32(0), // PM1b event
    u32(PORTS.acpiPm1Control),
    u32(0), // PM1b control
    u32(0), // PM2 control
    u32(PORTS.acpiPmTimer),
    zeros(8), // GPE0, GPE1
    u8(PM1_EVENT_LENGTH),
    u8(PM1_CONTROL_LENGTH),
    u8(0), // PM2
    u8(PM_TIMER_LENGTH),
    zeros(4), // GPE0 and GPE1 lengths, GPE1 base, CST_CNT
    u16(NO_C2),
    u16(NO_C3),
    zeros(6), // FLUSH_SIZE, FLUSH_STRIDE, DUTY_OFFSET, DUTY_WIDTH
    zeros(2), // the RTC's alarm has neither day nor month
    u8(RTC_CENTURY),
    u16(LEGACY_DEVICES | VGA_NOT_PRESENT),
    u8(0),
    u32(WBINVD | PROC_C1 | SLP_BUTTON | FIX_RTC | RESET_REG_SUP),
  ];
}

/**
 * Fixed hardware: PM registers, power button, reset.
 *
 * @see ACPI 6.5 §5.2.9
 */
export function buildFadt(addresses: FadtAddresses): Uint8Array {
  return systemTable('FACP', 6, [
    ...legacyFields(addresses),
    portBlock(PORTS.resetControl, 1, 1),
    u8(RESET_VALUE),
    u16(0), // Arm boot flags
    u8(5), // minor revision
    u64(0), // X_FIRMWARE_CTRL must be 0 when FIRMWARE_CTRL is given
    u64(addresses.dsdt),
    portBlock(PORTS.acpiPm1Event, PM1_EVENT_LENGTH, 2),
    NO_BLOCK, // PM1b event
    portBlock(PORTS.acpiPm1Control, PM1_CONTROL_LENGTH, 2),
    NO_BLOCK, // PM1b control
    NO_BLOCK, // PM2 control
    portBlock(PORTS.acpiPmTimer, PM_TIMER_LENGTH, 4),
    NO_BLOCK, // GPE0
    NO_BLOCK, // GPE1
    NO_BLOCK, // sleep control: hardware-reduced machines only
    NO_BLOCK, // sleep status
    ascii('TSVMM', 8), // hypervisor vendor
  ]);
}
