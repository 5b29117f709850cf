import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memoryFileBytes, shownZeros } from '../harness/host.ts';
import { hasHugePages, HugePages } from '../harness/huge-pages.ts';
import { BLOCK, hex, outcome, paused, plugSome, violations } from '../harness/protection-scene.ts';
import { GIB, KIB, MIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';

/** What the guest copies at a time to read all of a block, bytes. */
const PIECE = 4 * KIB;
const PIECES_READ = 8;

const BACKENDS: Readonly<Record<string, (file: string) => string>> = {
  'anonymous memory': () => 'ram,id=m,size=4G',
  'anonymous memory in huge pages': () => 'ram,id=m,size=4G,thp=on',
  'anonymous memory that is shared': () => 'ram,id=m,size=4G,share=on',
  'a memfd': () => 'memfd,id=m,size=4G',
  'a private memfd': () => 'memfd,id=m,size=4G,share=off',
  'a file': (file) => `file,id=m,size=4G,mem-path=${file}`,
  'a file, private': (file) => `file,id=m,size=4G,share=off,mem-path=${file}`,
};

async function boot(backend: string, args: readonly string[] = []) {
  const vm = await bootAgent({
    memory: '128M',
    virtioMem: ['memdev=m,requested-size=4G,block-size=2M,dynamic-memslots=on'],
    args: ['--memory-backend', backend, ...args],
  });
  const { addr, block } = await vm.agent.initMem();
  const it = { vm, monitor: await vm.monitor(), addr, block };
  await plugSome(it);
  return { ...it, ram: await vm.agent.field('info', 'scratch') };
}

type Scene = Awaited<ReturnType<typeof boot>>;

/** Has the guest read much of a block, each piece over a page that does not hold zeros. */
async function expectZeros({ vm, ram }: Scene, at: number): Promise<void> {
  for (let piece = 0; piece < PIECES_READ; piece++) {
    const from = at + piece * (BLOCK / PIECES_READ);
    await vm.agent.ok(`fill ${ram} ${PIECE} 3`);
    await vm.agent.ok(`copy ${from} ${ram} ${PIECE}`);
    expect(await vm.agent.number(`peek 8 ${ram}`)).toBe(0);
    expect(await vm.agent.number(`peek 8 ${ram + PIECE - 8}`)).toBe(0);
  }
}

async function readsAndPlugs(it: Scene): Promise<void> {
  const { vm, monitor, addr, block } = it;
  const before = memoryFileBytes(vm.pid);
  await expectZeros(it, addr + block);
  expect(shownZeros(vm.pid, BLOCK)).toEqual({ size: block, resident: 0 });
  expect(memoryFileBytes(vm.pid)).toBe(before);
  expect(await monitor.command('info status')).toBe('VM status: running\n');
  expect(await violations(monitor)).toBeGreaterThan(0);
  const zeros = await monitor.value('info memory-devices -v', 'zero-reads');
  expect(Number(zeros)).toBe(await violations(monitor));
  expect(vm.process.stderr.transcript).toContain('sees zeros');
  // Memory again, and nothing of it lost.
  expect(await vm.agent.ok(`plug ${addr + block} 1`)).toBe('ack');
  expect(await vm.agent.number(`peek 8 ${addr + block}`)).toBe(0);
  await vm.agent.ok(`fill ${addr + block} ${block} 9`);
  await vm.agent.ok(`check ${addr + block} ${block} 9`);
  for (const at of [addr, addr + 2 * block]) {
    await vm.agent.ok(`fill ${at} ${block} 7`);
    await vm.agent.ok(`check ${at} ${block} 7`);
  }
  // And from all of it, by unplugging, as if nothing had been.
  await expectZeros(it, addr + 3 * block);
  expect(await vm.agent.ok('unplug-all')).toBe('ack');
  expect(await vm.agent.ok(`plug ${addr} 4`)).toBe('ack');
  expect(await vm.agent.number(`peek 8 ${addr + block}`)).toBe(0);
}

describe('a guest that reads unplugged memory sees zeros, at no cost', () => {
  it.each(Object.entries(BACKENDS))('%s', async (_name, backend) => {
    await readsAndPlugs(await boot(backend(tempDir().file('memory-file'))));
  });

  it.skipIf(!hasHugePages(2 * MIB))('hugetlb pages', async () => {
    const huge = await HugePages.take(2 * MIB, 6);
    await readsAndPlugs(await boot('memfd,id=m,size=4G,hugetlb=on,hugetlbsize=2M'));
    expect(huge.free).toBe(2);
  });

  it('where nothing is mapped, and in part of an access', async () => {
    const { vm, monitor, addr, block } = await boot('ram,id=m,size=4G');
    await vm.agent.ok(`fill ${addr} ${block} 7`);
    expect(await vm.agent.number(`peek 8 ${addr + 3 * GIB}`)).toBe(0);
    expect(await vm.agent.number(`load0 ${addr + 3 * GIB}`)).toBe(0);
    const known = BigInt(await vm.agent.ok(`peek 4 ${addr + block - 4}`));
    expect(BigInt(await vm.agent.ok(`peek 8 ${addr + block - 4}`))).toBe(known);
    expect(await monitor.command('info status')).toBe('VM status: running\n');
  });

  it('and still cannot write, there or after it has read', async () => {
    const it = await boot('ram,id=m,size=4G');
    const at = it.addr + it.block;
    expect(await it.vm.agent.number(`peek 8 ${at}`)).toBe(0);
    it.vm.process.write(`poke 8 ${at} 5\n`);
    expect(await paused(it.monitor)).toContain(`write of ${hex(at)} `);
    await it.monitor.command('cont');
    expect(await paused(it.monitor)).toContain(`write of ${hex(at)} `);
  });

  it('reads more blocks than show zeros at a time', async () => {
    const { vm, monitor, addr, block } = await boot('ram,id=m,size=4G');
    const maps = () => readFileSync(`/proc/${vm.pid}/maps`, 'utf8').split('\n').length;
    const before = maps();
    for (let at = 4; at < 204; at++) {
      expect(await vm.agent.number(`peek 8 ${addr + at * block}`)).toBe(0);
    }
    expect(maps() - before).toBeLessThan(140);
    expect(await monitor.command('info status')).toBe('VM status: running\n');
    expect(await vm.agent.ok('unplug-all')).toBe('ack');
    expect(await vm.agent.ok(`plug ${addr} 256`)).toBe('ack');
    await vm.agent.ok(`fill ${addr} 512M 5`);
    await vm.agent.ok(`check ${addr} 512M 5`);
  });
});

describe('--on-violation tells reads and writes apart', () => {
  const at = ({ addr, block }: Scene): number => addr + block;

  it('read=stop stops reads', async () => {
    const it = await boot('ram,id=m,size=4G', ['--on-violation', 'read=stop']);
    expect(await outcome(it, `peek 8 ${at(it)}`)).toContain('read of');
  });

  it('read=kill,write=reset: a write resets, a read ends it', async () => {
    const it = await boot('ram,id=m,size=4G', ['--on-violation', 'read=kill,write=reset']);
    it.vm.process.write(`poke 8 ${at(it)} 1\n`);
    await it.vm.agent.ready();
    await it.vm.agent.initMem();
    await plugSome(it);
    it.vm.process.write(`peek 8 ${at(it)}\n`);
    expect(await it.vm.exited).toEqual({ code: 3, signal: null });
  });
});
