import { describe, expect, it } from 'vitest';
import type { NativeMapping } from '../kvm/addon.ts';
import { GIB, MIB, TIB } from '../units.ts';
import type { Backing } from './backing.ts';
import { chooseWindowSize, MemslotContainer } from './memslot-container.ts';
import { MemslotTable } from './memslot-table.ts';

/** Records what KVM would be told; the ioctls themselves are tested with the addon. */
class RecordingHost {
  readonly slots = new Map<number, { gpa: number; size: number }>();
  refuse = false;

  setMemslot(memslot: { slot: number; gpa: number; size: number }): void {
    if (this.refuse) throw new Error('ENOMEM');
    this.slots.set(memslot.slot, { gpa: memslot.gpa, size: memslot.size });
  }

  deleteMemslot(slot: number): void {
    if (!this.slots.delete(slot)) throw new Error(`no slot ${slot}`);
  }

  deleteMemslots(slots: Uint32Array): Promise<void> {
    for (const slot of slots) this.deleteMemslot(slot);
    return Promise.resolve();
  }
}

const mapping = {} as NativeMapping;
const backing = (size: number): Backing => ({ size, mapping }) as Backing;

describe('chooseWindowSize', () => {
  it('keeps a GiB as the floor', () => {
    expect(chooseWindowSize(TIB, 2 * MIB, 32_756)).toBe(GIB);
  });
  it('grows when the budget is small', () => {
    expect(chooseWindowSize(TIB, 2 * MIB, 100)).toBe(Math.ceil(TIB / 100 / (2 * MIB)) * 2 * MIB);
  });
  it('is never below the block size', () => {
    expect(chooseWindowSize(64 * GIB, 2 * GIB, 1000)).toBe(2 * GIB);
  });
  it('is one slot for a small region or no budget', () => {
    expect(chooseWindowSize(512 * MIB, 2 * MIB, 1000)).toBe(512 * MIB);
    expect(chooseWindowSize(TIB, 2 * MIB, 1)).toBe(TIB);
    expect(chooseWindowSize(TIB, 2 * MIB, 0)).toBe(TIB);
  });
});

describe('MemslotContainer', () => {
  it('makes a shorter last slot and reuses ids', async () => {
    const host = new RecordingHost();
    const table = new MemslotTable(host, 100);
    const size = 2 * GIB + 512 * MIB;
    const options = { table, backing: backing(size), gpa: 4 * GIB, windowSize: GIB, owner: 'vm0' };
    const container = new MemslotContainer(options);
    expect(container.windowCount).toBe(3);
    container.activate(2);
    container.activate(2);
    container.activate(0);
    expect([...host.slots.values()]).toEqual([
      { gpa: 6 * GIB, size: 512 * MIB },
      { gpa: 4 * GIB, size: GIB },
    ]);
    await container.deactivateAll([2]);
    container.activate(1);
    expect(host.slots.get(0)).toEqual({ gpa: 5 * GIB, size: GIB });
    expect(container.activeWindows()).toEqual([0, 1]);
    expect(table.list().map((it) => it.gpa)).toEqual([4 * GIB, 5 * GIB]);
  });

  it('is unchanged when KVM refuses', () => {
    const host = new RecordingHost();
    const table = new MemslotTable(host, 100);
    const container = new MemslotContainer({
      table,
      backing: backing(2 * GIB),
      gpa: 0,
      windowSize: GIB,
      owner: 'vm0',
    });
    host.refuse = true;
    expect(() => container.activate(0)).toThrow('ENOMEM');
    expect(container.isActive(0)).toBe(false);
    host.refuse = false;
    container.activate(1);
    expect(table.list()[0]?.id).toBe(0);
  });
});

describe('MemslotTable', () => {
  it('says whose request found the table full', () => {
    const table = new MemslotTable(new RecordingHost(), 2);
    const request = { size: GIB, mapping, offset: 0, owner: 'vm0' };
    table.add({ ...request, gpa: 0 });
    table.add({ ...request, gpa: GIB });
    expect(() => table.add({ ...request, gpa: 2 * GIB, owner: 'vm1' })).toThrow(
      'vm1: all 2 memslots of this KVM are in use',
    );
  });

  it('hands out the lowest free id', () => {
    const table = new MemslotTable(new RecordingHost(), 100);
    const request = { size: GIB, mapping, offset: 0, owner: 'vm0' };
    const slots = [0, 1, 2, 3].map((it) => table.add({ ...request, gpa: it * GIB }));
    for (const index of [1, 3, 0]) table.remove(slots[index] ?? slots[0]!);
    expect(table.add({ ...request, gpa: 0 }).id).toBe(0);
    expect(table.add({ ...request, gpa: GIB }).id).toBe(1);
    expect(table.add({ ...request, gpa: 8 * GIB }).id).toBe(3);
    expect(table.add({ ...request, gpa: 9 * GIB }).id).toBe(4);
  });

  it('hands out what was removed together, lowest first', async () => {
    const table = new MemslotTable(new RecordingHost(), 100);
    const request = { size: GIB, mapping, offset: 0, owner: 'vm0' };
    const slots = Array.from({ length: 6 }, (_, at) => table.add({ ...request, gpa: at * GIB }));
    table.remove(slots[3]!);
    await table.removeAll([slots[4]!, slots[0]!, slots[2]!]);
    expect(table.active).toBe(2);
    const ids = Array.from({ length: 5 }, (_, at) => table.add({ ...request, gpa: at * GIB }).id);
    expect(ids).toEqual([0, 2, 3, 4, 6]);
  });

  it('promises no more than there is', () => {
    const table = new MemslotTable(new RecordingHost(), 20);
    table.promise(10, 'vm0');
    expect(table.available).toBe(2);
    expect(() => table.promise(3, 'vm1')).toThrow('vm1 wants 3 memslots, 2 of this KVM');
  });
});
