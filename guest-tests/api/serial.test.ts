import { createVm } from 'tsvmm';
import { vmFixture, type RunningVm } from 'tsvmm/testing';
import { describe, expect, it, test } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { agentOptions, startAgent } from './agent-vm.ts';

describe('vm.serial', () => {
  it('can be read to its end', async () => {
    const vm = await createVm({ kernel: guestPath('hello'), memory: '64M' });
    await vm.start();
    let text = '';
    for await (const bytes of vm.serial) text += String(bytes);
    expect(text).toContain('hello');
    expect(await vm.ended).toEqual({ kind: 'power-off' });
  });

  it('has what was said before anybody read', async () => {
    const vm = await createVm({ kernel: guestPath('hello'), memory: '64M' });
    await vm.start();
    await vm.ended;
    let text = '';
    for await (const bytes of vm.serial) text += String(bytes);
    expect(text).toContain('hello');
  });

  it('holds up nobody while nobody reads', async () => {
    await using vm = await createVm(agentOptions());
    await vm.start();
    vm.serial.write('flood 1000\npoweroff\n');
    expect(await vm.ended).toEqual({ kind: 'power-off' });
  });

  it('makes the guest wait for a reader that pauses, and loses nothing', async () => {
    const { vm, console } = await startAgent();
    console.send('flood 1000\n');
    await console.expect('\n');
    vm.serial.pause();
    await expect.poll(() => vm.serial.readableLength, { timeout: 60_000 }).toBeGreaterThan(16_000);
    const held = vm.serial.readableLength;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(vm.serial.readableLength).toBeLessThan(held + 8192);
    vm.serial.resume();
    const text = await console.expect(/ok\b.*\n/);
    const numbers = Array.from(text.matchAll(/^(\d+) abc/gm), ([, number]) => Number(number));
    for (const [at, number] of numbers.slice(1).entries()) {
      expect(number).toBe((numbers[at] ?? 0) + 1);
    }
    expect(numbers.length).toBeGreaterThan(990);
  });

  it('takes more than the guest reads at once', async () => {
    const { vm, agent, console } = await startAgent();
    const lines = 1200;
    vm.serial.write('tsc\n'.repeat(lines));
    for (let line = 0; line < lines; line++) await console.expect('\n');
    expect(await agent.ok('info')).not.toBe('');
  });

  it('is not there when it is not wanted', async () => {
    await using vm = await createVm(agentOptions({ serial: false }));
    await vm.start();
    vm.serial.write('poweroff\n');
    await vm.close();
    expect(await vm.ended).toEqual({ kind: 'quit' });
  });
});

describe('the vitest fixture', () => {
  const withVm = test.extend<{ running: RunningVm }>({
    running: vmFixture({ ...agentOptions(), ready: /agent ready .*\n/ }),
  });

  withVm('gives each test a guest that is ready', async ({ running }) => {
    running.console.send('info\n');
    expect(await running.console.expect('\n')).toMatch(/^ok/);
  });
});
