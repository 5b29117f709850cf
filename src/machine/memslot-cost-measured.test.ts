import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addon, type NativeMapping } from '../kvm/addon.ts';
import { KvmSystem } from '../kvm/system.ts';
import { NestingGuest } from '../kvm/testing/nesting-guest.ts';
import { NO_KVM } from '../kvm/testing/tiny-guest.ts';
import type { Vm } from '../kvm/vm.ts';
import { memslotMetadataBytes, whenNesting } from '../memory/memslot-cost.ts';
import { GIB, KIB, MIB, PAGE_SIZE, TIB } from '../units.ts';
import { physicalAddressBits } from './cpuid.ts';
import { describeModel, inspectHostKvm, metadataModel } from './host-kvm.ts';

/** Others on this host take and free kernel memory meanwhile: what counts is a quiet round. */
const ROUNDS = 100;
/** What is measured should be more than others take, and less than hurts. */
const ENOUGH = 64 * MIB;
/** KVM has no larger ones (KVM_MEM_MAX_NR_PAGES is 2^31 - 1). */
const LARGEST_SLOT = 4 * TIB;
/** KVM_MEM_LOG_DIRTY_PAGES. */
const LOG_DIRTY_PAGES = 1;

const HOST = NO_KVM === '' ? inspectHostKvm() : undefined;
const MODEL = HOST === undefined ? undefined : metadataModel(HOST);
/** The guest that runs a guest is one for SVM. */
const CAN_NEST = HOST?.module === 'kvm_amd' && HOST.nesting;

/** What the kernel has taken by vmalloc, in bytes. */
function vmallocUsed(): number {
  const meminfo = readFileSync('/proc/meminfo', 'utf8');
  return Number(/^VmallocUsed:\s*(\d+) kB$/m.exec(meminfo)?.[1]) * KIB;
}

/**
 * What `take` takes, in bytes: of the first rounds in which `giveBack` gives as much back, since then
 * nobody else had a part in it.
 */
function takenInQuiet(take: () => void, giveBack: () => void): number {
  for (let round = 0; round < ROUNDS; round++) {
    const before = vmallocUsed();
    take();
    const most = vmallocUsed();
    giveBack();
    const [taken, given] = [most - before, most - vmallocUsed()];
    if (Math.abs(taken - given) < 0.01 * Math.max(taken, given)) return taken;
  }
  throw new Error(`others changed VmallocUsed in each of ${ROUNDS} rounds`);
}

function expectClose(taken: number, claimed: number): void {
  expect(taken / claimed, `${taken} taken, ${claimed} claimed`).toBeGreaterThan(0.9);
  expect(taken / claimed, `${taken} taken, ${claimed} claimed`).toBeLessThan(1.1);
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

    function set(size: number, count: number, flags: number): void {
      for (let slot = 0; slot < count; slot++) {
        vm.setMemslot({ slot, flags, gpa: (slot + 1) * size, size, mapping, offset: 0 });
      }
    }

    function remove(count: number): void {
      for (let slot = 0; slot < count; slot++) vm.deleteMemslot(slot);
    }

    it('within a tenth', () => {
      const costOf = (size: number): number => memslotMetadataBytes(size, MODEL!);
      const { size, count } = measurable(costOf);
      const taken = takenInQuiet(
        () => set(size, count, 0),
        () => remove(count),
      );
      expectClose(taken, count * costOf(size));
    });

    it('and two bits for each page while what is written is logged', () => {
      const size = Math.min(64 * GIB, addressLimit / 4);
      set(size, 1, 0);
      const taken = takenInQuiet(
        () => set(size, 1, LOG_DIRTY_PAGES),
        () => set(size, 1, 0),
      );
      expectClose(taken, (2 * size) / PAGE_SIZE / 8);
    });

    it.skipIf(!CAN_NEST)('and all of it once the guest has run a guest of its own', async () => {
      const costOf = (size: number): number => memslotMetadataBytes(size, whenNesting(MODEL!));
      const { size } = measurable(costOf);
      const guest = new NestingGuest(HOST!.tdp);
      try {
        const slot = { slot: 1, flags: 0, gpa: size, size, mapping, offset: 0 };
        guest.outer.vm.setMemslot(slot);
        const before = vmallocUsed();
        await guest.run();
        const later = vmallocUsed() - before;
        // As much as had been left out. Others may have a part in it: half of it is enough.
        const leftOut = costOf(size) - memslotMetadataBytes(size, MODEL!);
        expect(later).toBeGreaterThanOrEqual(leftOut / 2);
        const remove = (): void => guest.outer.vm.deleteMemslot(1);
        remove();
        expectClose(
          takenInQuiet(() => guest.outer.vm.setMemslot(slot), remove),
          costOf(size),
        );
      } finally {
        guest.close();
      }
    });
  },
);
