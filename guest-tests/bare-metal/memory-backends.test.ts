import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasHugePages, HugePages } from '../harness/huge-pages.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startVm, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

/** A machine whose memory device is on this backend. */
function onBackend(backend: string, keys = ''): Promise<Vm> {
  return bootAgent({
    virtioMem: [`memdev=m,requested-size=64M${keys}`],
    args: ['--memory-backend', backend.replace(',', ',id=m,')],
  });
}

/** Ends with a line on stderr, not with a signal. */
async function expectEnd(vm: Vm, line: RegExp): Promise<void> {
  expect(await vm.exited).toEqual({ code: 1, signal: null });
  expect(vm.process.stderr.transcript).toMatch(line);
}

/** A tmpfs of so many bytes. */
function smallTmpfs(size: number): string {
  return mounted('tmpfs', `size=${size}`);
}

/** A file system that is gone after the test. */
function mounted(type: string, options: string): string {
  const path = tempDir().file(type);
  mkdirSync(path);
  execFileSync('mount', ['-t', type, '-o', options, type, path]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', path]);
  });
  return path;
}

describe.each([
  ['ram', 'ram,size=1G'],
  ['ram, shared', 'ram,size=1G,share=on'],
  ['ram with huge pages', 'ram,size=1G,thp=on'],
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
      const { addr, block } = await vm.agent.initMem();
      expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('ack');
      await vm.agent.ok(`zero ${addr} 16M`);
      await vm.agent.ok(`fill ${addr} 16M 1`);
      expect(await vm.agent.ok(`unplug ${addr + 2 * block} 2`)).toBe('ack');
      expect(await vm.agent.ok(`plug ${addr + 2 * block} 2`)).toBe('ack');
      await vm.agent.ok(`zero ${addr + 2 * block} 4M`);
      await vm.agent.ok(`check ${addr} 4M 1`);
      await vm.agent.ok('unplug-all');
      expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('ack');
      await vm.agent.ok(`zero ${addr} 16M`);
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

describe.skipIf(!hasHugePages(2 * MIB))('a device on huge pages of 2 MiB', () => {
  const memfd = 'memfd,size=1G,hugetlb=on,hugetlbsize=2M';

  it.each([
    ['', 'ack', 8],
    [',prealloc=on', 'ack', 8],
  ])('takes them when it is plugged, and gives them back%s', async (keys, answer, taken) => {
    const huge = await HugePages.take(2 * MIB, 16);
    const vm = await onBackend(memfd, keys);
    const { addr, block } = await vm.agent.initMem();
    expect(block).toBe(2 * MIB);
    expect(await vm.agent.ok(`plug ${addr} 8`)).toBe(answer);
    expect(huge.free).toBe(16 - taken);
    await vm.agent.ok(`fill ${addr} 16M 1`);
    expect(await vm.agent.ok(`unplug ${addr} 4`)).toBe('ack');
    expect(huge.free).toBe(16 - taken + 4);
    expect(await vm.agent.ok('unplug-all')).toBe('ack');
    expect(huge.free).toBe(16);
  });

  it.each(['', ',prealloc=on', ',dynamic-memslots=on'])(
    'answers BUSY when none is free, and ACK when one is again%s',
    async (keys) => {
      const huge = await HugePages.take(2 * MIB, 8);
      const vm = await onBackend(memfd, keys);
      const { addr, block } = await vm.agent.initMem();
      expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('ack');
      expect(await vm.agent.ok(`plug ${addr + 8 * block} 1`)).toBe('busy');
      expect(vm.process.stderr.transcript).toContain('no free huge page of 2 MiB is left');
      expect(await vm.agent.ok(`state ${addr + 8 * block} 1`)).toBe('ack unplugged');
      huge.setFree(1);
      expect(await vm.agent.ok(`plug ${addr + 8 * block} 1`)).toBe('ack');
      await vm.agent.ok(`zero ${addr + 8 * block} 2M`);
    },
  );

  it('answers BUSY to a plug of which only a part could be had, and keeps none of it', async () => {
    const huge = await HugePages.take(2 * MIB, 4);
    const vm = await onBackend(memfd);
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('busy');
    expect(huge.free).toBe(4);
  });

  it('works with a hugetlbfs folder, private or shared', async () => {
    const huge = await HugePages.take(2 * MIB, 16);
    const folder = mounted('hugetlbfs', 'pagesize=2M');
    for (const share of ['on', 'off']) {
      const vm = await onBackend(`file,size=1G,mem-path=${folder},share=${share}`);
      const { addr, block } = await vm.agent.initMem();
      expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('ack');
      await vm.agent.ok(`fill ${addr} 16M 1`);
      expect(huge.free).toBe(8);
      expect(await vm.agent.ok(`unplug ${addr + block} 3`)).toBe('ack');
      expect(huge.free).toBe(11);
      await vm.agent.ok(`check ${addr} 2M 1`);
      await vm.close();
      expect(huge.free).toBe(16);
    }
  });

  it('needs all of them at the start with reserve=on, and says how many', async () => {
    await HugePages.take(2 * MIB, 8);
    const vm = startVm({
      virtioMem: ['memdev=m'],
      args: ['--memory-backend', `${memfd.replace(',', ',id=m,')},reserve=on`],
    });
    await expectEnd(
      vm,
      /^tsvmm: memory backend m: cannot map 1 GiB of the memfd: 512 huge pages of 2 MiB are needed and 8 are free; raise vm.nr_hugepages, or give reserve=off$/m,
    );
  });
});

describe.skipIf(!hasHugePages(GIB))('a device on huge pages of 1 GiB', () => {
  it('has blocks of that size, and gives each back', async () => {
    const huge = await HugePages.take(GIB, 2);
    const vm = await bootAgent({
      virtioMem: ['memdev=m,requested-size=3G'],
      args: ['--memory-backend', 'memfd,id=m,size=4G,hugetlb=on,hugetlbsize=1G'],
    });
    const { addr, block } = await vm.agent.initMem();
    expect(block).toBe(GIB);
    expect(await vm.agent.ok(`plug ${addr} 2`)).toBe('ack');
    expect(huge.free).toBe(0);
    await vm.agent.ok(`touch ${addr} 2G 2M`);
    expect(await vm.agent.ok(`plug ${addr + 2 * GIB} 1`)).toBe('busy');
    expect(await vm.agent.ok(`unplug ${addr} 1`)).toBe('ack');
    expect(huge.free).toBe(1);
    expect(await vm.agent.ok(`plug ${addr + 2 * GIB} 1`)).toBe('ack');
    await vm.agent.ok(`zero ${addr + 2 * GIB} 2M`);
  });
});

describe('a full tmpfs', () => {
  it('is answered BUSY', async () => {
    const folder = smallTmpfs(32 * MIB);
    const vm = await onBackend(`file,size=1G,share=on,mem-path=${folder}`);
    const { addr, block } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 12`)).toBe('ack');
    await vm.agent.ok(`fill ${addr} 24M 1`);
    expect(await vm.agent.ok(`plug ${addr + 12 * block} 8`)).toBe('busy');
    expect(vm.process.stderr.transcript).toMatch(/cannot allocate 16 MiB: .*(No space|is full)/);
    await vm.agent.ok(`check ${addr} 24M 1`);
    expect(await vm.agent.ok(`unplug ${addr} 8`)).toBe('ack');
    expect(await vm.agent.ok(`plug ${addr + 12 * block} 8`)).toBe('ack');
  });

  it('ends a machine whose boot memory finds no room, before it starts', async () => {
    const folder = smallTmpfs(MIB);
    const vm = startVm({
      memory: 'memdev=m',
      args: ['--memory-backend', `file,id=m,size=128M,share=on,mem-path=${folder}`],
    });
    await expectEnd(vm, /^tsvmm: memory backend m: cannot allocate 128 MiB: .*No space left/m);
  });
});

describe('a file system without holes', () => {
  it('cannot serve a device, and is told apart before it starts', async () => {
    const folder = mounted('ramfs', 'mode=700');
    const vm = startVm({
      virtioMem: ['memdev=m'],
      args: ['--memory-backend', `file,id=m,size=1G,share=on,mem-path=${folder}`],
    });
    expect(await vm.exited).toEqual({ code: 2, signal: null });
    expect(vm.process.stderr.transcript).toContain(
      'tsvmm: memory backend m: memory cannot be given back: fallocate(',
    );
  });
});

describe('a file that is cut short', () => {
  it('ends the machine with a line, whoever uses its memory', async () => {
    const path = tempDir().file('memory');
    const vm = await onBackend(`file,size=1G,share=on,mem-path=${path}`);
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 8`);
    await vm.agent.ok(`fill ${addr} 16M 1`);
    truncateSync(path, MIB);
    await expectEnd(vm, /^tsvmm: memory backend m, vm0: .* was cut to 1 MiB; 1 GiB are mapped$/m);
  });

  it('ends the machine when the rings of its devices were there', async () => {
    const path = tempDir().file('memory');
    const vm = await bootAgent({
      memory: 'memdev=m',
      virtioMem: ['size=1G,requested-size=64M'],
      args: ['--memory-backend', `file,id=m,size=128M,share=on,mem-path=${path}`],
    });
    await vm.agent.initMem();
    truncateSync(path, 0);
    await expectEnd(
      vm,
      /^tsvmm: memory backend m, boot memory: .* was cut to 0 B; 128 MiB are mapped$/m,
    );
  });
});

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
    expect(await monitor.command('info memdev')).toBe(
      [
        'memory backend: big',
        '  size:  4294967296',
        '  merge: false',
        '  dump: false',
        '  prealloc: false',
        '  share: true',
        '  reserve: false',
        '  policy: default',
        '  host nodes: ',
        '  type: memfd',
        '  page size: 4096',
        '  shared zeropage: false',
        '  discard: gives memory back (punch hole)',
        '  populate: can fail',
        '  user: boot memory',
        'memory backend: more',
        '  size:  1073741824',
        '  merge: false',
        '  dump: true',
        '  prealloc: false',
        '  share: false',
        '  reserve: false',
        '  policy: bind',
        '  host nodes: 0',
        '  type: ram',
        '  page size: 4096',
        '  shared zeropage: true',
        '  discard: gives memory back (MADV_DONTNEED)',
        '  populate: can fail',
        '  user: vm0',
        'memory backend: mem0',
        '  size:  1073741824',
        '  merge: false',
        '  dump: true',
        '  prealloc: false',
        '  share: false',
        '  reserve: false',
        '  policy: default',
        '  host nodes: ',
        '  type: ram',
        '  page size: 4096',
        '  shared zeropage: true',
        '  discard: gives memory back (MADV_DONTNEED)',
        '  populate: can fail',
        '  user: vm1',
        '',
        '',
      ].join('\n'),
    );
    expect(await monitor.command('qom-get /objects/big share')).toBe('true\n');
    expect(await monitor.command('qom-get /machine/peripheral/vm0 memdev')).toBe(
      '"/objects/more"\n',
    );
  });

  it.skipIf(!hasHugePages(2 * MIB))('takes huge pages from the start', async () => {
    const huge = await HugePages.take(2 * MIB, 64);
    const vm = await bootAgent({
      memory: 'memdev=m',
      args: ['--memory-backend', 'memfd,id=m,size=128M,hugetlb=on,hugetlbsize=2M,prealloc=on'],
    });
    expect(huge.free).toBe(0);
    await vm.agent.ok(`fill ${32 * MIB} 64M 1`);
    await vm.agent.ok(`check ${32 * MIB} 64M 1`);
  });

  it.skipIf(!hasHugePages(2 * MIB))('without the huge pages it needs ends in a line', async () => {
    await HugePages.take(2 * MIB, 0);
    const backend = 'memfd,id=m,size=128M,hugetlb=on,hugetlbsize=2M,reserve=off';
    const lost = startVm({ memory: 'memdev=m', args: ['--memory-backend', backend] });
    await expectEnd(lost, /^tsvmm: memory backend m, boot memory: .* no free huge page of 2 MiB/m);
    const early = startVm({
      memory: 'memdev=m',
      args: ['--memory-backend', `${backend},prealloc=on`],
    });
    await expectEnd(early, /^tsvmm: memory backend m: cannot allocate 128 MiB: no free huge page/m);
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
