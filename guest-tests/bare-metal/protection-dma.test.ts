import { describe, expect, it } from 'vitest';
import { PLACES, plugSome, RAM, resident, scene, violations } from '../harness/protection-scene.ts';
import { bootAgent } from '../harness/test-vm.ts';

const NEEDS_RESET = 64;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/*
 * A device that touched protected memory by way of JavaScript would end the process at once.
 */
describe('devices keep off protected memory', () => {
  const keys = 'protect-unplugged=on';

  /** Buffers and tables at an address, in a queue that lies in RAM. */
  const CHAINS: Readonly<
    Record<string, (at: number, request: number, response: number) => string[]>
  > = {
    'a request': (at, _request, response) => [
      `desc 0 ${at} 24 ${NEXT} 1`,
      `desc 1 ${response} 10 ${WRITE} 0`,
    ],
    'a response': (at, request) => [`desc 0 ${request} 24 ${NEXT} 1`, `desc 1 ${at} 10 ${WRITE} 0`],
    'an indirect table': (at) => [`desc 0 ${at} 32 ${INDIRECT} 0`],
    'a long indirect table': (at) => [`desc 0 ${at} 1600 ${INDIRECT} 0`],
  };

  it.each(Object.entries(PLACES))('%s', async (_name, place) => {
    const it = await scene(keys);
    const { vm, monitor, block } = it;
    const at = place(it);
    for (const chain of Object.values(CHAINS)) {
      await vm.agent.initMem();
      await plugSome(it);
      const held = resident(vm);
      const { request = 0, response = 0 } = await vm.agent.fields('ring');
      await vm.agent.ok(`request 0 3 ${it.addr} 1`);
      for (const line of chain(at, request, response)) await vm.agent.ok(line);
      await vm.agent.ok('avail 0');
      await vm.agent.ok('kick');
      expect((await vm.agent.number('wait-status 64')) & NEEDS_RESET).toBe(NEEDS_RESET);
      expect(resident(vm)).toBe(held);
      await vm.agent.initMem();
      await vm.agent.ok('unplug-all');
    }
    for (const ring of ['desc', 'avail', 'used']) {
      await vm.agent.initMem();
      await plugSome(it);
      const held = resident(vm);
      // Rings must be aligned: one that is partly covered begins well before the border.
      await vm.agent.ask(`virtio init 0 ${ring}=${at % block === 0 ? at : at - 12}`);
      await vm.agent.ask('kick');
      expect((await vm.agent.number('wait-status 64')) & NEEDS_RESET).toBe(NEEDS_RESET);
      expect(resident(vm)).toBe(held);
      await vm.agent.initMem();
      await vm.agent.ok('unplug-all');
    }
    expect(await violations(monitor)).toBe(0);
  });

  it('a response in memory that goes while its request is at work', async () => {
    const vm = await bootAgent({
      virtioMem: [
        'size=4G,requested-size=2G,prealloc=on,protect-unplugged=on',
        'size=16G,requested-size=64M,protect-unplugged=on',
      ],
      memory: 'memdev=boot',
      args: RAM,
    });
    const slow = await vm.agent.initMem('0');
    const other = await vm.agent.initMem('1');
    expect(await vm.agent.ok(`plug ${other.addr} 1`)).toBe('ack');
    await vm.agent.ok(`fill ${other.addr} 4096 1`);
    await vm.agent.ok('use 0');
    const { request = 0 } = await vm.agent.fields('ring');
    await vm.agent.ok(`request 0 0 ${slow.addr} ${slow.requested / slow.block}`);
    await vm.agent.ok(`desc 0 ${request} 24 ${NEXT} 1`);
    await vm.agent.ok(`desc 1 ${other.addr} 10 ${WRITE} 0`);
    await vm.agent.ok('avail 0');
    await vm.agent.ok('kick');
    await vm.agent.ok('use 1');
    expect(await vm.agent.ok(`unplug ${other.addr} 1`)).toBe('ack');
    await vm.agent.ok('use 0');
    expect((await vm.agent.number('wait-status 64')) & NEEDS_RESET).toBe(NEEDS_RESET);
    await vm.agent.initMem('0');
    await vm.agent.ok('unplug-all');
    expect(resident(vm)).toBe(0);
  });
});
