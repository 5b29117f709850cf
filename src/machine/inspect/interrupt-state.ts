import type { Vm } from '../../kvm/vm.ts';
import type { InterruptControllerInfo, IoApicPin, LocalApicInfo, PicInfo } from './inspection.ts';

/*
 * Interrupt controllers as KVM keeps them: struct kvm_irqchip (KVM API 4.26) is an id, padding and
 * the chip's own structure; struct kvm_lapic_state (4.57) the first KiB of the APIC's page.
 */
const CHIP = 8;
const IOAPIC = { id: CHIP + 12, irr: CHIP + 16, entries: CHIP + 24, pins: 24 } as const;
/** Registers are 32 bits, 16 bytes apart. */
const LAPIC_BYTES = 1024;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** struct kvm_pic_state, a byte each. */
function decodePic(bytes: Uint8Array): PicInfo {
  const field = (index: number): number => bytes[CHIP + index] ?? 0;
  return { irr: field(1), imr: field(2), isr: field(3), irqBase: field(5), elcr: field(14) };
}

/** struct kvm_ioapic_state. */
function decodePins(view: DataView): readonly IoApicPin[] {
  const requested = view.getUint32(IOAPIC.irr, true);
  return Array.from({ length: IOAPIC.pins }, (_, pin) => ({
    pin,
    entry: view.getBigUint64(IOAPIC.entries + pin * 8, true),
    requested: ((requested >>> pin) & 1) !== 0,
  }));
}

/** Reads the PICs and the I/O APIC. The vCPUs may run. */
export function interruptControllers(vm: Pick<Vm, 'getState'>): InterruptControllerInfo {
  const ioapic = viewOf(vm.getState('irqchip2'));
  return {
    pics: [decodePic(vm.getState('irqchip0')), decodePic(vm.getState('irqchip1'))],
    ioApicId: ioapic.getUint32(IOAPIC.id, true),
    pins: decodePins(ioapic),
  };
}

/** @param bytes struct kvm_lapic_state */
export function decodeLocalApic(cpu: number, bytes: Uint8Array): LocalApicInfo {
  if (bytes.length !== LAPIC_BYTES) throw new RangeError(`${bytes.length} bytes of a local APIC`);
  const view = viewOf(bytes);
  return { cpu, register: (offset) => view.getUint32(offset, true) };
}
