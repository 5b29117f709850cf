import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Agent } from '../harness/agent.ts';
import { guestPath } from '../harness/guests.ts';
import { runSession, SESSION, SESSION_MACHINE, SESSION_SIZES } from '../harness/numa-session.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startTsvmm, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const PXM = 1;
const POLL = { timeout: 60_000 } as const;

/** Two nodes, and a device in each whose driver does what is requested. */
async function bootFollower(): Promise<Vm> {
  const vm = await bootAgent(SESSION_MACHINE);
  await vm.agent.initMem('0');
  await vm.agent.initMem('1');
  await vm.agent.ok('sync');
  await vm.agent.ok('follow');
  return vm;
}

describe('two nodes with a memory device each', () => {
  it('grow and shrink as the session says, byte for byte', async () => {
    const vm = await bootFollower();
    const [monitor, watcher] = [await vm.monitor(), await vm.monitor()];
    const sizes = async () => [
      await watcher.command('qom-get vm0 size'),
      await watcher.command('qom-get vm1 size'),
    ];
    const after = SESSION_SIZES.after.map((size) => `${size}\n`);
    const session = await runSession(monitor, () => expect.poll(sizes, POLL).toEqual(after));
    expect(session).toBe(SESSION);
  });

  it('are shown by info numa with what is plugged', async () => {
    const vm = await bootFollower();
    const monitor = await vm.monitor();
    const nodes = (plugged: readonly [number, number]) =>
      [
        '2 nodes',
        'node 0 cpus: 0 1',
        `node 0 size: ${2048 + plugged[0]} MB`,
        `node 0 plugged: ${plugged[0]} MB`,
        'node 1 cpus: 2 3',
        `node 1 size: ${2048 + plugged[1]} MB`,
        `node 1 plugged: ${plugged[1]} MB`,
        '',
      ].join('\n');
    expect(await monitor.command('info numa')).toBe(nodes([0, 1024]));
    await monitor.command('qom-set vm0 requested-size 64M');
    await monitor.command('qom-set vm1 requested-size 0');
    await expect.poll(() => monitor.command('info numa'), POLL).toBe(nodes([64, 0]));
  });
});

describe('the driver of a memory device', () => {
  it('is offered ACPI_PXM and reads the node', async () => {
    const virtioMem = ['size=1G,node=0', 'size=1G,node=1'];
    const vm = await bootAgent({ ...SESSION_MACHINE, virtioMem });
    for (const node of [0, 1]) {
      const { offered = 0 } = await vm.agent.fields(`virtio init ${node}`);
      expect(offered % 2).toBe(PXM);
      expect((await vm.agent.memConfig()).node).toBe(node);
    }
  });

  it('is not offered it without nodes', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const { offered = 0 } = await vm.agent.fields('virtio init 0');
    expect(offered % 2).toBe(0);
    expect(await (await vm.monitor()).command('info numa')).toBe('0 nodes\n');
    expect(await vm.agent.ok('acpi list')).not.toMatch(/SRAT|SLIT/);
  });
});

/** A table as the guest finds it. */
async function readTable(agent: Agent, name: string): Promise<DataView> {
  const listed = await agent.ok('acpi list');
  const match = new RegExp(`${name}=(0x[0-9a-f]+)\\+(\\d+):good`).exec(listed);
  if (match === null) throw new Error(`no good ${name} in ${listed}`);
  const [address, length] = [Number(match[1]), Number(match[2])];
  const bytes = new DataView(new ArrayBuffer(length));
  for (let at = 0; at < length; at += 4) {
    const size = Math.min(4, length - at);
    const value = await agent.number(`peek ${size === 3 ? 2 : size} ${address + at}`);
    for (let i = 0; i < size; i++) bytes.setUint8(at + i, (value >>> (8 * i)) & 0xff);
  }
  return bytes;
}

/** Entries of an SRAT (ACPI 6.5 §5.2.16), as text. */
function describeSrat(view: DataView): readonly string[] {
  const entries: string[] = [];
  for (let at = 48; at < view.byteLength; at += view.getUint8(at + 1)) {
    const u32 = (offset: number) => view.getUint32(at + offset, true);
    const u64 = (offset: number) => u32(offset) + u32(offset + 4) * 2 ** 32;
    if (view.getUint8(at) === 0) {
      const node = view.getUint8(at + 2);
      entries.push(`cpu ${view.getUint8(at + 3)} node ${node} flags ${u32(4)}`);
    } else {
      const range = `0x${u64(8).toString(16)}+0x${u64(16).toString(16)}`;
      entries.push(`${range} node ${u32(2)} flags ${u32(28)}`);
    }
  }
  return entries;
}

describe('the guest reads in its ACPI tables', () => {
  it('which CPUs and which memory, plugged or to come, are in which node', async () => {
    const vm = await bootAgent({
      memory: '4G',
      cpus: 4,
      args: ['--numa', 'node,cpus=0-1,memory=1G', '--numa', 'node,cpus=2-3,memory=3G'],
      virtioMem: ['size=8G,node=0', 'size=1T,node=1,dynamic-memslots=on'],
    });
    expect(describeSrat(await readTable(vm.agent, 'SRAT'))).toEqual([
      'cpu 0 node 0 flags 1',
      'cpu 1 node 0 flags 1',
      'cpu 2 node 1 flags 1',
      'cpu 3 node 1 flags 1',
      // Guests number nodes in this order.
      '0x0+0x40000000 node 0 flags 1',
      '0x140000000+0x200000000 node 0 flags 3',
      '0x40000000+0x80000000 node 1 flags 1',
      '0x100000000+0x40000000 node 1 flags 1',
      '0x340000000+0x10000000000 node 1 flags 3',
    ]);
  });

  it('how far the nodes are from each other', async () => {
    const distances = ['src=0,dst=1,val=21', 'src=1,dst=2,val=40', 'src=2,dst=1,val=50'];
    const args = ['node', 'node', 'node', ...distances.map((keys) => `dist,${keys}`)];
    const vm = await bootAgent({ args: args.flatMap((text) => ['--numa', text]) });
    const slit = await readTable(vm.agent, 'SLIT');
    expect(slit.getUint32(36, true)).toBe(3);
    const found = Array.from({ length: 9 }, (_, i) => slit.getUint8(44 + i));
    expect(found).toEqual([10, 21, 20, 21, 10, 40, 20, 50, 10]);
  });
});

describe('boot memory on a backend for each node', () => {
  const NODES = [
    ...['--memory-backend', 'memfd,id=a,size=64M'],
    ...['--numa', 'node,memdev=a', '--numa', 'node,memory=64M'],
  ];

  it('is one memory for the guest', async () => {
    const vm = await bootAgent({ memory: '128M', args: NODES });
    await vm.agent.ok(`fill ${63 * MIB} 2M 5`);
    await vm.agent.ok(`check ${63 * MIB} 2M 5`);
    const monitor = await vm.monitor();
    const backends = await monitor.command('info memdev');
    expect(backends).toContain('user: boot memory of node 0\n');
    expect(backends).toContain('user: boot memory of node 1\n');
    expect(await monitor.command('info memslots')).toMatch(/64 MiB +ram\n.*64 MiB +ram\n/);
  });

  it('holds an initrd that reaches over both, byte for byte', async () => {
    // Not a whole number of MiB, so that no copy ends where the nodes meet.
    const initrd = Buffer.alloc(40.5 * MIB);
    for (let at = 0; at < initrd.length; at += 4096) initrd.writeUInt32LE(at ^ 0x5afe, at);
    const file = tempDir().file('initrd');
    writeFileSync(file, initrd);
    const nodes = ['--numa', 'node,memdev=a', '--numa', 'node,memory=21M'];
    const backend = ['--memory-backend', 'ram,id=a,size=64M'];
    const vm = await bootAgent({ memory: '85M', initrd: file, args: [...backend, ...nodes] });
    const info = await vm.agent.fields('info');
    const [at = 0, length] = [info['initrd'], info['initrd-length']];
    expect(length).toBe(initrd.length);
    expect(at).toBeLessThan(64 * MIB);
    expect(at + initrd.length).toBeGreaterThan(64 * MIB);
    for (let offset = 0; offset < initrd.length; offset += MIB / 4) {
      expect(await vm.agent.number(`peek 4 ${at + offset}`)).toBe((offset ^ 0x5afe) >>> 0);
    }
  });

  it('needs no --memory: it is as much as the nodes have', async () => {
    const args = ['run', '--kernel', guestPath('agent'), '--serial', 'stdio', '--monitor', 'none'];
    const child = startTsvmm([...args, ...NODES]);
    const ready = await child.stdout.expect(/agent ready .*\n/);
    const memory = Number(/memory=(\d+)/.exec(ready)?.[1]);
    expect(memory).toBeGreaterThan(126 * MIB);
    expect(memory).toBeLessThanOrEqual(128 * MIB);
  });
});

describe('nodes that cannot be', () => {
  it.each<[readonly string[], string]>([
    [['--numa', 'node', '--virtio-mem', `size=${GIB},node=1`], 'NUMA nodes 0 to 0'],
    [['--virtio-mem', `size=${GIB},node=1`], 'node=1: the machine has no NUMA nodes; see --numa'],
    [['--cpus', '2', '--numa', 'node,cpus=1'], '--numa: CPU 0: in no node'],
    [['--memory', '1G', '--numa', 'node,memory=2G'], '--memory says 1 GiB'],
    [['--numa', 'node', '--numa', 'dist,src=0,dst=1,val=9'], '--numa dist dst=1'],
    [['--numa', 'nodes'], '--numa nodes: unknown type nodes'],
  ])('are refused: %j', async (args, message) => {
    const fixed = ['run', '--kernel', guestPath('agent'), '--serial', 'none', '--monitor', 'none'];
    const child = startTsvmm([...fixed, ...args]);
    expect(await child.exited).toEqual({ code: 2, signal: null });
    expect(child.stderr.transcript).toContain(message);
    expect(child.stderr.transcript).toMatch(/^[^\n]+\n$/);
  });
});
