import { closeSync, openSync, readSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SocketClient } from '../harness/client.ts';
import { bootWithPort, dial } from '../harness/monitor-port.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';
import type { Vm } from '../harness/vm.ts';

/*
 * Habits of programs that read the established monitor, unchanged: with `--monitor-prompt qemu` they find
 * here what they look for.
 */

const AS_QEMU = ['--monitor-prompt', 'qemu'];
const DEVICE = 'size=4G,requested-size=1G,block-size=2M';

/** Reads a line, as `readline()` of a stream does. */
const readLine = (client: SocketClient): Promise<string> => client.text.expect('\n');

describe('one that connects for each command, and never waits for a prompt', () => {
  /** Reads until its command comes back, and leaves. */
  async function control(vm: Vm, port: number, command: string): Promise<void> {
    const client = await dial(vm, port);
    client.write(`${command}\n`);
    while (!(await readLine(client)).includes(command));
    client.destroy();
  }

  /** Reads until a line has one of the words; the last word of that line is the answer. */
  async function query(vm: Vm, port: number, command: string, words: readonly string[]) {
    const client = await dial(vm, port);
    client.write(`${command}\n`);
    for (;;) {
      const line = await readLine(client);
      if (!words.some((word) => line.includes(word))) continue;
      client.destroy();
      return line.trim().split(' ').at(-1);
    }
  }

  it('pauses and goes on, and is told the state', async () => {
    const { vm, port } = await bootWithPort({ args: AS_QEMU });
    const states = ['paused', 'prelaunch', 'running', 'shutdown'];
    const status = () => query(vm, port, 'info status', states);
    expect(await status()).toBe('running');
    await control(vm, port, 'stop');
    while ((await status()) !== 'paused');
    await control(vm, port, 'cont');
    while ((await status()) !== 'running');
    await control(vm, port, 'quit');
    expect((await vm.exited).code).toBe(0);
  });
});

describe('one that reads up to a prompt', () => {
  /** The answer is between the line that comes back and the prompt. */
  async function execute(client: SocketClient, command: string): Promise<readonly string[]> {
    client.write(`${command}\n`);
    return (await client.text.expect('(qemu) ')).split('\n').slice(1, -1);
  }

  it('takes words and numbers out of the lines between', async () => {
    const { vm, port } = await bootWithPort({ args: AS_QEMU, virtioMem: [DEVICE] });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 1`);
    await vm.agent.ok(`poke 8 ${addr} 0x1122334455667788`);
    const client = await dial(vm, port);
    expect(await client.text.expect('(qemu) ')).toMatch(/^[^\n]+\r\n\(qemu\) $/);
    expect(await execute(client, 'info status')).toEqual(['VM status: running\r']);
    const sized = (await execute(client, 'info memory-devices')).map((line) => line.split(': '));
    expect(sized).toContainEqual(['  size', `${2 * MIB}\r`]);
    const dump = await execute(client, `xp /2xw 0x${addr.toString(16)}`);
    expect(dump).toEqual([`${addr.toString(16).padStart(16, '0')}: 0x55667788 0x11223344\r`]);
    const beyond = addr + GIB;
    expect((await execute(client, `xp /w 0x${beyond.toString(16)}`))[0]).toBe(
      `${beyond.toString(16).padStart(16, '0')}: Cannot access memory\r`,
    );
  });
});

describe('one that types as a terminal does', () => {
  it.each(['\r', '\n', '\r\n'])('may end lines with %j, on a path and on a port', async (end) => {
    const { vm, port } = await bootWithPort({ args: AS_QEMU });
    const path = tempDir().file('other');
    const other = await bootAgent({ args: ['--monitor', `unix:${path}`, ...AS_QEMU] });
    const onPath = await SocketClient.open(path, 'monitor', () => other.process.describe());
    for (const client of [await dial(vm, port), onPath]) {
      await client.text.expect(/\(qemu\) $/);
      client.write(`info name${end}`);
      expect(await client.text.expect(/\(qemu\) $/)).toBe('info name\r\ntsvmm\r\n(qemu) ');
      client.write(`info status${end}`);
      expect(await client.text.expect(/\(qemu\) $/)).toContain('VM status: running\r\n');
      client.destroy();
    }
  });
});

describe('one that pipes its lines into socat', () => {
  it('gets all answers after it has said all, and finds its columns', async () => {
    const path = tempDir().file('monitor.sock');
    const vm = await bootAgent({
      virtioMem: ['memdev=memdimm_1_node_0'],
      args: [
        ...['--memory-backend', 'ram,id=memdimm_1_node_0,size=1G'],
        ...['--monitor', `unix:${path}`, ...AS_QEMU],
      ],
    });
    const client = await SocketClient.open(path, 'monitor', () => vm.process.describe());
    client.write('info memdev\ninfo memory-devices\ninfo qtree -b\n');
    client.end();
    const text = (await client.text.rest()).replaceAll('\r', '');
    const fields = text.split('\n').map((line) => line.trim().split(/ +/));
    expect(fields).toContainEqual(['memory', 'backend:', 'memdimm_1_node_0']);
    expect(fields).toContainEqual(['size:', `${GIB}`]);
    expect(fields).toContainEqual(['memdev:', '/objects/memdimm_1_node_0']);
    expect(text).toContain('dev: virtio-mem-pci, id "vm0"\n');
    expect(text.split('\n').at(-1)).toBe('(qemu) ');
  });
});

describe('one that reads guest memory from its file', () => {
  const RANGE = /^ *([0-9a-f]+)-([0-9a-f]+) \(.*, ram\): (\S+)(?: @([0-9a-f]+))? KVM\r?$/gm;

  /** Guest-physical ranges with the backend each is in, and where. */
  async function mappings(vm: Vm): Promise<readonly (readonly [number, number, string, number])[]> {
    const text = await (await vm.monitor()).command('info mtree -f');
    const system = text.slice(text.indexOf('Root memory region: system')).split('\n\n')[0] ?? '';
    return [...system.matchAll(RANGE)].map(([, start, last, name = '', at]) => {
      const hex = (digits = '0'): number => Number.parseInt(digits, 16);
      return [hex(start), hex(last) + 1, name, hex(at)] as const;
    });
  }

  function read(path: string, at: number): bigint {
    const fd = openSync(path, 'r');
    const bytes = Buffer.alloc(8);
    readSync(fd, bytes, 0, 8, at);
    closeSync(fd);
    return bytes.readBigUInt64LE();
  }

  it('finds it by what the tree says, boot memory and plugged memory', async () => {
    const folder = tempDir();
    const paths: Readonly<Record<string, string>> = {
      boot: folder.file('boot'),
      more: folder.file('more'),
    };
    const vm = await bootAgent({
      memory: 'memdev=boot',
      virtioMem: ['memdev=more,requested-size=3G,dynamic-memslots=on,memslot-size=1G'],
      args: [
        ...['--memory-backend', `file,id=boot,size=4G,share=on,mem-path=${paths['boot'] ?? ''}`],
        ...['--memory-backend', `file,id=more,size=4G,share=on,mem-path=${paths['more'] ?? ''}`],
      ],
    });
    const { addr } = await vm.agent.initMem();
    const places = [GIB, 4 * GIB + 8 * MIB, addr + 2 * MIB, addr + 2 * GIB + 4 * MIB];
    for (const gpa of places.slice(2)) await vm.agent.ok(`plug ${gpa} 1`);
    for (const [index, gpa] of places.entries())
      await vm.agent.ok(`poke 8 ${gpa} ${index + 0x1234}`);
    const found = await mappings(vm);
    expect(found.map(([, , name]) => name)).toEqual(['boot', 'boot', 'more', 'more']);
    for (const [index, gpa] of places.entries()) {
      const [start, , name, at] = found.find(([first, end]) => first <= gpa && gpa < end) ?? [];
      const where = (at ?? 0) + gpa - (start ?? 0);
      expect(read(paths[name ?? ''] ?? '', where)).toBe(BigInt(index + 0x1234));
    }
  });

  it('knows boot memory without a backend by its usual name', async () => {
    const vm = await bootAgent({ memory: '4G' });
    expect(await mappings(vm)).toEqual([
      [0, 3 * GIB, 'pc.ram', 0],
      [4 * GIB, 5 * GIB, 'pc.ram', 3 * GIB],
    ]);
  });
});
