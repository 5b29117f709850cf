import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { log, setLogLevel, setLogTarget } from '../log.ts';
import { VIRTUAL_BASE } from '../monitor/testing/fake-inspection.ts';
import { temporaryFolder } from '../terminal/testing/temporary-folder.ts';
import { GIB, MIB } from '../units.ts';
import type { CommandName } from './schema/commands.ts';
import { ask as askRig, generic } from './testing/ask.ts';
import { useQmpRig } from './testing/rig.ts';

const rig = useQmpRig();
const ask = (command: CommandName, args?: object): Promise<unknown> => askRig(rig(), command, args);

describe('memory', () => {
  it('is saved by address, physical and virtual', async () => {
    const filename = '/tmp/x y';
    expect(await ask('pmemsave', { val: 4096, size: 16, filename })).toEqual({});
    const virtual = { val: VIRTUAL_BASE, size: 16, filename };
    expect(await ask('memsave', { ...virtual, 'cpu-index': 2 })).toEqual({});
    expect(await ask('memsave', { val: 0, size: 1, filename })).toEqual({});
    expect(rig().machine.calls).toEqual([
      'savePhysical 4096 16 /tmp/x y',
      `saveVirtual 2 ${VIRTUAL_BASE} 16 /tmp/x y`,
      'saveVirtual 0 0 1 /tmp/x y',
    ]);
  });

  it.each([
    ['pmemsave', { val: 0, size: 0 }, "Parameter 'size' expects a number from 1 to"],
    ['pmemsave', { val: 0, size: -1 }, "Parameter 'size' expects a number from 1 to"],
    ['pmemsave', { val: -1, size: 1 }, "Invalid parameter type for 'val', expected: uint64"],
    ['memsave', { val: 0, size: 1, 'cpu-index': 3 }, "Parameter 'cpu-index' expects a CPU number"],
    ['memsave', { val: 0, size: 1, 'cpu-index': -1 }, "Parameter 'cpu-index' expects a CPU number"],
  ] as const)('%s of %j is refused', async (command, args, desc) => {
    const refused = await ask(command, { ...args, filename: '/tmp/x' });
    expect(refused).toMatchObject({ desc: expect.stringContaining(desc) as string });
    expect(rig().machine.calls).toEqual([]);
  });

  it('is read into the answer, as far as there is any', async () => {
    const bytes = (...values: number[]): string => Buffer.from(values).toString('base64');
    expect(await ask('x-tsvmm-read-memory', { address: 5, size: 3 })).toEqual({
      data: bytes(5, 6, 7),
    });
    expect(await ask('x-tsvmm-read-memory', { address: 0xffff, size: 3 })).toEqual({
      data: bytes(0xffff % 251),
      'ends-because': 'vm0: not plugged (0x10000)',
    });
    const virtual = { address: VIRTUAL_BASE, size: 1, 'cpu-index': 0 };
    expect(await ask('x-tsvmm-read-memory', virtual)).toEqual({ data: bytes(0) });
    expect(await ask('x-tsvmm-read-memory', { address: 0, size: 2 * MIB })).toMatchObject({
      desc: "Parameter 'size' expects a number from 1 to 1048576",
    });
    expect(await ask('x-tsvmm-read-memory', { address: 2 ** 60, size: 1 })).toEqual(
      generic("Parameter 'address' is past the end of memory"),
    );
  });

  it('addresses are translated', async () => {
    expect(await ask('x-tsvmm-translate', { address: VIRTUAL_BASE })).toEqual({ gpa: 0 });
    expect(await ask('x-tsvmm-translate', { address: 0 })).toEqual({});
  });

  it('x-tsvmm-query-memslots tells slots and what they cost', async () => {
    expect(await ask('x-tsvmm-query-memslots')).toMatchObject({
      slots: [{ id: 0, gpa: 0, size: 3 * GIB, owner: 'ram' }, {}, {}],
      limit: 32764,
      metadata: {
        now: 13_189_000,
        static: 52_756_000,
        'nesting-now': 13_189_000,
        'nesting-static': 52_756_000,
        basis: 'shadow MMU, write tracking',
      },
    });
  });

  it('x-tsvmm-query-memory-map cuts a device into pieces', async () => {
    const map = await ask('x-tsvmm-query-memory-map', { id: 'vm0', cells: 16 });
    expect(map).toMatchObject({
      id: 'vm0',
      'cell-size': 64 * MIB,
      'active-windows': 1,
      memslots: 1,
    });
    expect(map).toHaveProperty('cells.1', { plugged: 64 * MIB, resident: 20 * MIB, mapped: 'all' });
    expect(rig().machine.calls).toEqual(['memoryMap vm0 16']);
    expect(await ask('x-tsvmm-query-memory-map', { id: 'vm0', cells: 0 })).toEqual(
      generic("Parameter 'cells' expects a number from 1 to 4096"),
    );
  });

  it('x-tsvmm-query-mtree tells what is in what', async () => {
    expect(await ask('x-tsvmm-query-mtree')).toEqual([
      {
        name: 'memory',
        regions: [
          { depth: 0, start: 0, size: 2 ** 40, kind: 'container', name: 'system' },
          { depth: 1, start: 0, size: 3 * GIB, kind: 'ram', name: 'ram', offset: 0 },
          { depth: 1, start: 4 * GIB, size: GIB, kind: 'ram', name: 'ram', offset: 3 * GIB },
          { depth: 1, start: 8 * GIB, size: 2 * GIB, kind: 'container', name: 'vm0' },
          {
            depth: 2,
            start: 9 * GIB,
            size: GIB,
            kind: 'ram',
            name: 'memslot 2',
            memdev: 'mem0',
            offset: GIB,
          },
        ],
      },
      { name: 'I/O', regions: [{}, { kind: 'i/o', name: 'serial' }].map(like) },
    ]);
  });
});

const like = (value: object): object => expect.objectContaining(value) as object;

describe('vCPUs', () => {
  it('tell their registers, one or all', async () => {
    const all = await ask('x-tsvmm-query-registers');
    expect(all).toMatchObject([{ 'cpu-index': 0 }, { 'cpu-index': 1 }, { 'cpu-index': 2 }]);
    expect(await ask('x-tsvmm-query-registers', { 'cpu-index': 1 })).toEqual([
      {
        'cpu-index': 1,
        halted: true,
        registers: expect.arrayContaining([
          { name: 'rax', value: 0x1000 },
          { name: 'rip', value: VIRTUAL_BASE + 0x20n },
          { name: 'cr0', value: 0x8005_0033 },
        ]) as unknown[],
        segments: expect.arrayContaining([
          { name: 'tr', selector: 0x40, base: 0xfe00, limit: 0x206f },
        ]) as unknown[],
      },
    ]);
  });

  it('tell the registers of their local APICs', async () => {
    expect(await ask('x-tsvmm-query-lapic', { 'cpu-index': 1 })).toEqual({
      'cpu-index': 1,
      registers: expect.arrayContaining([
        { offset: 0x20, value: 1 << 24 },
        { offset: 0x3e0, value: 0xb },
      ]) as unknown[],
    });
  });

  it.each([
    ['x-query-numa', '3 nodes\n'],
    ['x-query-irq', 'IRQ statistics for ioapic:\n 4: 12\n'],
    ['x-query-interrupt-controllers', 'pic0: irr=04'],
  ] as const)('%s says it in words', async (command, text) => {
    expect(await ask(command)).toEqual({
      'human-readable-text': expect.stringContaining(text) as string,
    });
  });
});

describe('devices', () => {
  it('query-pci tells functions and where they are', async () => {
    expect(await ask('query-pci')).toEqual([
      {
        bus: 0,
        devices: [
          like({ slot: 0, irq_pin: 0, class_info: { desc: 'Host bridge', class: 0x600 } }),
          {
            bus: 0,
            slot: 1,
            function: 0,
            class_info: { desc: 'Class 0255', class: 0xff },
            id: { device: 0x1058, vendor: 0x1af4, subsystem: 0x1100, 'subsystem-vendor': 0x1af4 },
            irq: 11,
            irq_pin: 1,
            qdev_id: 'vm0',
            regions: [
              { bar: 0, type: 'io', address: 0xc040, size: 0x20 },
              like({ bar: 1, type: 'memory', mem_type_64: false, prefetch: false }),
              like({ bar: 2, address: -1, mem_type_64: true, prefetch: true }),
              like({ bar: 4, address: 0x8_0000_0000 }),
            ],
          },
        ],
      },
    ]);
  });

  it('x-query-virtio and the commands about one of them', async () => {
    expect(await ask('x-query-virtio')).toEqual([
      { path: '/machine/peripheral/vm0', name: 'virtio-mem' },
      { path: '/machine/peripheral/vm1', name: 'virtio-mem' },
    ]);
    expect(await ask('x-query-virtio-status', { path: 'vm0/virtio-backend' })).toMatchObject({
      'device-id': 24,
      'num-vqs': 1,
      started: true,
      broken: false,
      ...{ isr: 2, 'queue-sel': 0 },
      'backend-features': { transports: [], 'dev-features': [] },
      'guest-features': {
        transports: ['VIRTIO_F_VERSION_1: virtio 1, not the legacy interface'],
        'dev-features': [expect.stringContaining('VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE')],
      },
    });
    expect(await ask('x-query-virtio-status', { path: 'vm1' })).toMatchObject({
      started: false,
      broken: true,
      'x-tsvmm-broken-because': 'unknown request type 9',
    });
    expect(await ask('x-query-virtio-queue-status', { path: 'vm0', queue: 0 })).toMatchObject({
      ...{ 'queue-index': 0, inuse: 1, 'used-idx': 8, 'last-avail-idx': 9, 'vring-num': 128 },
      'vring-num-default': 256,
      'x-tsvmm-requests': 9,
    });
  });

  it.each([
    ['x-query-virtio-status', { path: 'vm7' }, 'DeviceNotFound', "Device 'vm7' not found"],
    ['x-query-virtio-status', { path: 'mem0' }, 'DeviceNotFound', "'mem0' is no virtio device"],
    [
      'x-query-virtio-queue-status',
      { path: 'vm0', queue: 1 },
      'GenericError',
      'virtqueue number 1',
    ],
    [
      'x-query-virtio-queue-status',
      { path: 'vm1', queue: 0 },
      'GenericError',
      'virtqueue number 0',
    ],
  ] as const)('%s of %j: %s', async (command, args, errorClass, desc) => {
    expect(await ask(command, args)).toEqual({
      class: errorClass,
      desc: expect.stringContaining(desc) as string,
    });
  });
});

const OWN = { providers: [{ provider: 'tsvmm' }] };

describe('what was counted', () => {
  const ack = { name: 'requests-ack', value: 7 };
  const latency = { name: 'plug-latency', value: [0, 0, 1, 5] };
  const vm0 = { provider: 'tsvmm', 'qom-path': '/machine/peripheral/vm0' };

  it.each([
    // A client with types of the established protocol does not know our provider.
    [{ target: 'vm' }, []],
    [{ target: 'vcpu' }, []],
    [{ target: 'vm', providers: [] }, []],
    [{ target: 'vm', providers: [{ provider: 'kvm' }] }, []],
    [{ target: 'vm', ...OWN }, [{ ...vm0, stats: [ack, latency] }]],
    [
      { target: 'vm', providers: [{ provider: 'kvm' }, { provider: 'tsvmm', names: ['nudges'] }] },
      [{ ...vm0, stats: [] }],
    ],
    [
      { target: 'vm', providers: [{ provider: 'tsvmm', names: ['requests-ack'] }] },
      [{ ...vm0, stats: [ack] }],
    ],
    [{ target: 'vcpu', ...OWN, vcpus: ['/machine/unattached/device[1]'] }, []],
    [
      { target: 'vcpu', ...OWN, vcpus: ['/machine/unattached/device[0]'] },
      [like({ stats: [{ name: 'guest-time', value: 120 }] })],
    ],
  ])('is told by %j', async (filter, stats) => {
    expect(await ask('query-stats', filter)).toEqual(stats);
  });

  it.each([
    [{ target: 'vm', vcpus: [] }, "Parameter 'vcpus' is unexpected"],
    [{ target: 'host' }, "Parameter 'target' does not accept value 'host'"],
    [{}, "Parameter 'target' is missing"],
  ])('is not told by %j', async (filter, desc) => {
    expect(await ask('query-stats', filter)).toEqual(generic(desc));
  });

  it('is described: what kind of value, in which unit', async () => {
    expect(await ask('query-stats-schemas')).toEqual([]);
    expect(await ask('query-stats-schemas', { provider: 'kvm' })).toEqual([]);
    expect(await ask('query-stats-schemas', { provider: 'tsvmm' })).toEqual([
      {
        provider: 'tsvmm',
        target: 'vm',
        stats: [
          { name: 'requests-ack', type: 'cumulative', exponent: 0 },
          {
            ...{ name: 'plug-latency', type: 'log2-histogram' },
            ...{ unit: 'seconds', base: 10, exponent: -9 },
          },
        ],
      },
      like({ target: 'vcpu' }),
    ]);
  });
});

describe('the log', () => {
  afterEach(() => {
    setLogTarget(2);
    setLogLevel('info');
  });

  it('goes where it is sent, from the level that is chosen', async () => {
    const file = join(temporaryFolder(), 'log');
    expect(await ask('x-tsvmm-set-log', { file, level: 'warn' })).toEqual({});
    log('test').info({}, 'not this');
    log('test').warn({}, 'but this');
    expect(await ask('x-tsvmm-set-log', { file: '', level: 'silent' })).toEqual({});
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('but this');
    expect(text).not.toContain('not this');
  });

  it('stays where it is when it cannot go there', async () => {
    const refused = await ask('x-tsvmm-set-log', { file: temporaryFolder(), level: 'silent' });
    expect(refused).toMatchObject({ desc: expect.stringContaining('cannot log to') as string });
    const file = join(temporaryFolder(), 'log');
    const fd = openSync(file, 'w');
    setLogTarget(fd);
    log('test').warn({}, 'is still told');
    closeSync(fd);
    expect(readFileSync(file, 'utf8')).toContain('is still told');
  });
});
