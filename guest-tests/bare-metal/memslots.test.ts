import { describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { vmallocUsedBytes } from '../harness/host.ts';
import type { Monitor } from '../harness/monitor.ts';
import { GIB, MIB, TIB } from '../harness/sizes.ts';
import { bootAgent, startTsvmm } from '../harness/test-vm.ts';

/** Active slots of a device, by the guest-physical addresses that the monitor shows. */
async function activeSlots(monitor: Monitor, device: string): Promise<readonly string[]> {
  const output = await monitor.command('info memslots');
  return output
    .split('\n')
    .filter((line) => line.trimEnd().endsWith(device))
    .map((line) => /0x[0-9a-f]+/.exec(line)?.[0] ?? line);
}

/** A host process's resident memory that is not the guest's differs by so much from time to time. */
const SLACK = 24 * MIB;

const hex = (value: number): string => `0x${value.toString(16)}`;

describe('dynamic memslots', () => {
  it('are counted and drawn as they are, also where one covers several windows', async () => {
    const vm = await bootAgent({ virtioMem: ['size=64G,requested-size=40G,dynamic-memslots=on'] });
    await vm.agent.initMem();
    await vm.agent.ok('sync');
    const monitor = await vm.monitor();
    const count = (await activeSlots(monitor, 'vm0')).length;
    expect(count).toBeLessThan(40);
    expect(await monitor.command('info memory-devices -v')).toContain(
      `  memslots: ${count} in 40 of 64 windows\n`,
    );
    const map = await monitor.command('info memory-map vm0');
    expect(map).toContain(`\n${count} memslots in 40 of 64 windows of 1 GiB (borders |)`);
    expect(map.split('\n').join('').match(/\|-/g)).toHaveLength(count);
  });

  it('are active exactly where something is plugged', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G,dynamic-memslots=on'] });
    const { addr } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
    expect(await monitor.command('info memslots')).toContain('idle: 16 windows');
    await vm.agent.ok(`plug ${addr} 1`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
    const all = await monitor.command('info memslots -a');
    expect(all).toMatch(
      / 1 GiB +vm0 +yes\n( +- +0x[0-9a-f]+ +1 GiB +vm0 +no\n){15}\n.*\nidle: 15 windows/,
    );
    await vm.agent.ok(`plug ${addr + 3 * GIB} 1`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr), hex(addr + 3 * GIB)]);
    await vm.agent.ok(`unplug ${addr} 1`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr + 3 * GIB)]);
    await vm.agent.ok('unplug-all');
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
  });

  it('serve a request that crosses from one slot into the next', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G,dynamic-memslots=on'] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    const start = addr + GIB - 2 * block;
    expect(await vm.agent.ok(`plug ${start} 4`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr), hex(addr + GIB)]);
    await vm.agent.ok(`fill ${start} ${4 * block} 9`);
    await vm.agent.ok(`check ${start} ${4 * block} 9`);
    expect(await vm.agent.ok(`unplug ${start + block} 2`)).toBe('ack');
    await vm.agent.ok(`check ${start} ${block} 9`);
    await vm.agent.ok(`check ${start + 3 * block} ${block} 9`);
    expect(await vm.agent.ok(`unplug ${start} 1`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr + GIB)]);
    await vm.agent.ok(`check ${start + 3 * block} ${block} 9`);
  });

  it('serve a request that spans a whole slot and its neighbours', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G,dynamic-memslots=on'] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    const start = addr + GIB - block;
    const blocks = GIB / block + 2;
    expect(await vm.agent.ok(`plug ${start} ${blocks}`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toHaveLength(3);
    for (const at of [start, addr + GIB, addr + 2 * GIB - block, addr + 2 * GIB]) {
      await vm.agent.ok(`poke 8 ${at} ${at}`);
    }
    for (const at of [start, addr + GIB, addr + 2 * GIB - block, addr + 2 * GIB]) {
      expect(await vm.agent.number(`peek 8 ${at}`)).toBe(at);
    }
    expect(await vm.agent.ok(`unplug ${start} ${blocks}`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
  });

  it('span several GiB where much is plugged, and stay for the last block in them', async () => {
    const keys = 'size=64G,requested-size=64G,dynamic-memslots=on';
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    const all = (64 * GIB) / block;
    expect(await vm.agent.ok(`plug ${addr} ${all}`)).toBe('ack');
    const slots = await activeSlots(monitor, 'vm0');
    expect(slots.length).toBeLessThan(32);
    expect(slots.slice(0, 2)).toEqual([hex(addr), hex(addr + GIB)]);
    const last = slots.at(-1)!;
    const kept = addr + 64 * GIB - block;
    await vm.agent.ok(`fill ${kept} ${block} 6`);
    expect(await vm.agent.ok(`unplug ${addr} ${all - 1}`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([last]);
    await vm.agent.ok(`check ${kept} ${block} 6`);
    expect(await vm.agent.ok(`unplug ${kept} 1`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
  });

  it.each(['size=1G', 'size=4G,memslot-size=4G', 'size=640M,memslot-size=1G'])(
    'are none of a region that is one window, before something is plugged: %s',
    async (keys) => {
      const vm = await bootAgent({
        virtioMem: [`${keys},requested-size=512M,dynamic-memslots=on`],
      });
      const { addr, block } = await vm.agent.initMem();
      const monitor = await vm.monitor();
      expect(await activeSlots(monitor, 'vm0')).toEqual([]);
      for (let round = 0; round < 2; round++) {
        expect(await vm.agent.ok(`plug ${addr + block} 2`)).toBe('ack');
        expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
        await vm.agent.ok(`fill ${addr + block} ${2 * block} 3`);
        await vm.agent.ok(`check ${addr + block} ${2 * block} 3`);
        expect(await vm.agent.ok(`unplug ${addr + block} 2`)).toBe('ack');
        expect(await activeSlots(monitor, 'vm0')).toEqual([]);
      }
    },
  );

  it('go with unplugged-inaccessible=auto where the backend makes it on', async () => {
    const vm = await bootAgent({
      args: ['--memory-backend', 'memfd,id=m,size=4G'],
      virtioMem: ['memdev=m,requested-size=1G,unplugged-inaccessible=auto,dynamic-memslots=on'],
    });
    const { addr } = await vm.agent.initMem();
    expect(await activeSlots(await vm.monitor(), 'vm0')).toEqual([]);
    await vm.agent.ok(`plug ${addr} 1`);
    expect(await activeSlots(await vm.monitor(), 'vm0')).toEqual([hex(addr)]);
  });

  it('have the size that the user gives', async () => {
    const keys = 'size=4G,requested-size=1G,dynamic-memslots=on,memslot-size=128M';
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    await vm.agent.ok(`plug ${addr + 128 * MIB - block} 2`);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr), hex(addr + 128 * MIB)]);
  });

  it('answer all ones where nothing is plugged, and nobody guards it', async () => {
    const keys = 'size=16G,requested-size=4G,dynamic-memslots=on,protect-unplugged=off';
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.number(`peek 4 ${addr}`)).toBe(0xffff_ffff);
    await vm.agent.ok(`poke 4 ${addr} 1`);
    await vm.agent.ok(`plug ${addr} 1`);
    expect(await vm.agent.number(`peek 4 ${addr}`)).toBe(0);
  });
});

describe('a static memslot', () => {
  it('covers the whole region all the time', async () => {
    const vm = await bootAgent({ virtioMem: ['size=16G,requested-size=4G'] });
    const { addr } = await vm.agent.initMem();
    const monitor = await vm.monitor();
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
    await vm.agent.ok(`plug ${addr + GIB} 1`);
    await vm.agent.ok('unplug-all');
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
  });
});

describe('a device of 1 TiB', () => {
  const keys = 'size=1T,requested-size=4G,dynamic-memslots=on';

  it('works from its first block to its last usable one', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block, region, usable } = await vm.agent.initMem();
    expect(region).toBe(TIB);
    const last = addr + usable - block;
    for (const at of [addr, last]) {
      expect(await vm.agent.ok(`plug ${at} 1`)).toBe('ack');
      await vm.agent.ok(`fill ${at} ${block} 4`);
      await vm.agent.ok(`check ${at} ${block} 4`);
    }
  });

  it('reaches its very last block when all of it is requested', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1T,requested-size=1T,dynamic-memslots=on'] });
    const { addr, block, region } = await vm.agent.initMem();
    const last = addr + region - block;
    expect(await vm.agent.ok(`plug ${last} 1`)).toBe('ack');
    await vm.agent.ok(`fill ${last} ${block} 5`);
    await vm.agent.ok(`check ${last} ${block} 5`);
    expect(await vm.agent.ok(`plug ${last} 2`)).toBe('error');
  });

  it('takes next to no kernel memory while nothing is plugged', async () => {
    // Others on this host may take and free kernel memory meanwhile: the best of three counts.
    const taken: number[] = [];
    for (let round = 0; round < 3; round++) {
      const before = vmallocUsedBytes();
      const vm = await bootAgent({ virtioMem: [keys] });
      taken.push(vmallocUsedBytes() - before);
      await vm.agent.ok('poweroff');
      await vm.exited;
    }
    expect(Math.min(...taken)).toBeLessThan(64 * MIB);
  });

  it('tells what a static slot would have cost', async () => {
    const vm = await bootAgent({ virtioMem: [keys] });
    const monitor = await vm.monitor();
    const output = await monitor.command('info memslots');
    const [now = 0, fixed = 0, later = now, laterFixed = fixed] = [
      ...output.matchAll(/\((\d+) bytes\)/g),
    ].map((match) => Number(match[1]));
    expect(now).toBeLessThan(16 * MIB);
    expect(fixed).toBeGreaterThan(100 * now);
    // All of it: what a KVM without the TDP MMU takes at once, and others for guests that run guests.
    if (later !== now) expect(output).toContain('once the guest runs guests of its own: ');
    expect(later).toBeLessThan(16 * MIB);
    expect(laterFixed).toBeGreaterThanOrEqual(fixed);
  });
});

/** What a guest can address on this host, in bits. */
async function addressBits(): Promise<number> {
  const child = startTsvmm(['plan', '--memory', '128M', '--json']);
  await child.exited;
  const { host } = JSON.parse(child.stdout.transcript) as { host: { addressBits: number } };
  return host.addressBits;
}

describe('a device many times as large as the host', () => {
  it('starts, plugs its first and last blocks, answers, and gives memory back', async () => {
    const size = Math.min(16 * TIB, 2 ** ((await addressBits()) - 1));
    const before = vmallocUsedBytes();
    const keys = `size=${size},requested-size=${size},dynamic-memslots=on`;
    const vm = await bootAgent({ virtioMem: [keys] });
    const { addr, block, region } = await vm.agent.initMem();
    expect(region).toBe(size);
    const monitor = await vm.monitor();
    const idle = vm.residentBytes();
    expect(idle).toBeLessThan(256 * MIB);
    const blocks = 24;
    const ends = [addr, addr + region - blocks * block];
    for (const at of ends) {
      expect(await vm.agent.ok(`plug ${at} ${blocks}`)).toBe('ack');
      await vm.agent.ok(`fill ${at} ${blocks * block} 7`);
    }
    for (const at of ends) await vm.agent.ok(`check ${at} ${blocks * block} 7`);
    expect(vm.residentBytes()).toBeGreaterThan(idle + 2 * blocks * block - SLACK);
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr), hex(addr + region - GIB)]);
    expect(await monitor.value('info memory-devices', 'size')).toBe(`${2 * blocks * block}`);
    expect(await monitor.command('info memory-map vm0')).toMatch(/^ *0x\w+ .*:\|$/m);
    expect(await vm.agent.ok(`unplug ${ends[1]} ${blocks}`)).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([hex(addr)]);
    expect(await vm.agent.ok(`plug ${ends[1]} ${blocks}`)).toBe('ack');
    await vm.agent.ok(`zero ${ends[1]} ${blocks * block}`);
    expect(await vm.agent.ok('unplug-all')).toBe('ack');
    expect(await activeSlots(monitor, 'vm0')).toEqual([]);
    expect(vm.residentBytes()).toBeLessThan(idle + SLACK);
    // Two slots of a GiB and what others do; as one slot it would have been gigabytes.
    expect(vmallocUsedBytes() - before).toBeLessThan(GIB);
  });

  it('is refused where the guest cannot address it, with both numbers', async () => {
    const bits = await addressBits();
    const size = `${2 ** (bits - 40)}T`;
    const child = startTsvmm(['plan', '--memory', '128M', '--virtio-mem', `size=${size}`]);
    expect((await child.exited).code).toBe(2);
    expect(child.stderr.transcript).toContain(`${bits}-bit limit ${hex(2 ** bits)}`);
  });
});

describe('devices that share the memslots of a machine', () => {
  const sharing = (...keys: readonly string[]) => keys.map((it) => `dynamic-memslots=on,${it}`);

  it('reuse ids that others have left, lowest first', async () => {
    const vm = await bootAgent({
      virtioMem: sharing('size=8G,requested-size=2G,id=a', 'size=8G,requested-size=2G,id=b'),
    });
    const first = await vm.agent.initMem('0');
    const second = await vm.agent.initMem('1');
    const monitor = await vm.monitor();
    const owners = async (): Promise<readonly string[]> =>
      [...(await monitor.command('info memslots')).matchAll(/^ *(\d+) .* (\w+)$/gm)]
        .map(([, id, owner]) => `${id} ${owner}`)
        .sort();
    await vm.agent.ok('use 0');
    await vm.agent.ok(`plug ${first.addr} 1`);
    await vm.agent.ok('use 1');
    await vm.agent.ok(`plug ${second.addr} 1`);
    expect(await owners()).toEqual(['0 ram', '1 a', '2 b']);
    await vm.agent.ok('use 0');
    await vm.agent.ok(`unplug ${first.addr} 1`);
    await vm.agent.ok('use 1');
    await vm.agent.ok(`plug ${second.addr + GIB} 1`);
    expect(await owners()).toEqual(['0 ram', '1 b', '2 b']);
  });

  it('get as large windows as their share of the slots needs', async () => {
    const sizes = ['size=20T', 'size=20T', 'size=4T'];
    const args = sharing(...sizes).flatMap((keys) => ['--virtio-mem', keys]);
    const child = startTsvmm(['plan', '--memory', '128M', '--json', ...args]);
    await child.exited;
    const { host, devices } = JSON.parse(child.stdout.transcript) as {
      host: { memslots: number };
      devices: readonly { memslotSize: number; memslots: number }[];
    };
    const rest = host.memslots - 8 - devices.length;
    const block = 2 * MIB;
    const share = (tib: number): number => 1 + Math.floor(rest * (tib / 44));
    const window = (tib: number): number =>
      Math.max(GIB, Math.ceil((tib * TIB) / share(tib) / block) * block);
    expect(devices.map(({ memslotSize }) => memslotSize)).toEqual([20, 20, 4].map(window));
    const wanted = devices.reduce((all, { memslots }) => all + memslots, 0);
    expect(wanted).toBeLessThanOrEqual(host.memslots - 8);
  });

  it('leave those with a size of their own what they take', async () => {
    const keys = sharing('id=a,size=48G,memslot-size=2M', 'id=b,size=8T');
    const vm = await bootAgent({ virtioMem: keys });
    const monitor = await vm.monitor();
    const [, window] = /idle: (\d+) windows/.exec(await monitor.command('info memslots')) ?? [];
    expect(Number(window)).toBeGreaterThan(24_576);
  });

  it('start only when there are enough for the size that the user wants', async () => {
    const size = (slots: number): string => `size=${slots * 2}M,requested-size=20M,memslot-size=2M`;
    const plan = startTsvmm(['plan', '--memory', '128M', '--json']);
    await plan.exited;
    const { host } = JSON.parse(plan.stdout.transcript) as { host: { memslots: number } };
    const most = host.memslots - 8;
    const vm = await bootAgent({ virtioMem: sharing(size(most - 10), size(10)) });
    const { addr } = await vm.agent.initMem('1');
    expect(await vm.agent.ok(`plug ${addr} 10`)).toBe('ack');
    const keys = sharing(size(most - 10), size(11));
    const one = ['run', '--kernel', guestPath('agent'), '--memory', '128M'];
    const child = startTsvmm([...one, ...keys.flatMap((it) => ['--virtio-mem', it])]);
    expect((await child.exited).code).not.toBe(0);
    const said = `vm1: 22 MiB in memslots of 2 MiB are 11, and 10 of this KVM's ${host.memslots} are left`;
    expect(child.stderr.transcript).toContain(said);
  });
});
