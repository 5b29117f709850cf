import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectZeroWhenPlugged, onBackend } from '../harness/backends.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startVm, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

describe.each([
  ['ram', 'ram,size=1G'],
  ['ram, shared', 'ram,size=1G,share=on'],
  ['ram without huge pages', 'ram,size=1G,thp=off'],
  ['memfd', 'memfd,size=1G'],
  ['memfd, private', 'memfd,size=1G,share=off'],
  ['a file', 'file,size=1G,share=on,mem-path=FOLDER'],
  ['a file, private', 'file,size=1G,mem-path=FOLDER'],
])('a device on %s', (_name, backend) => {
  it.each(['off', 'on'])(
    'reads zeros whenever it is plugged, dynamic-memslots=%s',
    async (dynamic) => {
      const temp = tempDir();
      const vm = await onBackend(
        backend.replace('FOLDER', temp.path),
        `,dynamic-memslots=${dynamic}`,
      );
      await expectZeroWhenPlugged(vm);
    },
  );

  it('gives memory back before UNPLUG is answered', async () => {
    const vm = await onBackend(backend.replace('FOLDER', tempDir().path));
    const { addr } = await vm.agent.initMem();
    const idle = vm.residentBytes();
    await vm.agent.ok(`plug ${addr} 32`);
    await vm.agent.ok(`touch ${addr} 64M`);
    expect(vm.residentBytes()).toBeGreaterThan(idle + 48 * MIB);
    expect(await vm.agent.ok('unplug-all')).toBe('ack');
    expect(vm.residentBytes()).toBeLessThan(idle + 32 * MIB);
  });
});

interface Described {
  readonly id: string;
  readonly size: number;
  readonly type?: 'ram' | 'memfd';
  readonly dump?: boolean;
  readonly policy?: string;
  readonly nodes?: string;
  readonly user: string;
}

/** Lines of `info memdev` about one backend of base pages. */
function described(backend: Described): string[] {
  const { id, size, type = 'ram', dump = true, policy = 'default', nodes = '', user } = backend;
  const isRam = type === 'ram';
  return [
    `memory backend: ${id}`,
    `  size:  ${size}`,
    '  merge: false',
    `  dump: ${dump}`,
    '  prealloc: false',
    `  share: ${!isRam}`,
    '  reserve: false',
    `  policy: ${policy}`,
    `  host nodes: ${nodes}`,
    `  type: ${type}`,
    '  page size: 4096',
    expect.stringMatching(/^ {2}thp: on/) as string,
    `  shared zeropage: ${isRam}`,
    `  discard: gives memory back (${isRam ? 'MADV_DONTNEED' : 'punch hole'})`,
    '  populate: can fail',
    `  user: ${user}`,
  ];
}

describe('boot memory on a backend', () => {
  it('boots, keeps its content and shows as such', async () => {
    const vm = await bootAgent({
      memory: 'memdev=big',
      virtioMem: ['memdev=more,requested-size=2M', 'size=1G'],
      args: [
        ...['--memory-backend', 'memfd,id=big,size=4G,dump=off'],
        ...['--memory-backend', 'ram,id=more,size=1G,policy=bind,host-nodes=0,reserve=off'],
      ],
    });
    await vm.agent.ok(`fill ${GIB} 1M 5`);
    await vm.agent.ok(`fill ${4 * GIB} 1M 6`);
    await vm.agent.ok(`check ${GIB} 1M 5`);
    const monitor = await vm.monitor();
    expect((await monitor.command('info memdev')).split('\n')).toEqual([
      ...described({ id: 'big', size: 4 * GIB, type: 'memfd', dump: false, user: 'boot memory' }),
      ...described({ id: 'more', size: GIB, policy: 'bind', nodes: '0', user: 'vm0' }),
      ...described({ id: 'mem0', size: GIB, user: 'vm1' }),
      '',
      '',
    ]);
    expect(await monitor.command('qom-get /objects/big share')).toBe('true\n');
    expect(await monitor.command('qom-get /machine/peripheral/vm0 memdev')).toBe(
      '"/objects/more"\n',
    );
  });
});

describe('a backend that cannot be', () => {
  it.each([
    [['ram,id=m,size=1G,prealloc=on'], 'memdev=m', 'set prealloc on the virtio-mem device instead'],
    [['ram,id=m,size=1G'], 'memdev=x', 'memdev=x: no memory backend has this id (there is m)'],
    [['ram,id=m,size=1G'], 'memdev=m,block-size=512K', 'less than 1 MiB'],
    [['memfd,id=m,size=1G,hugetlb=on,hugetlbsize=4M'], 'memdev=m', "this host's huge pages are"],
    [['file,id=m,size=1G,mem-path=/dev/null'], 'memdev=m', 'neither a file'],
    [['devmem,id=m,size=1G,base=1M'], 'memdev=m', 'the host uses it as System RAM'],
  ])('is refused with 2 and one line: %j', async (backends, device, line) => {
    const vm = startVm({
      virtioMem: [device],
      args: backends.flatMap((backend) => ['--memory-backend', backend]),
    });
    expect(await vm.exited).toEqual({ code: 2, signal: null });
    expect(vm.process.stderr.transcript).toContain(line);
    expect(vm.process.stderr.transcript.trimEnd().split('\n')).toHaveLength(1);
  });
});

it('a device called ram is not boot memory', async () => {
  const vm = await bootAgent({
    memory: '128M',
    virtioMem: ['id=ram,size=64G,requested-size=64M,dynamic-memslots=on'],
  });
  const { addr } = await vm.agent.initMem();
  const monitor = await vm.monitor();
  const before = await monitor.command('info memslots');
  await vm.agent.ok(`plug ${addr} 32`);
  expect(await monitor.command('info memory_size_summary')).toBe(
    `base memory: ${128 * MIB}\nplugged memory: ${64 * MIB}\n`,
  );
  // What it would cost to map all of the device and boot memory, each once.
  const still = /one static slot/;
  const line = (text: string): string | undefined => text.split('\n').find((it) => still.test(it));
  expect(line(await monitor.command('info memslots'))).toBe(line(before));
});

/** Whether this host gives transparent huge pages to whoever asks for them. */
const gives = (name: string): boolean => {
  try {
    const text = readFileSync(`/sys/kernel/mm/transparent_hugepage/${name}`, 'utf8');
    return !/\[(never|deny)\]/.test(text);
  } catch {
    return false;
  }
};

/** Bytes of the machine's memory that are on transparent huge pages, by the kernel's word. */
function hugeBytes({ pid }: Vm, name: string): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
}

describe('transparent huge pages', () => {
  it.each([
    ['anonymous memory', 'ram,size=1G', 'enabled', 'AnonHugePages'],
    ['a memfd', 'memfd,size=1G', 'shmem_enabled', 'ShmemPmdMapped'],
  ])('are under %s unasked, where the host has them', async (_name, backend, setting, counter) => {
    const vm = await onBackend(backend, ',dynamic-memslots=on');
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 32`);
    await vm.agent.ok(`touch ${addr} 64M`);
    const info = await (await vm.monitor()).command('info memdev');
    const words = gives(setting) ? 'on' : `on, but without effect: `;
    expect(info).toContain(`\n  thp: ${words}`);
    // A host whose memory is in pieces may not have one for each block.
    if (gives(setting)) expect(hugeBytes(vm, counter)).toBeGreaterThan(0);
    else expect(hugeBytes(vm, counter)).toBe(0);
    const touched = vm.residentBytes();
    await vm.agent.ok(`unplug ${addr} 16`);
    expect(vm.residentBytes()).toBeLessThan(touched - 24 * MIB);
  });

  it('are not where thp=off', async () => {
    const vm = await onBackend('ram,size=1G,thp=off');
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 32`);
    await vm.agent.ok(`touch ${addr} 64M`);
    expect(await (await vm.monitor()).command('info memdev')).toContain('\n  thp: off\n');
  });

  it.each([
    ['its own memory', ['size=1G,requested-size=64M,block-size=1M'], []],
    ['a backend', ['memdev=m,requested-size=64M,block-size=1M'], ['ram,id=m,size=1G']],
  ])(
    'are not under smaller blocks, so that each goes back: %s',
    async (_name, virtioMem, backends) => {
      const args = backends.flatMap((it) => ['--memory-backend', it]);
      const vm = await bootAgent({ virtioMem, args });
      const { addr, block } = await vm.agent.initMem();
      expect(block).toBe(MIB);
      await vm.agent.ok(`plug ${addr} 64`);
      await vm.agent.ok(`touch ${addr} 64M`);
      const info = await (await vm.monitor()).command('info memdev');
      expect(info).toContain('thp: off, since blocks are smaller than a huge page');
      const touched = vm.residentBytes();
      for (let at = 0; at < 64; at += 2) await vm.agent.ok(`unplug ${addr + at * block} 1`);
      expect(vm.residentBytes()).toBeLessThan(touched - 24 * MIB);
    },
  );
});
