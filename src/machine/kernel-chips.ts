import { IOAPIC_BASE, LAPIC_BASE } from '../memory/layout.ts';
import type { RegionInfo } from './control.ts';

const chip = (start: number, size: number, name: string): RegionInfo => ({
  start,
  size,
  kind: 'i/o',
  name,
});

/** MMIO of the chips that KVM itself is (KVM_CREATE_IRQCHIP): no access to them comes to the VMM. */
export const KERNEL_MMIO: readonly RegionInfo[] = [
  chip(IOAPIC_BASE, 0x100, 'kvm-ioapic'),
  // Where each vCPU has its own, until the guest moves it.
  chip(LAPIC_BASE, 0x1000, 'kvm-lapic'),
];

/** Likewise their ports: the PICs with their edge/level registers, the timer with the speaker's gate. */
export const KERNEL_PORTS: readonly RegionInfo[] = [
  chip(0x20, 2, 'kvm-pic first'),
  chip(0x40, 4, 'kvm-pit counters'),
  chip(0x61, 1, 'kvm-pit speaker'),
  chip(0xa0, 2, 'kvm-pic second'),
  chip(0x4d0, 2, 'kvm-pic elcr'),
];
