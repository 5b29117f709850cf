import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { counted, memoryDevice, plugged, POLL } from './memory.ts';
import { useLinux } from './use-linux.ts';

const linux = useLinux({
  cpus: 2,
  memory: '384M',
  virtioMem: ['size=1T,dynamic-memslots=on'],
});
const FILES = 20;
const FILE = 16 * MIB;

/** Plugged bytes of vm0. */
const size = async () => (await memoryDevice(linux().monitor, 'vm0')).size;

/** Reads every file of the tmpfs and compares it with what was written. */
async function checkFiles(): Promise<void> {
  const names = [...Array(FILES).keys()].map(String).sort();
  expect(await linux().run('cd /mnt; md5sum -c /tmp/sums; cd /')).toBe(
    names.map((name) => `${name}: OK\n`).join(''),
  );
}

describe('a guest of 384 MiB that grows to 8 GiB and must shrink with its memory full', () => {
  it('grows to 8 GiB', async () => {
    const guest = linux();
    const before = await guest.memTotal();
    await guest.request('vm0', '8G');
    await plugged(guest, 'vm0', 8 * GIB);
    await counted(guest, before + 8 * GIB);
  });

  it('has files in its memory that do not fit without the device', async () => {
    const guest = linux();
    await guest.run('mount -t tmpfs -o size=7G tmpfs /mnt');
    // No two are alike: each starts elsewhere in the same random bytes.
    await guest.run(`cd /mnt; dd if=/dev/urandom of=/tmp/seed bs=1M count=${FILE / MIB} 2>&1
      for n in $(seq 0 ${FILES - 1}); do { echo $n; cat /tmp/seed; } >$n; done
      rm /tmp/seed; ls | xargs md5sum >/tmp/sums; cd /`);
    expect(await guest.number('wc -l </tmp/sums')).toBe(FILES);
  });

  it('moves them out of the way down to the least that holds them', async () => {
    const guest = linux();
    await guest.request('vm0', '512M');
    await plugged(guest, 'vm0', 512 * MIB);
    await checkFiles();
  });

  it('stops where they do not fit any more, says so, and loses nothing', async () => {
    const guest = linux();
    await guest.request('vm0', '0');
    const convergence = () => guest.monitor.command('info memory-devices -v');
    await expect.poll(convergence, POLL).toMatch(/unplug stalled/);
    expect(await size()).toBeGreaterThan(0);
    await checkFiles();
  });

  it('shrinks to nothing once they are gone', async () => {
    const guest = linux();
    await guest.run('umount /mnt');
    await plugged(guest, 'vm0', 0);
    const resident = guest.vm.residentBytes();
    expect(resident).toBeLessThan(GIB);
  });
});
