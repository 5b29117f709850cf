import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isOurs, mayLowerLimits, withFewMappings } from '../harness/few-mappings.ts';
import { guestPath } from '../harness/guests.ts';
import { hex, paused, plugSome, resident, scene, type Scene } from '../harness/protection-scene.ts';
import { bootAgent, startTsvmm } from '../harness/test-vm.ts';

/** More than any process of this machine has, and few enough to run out of. */
const LIMIT = 4000;

/** Starts with few mappings; where nobody else suffers, there are not more later on either. */
async function fewMappings(work: (it: Scene) => Promise<void>): Promise<void> {
  const start = (): Promise<Scene> =>
    scene('dynamic-memslots=on,protect-unplugged=on', ['--on-violation', 'stop']);
  if (isOurs) await withFewMappings(LIMIT, async () => work(await start()));
  else await work(await withFewMappings(LIMIT, start));
}

describe.skipIf(!mayLowerLimits())('when mappings run out', () => {
  it('plugged memory is usable; what cannot be protected is told, counted and protected later', () =>
    fewMappings(async (it) => {
      const { vm, monitor, addr, block } = it;
      const unprotected = (): Promise<number> =>
        monitor.value('info memory-devices -v', 'unprotected-blocks').then(Number);
      // Every second block, 64 with one kick: each takes two mappings.
      const BATCH = 64;
      const BATCHES = 24;
      for (let batch = 0; batch < BATCHES; batch++) {
        const at = addr + batch * BATCH * 2 * block;
        const answer = await vm.agent.ok(`batch 0 ${at} 1 ${BATCH} ${2 * block}`);
        expect(answer).toContain(`ack=${BATCH} `);
      }
      expect(await unprotected()).toBeGreaterThan(0);
      expect(await monitor.value('info memory-devices -v', 'violations')).toBe('0');
      const told = vm.process.stderr.transcript.split('\n').filter((it) => it.includes('mappings'));
      expect(told).toHaveLength(1);
      const last = addr + 2 * block * (BATCH * BATCHES - 1);
      for (const at of [addr, last]) {
        await vm.agent.ok(`fill ${at} ${block} 3`);
        await vm.agent.ok(`check ${at} ${block} 3`);
      }
      // Beside the last one the guest can write where it should not; nothing of it stays.
      expect(await vm.agent.ok('unplug-all')).toBe('ack');
      expect(await unprotected()).toBe(0);
      expect(resident(vm)).toBe(0);
      await plugSome(it);
      vm.process.write(`peek 8 ${addr + block}\n`);
      expect(await paused(monitor)).toContain(`read of ${hex(addr + block)} `);
    }));
});

describe.skipIf(!isOurs || !mayLowerLimits())('on a host that promises no more than it has', () => {
  it('where memory must be committed, only what was plugged is', async () => {
    const path = '/proc/sys/vm/overcommit_memory';
    const before = readFileSync(path, 'utf8');
    writeFileSync(path, '2');
    try {
      const vm = await bootAgent({
        virtioMem: ['size=1T,requested-size=64M,dynamic-memslots=on'],
      });
      const { addr, block } = await vm.agent.initMem();
      expect(await vm.agent.ok(`plug ${addr} 4`)).toBe('ack');
      await vm.agent.ok(`fill ${addr} ${4 * block} 3`);
      await vm.agent.ok(`check ${addr} ${4 * block} 3`);
      const open = ['run', '--kernel', guestPath('hello'), '--serial', 'none'];
      const refused = startTsvmm([...open, '--virtio-mem', 'size=1T']);
      expect((await refused.exited).code).toBe(1);
      expect(refused.stderr.transcript).toContain('cannot reserve');
    } finally {
      writeFileSync(path, before);
    }
  });
});
