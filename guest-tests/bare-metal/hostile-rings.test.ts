import { describe, expect, it } from 'vitest';
import { bootAgent } from '../harness/test-vm.ts';

const NEEDS_RESET = 64;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** Where nothing is: above RAM, below the device regions; and in the 32-bit PCI window. */
const NOWHERE = 0x70_0000_0000;
const MMIO = 0xe000_0000;

/** Addresses and numbers of a machine that the acts below need. */
interface Scene {
  readonly addr: number;
  readonly block: number;
  /** Buffers of slot 0, with a good STATE request in them. */
  readonly request: number;
  readonly response: number;
  /** Free RAM for indirect tables. */
  readonly scratch: number;
}

type Act = (scene: Scene) => readonly string[];

/** Sends the chain that starts at a head. */
const send = (head: number): readonly string[] => [`avail ${head}`, 'kick'];

const twoBuffers = (
  [requestAt, requestLength]: readonly [number, number],
  [responseAt, responseLength]: readonly [number, number],
): readonly string[] => [
  `desc 0 ${requestAt} ${requestLength} ${NEXT} 1`,
  `desc 1 ${responseAt} ${responseLength} ${WRITE} 0`,
  ...send(0),
];

const BROKEN: Readonly<Record<string, Act>> = {
  'a loop of descriptors': ({ request }) => [
    `desc 0 ${request} 24 ${NEXT} 1`,
    `desc 1 ${request} 24 ${NEXT} 0`,
    ...send(0),
  ],
  'a descriptor that is its own next': ({ request }) => [
    `desc 0 ${request} 24 ${NEXT} 0`,
    ...send(0),
  ],
  'a next beyond the table': ({ request }) => [`desc 0 ${request} 24 ${NEXT} 128`, ...send(0)],
  'a head beyond the table': () => send(128),
  'a head of 65535': () => send(0xffff),
  'more available than the ring holds': () => ['avail-idx 129', 'kick'],
  'an avail index that went back': () => [...send(0), 'used 1', 'avail-idx 0', 'kick'],
  'a request where no memory is': ({ response }) => twoBuffers([NOWHERE, 24], [response, 10]),
  'a response where no memory is': ({ request }) => twoBuffers([request, 24], [NOWHERE, 10]),
  'a request in a device': ({ response }) => twoBuffers([MMIO, 24], [response, 10]),
  'a response in a device': ({ request }) => twoBuffers([request, 24], [MMIO, 10]),
  'a request in unplugged memory': ({ addr, response }) => twoBuffers([addr, 24], [response, 10]),
  'a response in unplugged memory': ({ addr, request }) => twoBuffers([request, 24], [addr, 10]),
  'a request half in unplugged memory': ({ addr, block, response }) => [
    `plug ${addr} 1`,
    `desc 0 ${addr + block - 8} 24 ${NEXT} 1`,
    `desc 1 ${response} 10 ${WRITE} 0`,
    ...send(0),
  ],
  'a buffer that wraps around': ({ response }) => [
    `desc 0 0xfffffffffffffff0 24 ${NEXT} 1`,
    `desc 1 ${response} 10 ${WRITE} 0`,
    ...send(0),
  ],
  'a buffer of 4 GiB': ({ request, response }) =>
    twoBuffers([request, 0xffff_ffff], [response, 10]),
  'a request of 23 bytes': ({ request, response }) => twoBuffers([request, 23], [response, 10]),
  'a request of no bytes': ({ response }) => [`desc 0 ${response} 10 ${WRITE} 0`, ...send(0)],
  'a response of 9 bytes': ({ request, response }) => twoBuffers([request, 24], [response, 9]),
  'no room for a response': ({ request }) => [`desc 0 ${request} 24 0 0`, ...send(0)],
  'the response before the request': ({ request, response }) => [
    `desc 0 ${response} 10 ${WRITE | NEXT} 1`,
    `desc 1 ${request} 24 0 0`,
    ...send(0),
  ],
  'a request of an unknown type': ({ addr }) => [`request 0 4 ${addr} 1`, ...send(0)],
  'a request of type 65535': ({ addr }) => [`request 0 65535 ${addr} 1`, ...send(0)],
  'an indirect table in an indirect table': ({ scratch }) => [
    `desc 0 ${scratch + 16} 16 ${INDIRECT} 0 table=${scratch}`,
    `desc 0 ${scratch} 16 ${INDIRECT} 0`,
    ...send(0),
  ],
  'an indirect table of 24 bytes': ({ scratch }) => [
    `desc 0 ${scratch} 24 ${INDIRECT} 0`,
    ...send(0),
  ],
  'an empty indirect table': ({ scratch }) => [`desc 0 ${scratch} 0 ${INDIRECT} 0`, ...send(0)],
  'an indirect table where no memory is': () => [`desc 0 ${NOWHERE} 32 ${INDIRECT} 0`, ...send(0)],
  'an indirect table of 4 GiB': ({ scratch }) => [
    `desc 0 ${scratch} 0xfffffff0 ${INDIRECT} 0`,
    ...send(0),
  ],
  'an indirect descriptor with a next': ({ scratch }) => [
    `desc 0 ${scratch} 32 ${INDIRECT | NEXT} 1`,
    ...send(0),
  ],
  'a loop in an indirect table': ({ request, scratch }) => [
    `desc 0 ${request} 24 ${NEXT} 1 table=${scratch}`,
    `desc 1 ${request} 24 ${NEXT} 0 table=${scratch}`,
    `desc 0 ${scratch} 32 ${INDIRECT} 0`,
    ...send(0),
  ],
  'a next beyond the indirect table': ({ request, scratch }) => [
    `desc 0 ${request} 24 ${NEXT} 2 table=${scratch}`,
    `desc 0 ${scratch} 32 ${INDIRECT} 0`,
    ...send(0),
  ],
};

describe('the device says NEEDS_RESET, serves nothing until then, and works again after', () => {
  it.each(Object.entries(BROKEN))('%s', async (_name, act) => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    const { agent } = vm;
    const monitor = await vm.monitor();
    const { addr, block } = await agent.initMem();
    const { request = 0, response = 0 } = await agent.fields('ring');
    const scratch = await agent.field('info', 'scratch');
    await agent.ok(`request 0 3 ${addr} 1`);
    for (const command of act({ addr, block, request, response, scratch })) await agent.ok(command);

    expect((await agent.number('wait-status 64')) & NEEDS_RESET).toBe(NEEDS_RESET);
    await agent.ok('wait-config 0');
    const served = await agent.field('ring', 'used-idx');
    await agent.ok(`request 1 0 ${addr} 1`);
    await agent.ok('avail 2');
    await agent.ok('kick');
    expect(await monitor.command('info status')).toBe('VM status: running\n');
    expect(await agent.field('ring', 'used-idx')).toBe(served);

    await agent.initMem();
    await agent.ok('unplug-all');
    expect(await agent.ok(`plug ${addr} 1`)).toBe('ack');
    await agent.ok(`zero ${addr} ${block}`);
  });
});

describe('rings in impossible places', () => {
  const places = {
    'where no memory is': NOWHERE,
    'in a device': MMIO,
    'at the end of all addresses': '0xffffffffffffff00',
    'in unplugged memory': 0x1_8000_0000,
  };
  const parts = ['desc', 'avail', 'used'];
  const cases = Object.entries(places).flatMap(([name, at]) =>
    parts.map((part) => [part, name, at] as const),
  );

  it.each(cases)('%s %s: the VMM lives on', async (part, _name, at) => {
    const vm = await bootAgent({ virtioMem: ['size=8G,requested-size=64M,memaddr=0x140000000'] });
    const monitor = await vm.monitor();
    // Whatever the agent makes of it: it may be refused at once, or with the first kick.
    await vm.agent.ask(`virtio init 0 ${part}=${at}`);
    await vm.agent.ask('kick');
    expect((await vm.agent.number('wait-status 64')) & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(await monitor.command('info status')).toBe('VM status: running\n');
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('ack');
  });

  it('a ring that is unplugged while in use breaks its device only', async () => {
    const vm = await bootAgent({
      virtioMem: ['size=1G,requested-size=64M', 'size=1G,requested-size=64M'],
    });
    const first = await vm.agent.initMem('0');
    await vm.agent.ok(`plug ${first.addr} 1`);
    await vm.agent.ok(`zero ${first.addr} 64K`);
    const second = await vm.agent.initMem(`1 used=${first.addr + 4096}`);
    expect(await vm.agent.ok(`plug ${second.addr} 1`)).toBe('ack');
    await vm.agent.ok('use 0');
    expect(await vm.agent.ok(`unplug ${first.addr} 1`)).toBe('ack');
    await vm.agent.ok('use 1');
    await vm.agent.ok(`request 0 3 ${second.addr} 1`);
    await vm.agent.ok('avail 0');
    await vm.agent.ok('kick');
    expect((await vm.agent.number('wait-status 64')) & NEEDS_RESET).toBe(NEEDS_RESET);
    await vm.agent.ok('use 0');
    expect(await vm.agent.ok(`plug ${first.addr} 1`)).toBe('ack');
    await vm.agent.ok(`zero ${first.addr} 64K`);
  });
});

describe('unusual but right', () => {
  it('a request and a response in pieces', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    const { addr } = await vm.agent.initMem();
    const { request = 0, response = 0 } = await vm.agent.fields('ring');
    await vm.agent.ok(`request 0 3 ${addr} 1`);
    const pieces = [
      `desc 10 ${request} 3 ${NEXT} 7`,
      `desc 7 ${request + 3} 20 ${NEXT} 90`,
      `desc 90 ${request + 23} 1 ${NEXT} 127`,
      `desc 127 ${response} 1 ${NEXT | WRITE} 3`,
      `desc 3 ${response + 1} 9 ${WRITE} 0`,
    ];
    for (const piece of pieces) await vm.agent.ok(piece);
    await vm.agent.ok('avail 10');
    await vm.agent.ok('kick');
    expect(await vm.agent.ok('used 1')).toMatch(/^idx=1 id=10 length=10 /);
    expect(await vm.agent.ok('response 0')).toBe('type=0 state=1');
  });

  it('a response with room to spare: only what was written is counted', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    const { addr } = await vm.agent.initMem();
    const { request = 0, response = 0 } = await vm.agent.fields('ring');
    await vm.agent.ok(`request 0 3 ${addr} 1`);
    for (const command of twoBuffers([request, 24], [response, 32])) await vm.agent.ok(command);
    expect(await vm.agent.field('used 1', 'length')).toBe(10);
  });

  it('rings and buffers in plugged memory', async () => {
    const vm = await bootAgent({
      virtioMem: ['size=1G,requested-size=64M', 'size=1G,requested-size=64M'],
    });
    const first = await vm.agent.initMem('0');
    await vm.agent.ok(`plug ${first.addr} 1`);
    const places = [0, 4096, 8192].map((offset) => first.addr + offset);
    const second = await vm.agent.initMem(
      `1 desc=${places[0]} avail=${places[1]} used=${places[2]}`,
    );
    expect(await vm.agent.ok(`plug ${second.addr} 4`)).toBe('ack');
    expect(await vm.agent.ok(`state ${second.addr} 4`)).toBe('ack plugged');
  });
});

describe('a guest that never stops', () => {
  it.each([
    ['kicking an empty ring', 'kick'],
    ['asking one request after the other', 'state'],
  ])('%s leaves the monitor its turn', async (_what, what) => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    await vm.agent.initMem();
    const monitor = await vm.monitor();
    vm.process.write(`storm ${what}\n`);
    await vm.serial.expect('storming\n');
    for (let i = 0; i < 5; i++) {
      expect(await monitor.command('info status')).toBe('VM status: running\n');
    }
    vm.process.write('\n');
    await vm.serial.expect(/ok n=\d+\n/);
  });

  it('writing to the device status in a loop is survived', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    for (const value of [0xff, 0, 4, 0xf, 0x80, 1, 3, 0xb, 0xf, 0]) {
      await vm.agent.ok(`status ${value}`);
    }
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('ack');
  });
});
