import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../errors.ts';
import { CommandTable } from './command-table.ts';
import { Session } from './session.ts';
import { FakeMachine } from './testing/fake-machine.ts';

let machine: FakeMachine;
let session: Session;

beforeEach(() => {
  machine = new FakeMachine();
  session = new Session(machine, new CommandTable());
});

const run = (line: string): Promise<string> => session.execute(line);

const DEVICE = (id: string, memaddr: string, node: number, size: number, memdev: string): string =>
  [
    `Memory device [virtio-mem]: "${id}"`,
    `  memaddr: ${memaddr}`,
    `  node: ${node}`,
    `  requested-size: ${size}`,
    `  size: ${size}`,
    '  max-size: 8589934592',
    '  block-size: 2097152',
    `  memdev: ${memdev}`,
    '',
  ].join('\n');

describe('info memdev', () => {
  it('shows each backend as scripts know it, then what it can do', async () => {
    expect(await run('info memdev')).toBe(
      'memory backend: mem0\n' +
        '  size:  8589934592\n' +
        '  merge: false\n' +
        '  dump: true\n' +
        '  prealloc: false\n' +
        '  share: false\n' +
        '  reserve: true\n' +
        '  policy: default\n' +
        '  host nodes: \n' +
        '  page size: 4096\n' +
        'memory backend: mem1\n' +
        '  size:  8589934592\n' +
        '  merge: false\n' +
        '  dump: true\n' +
        '  prealloc: false\n' +
        '  share: false\n' +
        '  reserve: true\n' +
        '  policy: bind\n' +
        '  host nodes: 0-1\n' +
        '  page size: 4096\n' +
        '\n',
    );
  });
});

describe('info memory-devices', () => {
  it('shows the devices, byte for byte, before and after their sizes change', async () => {
    expect(await run('info memory-devices')).toBe(
      DEVICE('vm0', '0x140000000', 0, 0, '/objects/mem0') +
        DEVICE('vm1', '0x340000000', 1, 1_073_741_824, '/objects/mem1'),
    );
    expect(await run('qom-set vm0 requested-size 500M')).toBe('');
    expect(await run('qom-set vm1 requested-size 200M')).toBe('');
    expect(await run('info memory-devices')).toBe(
      DEVICE('vm0', '0x140000000', 0, 524_288_000, '/objects/mem0') +
        DEVICE('vm1', '0x340000000', 1, 209_715_200, '/objects/mem1'),
    );
  });

  it('adds what the machine knows with -v', async () => {
    const verbose = await run('info memory-devices -v');
    expect(verbose.split('Memory device')[1]).toBe(
      DEVICE('vm0', '0x140000000', 0, 0, '/objects/mem0').replace('Memory device', '') +
        '  usable-size: 268435456\n' +
        '  memslots: 0 in 0 of 8 windows\n' +
        '  memslot-size: 1073741824\n' +
        '  convergence: size is as requested\n' +
        '  nudges: 0\n' +
        '  protect-unplugged: on\n' +
        '  unprotected-blocks: 3\n' +
        '  violations: 4\n' +
        '  zero-reads: 1\n' +
        '  requests: ack 5, nack 6, busy 7, error 8\n' +
        '  held-requests: 2\n' +
        '  plug-latency: median 2.13 us, p99 14.3 us, max 2.3 ms (812 timed)\n' +
        '  unplug-latency: median 999 ns, p99 999 ns, max 3 s (1 timed)\n' +
        '  unplug-all-latency: none timed\n' +
        '  state-latency: none timed\n',
    );
    expect(verbose).toContain('  convergence: answered BUSY: no memory (for 12 s)\n');
  });
});

describe('info numa', () => {
  it('shows CPUs and memory of each node; what is plugged is part of the size', async () => {
    expect(await run('info numa')).toBe(
      [
        '3 nodes',
        'node 0 cpus: 0 1',
        'node 0 size: 3072 MB',
        'node 0 plugged: 0 MB',
        'node 1 cpus: 2',
        'node 1 size: 1224 MB',
        'node 1 plugged: 200 MB',
        'node 2 cpus:',
        'node 2 size: 0 MB',
        'node 2 plugged: 0 MB',
        '',
      ].join('\n'),
    );
  });

  it('says that there are none', async () => {
    machine.nodes = [];
    expect(await run('info numa')).toBe('0 nodes\n');
  });
});

describe('info', () => {
  it('says the status', async () => {
    expect(await run('info status')).toBe('VM status: running\n');
    machine.state = { running: false };
    expect(await run('info status')).toBe('VM status: paused\n');
    machine.state = { running: false, reason: 'shutdown' };
    expect(await run('info status')).toBe('VM status: paused (shutdown)\n');
  });

  it('says version, name and UUID', async () => {
    expect(await run('info version')).toBe('0.1.0\n');
    expect(await run('info name')).toBe('test\n');
    expect(await run('info uuid')).toBe('550e8400-e29b-41d4-a716-446655440000\n');
  });

  it('lists vCPUs', async () => {
    expect(await run('info cpus')).toBe(
      '* CPU #0: thread_id=4711\n  CPU #1: thread_id=4712\n  CPU #2: not started\n',
    );
    expect(await run('info cpus -v')).toContain('  CPU #1: thread_id=4712 state=halted\n');
  });

  it('lists PCI functions', async () => {
    expect(await run('info pci')).toBe(
      [
        '  Bus  0, device   0, function 0:',
        '    Host bridge: PCI device 8086:29c0',
        '      id ""',
        '  Bus  0, device   1, function 0:',
        '    Class 0255: PCI device 1af4:1058',
        '      PCI subsystem 1af4:1100',
        '      IRQ 11, pin A',
        '      BAR0: I/O at 0xc040 [0xc05f].',
        '      BAR1: 32 bit memory at 0xfebf0000 [0xfebf0fff].',
        '      BAR2: 64 bit prefetchable memory of 0x4000, not placed.',
        '      BAR4: 64 bit prefetchable memory at 0x800000000 [0x800003fff].',
        '      id "vm0"',
        '',
      ].join('\n'),
    );
  });

  it('draws the address spaces', async () => {
    expect(await run('info mtree')).toBe(
      [
        'address-space: memory',
        '  0000000000000000-000000ffffffffff (prio 0, i/o): system',
        '    0000000000000000-00000000bfffffff (prio 0, ram): ram',
        '    0000000100000000-000000013fffffff (prio 0, ram): ram',
        '    0000000200000000-000000027fffffff (prio 0, i/o): vm0',
        '      0000000240000000-000000027fffffff (prio 0, ram): memslot 2',
        '',
        'address-space: I/O',
        '  0000000000000000-000000000000ffff (prio 0, i/o): io',
        '    00000000000003f8-00000000000003ff (prio 0, i/o): serial',
        '',
        '',
      ].join('\n'),
    );
  });

  it('shows memslots and what they cost', async () => {
    expect(await run('info memslots')).toBe(
      [
        'id          gpa   size  device',
        ' 0          0x0  3 GiB  ram',
        ' 1  0x100000000  1 GiB  ram',
        ' 2  0x340000000  1 GiB  vm1',
        '',
        'active: 3 of the 32764 slots of this KVM, covering 5 GiB',
        'idle: 1 window with nothing plugged, not known to KVM',
        'KVM metadata now: 12.6 MiB (13189000 bytes)',
        'KVM metadata with one static slot per region: 50.3 MiB (52756000 bytes)',
        'computed for: shadow MMU, write tracking',
        '',
      ].join('\n'),
    );
    expect(await run('info memslots -a')).toContain(
      [
        'id          gpa   size  device  active',
        ' 0          0x0  3 GiB  ram     yes',
        ' 1  0x100000000  1 GiB  ram     yes',
        ' -  0x140000000  1 GiB  vm0     no',
        ' 2  0x340000000  1 GiB  vm1     yes',
        '',
      ].join('\n'),
    );
  });

  it('remembers the lines of the session, each once, and no more than a few', async () => {
    for (const line of ['stop', 'foo', 'stop']) await run(line);
    expect(await run('info history')).toBe("0: 'foo'\n1: 'stop'\n2: 'info history'\n");
    for (let i = 0; i < 100; i++) await run(`line${i}`);
    expect((await run('info history')).split('\n')).toHaveLength(65);
    await run('x'.repeat(5000));
    expect(session.history.at(-1)).toBe('info history');
  });
});

describe('qom commands', () => {
  it('list containers, objects and properties', async () => {
    expect(await run('qom-list')).toBe(
      'type (string)\nmachine (child<container>)\nobjects (child<container>)\n',
    );
    expect(await run('qom-list /machine/peripheral')).toBe(
      'type (string)\nvm0 (child<virtio-mem-pci>)\nvm1 (child<virtio-mem-pci>)\n',
    );
    expect(await run('qom-list vm0')).toBe(
      'type (string)\nmemdev (string)\nnode (int)\nprealloc (bool)\nrequested-size (size)\nsize (size)\n',
    );
  });

  it('get properties by id and by path', async () => {
    expect(await run('qom-get vm1 requested-size')).toBe('1073741824\n');
    expect(await run('qom-get /machine/peripheral/vm1 size')).toBe('1073741824\n');
    expect(await run('qom-get peripheral/vm0 memdev')).toBe('"/objects/mem0"\n');
    expect(await run('qom-get vm0 prealloc')).toBe('false\n');
    expect(await run('qom-get mem0 type')).toBe('"memory-backend-ram"\n');
  });

  it.each([
    ['requested-size', '500M', 524_288_000],
    ['requested-size', '0x40000000', 2 ** 30],
    ['requested-size', '1.5G', 1.5 * 2 ** 30],
    ['node', '2097152', 2_097_152],
    ['prealloc', 'on', true],
    ['prealloc', 'off', false],
  ])('set %s from %s', async (name, text, value) => {
    expect(await run(`qom-set vm0 ${name} ${text}`)).toBe('');
    expect(machine.calls).toEqual([`set /machine/peripheral/vm0 ${name} ${String(value)}`]);
  });

  it.each([
    ['qom-set vm0 requested-size 1', 'Error: requested-size=1: not a multiple of 2 MiB\n'],
    ['qom-set vm0 requested-size 1X', 'Error: requested-size=1X: not a size'],
    ['qom-set vm0 requested-size -1', 'Error: requested-size=-1: a size cannot be negative\n'],
    ['qom-set vm0 requested-size 1.3', 'Error: requested-size=1.3: not a whole number of bytes\n'],
    ['qom-set vm0 requested-size 99999T', 'Error: requested-size=99999T: a size ends at'],
    ['qom-set vm0 requested-size ""', 'Error: requested-size=: the size is empty\n'],
    ['qom-set vm0 node x', 'Error: node=x: not a whole number\n'],
    ['qom-set vm0 node 99999999999999999', 'Error: node=99999999999999999: not a whole number\n'],
    ['qom-set vm0 prealloc maybe', 'Error: prealloc=maybe: must be on or off\n'],
    ['qom-set vm0 size 2M', "Error: property 'size' of /machine/peripheral/vm0 is read-only\n"],
    ['qom-set vm9 size 2M', "Error: there is no object 'vm9'; try qom-list\n"],
    ['qom-get vm0 nope', "Error: /machine/peripheral/vm0 has no property 'nope'\n"],
    ['qom-get /nope x', "Error: there is no object '/nope'; try qom-list\n"],
    ['qom-get __proto__ x', "Error: there is no object '__proto__'; try qom-list\n"],
    ['qom-list "\u001b[2J"', "Error: there is no object '\\x1b[2J'; try qom-list\n"],
  ])('refuse %s', async (line, error) => {
    expect(await run(line)).toContain(error);
    expect(machine.devices[0]!.requestedSize).toBe(0);
  });

  it('ask for more of a path that means two objects', async () => {
    machine.devices.push({ id: 'mem0', memaddr: 0, node: 0, requestedSize: 0 });
    expect(await run('qom-list mem0')).toBe(
      "Error: 'mem0' may be /machine/peripheral/mem0 or /objects/mem0; give more of the path\n",
    );
  });
});

describe('commands that act', () => {
  it.each([
    ['stop', 'stop'],
    ['s', 'stop'],
    ['cont', 'cont'],
    ['c', 'cont'],
    ['system_reset', 'reset'],
    ['system_powerdown', 'powerDown'],
    ['quit', 'quit'],
    ['q', 'quit'],
  ])('%s does %s and prints nothing', async (line, call) => {
    expect(await run(line)).toBe('');
    expect(machine.calls).toEqual([call]);
  });

  it('end the session with quit only', async () => {
    await run('stop');
    expect(session.ended).toBe(false);
    await run('quit');
    expect(session.ended).toBe(true);
  });

  it('tell why they failed', async () => {
    machine.cont = () => Promise.reject(new ConfigError('X', 'only a reset helps\nnow'));
    expect(await run('cont')).toBe('Error: only a reset helps now\n');
  });
});
