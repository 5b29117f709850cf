import { ECAM_BUSES, GSIS, PCI_MMIO32_BASE, PCI_MMIO32_SIZE, PORTS } from '../memory/layout.ts';
import {
  type Aml,
  and,
  arg,
  device,
  dwordField,
  eisaId,
  equal,
  integer,
  method,
  name,
  not,
  or,
  otherwise,
  pack,
  path,
  ret,
  uuid,
  when,
} from './aml.ts';
import type { AcpiConfig, AddressWindow } from './config.ts';
import {
  busWindow,
  ioPorts,
  ioWindow,
  memoryWindow32,
  memoryWindow64,
  resources,
} from './resources.ts';

const SLOTS = 32;
const PINS = 4;
/** Ports below the configuration ports belong to ISA devices. */
const ISA_PORTS = { base: 0, size: PORTS.pciConfigAddress };
const CONFIG_PORTS = 8;

/** PCI Firmware 3.3 §4.5.1. */
const HOST_BRIDGE_UUID = '33db4d5b-1ff7-401c-9657-7441c03dd766';
const STATUS_UNRECOGNIZED_UUID = 1 << 2;
const STATUS_UNRECOGNIZED_REVISION = 1 << 3;
const STATUS_CAPABILITIES_MASKED = 1 << 4;
/** Hot-plug (PCIe, SHPC), PME, AER, the PCIe capability, LTR. */
const GRANTED_CONTROLS = 0x3f;

function currentResources(mmio64: AddressWindow | undefined): Aml {
  return resources([
    busWindow({ base: 0, size: ECAM_BUSES }),
    ioPorts(PORTS.pciConfigAddress, CONFIG_PORTS),
    ioWindow(ISA_PORTS),
    ioWindow({ base: PORTS.pciIoBase, size: PORTS.pciIoSize }),
    memoryWindow32({ base: PCI_MMIO32_BASE, size: PCI_MMIO32_SIZE }),
    ...(mmio64 === undefined ? [] : [memoryWindow64(mmio64)]),
  ]);
}

/** GSI that pin 0 to 3 (INTA to INTD) of a slot is wired to. */
function intxGsi(slot: number, pin: number): number {
  return GSIS.pciIntxBase + ((slot * PINS) % GSIS.pciIntxCount) + pin;
}

function interruptRouting(): Aml {
  const entries: Aml[] = [];
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const allFunctions = slot * 0x1_0000 + 0xffff;
    for (let pin = 0; pin < PINS; pin += 1) {
      const gsi = intxGsi(slot, pin);
      // No link device: the third element is 0 and the fourth a GSI.
      entries.push(pack([integer(allFunctions), integer(pin), integer(0), integer(gsi)]));
    }
  }
  return pack(entries);
}

/**
 * Hands the controls over: no firmware uses any of them. What is not in GRANTED_CONTROLS is
 * taken out of the answer, which says so.
 *
 * @see ACPI 6.5 §6.2.11; PCI Firmware 3.3 §4.5.1
 */
function operatingSystemCapabilities(): Aml {
  const capabilities = arg(3);
  const status = path('CDW1');
  const control = path('CDW3');
  const flag = (bit: number): Aml => or(status, integer(bit), status);
  const granted = and(control, integer(GRANTED_CONTROLS), [0]);
  return method('_OSC', { args: 4, serialized: true }, [
    dwordField(capabilities, 0, 'CDW1'),
    when(equal(arg(0), uuid(HOST_BRIDGE_UUID)), [
      dwordField(capabilities, 8, 'CDW3'),
      when(not(equal(arg(1), integer(1))), [flag(STATUS_UNRECOGNIZED_REVISION)]),
      when(not(equal(granted, control)), [flag(STATUS_CAPABILITIES_MASKED)]),
      and(control, integer(GRANTED_CONTROLS), control),
    ]),
    otherwise([flag(STATUS_UNRECOGNIZED_UUID)]),
    ret(capabilities),
  ]);
}

/** The PCI Express host bridge, `PCI0`, to be put into `\_SB`. */
export function hostBridge({ mmio64, numa }: Pick<AcpiConfig, 'mmio64' | 'numa'>): Aml {
  return device('PCI0', [
    name('_HID', eisaId('PNP0A08')),
    name('_CID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name('_SEG', integer(0)),
    name('_BBN', integer(0)),
    // Without it a guest with nodes complains that the bus is in none.
    ...(numa === undefined ? [] : [name('_PXM', integer(0))]),
    name('_CRS', currentResources(mmio64)),
    name('_PRT', interruptRouting()),
    operatingSystemCapabilities(),
  ]);
}
