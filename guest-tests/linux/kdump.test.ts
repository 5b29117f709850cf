import { describe, expect, it } from 'vitest';
import { memoryFileBytes, shownZeros } from '../harness/host.ts';
import { MIB } from '../harness/sizes.ts';
import { memoryDevice, plugged, resized } from './memory.ts';
import { useLinux } from './use-linux.ts';

const BLOCK = 2 * MIB;
/** Of the memory block of 128 MiB that it lies in last, most is not plugged. */
const PLUGGED = 264 * MIB;
const MARK = 'tsvmm: a page of the kernel that crashed';
const MARKED = 16 * MIB;
const PAGE = 4096;

/** For the shell: the command line of the kernel that runs, but for what it keeps for another. */
const COMMAND_LINE = "$(tr ' ' '\\n' </proc/cmdline | grep -v '^crashkernel=' | tr '\\n' ' ')";

describe('a kernel that crashes with a memory block partly plugged', () => {
  const linux = useLinux({
    memory: '512M',
    cpus: 2,
    append: 'crashkernel=192M',
    kexec: true,
    args: ['--memory-backend', 'memfd,id=m,size=1G'],
    virtioMem: ['memdev=m,block-size=2M,dynamic-memslots=on'],
  });
  let zeroReads = 0;

  it('has another ready, without virtio_mem', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    await resized(guest, 'vm0', PLUGGED, before + PLUGGED);
    // Pages that will be known again. Movable memory is used first: they lie in the device.
    await guest.run(`cd /tmp; { printf '${MARK}'; dd if=/dev/zero bs=${PAGE} count=1; } 2>/dev/null |
      head -c ${PAGE} >marked
      while [ $(stat -c %s marked) -lt ${MARKED} ]; do cat marked marked >more; mv more marked; done
      cd /`);
    await guest.run(`kexec crash /boot/vmlinuz /boot/crash-initrd "${COMMAND_LINE} nr_cpus=1"`);
    expect(await guest.number('cat /sys/kernel/kexec_crash_loaded')).toBe(1);
    expect(await guest.monitor.value('info memory-devices -v', 'violations')).toBe('0');
  });

  it('the dump goes on to its end, and has the memory that was plugged', async () => {
    const guest = linux();
    guest.type('echo c >/proc/sysrq-trigger');
    await guest.console.booted();
    expect(await guest.run('ls /sys/bus/virtio/drivers/virtio_mem 2>&1 || true')).toContain('No ');
    const { memaddr } = await memoryDevice(guest.monitor, 'vm0');
    const pieces = (await guest.run(`vmcore /proc/vmcore '${MARK}'`))
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number) as [number, number, number])
      .filter(([address]) => address >= memaddr);
    const sum = (of: 1 | 2): number => pieces.reduce((total, piece) => total + piece[of], 0);
    // Linux knows three memory blocks of 128 MiB, and dumps them whole.
    expect(sum(1)).toBe(384 * MIB);
    expect(sum(2)).toBeGreaterThanOrEqual(MARKED / PAGE);
    expect(await guest.monitor.command('info status')).toBe('VM status: running\n');
  });

  it('what it read of unplugged memory is counted, logged, and cost the host nothing', async () => {
    const guest = linux();
    const value = (key: string) => guest.monitor.value('info memory-devices -v', key);
    zeroReads = Number(await value('zero-reads'));
    expect(zeroReads).toBe((384 * MIB - PLUGGED) / BLOCK);
    expect(await value('violations')).toBe(String(zeroReads));
    expect(guest.vm.process.stderr.transcript).toContain('sees zeros');
    expect(shownZeros(guest.vm.pid, BLOCK).resident).toBe(0);
    expect(memoryFileBytes(guest.vm.pid)).toBeLessThanOrEqual(PLUGGED);
    expect((await memoryDevice(guest.monitor, 'vm0')).size).toBe(PLUGGED);
  });

  it('boots again afterwards, and has all of its memory', async () => {
    const guest = linux();
    guest.type('reboot -f');
    await guest.console.booted();
    await plugged(guest, 'vm0', PLUGGED);
    expect(await guest.monitor.value('info memory-devices -v', 'zero-reads')).toBe(
      String(zeroReads),
    );
  });
});
