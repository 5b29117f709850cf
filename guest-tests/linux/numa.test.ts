import { describe, expect, it } from 'vitest';
import { runSession, SESSION, SESSION_MACHINE, SESSION_SIZES } from '../harness/numa-session.ts';
import { GIB } from '../harness/sizes.ts';
import { plugged, POLL } from './memory.ts';
import { useLinux } from './use-linux.ts';

const linux = useLinux({
  ...SESSION_MACHINE,
  args: [...SESSION_MACHINE.args, '--numa', 'dist,src=0,dst=1,val=31'],
});

/** MemTotal of each node, in bytes. */
async function nodeMemory(): Promise<readonly number[]> {
  const files = '/sys/devices/system/node/node[01]/meminfo';
  const output = await linux().run(`awk '$3 == "MemTotal:" { print $4 }' ${files}`);
  return output
    .trim()
    .split('\n')
    .map((kilobytes) => Number(kilobytes) * 1024);
}

/** Ranges of addresses of a node's memory blocks, lowest first. */
async function nodeRanges(node: number): Promise<readonly string[]> {
  const guest = linux();
  const size = await guest.blockSize();
  const links = await guest.run(`ls -1d /sys/devices/system/node/node${node}/memory[0-9]*`);
  const blocks = [...links.matchAll(/memory(\d+)$/gm)]
    .map(([, index]) => Number(index))
    .sort((a, b) => a - b);
  const firsts = blocks.filter((block) => !blocks.includes(block - 1));
  const lasts = blocks.filter((block) => !blocks.includes(block + 1));
  const hex = (address: number) => `0x${address.toString(16)}`;
  return firsts.map((first, i) => `${hex(first * size)}-${hex(((lasts[i] ?? 0) + 1) * size - 1)}`);
}

describe('two nodes with a memory device each', () => {
  it('are what the kernel makes of the ACPI tables', async () => {
    expect(await nodeRanges(0)).toEqual(['0x0-0x7fffffff']);
    // Around the hole below 4 GiB; behind that comes what vm1 has plugged.
    const boot = ['0x80000000-0xbfffffff', '0x100000000-0x13fffffff'];
    expect((await nodeRanges(1)).slice(0, 2)).toEqual(boot);
  });

  it('give it no reason to complain', async () => {
    const complaints = [
      // Of CPUs and memory: an emulated processor may have other peculiarities.
      'WARNING:.* at [^ ]*(smpboot|topology|numa|srat|sched|mm/)',
      'not on the same node',
      '(SRAT|SLIT|NUMA|PXM).*([Ii]nvalid|not used|[Ff]ail|[Bb]ad|[Ee]rror|[Oo]verlap)',
      'ACPI( BIOS)? (Error|Warning|Exception)|Firmware (Bug|Warn)',
    ];
    expect(await linux().logged(complaints.join('|'))).toBe('');
  });

  it('have CPUs and distances', async () => {
    const guest = linux();
    expect(await guest.run('cat /sys/devices/system/node/online')).toBe('0-1\n');
    expect(await guest.run('cat /sys/devices/system/node/node[01]/cpulist')).toBe('0-1\n2-3\n');
    const distances = await guest.run('cat /sys/devices/system/node/node[01]/distance');
    expect(distances).toBe('10 31\n31 10\n');
    const packages = '/sys/devices/system/cpu/cpu?/topology/physical_package_id';
    expect(await guest.run(`cat ${packages}`)).toBe('0\n0\n1\n1\n');
  });

  it('have memory of their own, and get what is plugged: the session, byte for byte', async () => {
    const guest = linux();
    const { before, after } = SESSION_SIZES;
    await plugged(guest, 'vm1', before[1]);
    const blocks = async () => (await guest.onlineBlocks(0x3_4000_0000)).length;
    await expect.poll(blocks, POLL).toBe(8);
    const start = await nodeMemory();
    expect(start[0]).toBeLessThan(2 * GIB);
    expect(start[1]).toBeGreaterThan(2 * GIB);
    const session = await runSession(guest.monitor, async () => {
      await plugged(guest, 'vm0', after[0]);
      await plugged(guest, 'vm1', after[1]);
    });
    expect(session).toBe(SESSION);
    const grown = start.map((total, node) => total + (after[node] ?? 0) - (before[node] ?? 0));
    await expect.poll(nodeMemory, POLL).toEqual(grown);
  });

  it('are in the monitor as they are in the guest', async () => {
    const shown = await linux().monitor.command('info numa');
    expect(shown).toBe(
      [
        '2 nodes',
        'node 0 cpus: 0 1',
        'node 0 size: 2548 MB',
        'node 0 plugged: 500 MB',
        'node 1 cpus: 2 3',
        'node 1 size: 2248 MB',
        'node 1 plugged: 200 MB',
        '',
      ].join('\n'),
    );
  });

  it('leave the drivers of the devices nothing to complain of', async () => {
    const log = await linux().run("dmesg | grep -E 'virtio_mem|virtio0|virtio1'");
    expect(log).not.toMatch(/error|fail|warn|node ID/i);
  });
});
