import { describe, expect, it } from 'vitest';
import { GIB } from '../harness/sizes.ts';
import { activeSlots, counted, plugged } from './memory.ts';
import { useLinux } from './use-linux.ts';

const linux = useLinux({
  kernel: 'vmlinuz',
  append: 'pci=nomsi',
  virtioMem: ['id=big,size=64G,dynamic-memslots=off'],
});

describe('vmlinuz entered by the 64-bit protocol, one static slot, no MSI', () => {
  it('has an interrupt line for the device', async () => {
    const line = await linux().run('grep virtio0 /proc/interrupts');
    expect(line).toContain('IO-APIC');
    expect(line).not.toContain('MSI');
  });

  it('grows, shrinks to nothing and grows again in that one slot', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    const slots = [{ gpa: 4 * GIB, size: 64 * GIB }];
    expect(await activeSlots(guest.monitor, 'big')).toEqual(slots);
    for (const size of [2 * GIB, 0, GIB]) {
      await guest.request('big', `${size}`);
      await plugged(guest, 'big', size);
      await counted(guest, before + size);
      expect(await activeSlots(guest.monitor, 'big')).toEqual(slots);
    }
  });

  it('ends with 0 when the guest powers off', async () => {
    const guest = linux();
    guest.type('poweroff -f');
    expect(await guest.exit()).toEqual({ code: 0, signal: null });
    expect(guest.vm.serial.transcript).toContain('reboot: Power down');
  });
});
