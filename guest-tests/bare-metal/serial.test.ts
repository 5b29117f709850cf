import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SocketClient } from '../harness/client.ts';
import { guestPath } from '../harness/guests.ts';
import { bootAgent, startTsvmm, tempDir } from '../harness/test-vm.ts';

describe('the serial console', () => {
  it('loses nothing of a flood, and keeps it in order', async () => {
    const vm = await bootAgent();
    vm.process.write('flood 400\n');
    const text = await vm.serial.expect('ok\n');
    const numbers = text
      .split('\n')
      .slice(0, -2)
      .map((line) => Number.parseInt(line, 10));
    expect(numbers).toEqual(Array.from({ length: 400 }, (_, index) => index));
  });

  it('takes more input at once than its FIFO holds', async () => {
    const vm = await bootAgent();
    const commands = Array.from({ length: 200 }, (_, index) => `in 4 ${index}\n`);
    vm.process.write(commands.join(''));
    await vm.serial.expect(/(ok 0x[0-9a-f]+\n){200}/);
  });

  it('passes all 256 byte values both ways but for line ends', async () => {
    const vm = await bootAgent();
    const bytes = Array.from({ length: 255 }, (_, index) => index + 1)
      .filter((byte) => byte !== 10 && byte !== 13)
      .map((byte) => String.fromCharCode(byte))
      .join('');
    vm.process.write(`${bytes}\n`);
    expect(await vm.serial.expect('\n')).toBe(`error unknown command: ${bytes}\n`);
  });

  it('interrupts for input', async () => {
    const vm = await bootAgent();
    const before = await vm.agent.field('irq', 'serial');
    expect(await vm.agent.field('irq', 'serial')).toBeGreaterThan(before);
  });

  it('goes to a file', async () => {
    const file = tempDir().file('serial.log');
    const args = ['run', '--kernel', guestPath('hello'), '--memory', '128M'];
    const child = startTsvmm([...args, '--serial', `file:${file}`, '--monitor', 'none']);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(readFileSync(file, 'latin1')).toBe('hello\n');
    expect(child.stdout.transcript).toBe('');
  });

  it('goes to a socket, and shows a late client what it missed', async () => {
    const path = tempDir().file('serial.sock');
    const args = ['run', '--kernel', guestPath('agent'), '--memory', '128M'];
    const child = startTsvmm([...args, '--serial', `unix:${path}`, '--monitor', 'none']);
    const open = () => SocketClient.open(path, 'serial client', () => child.describe());
    const first = await open();
    await first.text.expect(/agent ready.*\n/);
    first.write('info\n');
    await first.text.expect(/ok memory.*\n/);
    first.destroy();
    const second = await open();
    second.write('info\n');
    await second.text.expect(/ok memory.*\n/);
    second.write('poweroff\n');
    expect((await child.exited).code).toBe(0);
  });

  it('does not stop for a client of its socket that does not read', async () => {
    const path = tempDir().file('serial.sock');
    const args = ['run', '--kernel', guestPath('agent'), '--memory', '128M'];
    const child = startTsvmm([...args, '--serial', `unix:${path}`, '--monitor', 'none']);
    const first = await SocketClient.open(path, 'serial client', () => child.describe());
    await first.text.expect(/agent ready.*\n/);
    first.pause();
    first.write('flood 1500\npoweroff\n');
    expect((await child.exited).code).toBe(0);
  });

  it('can be absent', async () => {
    const args = ['run', '--kernel', guestPath('hello'), '--memory', '128M'];
    const child = startTsvmm([...args, '--serial', 'none', '--monitor', 'none']);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.stdout.transcript).toBe('');
  });
});
