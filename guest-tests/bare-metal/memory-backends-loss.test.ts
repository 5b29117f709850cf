import { truncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectEnd, mounted, onBackend, smallTmpfs } from '../harness/backends.ts';
import { MIB } from '../harness/sizes.ts';
import { bootAgent, startVm, tempDir } from '../harness/test-vm.ts';

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
