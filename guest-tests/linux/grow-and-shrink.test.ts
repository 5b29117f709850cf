import { describe, expect, it } from 'vitest';
import { GIB, MIB, TIB } from '../harness/sizes.ts';
import { activeSlots, counted, memoryDevice, plugged, POLL } from './memory.ts';
import { useLinux } from './use-linux.ts';

const linux = useLinux({ cpus: 2, virtioMem: ['size=1T,dynamic-memslots=on'] });
const HOTPLUG = 4 * GIB; // 1 GiB of RAM lies below the hole

describe('a stock kernel entered by PVH, with a device of 1 TiB', () => {
  it('has both CPUs, its own KVM clock and MSI-X', async () => {
    const guest = linux();
    expect(await guest.number('nproc')).toBe(2);
    // Which one it takes is up to the kernel.
    const clocks = '/sys/devices/system/clocksource/clocksource0/available_clocksource';
    expect((await guest.run(`cat ${clocks}`)).trim().split(' ')).toContain('kvm-clock');
    expect(await guest.interruptModes('virtio0')).toContain('msix');
  });

  it('uses the ACPI tables and finds no fault with them', async () => {
    const guest = linux();
    const tables = (await guest.run('ls /sys/firmware/acpi/tables')).trim().split(/\s+/);
    expect(tables).toEqual(expect.arrayContaining(['APIC', 'DSDT', 'FACP', 'FACS', 'MCFG']));
    // The namespace has been read: its host bridge is there, with the identity that it has there.
    const path = await guest.run('cat /sys/bus/acpi/devices/PNP0A08:00/path');
    expect(path.trim()).toMatch(/PCI0$/);
    // 4096 bytes only where MCFG's window is used: ports reach 256.
    expect(await guest.number('stat -c %s /sys/bus/pci/devices/0000:00:00.0/config')).toBe(4096);
    expect(await guest.logged('ACPI( BIOS)? (Error|Warning|Exception)|Firmware (Bug|Warn)')).toBe(
      '',
    );
  });

  it('pays for no slot of the device while nothing is plugged', async () => {
    const guest = linux();
    const device = await memoryDevice(guest.monitor, 'vm0');
    expect(device).toEqual({ memaddr: HOTPLUG, requested: 0, size: 0, max: TIB, block: 2 * MIB });
    expect(await activeSlots(guest.monitor, 'vm0')).toEqual([]);
  });

  it('grows by 2 GiB, shrinks to nothing and grows again', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    for (let round = 0; round < 2; round++) {
      await guest.request('vm0', '2G');
      await plugged(guest, 'vm0', 2 * GIB);
      await counted(guest, before + 2 * GIB);
      const blocks = await guest.onlineBlocks(HOTPLUG);
      expect(blocks).toHaveLength(16);
      const windows = new Set(blocks.map((address) => address - (address % GIB)));
      const slots = await activeSlots(guest.monitor, 'vm0');
      expect(slots).toEqual([...windows].map((gpa) => ({ gpa, size: GIB })));
      await guest.request('vm0', '0');
      await plugged(guest, 'vm0', 0);
      await counted(guest, before);
      await expect.poll(() => guest.onlineBlocks(HOTPLUG), POLL).toEqual([]);
      expect(await activeSlots(guest.monitor, 'vm0')).toEqual([]);
    }
  });

  it('keeps its data while memory comes and goes under a busy tmpfs', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    await guest.request('vm0', '1G');
    await plugged(guest, 'vm0', GIB);
    await counted(guest, before + GIB);
    // Movable memory is used first, so that shrinking must move these pages.
    await guest.run(`cd /tmp; dd if=/dev/urandom of=0 bs=1M count=4 2>&1
      for n in $(seq 31); do cp 0 $n; done
      sha1sum [0-9]* >sums; touch go checks
      while [ -e go ]; do
        for n in $(seq 31); do
          cp 0 $n; grep " $n$" sums | sha1sum -c >/dev/null || echo $n >>bad; echo >>checks
        done
      done >/dev/null 2>&1 &
      cd /`);
    const checks = () => guest.number('wc -l </tmp/checks');
    await expect.poll(checks, POLL).toBeGreaterThan(0);
    for (const [request, size] of [
      ['2G', 2 * GIB],
      ['256M', 256 * MIB],
      ['0', 0],
    ] as const) {
      await guest.request('vm0', request);
      await plugged(guest, 'vm0', size);
      const soFar = await checks();
      await expect.poll(checks, POLL).toBeGreaterThan(soFar + 2);
    }
    await counted(guest, before);
    await guest.run('rm /tmp/go; wait');
    const names = [...Array(32).keys()].map(String).sort();
    expect(await guest.run('ls /tmp/bad 2>/dev/null; cd /tmp; sha1sum -c sums; cd /')).toBe(
      names.map((name) => `${name}: OK\n`).join(''),
    );
    await guest.run('rm /tmp/*');
  });

  it('gets what is requested last, when requests overtake each other', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    for (const size of ['3G', '128M', '2G', '512M']) await guest.request('vm0', size);
    await plugged(guest, 'vm0', 512 * MIB);
    await counted(guest, before + 512 * MIB);
    await guest.request('vm0', '0');
    await plugged(guest, 'vm0', 0);
  });

  it('gives memory that it used back to the host', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    await guest.request('vm0', '1G');
    await plugged(guest, 'vm0', GIB);
    // Until it is online the file would go where the host has pages already.
    await counted(guest, before + GIB);
    const idle = guest.vm.residentBytes();
    await guest.run('mount -t tmpfs tmpfs /mnt; dd if=/dev/zero of=/mnt/file bs=1M count=400 2>&1');
    expect(guest.vm.residentBytes()).toBeGreaterThan(idle + 300 * MIB);
    await guest.run('umount /mnt');
    await guest.request('vm0', '0');
    await plugged(guest, 'vm0', 0);
    expect(guest.vm.residentBytes()).toBeLessThan(idle + 100 * MIB);
  });

  it('boots again when it reboots, and plugs again', async () => {
    const guest = linux();
    await guest.request('vm0', '1G');
    await plugged(guest, 'vm0', GIB);
    await guest.run('touch /tmp/before-the-reboot');
    guest.type('reboot -f');
    await guest.console.booted();
    expect(await guest.run('ls /tmp')).toBe('');
    expect(await guest.number('nproc')).toBe(2);
    await plugged(guest, 'vm0', GIB);
    expect((await memoryDevice(guest.monitor, 'vm0')).requested).toBe(GIB);
    const blocks = async () => (await guest.onlineBlocks(HOTPLUG)).length;
    await expect.poll(blocks, POLL).toBe(8);
  });

  it('powers off by ACPI when the monitor presses the power button', async () => {
    const guest = linux();
    expect(await guest.monitor.command('system_powerdown')).toBe('');
    expect(await guest.exit()).toEqual({ code: 0, signal: null });
  });
});
