import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addon, type NativeMapping } from '../kvm/addon.ts';
import { KvmSystem } from '../kvm/system.ts';
import { NO_KVM } from '../kvm/testing/tiny-guest.ts';
import type { Vm } from '../kvm/vm.ts';
import { memslotMetadataBytes } from '../memory/memslot-cost.ts';
import { GIB, KIB, MIB, PAGE_SIZE, TIB } from '../units.ts';
import { physicalAddressBits } from './cpuid.ts';
import { describeModel, inspectHostKvm, metadataModel } from './host-kvm.ts';

/** Others on this host take and free kernel memory meanwhile: the middle of so many counts. */
const ROUNDS = 7;
/** What is measured should be more than others take, and less than hurts. */
const ENOUGH = 64 * MIB;
/** KVM has no larger ones (KVM_MEM_MAX_NR_PAGES is 2^31 - 1). */
const LARGEST_SLOT = 4 * TIB;
/** KVM_MEM_LOG_DIRTY_PAGES. */
const LOG_DIRTY_PAGES = 1;

const MODEL = NO_KVM === '' ? metadataModel(inspectHostKvm()) : undefined;

/** What the kernel has taken by vmalloc, in bytes. */
function vmallocUsed(): number {
  const meminfo = readFileSync('/proc/meminfo', 'utf8');
  return Number(/^VmallocUsed:\s*(\d+) kB$/m.exec(meminfo)?.[1]) * KIB;
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe.skipIf(MODEL === undefined)(
  `memslots cost what is said of this KVM: ${MODEL === undefined ? '' : describeModel(MODEL)}`,
  () => {
    let kvm: KvmSystem;
    let vm: Vm;
    let mapping: NativeMapping;
    let addressLimit: number;

    beforeEach(() => {
      kvm = KvmSystem.open();
      vm = kvm.createVm();
      addressLimit = 2 ** physicalAddressBits(kvm.supportedCpuid());
      const most = Math.min(LARGEST_SLOT, addressLimit / 4);
      const options = {
        alignment: PAGE_SIZE,
        shared: false,
        noReserve: true,
        access: 'none',
      } as const;
      mapping = addon.mapMemory({ ...options, size: most });
    });
    afterEach(() => {
      vm.close();
      kvm.close();
      mapping.close();
    });

    /** As large a slot as is needed to see what it costs, and how many of them. */
    function measurable(costOf: (size: number) => number): { size: number; count: number } {
      let size = GIB;
      while (costOf(size) < ENOUGH && 2 * size <= Math.min(LARGEST_SLOT, addressLimit / 4))
        size *= 2;
      const most = Math.floor(addressLimit / size) - 1;
      return { size, count: Math.min(most, Math.ceil(ENOUGH / costOf(size))) };
    }

    function set(size: number, count: number, flags: number): number {
      const before = vmallocUsed();
      for (let slot = 0; slot < count; slot++) {
        vm.setMemslot({ slot, flags, gpa: (slot + 1) * size, size, mapping, offset: 0 });
      }
      return vmallocUsed() - before;
    }

    function remove(count: number): void {
      for (let slot = 0; slot < count; slot++) vm.deleteMemslot(slot);
    }

    it('within a tenth', () => {
      const costOf = (size: number): number => memslotMetadataBytes(size, MODEL!);
      const { size, count } = measurable(costOf);
      const taken = Array.from({ length: ROUNDS }, () => {
        const growth = set(size, count, 0);
        remove(count);
        return growth;
      });
      const measured = middle(taken) / (count * costOf(size));
      expect(measured, `${taken.join(', ')} for ${count} of ${size}`).toBeGreaterThan(0.9);
      expect(measured, `${taken.join(', ')} for ${count} of ${size}`).toBeLessThan(1.1);
    });

    it('and two bits for each page while what is written is logged', () => {
      const bitmaps = (size: number): number => (2 * size) / PAGE_SIZE / 8;
      const size = Math.min(64 * GIB, addressLimit / 4);
      const taken = Array.from({ length: ROUNDS }, () => {
        set(size, 1, 0);
        const growth = set(size, 1, LOG_DIRTY_PAGES);
        remove(1);
        return growth;
      });
      const measured = middle(taken) / bitmaps(size);
      expect(measured, taken.join(', ')).toBeGreaterThan(0.9);
      expect(measured, taken.join(', ')).toBeLessThan(1.1);
    });
  },
);
