import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { smallTmpfs } from '../harness/backends.ts';
import { hasHugePages, HugePages } from '../harness/huge-pages.ts';
import { MemoryTrial } from '../harness/memory-trial.ts';
import { RAM, resident } from '../harness/protection-scene.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const FIXED = 2;
/** A new seed each time, which the name of the test tells. */
const fresh = Date.now() % 2 ** 31;
const BLOCK = 2 * MIB;
const KEYS = 'size=1G,requested-size=256M,block-size=2M';

function start(keys: string, ...backends: string[]): Promise<Vm> {
  const own = backends.flatMap((it) => ['--memory-backend', it]);
  // What is read without being plugged is told by the machine standing still.
  const args = [...RAM, ...own, '--on-violation', 'stop'];
  return bootAgent({ virtioMem: [keys], memory: 'memdev=boot', args });
}

/** Bytes that a file takes which the process has open; its name contains `name`. */
function fileBytes(vm: Vm, name: string): number {
  const folder = `/proc/${vm.pid}/fd`;
  const fd = readdirSync(folder).find((it) => readlinkSync(`${folder}/${it}`).includes(name));
  if (fd === undefined) throw new Error(`the process has no ${name}`);
  return statSync(`${folder}/${fd}`).blocks * 512;
}

describe.each([FIXED, fresh])('random steps keep contents and rules, seed %d', (seed) => {
  const common = { seed, steps: 150, mostBlocks: 128 };

  it('with memslots that come and go, and unplugged memory out of reach', async () => {
    const vm = await start(`${KEYS},dynamic-memslots=on,memslot-size=16M`);
    await MemoryTrial.run(vm, {
      ...common,
      slotSize: 16 * MIB,
      guarded: true,
      held: resident,
    });
  });

  it('with one memslot, and nothing protected', async () => {
    const vm = await start(KEYS);
    await MemoryTrial.run(vm, { ...common, held: resident });
  });

  it('with large blocks, and memslots of several windows', async () => {
    const keys = 'size=48G,requested-size=24G,block-size=256M,dynamic-memslots=on';
    const vm = await start(keys);
    const shared = { slotSize: GIB, sharedSlots: true, mostBlocks: 160, part: BLOCK };
    await MemoryTrial.run(vm, { ...common, ...shared, guarded: true, held: resident });
  });

  it('allocated before it is exposed', async () => {
    const keys = 'size=1G,requested-size=128M,block-size=4M,dynamic-memslots=on,prealloc=on';
    const vm = await start(keys);
    const secured = { mostBlocks: 32, secured: true, held: resident, slotSize: GIB };
    await MemoryTrial.run(vm, { ...common, ...secured, guarded: true });
  });

  it('on a memfd', async () => {
    const keys = 'memdev=m,requested-size=256M,block-size=2M,dynamic-memslots=on';
    const vm = await start(keys, 'memfd,id=m,size=1G');
    const held = (it: Vm): number => fileBytes(it, 'memfd:tsvmm-m');
    await MemoryTrial.run(vm, { ...common, guarded: true, held, slotSize: GIB });
  });
});

/** Bytes of the process that count against RLIMIT_DATA. */
function dataBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmData:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

const limitData = (pid: number, limit: string): unknown =>
  execFileSync('prlimit', [`--pid=${pid}`, `--data=${limit}`]);

describe('memory that may not be made accessible, for a limit of the process,', () => {
  it('is BUSY; plugged memory stays, and the next plug succeeds once there is room', async () => {
    const vm = await start(`${KEYS},dynamic-memslots=on,memslot-size=16M`);
    const { addr } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    expect(await vm.agent.ok(`plug ${addr} 2`)).toBe('ack');
    await vm.agent.ok(`fill ${addr} ${2 * BLOCK} 3`);
    // What the process needs for itself it must still get.
    limitData(vm.pid, `${dataBytes(vm.pid) + 64 * MIB}:unlimited`);
    const far = addr + 64 * MIB;
    for (let round = 0; round < 3; round++) {
      expect(await vm.agent.ok(`plug ${far} 100`)).toBe('busy');
      expect(await vm.agent.ok(`state ${far} 100`)).toBe('ack unplugged');
      expect((await vm.agent.memConfig()).plugged).toBe(2 * BLOCK);
      const device = await monitor.command('info memory-devices -v');
      expect(device).toContain('memslots: 1 in 1 of 64 windows\n');
      expect(device).toContain('unprotected-blocks: 0\n');
      expect(device).toContain('convergence: answered BUSY: ');
    }
    expect(await vm.agent.ok(`plug ${far} 1`)).toBe('ack');
    await vm.agent.ok(`check ${addr} ${2 * BLOCK} 3`);
    limitData(vm.pid, 'unlimited');
    expect(await vm.agent.ok(`plug ${far + BLOCK} 100`)).toBe('ack');
    await vm.agent.ok(`zero ${far} ${101 * BLOCK}`);
    await vm.agent.ok(`check ${addr} ${2 * BLOCK} 3`);
  });
});

describe.each([FIXED, fresh])(
  'what the host cannot give is BUSY, and nothing changes, seed %d',
  (seed) => {
    const common = { seed, steps: 120, mostBlocks: 64 };

    it('when a tmpfs is full', async () => {
      const folder = smallTmpfs(24 * BLOCK);
      const keys = 'memdev=m,requested-size=128M,block-size=2M,dynamic-memslots=on';
      const vm = await start(keys, `file,id=m,size=512M,share=on,mem-path=${folder}`);
      const held = (it: Vm): number => fileBytes(it, folder);
      const busy = await MemoryTrial.run(vm, {
        ...common,
        capacity: 24,
        guarded: true,
        held,
        secured: true,
        slotSize: GIB,
      });
      if (seed === FIXED) expect(busy).toBeGreaterThan(0);
    });

    it.skipIf(!hasHugePages(BLOCK))('when huge pages run out', async () => {
      const huge = await HugePages.take(BLOCK, 20);
      const keys = 'memdev=m,requested-size=128M';
      const backend = 'memfd,id=m,size=512M,hugetlb=on,hugetlbsize=2M,reserve=off';
      const vm = await start(`${keys},dynamic-memslots=on`, backend);
      const held = (): number => (20 - huge.free) * BLOCK;
      const busy = await MemoryTrial.run(vm, {
        ...common,
        capacity: 20,
        guarded: true,
        held,
        secured: true,
        slotSize: GIB,
      });
      if (seed === FIXED) expect(busy).toBeGreaterThan(0);
    });
  },
);
