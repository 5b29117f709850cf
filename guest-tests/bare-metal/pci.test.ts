import { describe, expect, it } from 'vitest';
import type { Agent } from '../harness/agent.ts';
import { bootAgent } from '../harness/test-vm.ts';

const VIRTIO_MEM_ID = 0x1058;

/** Device number of the first virtio-mem function. */
async function memDevice(agent: Agent): Promise<number> {
  const list = await agent.ok('pci list');
  const match = /(\d+)\.0=0x1af4:0x1058/.exec(list);
  if (match?.[1] === undefined) throw new Error(`no virtio-mem device in ${list}`);
  return Number(match[1]);
}

describe('PCI configuration space', () => {
  it('says the same through the ports and through ECAM', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G', 'size=1G'] });
    const byPorts = await vm.agent.ok('pci list');
    expect(byPorts.match(/0x1af4:0x1058/g)).toHaveLength(2);
    const device = await memDevice(vm.agent);
    const read = async () => {
      const words: number[] = [];
      for (let offset = 0; offset < 256; offset += 4) {
        words.push(await vm.agent.number(`cfg read 4 0 ${device} 0 ${offset}`));
      }
      return words;
    };
    const words = await read();
    await vm.agent.ok('ecam');
    expect(await vm.agent.ok('pci list')).toBe(byPorts);
    expect(await read()).toEqual(words);
  });

  it('reads bytes and words of a register as parts of it', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const device = await memDevice(vm.agent);
    for (const way of ['ecam off', 'ecam']) {
      await vm.agent.ok(way);
      expect(await vm.agent.number(`cfg read 2 0 ${device} 0 2`)).toBe(VIRTIO_MEM_ID);
      expect(await vm.agent.number(`cfg read 1 0 ${device} 0 3`)).toBe(VIRTIO_MEM_ID >> 8);
    }
  });

  it('answers all ones where there is no function', async () => {
    const vm = await bootAgent();
    expect(await vm.agent.number('cfg read 4 0 30 5 0')).toBe(0xffff_ffff);
    expect(await vm.agent.number('cfg read 4 7 0 0 0')).toBe(0xffff_ffff);
    await vm.agent.ok('ecam');
    expect(await vm.agent.number('cfg read 4 0 30 5 0')).toBe(0xffff_ffff);
  });

  it('keeps ids and class read-only', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const device = await memDevice(vm.agent);
    for (const offset of [0, 8]) {
      const before = await vm.agent.number(`cfg read 4 0 ${device} 0 ${offset}`);
      await vm.agent.ok(`cfg write 4 0 ${device} 0 ${offset} 0xffffffff`);
      expect(await vm.agent.number(`cfg read 4 0 ${device} 0 ${offset}`)).toBe(before);
    }
  });
});

describe('BARs', () => {
  /** The BAR that holds the common configuration. */
  async function commonBar(agent: Agent, device: number): Promise<number> {
    let cap = 0;
    do {
      cap = await agent.number(`pci cap 0 ${device} 0 9 ${cap}`);
      if ((await agent.number(`cfg read 1 0 ${device} 0 ${cap + 3}`)) === 1) break;
    } while (cap !== 0);
    return await agent.number(`cfg read 1 0 ${device} 0 ${cap + 4}`);
  }

  it('have power-of-two sizes and are aligned to them', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const device = await memDevice(vm.agent);
    const bar = await commonBar(vm.agent, device);
    const { address = 0, size = 0 } = await vm.agent.fields(`pci bar 0 ${device} 0 ${bar}`);
    expect(size).toBeGreaterThan(0);
    expect(Math.log2(size) % 1).toBe(0);
    expect(address % size).toBe(0);
  });

  it('can be moved, and the device works at its new place', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G,requested-size=64M'] });
    const device = await memDevice(vm.agent);
    const bar = await commonBar(vm.agent, device);
    const before = await vm.agent.field(`pci bar 0 ${device} 0 ${bar}`, 'address');
    const moved = 0xd800_0000;
    await vm.agent.ok(`pci bar 0 ${device} 0 ${bar} ${moved}`);
    expect(await vm.agent.field(`pci bar 0 ${device} 0 ${bar}`, 'address')).toBe(moved);
    await vm.agent.ok('virtio list');
    const { addr } = await vm.agent.initMem();
    expect(await vm.agent.ok(`plug ${addr} 1`)).toBe('ack');
    expect(await vm.agent.number(`peek 4 ${before}`)).toBe(0xffff_ffff);
  });

  it('do not answer while memory decoding is off', async () => {
    const vm = await bootAgent({ virtioMem: ['size=1G'] });
    const device = await memDevice(vm.agent);
    await vm.agent.initMem();
    const command = await vm.agent.number(`cfg read 2 0 ${device} 0 4`);
    await vm.agent.ok(`cfg write 2 0 ${device} 0 4 ${command & ~2}`);
    expect(await vm.agent.number('common 4 4')).toBe(0xffff_ffff);
    await vm.agent.ok(`cfg write 2 0 ${device} 0 4 ${command}`);
    expect(await vm.agent.number('status')).toBe(0xf);
  });
});
