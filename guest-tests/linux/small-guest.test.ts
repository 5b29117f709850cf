import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { activeSlots, counted, memoryDevice, plugged } from './memory.ts';
import { useLinux } from './use-linux.ts';

const linux = useLinux({
  memory: '256M',
  virtioMem: ['size=1T,dynamic-memslots=on', 'size=8G,dynamic-memslots=on,memslot-size=128M'],
  args: ['--no-reboot'],
});

describe('256 MiB of boot memory and two devices', () => {
  it('grows by 1 GiB and can use it', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    expect(before).toBeLessThan(256 * MIB);
    await guest.request('vm0', '1G');
    await plugged(guest, 'vm0', GIB);
    await counted(guest, before + GIB);
    // More than there is without the device.
    await guest.run('mount -t tmpfs -o size=600M tmpfs /mnt');
    await guest.run('dd if=/dev/zero of=/mnt/file bs=1M count=500 2>&1');
    expect(await guest.number('stat -c %s /mnt/file')).toBe(500 * MIB);
    await guest.run('umount /mnt');
  });

  it('takes from each device what is requested of it', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    const { memaddr } = await memoryDevice(guest.monitor, 'vm1');
    await guest.request('vm1', '512M');
    await plugged(guest, 'vm1', 512 * MIB);
    await counted(guest, before + 512 * MIB);
    expect(await guest.onlineBlocks(memaddr)).toHaveLength(4);
    expect(await activeSlots(guest.monitor, 'vm1')).toHaveLength(4);
    expect(await activeSlots(guest.monitor, 'vm0')).toHaveLength(1);
    await guest.request('vm0', '0');
    await plugged(guest, 'vm0', 0);
    expect((await memoryDevice(guest.monitor, 'vm1')).size).toBe(512 * MIB);
    await counted(guest, before + 512 * MIB - GIB);
    expect(await activeSlots(guest.monitor, 'vm0')).toEqual([]);
  });

  it('ends with 0 instead of rebooting when told so', async () => {
    const guest = linux();
    guest.type('reboot -f');
    expect(await guest.exit()).toEqual({ code: 0, signal: null });
  });
});
