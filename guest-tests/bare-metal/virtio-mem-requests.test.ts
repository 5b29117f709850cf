import { describe, expect, it } from 'vitest';
import type { Agent, MemConfig } from '../harness/agent.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { bootAgent } from '../harness/test-vm.ts';

interface Device extends MemConfig {
  readonly agent: Agent;
}

async function boot(keys = 'size=1G,requested-size=64M,block-size=2M'): Promise<Device> {
  const vm = await bootAgent({ virtioMem: [keys] });
  return { agent: vm.agent, ...(await vm.agent.initMem()) };
}

describe('the configuration at the start', () => {
  it('says what the user asked for', async () => {
    const { block, node, addr, region, usable, plugged, requested } = await boot();
    expect(block).toBe(2 * MIB);
    expect(node).toBe(0);
    expect(addr % GIB).toBe(0);
    expect(addr).toBeGreaterThanOrEqual(4 * GIB);
    expect(region).toBe(GIB);
    expect(requested).toBe(64 * MIB);
    expect(usable).toBe((64 + 256) * MIB);
    expect(plugged).toBe(0);
  });

  it('has no usable region when nothing is requested', async () => {
    const { usable, requested } = await boot('size=1G');
    expect([usable, requested]).toEqual([0, 0]);
  });

  it('has a usable region no larger than the region', async () => {
    const { usable, region } = await boot('size=256M,requested-size=128M');
    expect(usable).toBe(region);
  });
});

describe('PLUG', () => {
  it('answers ACK and counts the blocks', async () => {
    const { agent, addr, block } = await boot();
    expect(await agent.ok(`plug ${addr} 4`)).toBe('ack');
    expect((await agent.memConfig()).plugged).toBe(4 * block);
  });

  it('answers NACK beyond the requested size, and plugs nothing', async () => {
    const { agent, addr, block, requested } = await boot();
    expect(await agent.ok(`plug ${addr} ${requested / block + 1}`)).toBe('nack');
    expect((await agent.memConfig()).plugged).toBe(0);
    expect(await agent.ok(`plug ${addr} ${requested / block}`)).toBe('ack');
    expect(await agent.ok(`plug ${addr + requested} 1`)).toBe('nack');
    expect((await agent.memConfig()).plugged).toBe(requested);
  });

  it('answers ERROR when one of the blocks is plugged already', async () => {
    const { agent, addr, block } = await boot();
    await agent.ok(`plug ${addr + 2 * block} 1`);
    expect(await agent.ok(`plug ${addr + 2 * block} 1`)).toBe('error');
    expect(await agent.ok(`plug ${addr} 4`)).toBe('error');
    expect(await agent.ok(`state ${addr} 2`)).toBe('ack unplugged');
    expect((await agent.memConfig()).plugged).toBe(block);
  });
});

describe('UNPLUG', () => {
  it('answers ACK and counts the blocks', async () => {
    const { agent, addr, block } = await boot();
    await agent.ok(`plug ${addr} 8`);
    expect(await agent.ok(`unplug ${addr + 2 * block} 3`)).toBe('ack');
    expect((await agent.memConfig()).plugged).toBe(5 * block);
    expect(await agent.ok(`state ${addr + 2 * block} 3`)).toBe('ack unplugged');
  });

  it('answers ERROR when one of the blocks is unplugged already', async () => {
    const { agent, addr, block } = await boot();
    await agent.ok(`plug ${addr} 2`);
    expect(await agent.ok(`unplug ${addr} 3`)).toBe('error');
    expect(await agent.ok(`unplug ${addr + 5 * block} 1`)).toBe('error');
    expect((await agent.memConfig()).plugged).toBe(2 * block);
  });
});

describe('UNPLUG_ALL', () => {
  it('answers ACK with nothing plugged, and with much', async () => {
    const { agent, addr } = await boot();
    expect(await agent.ok('unplug-all')).toBe('ack');
    await agent.ok(`plug ${addr} 8`);
    expect(await agent.ok('unplug-all')).toBe('ack');
    expect((await agent.memConfig()).plugged).toBe(0);
    expect(await agent.ok(`state ${addr} 8`)).toBe('ack unplugged');
  });
});

describe('STATE', () => {
  it('answers PLUGGED, UNPLUGGED and MIXED', async () => {
    const { agent, addr, block } = await boot();
    await agent.ok(`plug ${addr + 2 * block} 2`);
    expect(await agent.ok(`state ${addr} 2`)).toBe('ack unplugged');
    expect(await agent.ok(`state ${addr + 2 * block} 2`)).toBe('ack plugged');
    expect(await agent.ok(`state ${addr + block} 2`)).toBe('ack mixed');
    expect(await agent.ok(`state ${addr} 8`)).toBe('ack mixed');
  });

  it('reaches to the end of the usable region and no further', async () => {
    const { agent, addr, block, usable } = await boot();
    expect(await agent.ok(`state ${addr} ${usable / block}`)).toBe('ack unplugged');
    expect(await agent.ok(`state ${addr} ${usable / block + 1}`)).toBe('error');
  });
});

describe.each(['plug', 'unplug', 'state'])('%s of an impossible range', (request) => {
  it('answers ERROR, and nothing changes', async () => {
    const { agent, addr, block, usable, region } = await boot();
    await agent.ok(`plug ${addr} 1`);
    const before = await agent.memConfig();
    const ranges = [
      `${addr + 4096} 1`, // not aligned
      `${addr + 1} 1`,
      `${addr} 0`, // nothing
      `${addr - block} 1`, // below the region
      `${addr - block} 2`,
      `0 1`,
      `${addr + usable} 1`, // above the usable region
      `${addr + usable - block} 2`,
      `${addr + region} 1`, // above the region
      `${addr} 65535`,
      `0xffffffffffe00000 1`, // at the end of all addresses
      `0xffffffffffe00000 2`, // wraps around
      `0x8000000000000000 1`,
      `0x20000000000000 1`, // 2^53: no exact number any more
    ];
    for (const range of ranges) {
      expect([range, await agent.ok(`${request} ${range}`)]).toEqual([range, 'error']);
    }
    expect(await agent.memConfig()).toEqual(before);
  });
});

describe('many requests', () => {
  it('with one kick are answered in ring order', async () => {
    const { agent, addr, block } = await boot();
    const PLUG = 0;
    const UNPLUG = 1;
    const all = 'ack=32 nack=0 busy=0 error=0 other=0 ordered=yes';
    // Twice the ring size in all, so indices wrap.
    for (let round = 0; round < 4; round++) {
      expect(await agent.ok(`batch ${PLUG} ${addr} 1 32 ${block}`)).toBe(all);
      expect(await agent.ok(`batch ${UNPLUG} ${addr} 1 32 ${block}`)).toBe(all);
    }
    expect(await agent.ok(`batch ${PLUG} ${addr} 1 34 ${block}`)).toBe(
      'ack=32 nack=2 busy=0 error=0 other=0 ordered=yes',
    );
  });

  it('wrap the 16-bit ring indices', async () => {
    const { agent, addr } = await boot();
    const STATE = 3;
    expect(await agent.ok(`batch ${STATE} ${addr} 1 64 0 1100`)).toBe(
      `ack=${64 * 1100} nack=0 busy=0 error=0 other=0 ordered=yes`,
    );
    expect(await agent.ok('unplug-all')).toBe('ack');
  });
});

describe('block sizes', () => {
  it.each(['1M', '4M', '128M'])('of %s are what the guest sees and plugs', async (size) => {
    const { agent, addr, block, requested } = await boot(
      `size=1G,requested-size=256M,block-size=${size}`,
    );
    expect(block).toBe(Number.parseInt(size, 10) * MIB);
    expect(await agent.ok(`plug ${addr} ${requested / block}`)).toBe('ack');
    await agent.ok(`fill ${addr} ${requested} 3`);
    await agent.ok(`check ${addr} ${requested} 3`);
    expect(await agent.ok(`plug ${addr + requested + block / 2} 1`)).toBe('error');
  });
});
