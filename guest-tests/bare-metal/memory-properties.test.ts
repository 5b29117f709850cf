import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { named, smallTmpfs } from '../harness/backends.ts';
import { RAM, resident } from '../harness/protection-scene.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

const BLOCK = 2 * MIB;

/** A machine whose boot memory is in a file, so that anonymous memory is the device's. */
function boot(keys: string, backend?: string): Promise<Vm> {
  const device = backend === undefined ? keys : `memdev=m,${keys}`;
  const args = backend === undefined ? RAM : [...RAM, '--memory-backend', named(backend)];
  return bootAgent({ virtioMem: [device], memory: 'memdev=boot', args });
}

const lines = (vm: Vm, text: string): number =>
  vm.process.stderr.transcript.split('\n').filter((it) => it.includes(text)).length;

describe('prealloc=on', () => {
  it.each(['on', 'off'])(
    'when the host has no room: BUSY each time, a warning once; dynamic-memslots=%s',
    async (dynamic) => {
      const folder = smallTmpfs(8 * BLOCK);
      const keys = `requested-size=64M,prealloc=on,block-size=2M,dynamic-memslots=${dynamic}`;
      const vm = await boot(keys, `file,size=1G,share=on,mem-path=${folder}`);
      const { addr } = await vm.agent.initMem();
      expect(await vm.agent.ok(`plug ${addr} 6`)).toBe('ack');
      await vm.agent.ok(`fill ${addr} ${6 * BLOCK} 4`);
      for (let round = 0; round < 3; round++) {
        expect(await vm.agent.ok(`plug ${addr + 6 * BLOCK} 4`)).toBe('busy');
        expect(await vm.agent.ok(`state ${addr + 6 * BLOCK} 4`)).toBe('ack unplugged');
      }
      expect(lines(vm, 'cannot preallocate memory for the guest')).toBe(1);
      expect(await vm.agent.ok(`plug ${addr + 6 * BLOCK} 2`)).toBe('ack');
      await vm.agent.ok(`zero ${addr + 6 * BLOCK} ${2 * BLOCK}`);
      await vm.agent.ok(`check ${addr} ${6 * BLOCK} 4`);
      const monitor = await vm.monitor();
      expect(await monitor.value('info memory-devices -v', 'requests')).toContain('busy 3,');
    },
  );
});

describe('unplugged-inaccessible', () => {
  /** Bit 1 of the features: VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE. */
  const isOffered = async (vm: Vm): Promise<boolean> =>
    Math.floor((await vm.agent.number('features')) / 2) % 2 === 1;

  it.each([
    ['on', 'ram,size=1G', true],
    ['off', 'ram,size=1G', false],
    ['auto', 'ram,size=1G', false],
    ['auto', 'ram,size=1G,share=on', true],
    ['auto', 'memfd,size=1G', true],
    ['auto', 'memfd,size=1G,share=off', true],
    ['off', 'memfd,size=1G', false],
  ])('%s on %s is told to the driver: %s', async (value, backend, offered) => {
    const vm = await boot(`requested-size=64M,unplugged-inaccessible=${value}`, backend);
    expect(await isOffered(vm)).toBe(offered);
    const warned = lines(vm, 'reading unplugged memory of this backend allocates it');
    expect(warned).toBe(value === 'off' && backend.startsWith('memfd') ? 1 : 0);
    if (offered) expect(await vm.agent.ask('virtio init 0 without=2')).toContain('error');
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 2`)).toBe('ack');
    await vm.agent.ok(`fill ${addr} ${2 * BLOCK} 1`);
    expect(await vm.agent.ok(`unplug ${addr} 1`)).toBe('ack');
    await vm.agent.ok(`check ${addr + BLOCK} ${BLOCK} 1`);
  });

  it.each(['off', 'auto'])('%s: a driver may read unplugged memory, at no cost', async (value) => {
    const vm = await boot(`size=1G,requested-size=256M,unplugged-inaccessible=${value}`);
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 4`)).toBe('ack');
    await vm.agent.ok(`fill ${addr} ${4 * BLOCK} 1`);
    expect(await vm.agent.ok(`unplug ${addr + BLOCK} 2`)).toBe('ack');
    const held = resident(vm);
    expect(held).toBe(2 * BLOCK);
    await vm.agent.ok(`zero ${addr + BLOCK} ${2 * BLOCK}`);
    await vm.agent.ok(`zero ${addr + 64 * MIB} 128M`);
    expect(resident(vm)).toBe(held);
  });
});

describe('block-size', () => {
  it.each([1, 4, 16, 64, 256, 1024])(
    'of %d MiB: whole blocks come full of zeros, keep what is written, and go back',
    async (mib) => {
      const size = mib * MIB;
      const vm = await boot(`size=${4 * GIB},requested-size=${2 * GIB},block-size=${mib}M`);
      const { addr, block, usable } = await vm.agent.initMem();
      expect(block).toBe(size);
      expect(usable).toBe(2 * GIB + Math.max(size, 256 * MIB));
      expect(await vm.agent.ok(`plug ${addr + MIB / 2} 1`)).toBe('error');
      expect(await vm.agent.ok(`plug ${addr} 2`)).toBe('ack');
      const last = addr + 2 * size - MIB;
      for (const at of new Set([addr, addr + size - MIB, addr + size, last])) {
        await vm.agent.ok(`zero ${at} 1M`);
        await vm.agent.ok(`fill ${at} 1M 7`);
      }
      expect(await vm.agent.ok(`unplug ${addr} 1`)).toBe('ack');
      expect(await vm.agent.ok(`state ${addr} 2`)).toBe('ack mixed');
      await vm.agent.ok(`check ${addr + size} 1M 7`);
      await vm.agent.ok(`check ${last} 1M 7`);
      expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('ack');
      for (const at of new Set([addr, addr + size - MIB])) await vm.agent.ok(`zero ${at} 1M`);
      expect(await vm.agent.ok('unplug-all')).toBe('ack');
      expect(resident(vm)).toBe(0);
    },
  );

  it('larger than a memslot window would be is a window by itself', async () => {
    const keys = 'size=8G,requested-size=4G,block-size=2G,dynamic-memslots=on';
    const vm = await boot(keys);
    const { addr } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    expect(await vm.agent.ok(`plug ${addr + 4 * GIB} 1`)).toBe('ack');
    expect(await monitor.value('info memory-devices -v', 'memslots')).toBe('1 in 1 of 4 windows');
    await vm.agent.ok(`fill ${addr + 6 * GIB - MIB} 1M 1`);
  });
});

describe('memaddr', () => {
  it.each(['0x140200000', '0x2000000000', '0x3fffe00000'])(
    'of %s is where memory is',
    async (at) => {
      const vm = await boot(`size=1G,requested-size=64M,block-size=2M,memaddr=${at}`);
      const { addr } = await vm.agent.initMem();
      expect(addr).toBe(Number(at));
      expect(await vm.agent.ok(`plug ${at} 3`)).toBe('ack');
      await vm.agent.ok(`fill ${at} ${3 * BLOCK} 2`);
      await vm.agent.ok(`check ${at} ${3 * BLOCK} 2`);
      expect(await vm.agent.ok(`plug ${addr - BLOCK} 1`)).toBe('error');
      const monitor = await vm.monitor();
      expect(await monitor.value('info memory-devices', 'memaddr')).toBe(at);
    },
  );
});

const KSM = '/sys/kernel/mm/ksm';

function canMerge(): boolean {
  try {
    accessSync(`${KSM}/run`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Has the kernel look for equal pages, fast, until the test ends. */
function startMerging(): void {
  for (const [file, value] of [
    ['pages_to_scan', '20000'],
    ['sleep_millisecs', '10'],
    ['run', '1'],
  ] as const) {
    const before = readFileSync(`${KSM}/${file}`, 'utf8');
    onTestFinished(() => writeFileSync(`${KSM}/${file}`, before));
    writeFileSync(`${KSM}/${file}`, value);
  }
}

/** Pages of a process that are merged with others. */
const merged = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/ksm_merging_pages`, 'utf8'));

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(!canMerge())('merge=on', () => {
  it('equal pages become one; what is written to one stays there; unplugged ones are gone', async () => {
    const BLOCKS = 4;
    const PAGES = BLOCK / 4096;
    const vm = await boot('requested-size=64M,block-size=2M', 'ram,size=1G,merge=on');
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} ${BLOCKS}`)).toBe('ack');
    const place = (block: number): number => addr + block * BLOCK;
    // With its own address as the seed, each block holds the same as the others.
    for (let block = 0; block < BLOCKS; block++) {
      await vm.agent.ok(`fill ${place(block)} ${BLOCK} ${place(block)}`);
    }
    expect(resident(vm)).toBe(BLOCKS * BLOCK);
    startMerging();
    await until(() => merged(vm.pid) === BLOCKS * PAGES);
    for (let block = 0; block < BLOCKS; block++) {
      await vm.agent.ok(`check ${place(block)} ${BLOCK} ${place(block)}`);
    }
    await vm.agent.ok(`fill ${place(0)} ${BLOCK} 5`);
    await vm.agent.ok(`check ${place(0)} ${BLOCK} 5`);
    await vm.agent.ok(`check ${place(1)} ${BLOCK} ${place(1)}`);
    expect(await vm.agent.ok('unplug-all')).toBe('ack');
    expect(resident(vm)).toBe(0);
    // The kernel takes them out of its books when it comes past again.
    await until(() => merged(vm.pid) === 0);
    expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('ack');
    await vm.agent.ok(`zero ${addr} ${BLOCK}`);
  });
});
