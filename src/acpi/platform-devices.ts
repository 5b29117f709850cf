import { ECAM_BASE, ECAM_SIZE, GSIS, PORTS } from '../memory/layout.ts';
import { type Aml, device, eisaId, integer, name, string } from './aml.ts';
import { fixedMemory32, ioPorts, isaInterrupt, resources } from './resources.ts';

/** Event, control and timer registers, up to the end of the timer. */
const PM_PORTS = PORTS.acpiPmTimer + 4 - PORTS.acpiPm1Event;

/** What is taken although no other device says so: guests must not put anything there. */
export function motherboardResources(): Aml {
  return device('MBRD', [
    name('_HID', eisaId('PNP0C02')),
    name('_UID', integer(0)),
    name(
      '_CRS',
      resources([
        fixedMemory32(ECAM_BASE, ECAM_SIZE),
        ioPorts(PORTS.systemControlA, 1),
        ioPorts(PORTS.acpiPm1Event, PM_PORTS),
      ]),
    ),
  ]);
}

export function serialPort(): Aml {
  return device('COM1', [
    name('_HID', eisaId('PNP0501')),
    name('_UID', integer(1)),
    name('_CRS', resources([ioPorts(PORTS.com1, 8), isaInterrupt(GSIS.com1)])),
  ]);
}

export function realTimeClock(): Aml {
  return device('RTC0', [
    name('_HID', eisaId('PNP0B00')),
    name('_CRS', resources([ioPorts(PORTS.rtcIndex, 2), isaInterrupt(GSIS.rtc)])),
  ]);
}

/** @param uid  as in the MADT, 0 to 4095 */
export function processorDevice(uid: number): Aml {
  const digits = uid.toString(16).toUpperCase().padStart(3, '0');
  return device(`C${digits}`, [name('_HID', string('ACPI0007')), name('_UID', integer(uid))]);
}
