import { describe, expect, it } from 'vitest';
import { expectEnd, smallTmpfs } from '../harness/backends.ts';
import { hasHugePages, HugePages } from '../harness/huge-pages.ts';
import { MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

/** A guest on boot memory that nobody has set aside; what it needs to boot is there. */
function boot(backend: string, cpus = 1): Promise<Vm> {
  const args = ['--memory-backend', `${backend},id=m,size=256M,reserve=off`];
  return bootAgent({ memory: 'memdev=m', args, cpus });
}

/** The guest uses more than the host has, and cannot answer any more. */
function use(vm: Vm, bytes: number): void {
  vm.process.write(`fill ${64 * MIB} ${bytes} 1\n`);
}

const line = (why: string): RegExp =>
  new RegExp(
    `^tsvmm: memory backend m, boot memory: the host has no memory for the guest(?: at 0x[0-9a-f]+)?: ${why}`,
    'm',
  );

describe('boot memory that the host runs out of', () => {
  it.skipIf(!hasHugePages(2 * MIB))('on huge pages ends the machine with a line', async () => {
    await HugePages.take(2 * MIB, 60);
    const vm = await boot('memfd,hugetlb=on,hugetlbsize=2M');
    expect(vm.process.stderr.transcript).toContain('boot memory is not set aside');
    use(vm, 160 * MIB);
    await expectEnd(vm, line('no free huge page of 2 MiB is left'));
  });

  it('on a tmpfs ends the machine with a line', async () => {
    const folder = smallTmpfs(96 * MIB);
    const vm = await boot(`file,share=on,mem-path=${folder}`);
    use(vm, 160 * MIB);
    await expectEnd(vm, line('the file system of .* is full'));
  });

  it('ends the machine whichever CPU it is, and whether or not it takes interrupts', async () => {
    const folder = smallTmpfs(96 * MIB);
    const vm = await boot(`file,share=on,mem-path=${folder}`, 2);
    await vm.agent.ok('smp start');
    vm.process.write(`smp touch ${64 * MIB} ${160 * MIB}\n`);
    await expectEnd(vm, line('the file system of .* is full'));
  });
});
