import { describe, expect, it } from 'vitest';
import { expectEnd, mounted, onBackend } from '../harness/backends.ts';
import { hasHugePages, HugePages } from '../harness/huge-pages.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, startVm } from '../harness/test-vm.ts';

describe.skipIf(!hasHugePages(2 * MIB))('a device on huge pages of 2 MiB', () => {
  const memfd = 'memfd,size=1G,hugetlb=on,hugetlbsize=2M';

  it.each(['', ',prealloc=on'])(
    'takes them when it is plugged, and gives them back%s',
    async (keys) => {
      const huge = await HugePages.take(2 * MIB, 16);
      const vm = await onBackend(memfd, keys);
      const { addr, block } = await vm.agent.initMem();
      expect(block).toBe(2 * MIB);
      expect(await vm.agent.ok(`plug ${addr} 8`)).toBe('ack');
      expect(huge.free).toBe(8);
      await vm.agent.ok(`fill ${addr} 16M 1`);
      expect(await vm.agent.ok(`unplug ${addr} 4`)).toBe('ack');
      expect(huge.free).toBe(12);
      expect(await vm.agent.ok('unplug-all')).toBe('ack');
      expect(huge.free).toBe(16);
    },
  );

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

describe.skipIf(!hasHugePages(2 * MIB))('boot memory on huge pages', () => {
  it('takes huge pages from the start', async () => {
    const huge = await HugePages.take(2 * MIB, 64);
    const vm = await bootAgent({
      memory: 'memdev=m',
      args: ['--memory-backend', 'memfd,id=m,size=128M,hugetlb=on,hugetlbsize=2M,prealloc=on'],
    });
    expect(huge.free).toBe(0);
    await vm.agent.ok(`fill ${32 * MIB} 64M 1`);
    await vm.agent.ok(`check ${32 * MIB} 64M 1`);
  });

  it('without the huge pages it needs ends in a line', async () => {
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
