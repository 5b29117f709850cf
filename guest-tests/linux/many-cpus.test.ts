import { describe, expect, it } from 'vitest';
import { useLinux } from './use-linux.ts';

const linux = useLinux({ cpus: 8 });

describe('eight CPUs', () => {
  it('are all online, and each of them runs programs', async () => {
    const guest = linux();
    expect(await guest.run('cat /sys/devices/system/cpu/online')).toBe('0-7\n');
    const each =
      'for cpu in 0 1 2 3 4 5 6 7; do taskset -c $cpu cut -d" " -f39 /proc/self/stat; done';
    expect(await guest.run(each)).toBe('0\n1\n2\n3\n4\n5\n6\n7\n');
  });

  it('are as many as the monitor shows', async () => {
    const lines = (await linux().monitor.command('info cpus')).trim().split('\n');
    expect(lines).toHaveLength(8);
  });
});
