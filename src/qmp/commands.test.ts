import { describe, expect, it } from 'vitest';
import { GIB, MIB } from '../units.ts';
import type { CommandName } from './schema/commands.ts';
import { ask as askRig, generic } from './testing/ask.ts';
import { useQmpRig } from './testing/rig.ts';

const rig = useQmpRig();
const ask = (command: CommandName, args?: object): Promise<unknown> => askRig(rig(), command, args);

describe('memory', () => {
  it('query-memory-devices tells of each device', async () => {
    expect(await ask('query-memory-devices')).toEqual([
      {
        type: 'virtio-mem',
        data: {
          id: 'vm0',
          memaddr: 0x1_4000_0000,
          'requested-size': 0,
          size: 0,
          'max-size': 8 * GIB,
          'block-size': 2 * MIB,
          node: 0,
          memdev: '/objects/mem0',
        },
      },
      {
        type: 'virtio-mem',
        data: expect.objectContaining({ id: 'vm1', size: GIB, node: 1 }) as object,
      },
    ]);
  });

  it('x-tsvmm-query-memory-devices tells what each device does, and why', async () => {
    expect(await ask('x-tsvmm-query-memory-devices')).toEqual([
      expect.objectContaining({ id: 'vm0', 'qom-path': '/machine/peripheral/vm0' }),
      {
        id: 'vm1',
        'qom-path': '/machine/peripheral/vm1',
        'usable-size': 256 * MIB,
        memslots: { count: 1, active: 1, total: 8, size: GIB },
        convergence: { reason: 'busy', cause: 'answered BUSY: no memory', for: 12_345 },
        nudges: 1,
        'held-requests': 2,
        protection: { enabled: true, 'unprotected-blocks': 3, violations: 4, 'zero-reads': 1 },
        requests: { ack: 5, nack: 6, busy: 7, error: 8 },
        latencies: [
          { request: 'plug', count: 812, median: 2130, p99: 14_300, max: 2_300_000 },
          { request: 'unplug', count: 1, median: 999, p99: 999, max: 3_000_000_000 },
          { request: 'unplug-all', count: 0, median: 0, p99: 0, max: 0 },
          { request: 'state', count: 0, median: 0, p99: 0, max: 0 },
        ],
      },
    ]);
  });

  it('query-memory-size-summary adds up', async () => {
    expect(await ask('query-memory-size-summary')).toEqual({
      'base-memory': 4 * GIB,
      'plugged-memory': GIB,
    });
  });

  it('query-memdev tells of each backend', async () => {
    expect(await ask('query-memdev')).toEqual([
      {
        id: 'mem0',
        size: 8 * GIB,
        merge: false,
        dump: true,
        prealloc: false,
        share: false,
        reserve: true,
        'host-nodes': [],
        policy: 'default',
      },
      expect.objectContaining({ id: 'mem1', 'host-nodes': [0, 1], policy: 'bind' }),
    ]);
  });
});

describe('objects', () => {
  it('qom-list tells properties and children', async () => {
    expect(await ask('qom-list', { path: '/' })).toEqual([
      { name: 'type', type: 'string' },
      { name: 'machine', type: 'child<container>' },
      { name: 'objects', type: 'child<container>' },
    ]);
    expect(await ask('qom-list', { path: 'vm0' })).toEqual([
      { name: 'type', type: 'string' },
      { name: 'memdev', type: 'str' },
      { name: 'node', type: 'int' },
      { name: 'prealloc', type: 'bool' },
      { name: 'requested-size', type: 'size' },
      { name: 'size', type: 'size' },
    ]);
  });

  it.each([
    ['vm1', 'requested-size', GIB],
    ['/machine/peripheral/vm1', 'prealloc', false],
    ['peripheral/vm1/', 'memdev', '/objects/mem0'],
    ['vm1', 'type', 'virtio-mem-pci'],
    ['/', 'machine', '/machine'],
  ])('qom-get %s %s', async (path, property, value) => {
    expect(await ask('qom-get', { path, property })).toBe(value);
  });

  it.each(['vm7', '', '/machine/vm0', '/vm0', 'm0'])(
    'an object %j that is not there is not found',
    async (path) => {
      const error = { class: 'DeviceNotFound', desc: `Device '${path}' not found` };
      expect(await ask('qom-get', { path, property: 'size' })).toEqual(error);
      expect(await ask('qom-list', { path })).toEqual(error);
    },
  );

  it('a property that is not there is not found', async () => {
    expect(await ask('qom-get', { path: 'vm0', property: 'nix' })).toEqual(
      generic("Property 'virtio-mem-pci.nix' not found"),
    );
  });

  it('qom-set sets', async () => {
    const args = { path: 'vm0', property: 'requested-size', value: 64 * MIB };
    expect(await ask('qom-set', args)).toEqual({});
    expect(rig().machine.devices[0]?.requestedSize).toBe(64 * MIB);
  });

  it.each([
    ['requested-size', '500M', "Parameter 'requested-size' expects uint64"],
    ['requested-size', true, "Parameter 'requested-size' expects uint64"],
    ['requested-size', 1.5, "Parameter 'requested-size' expects uint64"],
    ['requested-size', -1, "Parameter 'requested-size' expects uint64"],
    ['requested-size', 2 ** 60, "Parameter 'requested-size' is larger than 4503599627370496"],
    ['requested-size', 3, 'requested-size=3: not a multiple of 2 MiB'],
    ['prealloc', 1, "Invalid parameter type for 'prealloc', expected: boolean"],
    ['size', 0, "Property 'virtio-mem-pci.size' is not writable"],
    ['type', 'x', "Property 'virtio-mem-pci.type' is not writable"],
    ['nix', 0, "Property 'virtio-mem-pci.nix' not found"],
  ])('qom-set refuses %s=%j', async (property, value, desc) => {
    expect(await ask('qom-set', { path: 'vm0', property, value })).toEqual(generic(desc));
    expect(rig().machine.devices[0]?.requestedSize).toBe(0);
  });

  it('qom-list-types tells what there is, by what it is', async () => {
    expect(await ask('qom-list-types', { implements: 'virtio-mem-pci' })).toEqual([
      { name: 'virtio-mem-pci', parent: 'pci-device' },
    ]);
    expect(await ask('qom-list-types')).not.toContainEqual(
      expect.objectContaining({ abstract: true }),
    );
    expect(await ask('qom-list-types', { implements: 'memory-backend', abstract: true })).toEqual(
      expect.arrayContaining([
        { name: 'memory-backend', parent: 'object', abstract: true },
        { name: 'memory-backend-ram', parent: 'memory-backend' },
      ]),
    );
  });
});

describe('a balloon', () => {
  it.each([
    ['query-balloon', undefined],
    ['balloon', { value: 2 ** 30 }],
  ] as const)('there is none: %s says so by its class', async (command, args) => {
    expect(await ask(command, args)).toEqual({
      class: 'DeviceNotActive',
      desc: 'No balloon device has been activated',
    });
  });

  it('there is none for the human monitor either', async () => {
    for (const line of ['info balloon', 'balloon 512']) {
      const answer = await ask('human-monitor-command', { 'command-line': line });
      expect(answer).toBe('Error: No balloon device has been activated\r\n');
    }
  });
});

describe('the machine', () => {
  it.each([
    [{ running: true }, { running: true, status: 'running' }],
    [{ running: false }, { running: false, status: 'paused' }],
    [
      { running: false, reason: 'shutdown' },
      { running: false, status: 'shutdown' },
    ],
    [
      { running: false, reason: 'moonshine' },
      { running: false, status: 'internal-error' },
    ],
  ])('query-status of %j', async (state, status) => {
    rig().machine.state = state;
    expect(await ask('query-status')).toEqual({ ...status, singlestep: false });
  });

  it('query-cpus-fast tells of each vCPU', async () => {
    expect(await ask('query-cpus-fast')).toEqual([
      {
        'cpu-index': 0,
        'qom-path': '/machine/unattached/device[0]',
        'thread-id': 4711,
        props: { 'node-id': 0, 'socket-id': 0, 'core-id': 0, 'thread-id': 0 },
        arch: 'x86',
        target: 'x86_64',
      },
      expect.objectContaining({
        'cpu-index': 1,
        'thread-id': 4712,
        props: { 'node-id': 0, 'socket-id': 0, 'core-id': 1, 'thread-id': 0 },
      }),
      expect.objectContaining({ 'cpu-index': 2, 'thread-id': 0 }),
    ]);
  });

  it.each([
    ['query-version', { qemu: { major: 0, minor: 1, micro: 0 }, package: 'tsvmm 0.1.0' }],
    ['query-name', { name: 'test' }],
    ['query-uuid', { UUID: '550e8400-e29b-41d4-a716-446655440000' }],
    ['query-kvm', { enabled: true, present: true }],
  ] as const)('%s', async (command, result) => {
    expect(await ask(command)).toEqual(result);
  });

  it.each([
    ['stop', 'stop'],
    ['cont', 'cont'],
    ['system_reset', 'reset'],
    ['system_powerdown', 'powerDown'],
    ['inject-nmi', 'nmi'],
    ['quit', 'quit'],
  ] as const)('%s calls %s', async (command, call) => {
    expect(await ask(command)).toEqual({});
    expect(rig().machine.calls).toEqual([call]);
  });

  it('human-monitor-command answers as the monitor does', async () => {
    const run = (line: string): Promise<unknown> =>
      ask('human-monitor-command', { 'command-line': line });
    expect(await run('info status')).toBe('VM status: running\r\n');
    expect(await run('fly')).toBe("unknown command: 'fly'\r\n");
    expect(await run('stop')).toBe('');
    expect(rig().machine.calls).toEqual(['stop']);
  });

  it('human-monitor-command answers for the vCPU that it is given', async () => {
    const args = { 'command-line': 'info cpus', 'cpu-index': 1 };
    expect(await ask('human-monitor-command', args)).toContain('* CPU #1');
    expect(await ask('human-monitor-command', { ...args, 'cpu-index': 3 })).toEqual(
      generic("Parameter 'cpu-index' expects a CPU number"),
    );
  });
});

describe('introspection', () => {
  it('query-commands and query-events tell names', async () => {
    expect(await ask('query-commands')).toContainEqual({ name: 'qom-set' });
    expect(await ask('query-events')).toContainEqual({ name: 'MEMORY_DEVICE_SIZE_CHANGE' });
  });

  it('query-qmp-schema is as it describes itself', async () => {
    expect(await ask('query-qmp-schema')).toContainEqual(
      expect.objectContaining({ name: 'query-qmp-schema', 'meta-type': 'command' }),
    );
  });
});
