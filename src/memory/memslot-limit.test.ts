import { describe, expect, it } from 'vitest';
import { addon } from '../kvm/addon.ts';
import { CAPABILITY } from '../kvm/capabilities.ts';
import { KvmSystem } from '../kvm/system.ts';
import { NO_KVM } from '../kvm/testing/tiny-guest.ts';
import { GIB, MIB, PAGE_SIZE } from '../units.ts';
import { MemslotTable } from './memslot-table.ts';

/** Small ones take little time and memory; one piece of host memory is enough for all. */
const SIZE = PAGE_SIZE;

describe.skipIf(NO_KVM !== '')('the memslots of this KVM', () => {
  it('can all be used, by two devices, and not one more', () => {
    const kvm = KvmSystem.open();
    const vm = kvm.createVm();
    const options = { alignment: SIZE, shared: false, noReserve: true, access: 'none' } as const;
    const mapping = addon.mapMemory({ ...options, size: 2 * MIB });
    try {
      const capacity = kvm.checkExtension(CAPABILITY.NR_MEMSLOTS);
      const table = new MemslotTable(vm, capacity);
      const add = (at: number) => {
        const gpa = 4 * GIB + at * SIZE;
        return table.add({ gpa, size: SIZE, mapping, offset: 0, owner: `vm${at % 2}` });
      };
      const slots = Array.from({ length: capacity }, (_, at) => add(at));
      expect(slots.at(-1)?.id).toBe(capacity - 1);
      const full = `vm${capacity % 2}: all ${capacity} memslots of this KVM are in use`;
      expect(() => add(capacity)).toThrow(full);
      // The table stops where KVM does.
      const beyond = { slot: capacity, flags: 0, gpa: GIB, size: SIZE, mapping, offset: 0 };
      expect(() => vm.setMemslot(beyond)).toThrow('EINVAL');
      const [, freed] = slots.filter(({ owner }) => owner === 'vm1');
      table.remove(freed!);
      expect(add(capacity).id).toBe(freed?.id);
      expect(table.active).toBe(capacity);
    } finally {
      vm.close();
      kvm.close();
      mapping.close();
    }
  });
});
