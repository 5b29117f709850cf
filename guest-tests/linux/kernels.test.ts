import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { kernelVersion, type LinuxOptions } from './linux-guest.ts';
import { activeSlots, counted, memoryDevice, plugged, POLL } from './memory.ts';
import { useLinux } from './use-linux.ts';

const GUESTS: readonly Required<Pick<LinuxOptions, 'release' | 'online' | 'kernel'>>[] = [
  { release: 'installed', online: 'online', kernel: 'vmlinuz' },
  { release: 'newest', online: 'online_movable', kernel: 'vmlinux' },
  { release: 'newest', online: 'online', kernel: 'vmlinuz' },
];

describe.each(GUESTS)("Debian's $release kernel, hotplugged memory $online", (options) => {
  const linux = useLinux({
    ...options,
    memory: '512M',
    virtioMem: ['size=1T,dynamic-memslots=on'],
  });

  it('is the kernel that it should be, and complains of nothing', async () => {
    const guest = linux();
    expect(await guest.run('uname -r')).toBe(`${kernelVersion(options.release)}\n`);
    expect(await guest.logged('ACPI( BIOS)? (Error|Warning|Exception)|Firmware (Bug|Warn)')).toBe(
      '',
    );
    expect(await guest.logged('WARNING:.* at [^ ]*(virtio|smpboot|topology|mm/)')).toBe('');
  });

  it('grows by 2 GiB into the zone that it was told', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    await guest.request('vm0', '2G');
    await plugged(guest, 'vm0', 2 * GIB);
    await counted(guest, before + 2 * GIB);
    const zones = '/sys/devices/system/memory/memory*/valid_zones';
    const { memaddr } = await memoryDevice(guest.monitor, 'vm0');
    const first = memaddr / (128 * MIB);
    const zone = await guest.run(`cat ${zones.replace('*', `${first}`)}`);
    expect(zone.trim()).toBe(options.online === 'online' ? 'Normal' : 'Movable');
  });

  it('gives back what it can spare, the host gets it, and grows again', async () => {
    const guest = linux();
    const before = (await guest.memTotal()) - 2 * GIB;
    await guest.run('mount -t tmpfs tmpfs /mnt; dd if=/dev/zero of=/mnt/file bs=1M count=300 2>&1');
    const full = guest.vm.residentBytes();
    await guest.run('umount /mnt');
    await guest.request('vm0', '0');
    if (options.online === 'online_movable') {
      await plugged(guest, 'vm0', 0);
      expect(guest.vm.residentBytes()).toBeLessThan(full - 200 * MIB);
      await counted(guest, before);
      expect(await activeSlots(guest.monitor, 'vm0')).toEqual([]);
    } else {
      // In ZONE_NORMAL anything may lie that cannot move; how much of it goes is up to the kernel.
      const size = async () => (await memoryDevice(guest.monitor, 'vm0')).size;
      await expect.poll(size, POLL).toBeLessThan(1.5 * GIB);
    }
    await guest.request('vm0', '2G');
    await plugged(guest, 'vm0', 2 * GIB);
    await counted(guest, before + 2 * GIB);
  });
});
