import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';

/*
 * A client that others wrote, for the established implementation: qemu-qmp of the npm registry. It
 * reads the greeting from one piece of data, ends no command with a newline, and knows answers by
 * their order.
 */

type Callback = (error: Error | null, result: unknown) => void;

interface ForeignClient extends Socket {
  readonly version: { readonly qemu: object; readonly package: string };
  readonly capabilities: readonly string[];
  connect(...args: never): this;
  execute(command: string, args: object, callback: Callback): void;
}

const Client = createRequire(import.meta.url)('qemu-qmp') as new () => ForeignClient;

/** The client's calls as promises. */
class Foreign {
  readonly #client: ForeignClient;

  private constructor(client: ForeignClient) {
    this.#client = client;
  }

  static async connect(path: string): Promise<Foreign> {
    const client = new Client();
    onTestFinished(() => void client.destroy());
    const connect = client.connect.bind(client) as unknown as (
      path: string,
      callback: (error: Error | null) => void,
    ) => void;
    await new Promise<void>((resolve, reject) => {
      connect(path, (error) => (error === null ? resolve() : reject(error)));
    });
    return new Foreign(client);
  }

  get greeting(): object {
    const { version, capabilities } = this.#client;
    return { version, capabilities };
  }

  async run(command: string, args: object = {}): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      this.#client.execute(command, args, (error, result) => {
        if (error === null) resolve(result);
        else reject(error);
      });
    });
  }

  /** Events go by their names in lower case. */
  async event(name: string): Promise<void> {
    await new Promise((resolve) => this.#client.once(name, resolve));
  }
}

describe("somebody else's client", () => {
  it('resizes a device, hears of it, and ends the machine', async () => {
    const path = tempDir().file('qmp');
    const vm = await bootAgent({
      virtioMem: ['size=4G,block-size=2M'],
      args: ['--qmp', `unix:${path}`],
    });
    await vm.agent.initMem();
    await vm.agent.ok('follow');
    const foreign = await Foreign.connect(path);
    expect(foreign.greeting).toMatchObject({ version: { qemu: {} }, capabilities: ['oob'] });
    const resized = foreign.event('memory_device_size_change');
    const args = { path: '/machine/peripheral/vm0', property: 'requested-size' };
    expect(await foreign.run('qom-set', { ...args, value: GIB })).toEqual({});
    await resized;
    await expect
      .poll(() => foreign.run('query-memory-devices'), { timeout: 60_000 })
      .toMatchObject([{ type: 'virtio-mem', data: { id: 'vm0', size: GIB } }]);
    await expect(foreign.run('qom-get', { path: 'vm7', property: 'size' })).rejects.toThrow(
      "Device 'vm7' not found",
    );
    const stopped = foreign.event('stop');
    await foreign.run('stop');
    await stopped;
    expect(await foreign.run('query-status')).toMatchObject({ running: false, status: 'paused' });
    const ended = foreign.event('shutdown');
    await foreign.run('quit');
    await ended;
    expect(await vm.exited).toEqual({ code: 0, signal: null });
  });

  it('asks for every query that there is', async () => {
    const path = tempDir().file('qmp');
    await bootAgent({ virtioMem: ['size=4G'], args: ['--qmp', `unix:${path}`] });
    const foreign = await Foreign.connect(path);
    const commands = (await foreign.run('query-commands')) as { name: string }[];
    const queries = commands.filter(
      ({ name }) => name.startsWith('query-') && name !== 'query-balloon',
    );
    expect(queries.length).toBeGreaterThan(10);
    const args: Readonly<Record<string, object>> = { 'query-stats': { target: 'vm' } };
    for (const { name } of queries) {
      expect(await foreign.run(name, args[name])).toBeTypeOf('object');
    }
  });
});
