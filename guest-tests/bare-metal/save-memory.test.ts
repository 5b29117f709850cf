import { linkSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { MIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';

describe('memory that is being saved', () => {
  it.each(['quit', 'SIGTERM', 'poweroff'])('is given up when %s ends the machine', async (how) => {
    const temp = tempDir();
    const vm = await bootAgent({ memory: '1G' });
    const [saver, other] = [await vm.monitor(), await vm.monitor()];
    saver.client.write(`pmemsave 0 1073741824 ${temp.file('half')}\n`);
    await expect.poll(() => temp.list(), { timeout: 60_000 }).toEqual(['half']);
    if (how === 'quit') other.client.write('quit\n');
    else if (how === 'SIGTERM') vm.process.kill('SIGTERM');
    else vm.process.write('poweroff\n');
    await saver.text.expect(`Error: the machine has ended: ${temp.file('half')} is not saved`);
    expect((await vm.exited).code).toBe(0);
    expect(vm.process.stderr.transcript).toBe('');
    expect(temp.list()).toEqual([]);
  });

  it('is not saved over what is in use', async () => {
    const temp = tempDir();
    const [memory, kernel, log] = [temp.file('memory'), temp.file('kernel'), temp.file('log')];
    writeFileSync(memory, Buffer.alloc(16 * MIB, 0xa5));
    writeFileSync(kernel, readFileSync(guestPath('agent')));
    const vm = await bootAgent({
      kernel,
      args: ['--memory-backend', `file,id=m,mem-path=${memory},share=on`],
    });
    linkSync(memory, temp.file('other-name'));
    const monitor = await vm.monitor();
    await monitor.command(`logfile ${log}`);
    for (const [path, what] of [
      [memory, 'memory backend m'],
      [temp.file('other-name'), 'memory backend m'],
      [kernel, 'the kernel'],
      [log, 'the log'],
    ]) {
      const before = readFileSync(path ?? '');
      for (const command of [`pmemsave 0 4096 ${path}`, `memsave 0x100000 4096 ${path}`]) {
        expect(await monitor.command(command)).toBe(
          `Error: cannot save to ${path}: it is ${what}\n`,
        );
      }
      if (path !== log) {
        expect(await monitor.command(`logfile ${path}`)).toContain(`it is ${what}`);
      }
      expect(readFileSync(path ?? '').equals(before)).toBe(true);
    }
  });
});
