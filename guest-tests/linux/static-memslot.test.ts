import { describe, expect, it } from 'vitest';
import { GIB } from '../harness/sizes.ts';
import { activeSlots, resized } from './memory.ts';
import { useLinux } from './use-linux.ts';

const linux = useLinux({
  kernel: 'vmlinuz',
  append: 'pci=nomsi',
  virtioMem: ['id=big,size=64G,dynamic-memslots=off'],
});

describe('vmlinuz entered by the 64-bit protocol, one static slot, no MSI', () => {
  it('has an interrupt line for the device', async () => {
    const guest = linux();
    expect(await guest.interruptModes('virtio0')).toEqual([]);
    expect(await guest.number('grep -c virtio0 /proc/interrupts')).toBe(1);
  });

  it('grows, shrinks to nothing and grows again in that one slot', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    const slots = [{ gpa: 4 * GIB, size: 64 * GIB }];
    expect(await activeSlots(guest.monitor, 'big')).toEqual(slots);
    for (const size of [2 * GIB, 0, GIB]) {
      await resized(guest, 'big', size, before + size);
      expect(await activeSlots(guest.monitor, 'big')).toEqual(slots);
    }
    expect(await guest.number(`awk '/virtio0/ { print $2 }' /proc/interrupts`)).toBeGreaterThan(0);
  });

  it('ends with 0 when the guest powers off', async () => {
    const guest = linux();
    guest.type('poweroff -f');
    expect(await guest.exit()).toEqual({ code: 0, signal: null });
  });
});
