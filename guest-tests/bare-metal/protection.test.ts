import { describe, expect, it } from 'vitest';
import {
  hex,
  outcome,
  paused,
  PLACES,
  plugSome,
  resident,
  scene,
  violations,
} from '../harness/protection-scene.ts';
import { GIB } from '../harness/sizes.ts';

/** Each uses 8 bytes and more at an address; what the guest would answer does not matter. */
const ACCESSES: Readonly<Record<string, (at: number, ram: number) => string>> = {
  read: (at) => `peek 8 ${at}`,
  write: (at) => `poke 8 ${at} 5`,
  'read at CPL 0': (at) => `load0 ${at}`,
  'write at CPL 0': (at) => `store0 ${at}`,
  exchange: (at) => `exchange ${at}`,
  'copy from': (at, ram) => `copy ${at} ${ram} 64`,
  'copy to': (at, ram) => `copy ${ram} ${at} 64`,
  push: (at) => `push ${at}`,
};

const STOP = ['--on-violation', 'stop'];

describe.each(['on', 'off'])('dynamic-memslots=%s: unplugged memory is out of reach', (dynamic) => {
  const keys = `dynamic-memslots=${dynamic},protect-unplugged=on`;

  it.each(Object.entries(PLACES))('%s', async (_name, place) => {
    const it = await scene(keys, STOP);
    const { vm, monitor, block } = it;
    const ram = await vm.agent.field('info', 'scratch');
    await plugSome(it);
    const at = place(it);
    const missing = at % block === 0 ? at : at + 4;
    for (const [what, access] of Object.entries(ACCESSES)) {
      const held = resident(vm);
      expect(held).toBe(2 * block);
      const before = await violations(monitor);
      vm.process.write(`${access(at, ram)}\n`);
      const status = await paused(monitor);
      expect(status, what).toMatch(
        /^VM status: paused \(violation of vm0: .* at rip 0x1[0-9a-f]+\)/,
      );
      expect(status, what).toContain(` ${hex(missing)} `);
      expect(await violations(monitor)).toBeGreaterThan(before);
      expect(resident(vm)).toBe(held);
      await monitor.command('system_reset');
      expect(resident(vm)).toBe(0);
      await monitor.command('cont');
      await vm.agent.ready();
      await vm.agent.initMem();
      await plugSome(it);
    }
    await vm.agent.ok(`check ${it.addr} ${block} 7`);
  });

  it.each(['peek 8', 'load0'])('for an odd part of an access: %s', async (load) => {
    const it = await scene(keys, STOP);
    await plugSome(it);
    it.vm.process.write(`${load} ${it.addr + it.block - 3}\n`);
    expect(await paused(it.monitor)).toContain(`read of ${hex(it.addr + it.block)} `);
  });

  it('for instructions', async () => {
    const it = await scene(keys);
    await plugSome(it);
    const at = it.addr + it.block;
    it.vm.process.write(`call ${at}\n`);
    expect(await paused(it.monitor)).toContain(`execute of ${hex(at)} at rip ${hex(at)}`);
  });

  // KVM tries to emulate what it cannot fetch; at CPL 3 it may then tell the guest instead of us.
  it('for instructions where nothing is mapped: an invalid one, or a violation', async () => {
    const it = await scene(keys);
    await plugSome(it);
    const at = hex(it.addr + 5 * GIB);
    const told = await outcome(it, `call ${at}`);
    expect(told).toMatch(new RegExp(`^fault vector=6 .* rip=${at}|execute of ${at} at rip ${at}`));
    expect(resident(it.vm)).toBe(2 * it.block);
  });

  it('for page tables: a page fault of the guest, or a violation', async () => {
    const it = await scene(keys, STOP);
    await plugSome(it);
    const told = await outcome(it, `tables ${it.addr + it.block}`);
    expect(told).toMatch(/^fault vector=14|violation of vm0/);
    expect(resident(it.vm)).toBe(2 * it.block);
  });

  it('while it is being unplugged', async () => {
    const it = await scene(keys, [], 2);
    const { vm, monitor, addr, block } = it;
    await vm.agent.ok('smp start');
    expect(await vm.agent.ok(`plug ${addr} 64`)).toBe('ack');
    await vm.agent.ok(`smp touch ${addr} ${64 * block}`);
    vm.process.write(`unplug ${addr + block} 62\n`);
    expect(await paused(monitor)).toContain('write of');
    // What was begun is brought to its end while no CPU runs.
    while (resident(vm) > 2 * block) await monitor.command('info status');
    expect(await monitor.value('info memory-devices -v', 'unprotected-blocks')).toBe('0');
    // The other CPU stays where it is; the one that asked hears that it is done.
    const before = await violations(monitor);
    await monitor.command('cont');
    await paused(monitor);
    expect(await violations(monitor)).toBeGreaterThan(before);
    expect(resident(vm)).toBeLessThanOrEqual(2 * block);
  });
});

describe('what follows a violation', () => {
  const keys = 'dynamic-memslots=on';

  it('cont tries again: the same once more where the access is native', async () => {
    const it = await scene(keys, STOP);
    await plugSome(it);
    it.vm.process.write(`peek 8 ${it.addr + it.block}\n`);
    const first = await paused(it.monitor);
    await it.monitor.command('cont');
    expect(await paused(it.monitor)).toBe(first);
    expect(await violations(it.monitor)).toBe(2);
  });

  it('is logged with its addresses, which are the guest’s', async () => {
    const it = await scene(keys, STOP);
    await plugSome(it);
    it.vm.process.write(`peek 8 ${it.addr + it.block}\n`);
    const text = await it.vm.process.stderr.expect(/not plugged.*\n/);
    const line = JSON.parse(text.split('\n').at(-2) ?? '') as { id: string; guest: object };
    expect(line.id).toBe('vm0');
    expect(line.guest).toMatchObject({ vcpu: 0, gpa: hex(it.addr + it.block), access: 'read' });
  });

  it('reset: the guest starts again, with nothing plugged', async () => {
    const it = await scene(keys, ['--on-violation', 'reset']);
    await plugSome(it);
    it.vm.process.write(`poke 8 ${it.addr + it.block} 1\n`);
    await it.vm.agent.ready();
    expect(await it.monitor.command('info status')).toBe(
      'VM status: running\nresets: violation 1\n',
    );
    const { plugged } = await it.vm.agent.initMem();
    expect(plugged).toBe(0);
    expect(await violations(it.monitor)).toBe(1);
    await plugSome(it);
  });

  it.each(['peek 8', 'copy'])('kill: the process ends, and says why; %s', async (command) => {
    const it = await scene(keys, ['--on-violation', 'kill']);
    await plugSome(it);
    const ram = await it.vm.agent.field('info', 'scratch');
    const at = it.addr + 5 * GIB;
    it.vm.process.write(command === 'copy' ? `copy ${at} ${ram} 4096\n` : `${command} ${at}\n`);
    expect(await it.vm.exited).toEqual({ code: 3, signal: null });
    const told = (await it.vm.process.stderr.rest()).split('\n');
    expect(told.filter((line) => line.startsWith('tsvmm: '))).toEqual([
      expect.stringMatching(
        `^tsvmm: violation of vm0: read of ${hex(at)} at rip 0x1[0-9a-f]+; ended`,
      ),
    ]);
  });

  it('nothing, where protection is off: the access hits nothing', async () => {
    const it = await scene('dynamic-memslots=on,protect-unplugged=off', ['--on-violation', 'kill']);
    await plugSome(it);
    expect(await it.vm.agent.number(`peek 4 ${it.addr + 5 * GIB}`)).toBe(0xffff_ffff);
    expect(await it.vm.agent.number(`peek 4 ${it.addr + it.block}`)).toBe(0);
    expect(await it.monitor.value('info memory-devices -v', 'protect-unplugged')).toBe('off');
  });
});
