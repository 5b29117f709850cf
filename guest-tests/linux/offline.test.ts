import { expect, it } from 'vitest';
import { GIB, MIB } from '../harness/sizes.ts';
import { counted, memoryDevice, plugged, POLL } from './memory.ts';
import { useLinux } from './use-linux.ts';

const linux = useLinux({
  memory: '512M',
  online: 'offline',
  virtioMem: ['size=4G,dynamic-memslots=on'],
});

const AUTO_ONLINE = '/sys/devices/system/memory/auto_online_blocks';

it('what is plugged need not be online: nothing of it can be used', async () => {
  const guest = linux();
  const before = await guest.memTotal();
  await guest.request('vm0', '512M');
  await plugged(guest, 'vm0', 512 * MIB);
  const { memaddr } = await memoryDevice(guest.monitor, 'vm0');
  const states = `cat /sys/devices/system/memory/memory*/state | sort | uniq -c`;
  // Linux plugs all of a block before it adds it.
  await expect.poll(() => guest.run(states), POLL).toMatch(/^ *4 offline$/m);
  expect(await guest.onlineBlocks(memaddr)).toEqual([]);
  expect(await guest.memTotal()).toBe(before);
});

it('the README tells how it comes online: what comes, and what is there', async () => {
  const guest = linux();
  const before = await guest.memTotal();
  await guest.run(`echo online_movable >${AUTO_ONLINE}`);
  await guest.request('vm0', '1G');
  await plugged(guest, 'vm0', GIB);
  await counted(guest, before + 512 * MIB);
  await guest.run(`for state in $(grep -lx offline /sys/devices/system/memory/memory*/state); do
      echo online_movable >$state
    done`);
  await counted(guest, before + GIB);
  await guest.request('vm0', '0');
  await plugged(guest, 'vm0', 0);
  await counted(guest, before);
});
