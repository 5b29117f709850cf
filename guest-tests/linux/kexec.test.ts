import { expect, it } from 'vitest';
import { MIB } from '../harness/sizes.ts';
import { counted, plugged, resized } from './memory.ts';
import { useLinux } from './use-linux.ts';

/** Of the memory block of 128 MiB that it lies in last, most is not plugged. */
const PLUGGED = 264 * MIB;

const linux = useLinux({
  memory: '512M',
  cpus: 2,
  kexec: true,
  args: ['--memory-backend', 'memfd,id=m,size=1G'],
  virtioMem: ['memdev=m,block-size=2M,dynamic-memslots=on'],
});

it('a kernel that another has booted plugs anew what that one had', async () => {
  const guest = linux();
  const before = await guest.memTotal();
  await resized(guest, 'vm0', PLUGGED, before + PLUGGED);
  guest.type('touch /tmp/before; kexec now /boot/vmlinuz /boot/initrd "$(cat /proc/cmdline)"');
  await guest.console.booted();
  expect(await guest.run('ls /tmp')).toBe('');
  await plugged(guest, 'vm0', PLUGGED);
  await counted(guest, before + PLUGGED);
  await guest.run('dd if=/dev/zero of=/tmp/file bs=1M count=200 2>&1; rm /tmp/file');
  expect(await guest.monitor.value('info memory-devices -v', 'violations')).toBe('0');
  // Its driver enables bus mastering before it resets the device, over rings that are gone.
  expect(guest.vm.process.stderr.transcript).not.toContain('needs a reset');
});
