import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { expectZeroWhenPlugged, named, onBackend } from '../harness/backends.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startVm } from '../harness/test-vm.ts';
import { WAIT_LIMIT_MS } from '../harness/text-stream.ts';

/*
 * Memory that the host's kernel does not manage, and several host nodes. The host must have been
 * started for that, as a nested machine can be:
 *
 *   scripts/nested --memory 12G --append 'memmap=1G!8G mem=12G numa=fake=2' \
 *     npx vitest run --project guest guest-tests/bare-metal/device-memory.test.ts
 */
const kernelWords = readFileSync('/proc/cmdline', 'utf8').split(/\s+/);
const DAX = '/dev/dax0.0';
/** End of what the host's kernel has; there is memory behind it. */
const KEPT = 12 * GIB;

const BUS = '/sys/bus/nd';

/** Makes a device-dax of the persistent memory that memmap= declared. */
async function makeDeviceDax(): Promise<void> {
  for (const module of ['nd_e820', 'nd_pmem', 'dax_pmem', 'device_dax']) {
    execFileSync('modprobe', [module]);
  }
  // The driver announces what it found when it has taken it.
  await vi.waitFor(() => readlinkSync(`${BUS}/devices/namespace0.0/driver`), WAIT_LIMIT_MS);
  const seed = readFileSync(`${BUS}/devices/region0/dax_seed`, 'utf8').trim();
  const set = (name: string, value: string): void => {
    writeFileSync(`${BUS}/devices/${seed}/${name}`, value);
  };
  writeFileSync(`${BUS}/drivers/nd_pmem/unbind`, 'namespace0.0');
  set('uuid', '00000000-1111-4222-8333-444444444444');
  set('align', String(2 * MIB));
  set('mode', 'ram');
  set('namespace', 'namespace0.0');
  writeFileSync(`${BUS}/drivers/dax_pmem/bind`, seed);
}

beforeAll(async () => {
  if (kernelWords.includes('memmap=1G!8G') && !existsSync(DAX)) await makeDeviceDax();
});

const KINDS = [
  {
    name: 'a device-dax',
    word: 'memmap=1G!8G',
    backend: `file,share=on,size=512M,mem-path=${DAX}`,
    pageSize: 2 * MIB,
  },
  {
    name: 'memory kept from the kernel',
    word: 'mem=12G',
    backend: `devmem,size=512M,base=${KEPT}`,
    pageSize: 4096,
  },
];

for (const { name, word, backend, pageSize } of KINDS) {
  describe.skipIf(!kernelWords.includes(word))(`a device on ${name}`, () => {
    it.each(['', ',dynamic-memslots=on', ',prealloc=on'])(
      'is zeroed whenever it is unplugged%s',
      async (keys) => {
        const vm = await onBackend(backend, keys);
        await expectZeroWhenPlugged(vm);
      },
    );

    it('shows nothing of what another guest left there', async () => {
      const first = await onBackend(backend);
      const { addr } = await first.agent.initMem();
      await first.agent.ok(`plug ${addr} 8`);
      await first.agent.ok(`fill ${addr} 16M 1`);
      first.process.kill('SIGKILL');
      await first.exited;
      const second = await onBackend(backend);
      await second.agent.initMem();
      await second.agent.ok(`plug ${addr} 8`);
      await second.agent.ok(`zero ${addr} 16M`);
    });

    it('says that it cannot give memory back', async () => {
      const vm = await onBackend(backend);
      const monitor = await vm.monitor();
      const info = await monitor.command('info memdev');
      expect(info).toContain('  discard: cannot give memory back, fills it with zeros\n');
      expect(info).toContain(`  page size: ${pageSize}\n`);
      expect(info).toContain('  populate: always there\n');
      expect(info).toContain('  reserve: false\n');
    });

    it('answers the monitor while much of it is being zeroed', async () => {
      const vm = await bootAgent({
        virtioMem: ['memdev=m,requested-size=512M'],
        args: ['--memory-backend', named(backend)],
      });
      const { addr, block } = await vm.agent.initMem();
      const monitor = await vm.monitor();
      expect(await vm.agent.ok(`plug ${addr} ${(512 * MIB) / block}`)).toBe('ack');
      await vm.agent.ok(`touch ${addr} 512M 1M`);
      const unplugged = vm.agent.ok('unplug-all');
      expect(await monitor.command('info status')).toBe('VM status: running\n');
      expect(await unplugged).toBe('ack');
    });

    it('can be boot memory, too', async () => {
      const vm = await bootAgent({
        memory: 'memdev=m',
        args: ['--memory-backend', named(backend)],
      });
      await vm.agent.ok(`fill ${256 * MIB} 16M 1`);
      await vm.agent.ok(`check ${256 * MIB} 16M 1`);
    });
  });
}

describe.skipIf(!kernelWords.includes('memmap=1G!8G'))('a device-dax', () => {
  it.each([
    [`mem-path=${DAX},size=512M`, 'it can only be mapped with share=on'],
    [`mem-path=${DAX},size=512M,share=on,readonly=on`, 'a guest must write to its memory'],
    [`mem-path=${DAX},size=2G,share=on`, 'offset and size together are 2 GiB'],
    [`mem-path=${DAX},size=5M,share=on`, 'size=5242880: not a multiple of the page size, 2 MiB'],
    [`mem-path=${DAX},size=512M,share=on,thp=on`, 'thp does not apply to it'],
    [`mem-path=${DAX},size=512M,share=on,prealloc=on`, 'prealloc=on: does not apply'],
    [`mem-path=${DAX},size=512M,share=on,prealloc-threads=2`, 'prealloc-threads=2: does not apply'],
    [`mem-path=${DAX},size=512M,share=on,dump=off`, 'dump=off: does not apply'],
  ])('is refused with %s', async (keys, line) => {
    const vm = startVm({
      virtioMem: ['memdev=m'],
      args: ['--memory-backend', `file,id=m,${keys}`],
    });
    expect(await vm.exited).toEqual({ code: 2, signal: null });
    expect(vm.process.stderr.transcript).toContain(line);
  });

  it('has its own size', async () => {
    const vm = await bootAgent({
      virtioMem: ['memdev=m'],
      args: ['--memory-backend', `file,id=m,share=on,mem-path=${DAX}`],
    });
    const { region } = await vm.agent.initMem();
    expect(region).toBe(Number(readFileSync('/sys/bus/dax/devices/dax0.0/size', 'utf8')));
  });
});

describe.skipIf(!kernelWords.includes('numa=fake=2'))('two host nodes', () => {
  /** Pages of a process's mappings with this policy, by node. */
  function pagesByNode(pid: number, policy: string): readonly [number, number] {
    const lines = readFileSync(`/proc/${pid}/numa_maps`, 'utf8').split('\n');
    const pages = (node: number): number =>
      lines
        .filter((line) => line.includes(` ${policy}`))
        .map((line) => Number(new RegExp(` N${node}=(\\d+)`).exec(line)?.[1] ?? 0))
        .reduce((all, it) => all + it, 0);
    return [pages(0), pages(1)];
  }

  it.each([
    ['policy=bind,host-nodes=0', 'bind:0', [1, 0]],
    ['policy=bind,host-nodes=1', 'bind:1', [0, 1]],
    ['policy=preferred,host-nodes=1', 'prefer:1', [0, 1]],
    ['policy=interleave,host-nodes=0-1', 'interleave:0-1', [0.5, 0.5]],
  ] as const)('give pages as %s says', async (keys, policy, shares) => {
    for (const type of ['ram', 'memfd']) {
      const vm = await onBackend(`${type},size=1G,${keys}`);
      const { addr } = await vm.agent.initMem();
      await vm.agent.ok(`plug ${addr} 32`);
      await vm.agent.ok(`touch ${addr} 64M`);
      const pages = pagesByNode(vm.pid, policy);
      const all = pages[0] + pages[1];
      expect(all).toBeGreaterThanOrEqual((64 * MIB) / 4096);
      expect(pages.map((count) => Math.round((10 * count) / all) / 10)).toEqual(shares);
      await vm.close();
    }
  });

  it('are named when a third is asked for', async () => {
    const backend = 'ram,size=1G,policy=bind,host-nodes=2';
    const vm = startVm({ virtioMem: ['memdev=m'], args: ['--memory-backend', named(backend)] });
    expect(await vm.exited).toEqual({ code: 2, signal: null });
    expect(vm.process.stderr.transcript).toContain('the host has memory on the nodes 0, 1');
  });
});
