import { describe, expect, it } from 'vitest';
import { GIB, KIB, MIB, TIB } from '../units.ts';
import type { MachineConfig } from './config/machine-config.ts';
import { parseMemoryBackends } from './config/memory-backend-option.ts';
import { parseNumaOptions } from './config/numa-option.ts';
import { parseVirtioMemOptions } from './config/virtio-mem-option.ts';
import { planMachine, type Plan, type PlanHost } from './plan.ts';

const SHADOW = { reverseMaps: true, writeTracking: true, nesting: false };
const TDP = { reverseMaps: false, writeTracking: false, nesting: true };
const HOST: PlanHost = { memslots: 509, addressBits: 46, model: SHADOW };
const wholePages = (bytes: number): number => Math.ceil(bytes / (4 * KIB)) * 4 * KIB;
/** Of a slot on a KVM with a shadow MMU: 10 bytes a page, and 8 and 4 for each large one. */
const slotCost = (size: number): number =>
  [2 * MIB, GIB].reduce(
    (all, page) => all + wholePages((size / page) * 8) + wholePages((size / page) * 4),
    wholePages((size / (4 * KIB)) * 8) + wholePages((size / (4 * KIB)) * 2),
  );

interface Shape {
  readonly memory?: number;
  readonly devices?: readonly string[];
  readonly backends?: readonly string[];
  readonly numa?: readonly string[];
}

async function plan(shape: Shape, host = HOST): Promise<Plan> {
  const { memory: memorySize = GIB, devices = [], backends: texts = [] } = shape;
  const backends = parseMemoryBackends(texts);
  const numa =
    shape.numa === undefined
      ? undefined
      : parseNumaOptions(shape.numa, { cpus: 2, memory: undefined, backends });
  const config: MachineConfig = {
    ...{ kernel: 'none', initrd: undefined, commandLine: '', memdev: undefined, cpus: 2 },
    memorySize: numa?.nodes.reduce((all, node) => all + node.memorySize, 0) ?? memorySize,
    memoryBackends: backends,
    numa,
    virtioMem: parseVirtioMemOptions(devices, backends),
    ...{
      serial: true,
      noReboot: false,
      onViolation: { read: 'zeros', write: 'stop' },
      pauseClock: 'stop',
      cpuAffinity: { kind: 'off' },
    },
  };
  return planMachine(config, host);
}

describe('the memory map', () => {
  it('has boot memory around the hole, and devices from the next GiB on', async () => {
    const { regions, end, ramMemslots } = await plan({
      memory: 4 * GIB + 4096,
      devices: ['size=8G', 'id=big,size=1T'],
    });
    expect(regions).toEqual([
      { name: 'RAM', gpa: 0, size: 3 * GIB },
      { name: 'RAM', gpa: 4 * GIB, size: GIB + 4096 },
      { name: 'vm0', gpa: 6 * GIB, size: 8 * GIB },
      { name: 'big', gpa: 14 * GIB, size: TIB },
    ]);
    expect(end).toBe(14 * GIB + TIB);
    expect(ramMemslots).toBe(2);
  });

  it('says which node memory is of, and has a memslot for each backend of boot memory', async () => {
    const nodes = { numa: ['node,memory=2G', 'node,memory=2G'] };
    const together = await plan(nodes);
    expect(together.regions).toEqual([
      { name: 'RAM of node 0', gpa: 0, size: 2 * GIB },
      { name: 'RAM of node 1', gpa: 2 * GIB, size: GIB },
      { name: 'RAM of node 1', gpa: 4 * GIB, size: GIB },
    ]);
    expect(together.ramMemslots).toBe(2);
    const apart = await plan({
      numa: ['node,memory=2G', 'node,memdev=m1'],
      backends: ['ram,id=m1,size=2G'],
    });
    expect(apart.regions).toEqual(together.regions);
    expect(apart.ramMemslots).toBe(3);
  });
});

describe('memslots', () => {
  it('of a device are one, or as many as its size takes', async () => {
    const dynamic = 'size=64G,dynamic-memslots=on';
    const { devices } = await plan({ devices: ['size=64G', `${dynamic},memslot-size=2G`] });
    expect(devices).toMatchObject([
      { id: 'vm0', dynamicMemslots: false, memslots: 1, memslotSize: 64 * GIB },
      { id: 'vm1', dynamicMemslots: true, memslots: 32, memslotSize: 2 * GIB },
    ]);
  });

  it('are as few as KVM has, each then larger', async () => {
    const devices = ['size=1T,dynamic-memslots=on', 'size=1T,dynamic-memslots=on'];
    const wide = await plan({ devices }, { ...HOST, memslots: 32764 });
    expect(wide.devices.map(({ memslots }) => memslots)).toEqual([1024, 1024]);
    const narrow = await plan({ devices });
    for (const { memslots, memslotSize } of narrow.devices) {
      expect(memslots).toBeLessThanOrEqual(250);
      expect(memslots * memslotSize).toBeGreaterThanOrEqual(TIB);
    }
  });

  it('that KVM has not are refused with the arithmetic', async () => {
    const devices = ['size=8G', 'size=1T,dynamic-memslots=on,memslot-size=1G'];
    await expect(plan({ devices })).rejects.toMatchObject({
      code: 'MEMSLOTS_EXHAUSTED',
      message:
        "vm1: 1 TiB in memslots of 1 GiB are 1024, and 500 of this KVM's 509 are left; give a larger memslot-size, or none",
    });
  });
});

describe("KVM's metadata", () => {
  it('is there at the start for what is always mapped, and in the end for all', async () => {
    const shape = { memory: GIB, devices: ['size=64G,dynamic-memslots=on', 'size=8G'] };
    const { metadata, devices } = await plan(shape);
    expect(devices[0]).toMatchObject({
      staticMetadata: slotCost(64 * GIB),
      metadataPerGib: slotCost(GIB),
    });
    const costs = {
      atStart: slotCost(GIB) + slotCost(8 * GIB),
      allPlugged: slotCost(GIB) + slotCost(64 * GIB) + slotCost(8 * GIB),
    };
    expect(metadata).toEqual({ ...costs, whenNesting: costs });
  });

  it('is next to nothing with the TDP MMU of a new kernel, until the guest runs guests', async () => {
    const shape = { memory: 2 * GIB, devices: ['size=1T,dynamic-memslots=on'] };
    const { host, metadata, devices } = await plan(shape, { ...HOST, model: TDP });
    expect(host.kvm).toBe('TDP MMU');
    expect(metadata).toEqual({
      atStart: 8 * KIB,
      allPlugged: 2 * MIB + 12 * KIB,
      whenNesting: { atStart: slotCost(2 * GIB), allPlugged: slotCost(2 * GIB) + slotCost(TIB) },
    });
    expect(devices[0]).toMatchObject({
      staticMetadata: 2 * MIB + 4 * KIB,
      metadataPerGib: 8 * KIB,
      whenNesting: { staticMetadata: slotCost(TIB), metadataPerGib: slotCost(GIB) },
    });
  });

  it('has the counters of an older kernel', async () => {
    const model = { ...TDP, writeTracking: true };
    const { host, metadata } = await plan({ memory: 2 * GIB }, { ...HOST, model });
    expect(host.kvm).toBe('TDP MMU, write tracking');
    expect(metadata.atStart).toBe(MIB + 8 * KIB);
  });
});

describe('what a Linux guest will run into', () => {
  it('is nothing where there is nothing to add', async () => {
    expect(await plan({})).toMatchObject({ warnings: [], guestOptions: '' });
  });

  it('is nothing up to three times boot memory: all of it may be movable', async () => {
    expect(await plan({ memory: 4 * GIB, devices: ['size=12G'] })).toMatchObject({
      warnings: [],
      guestOptions: 'memhp_default_state=online_movable',
    });
  });

  it('is a region that does not fill its memory blocks', async () => {
    const tail = await plan({ memory: 512 * MIB, devices: ['size=1088M'] });
    expect(tail.warnings).toEqual([
      'vm0: a Linux guest adds memory in whole blocks of 128 MiB, and 64 MiB of the 1088 MiB fill none',
    ]);
    const large = await plan({ memory: 65 * GIB, devices: ['size=1G', 'size=4G'] });
    expect(large.warnings).toEqual([
      'vm0: a Linux guest adds memory in whole blocks of 2 GiB, and 1 GiB of the 1 GiB fill none',
    ]);
    const own = await plan({ memory: GIB, devices: [`size=4G,memaddr=${4 * GIB + 2 * MIB}`] });
    expect(own.warnings[0]).toContain('128 MiB of the 4 GiB fill none');
  });

  it('is kernel memory that runs short beyond', async () => {
    const { warnings, guestOptions } = await plan({ memory: 4 * GIB, devices: ['size=16G'] });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /^all of it movable would be 4\.0 times boot memory \(16 GiB to 4 /,
    );
    expect(guestOptions).toBe(
      'memhp_default_state=online memory_hotplug.online_policy=auto-movable memory_hotplug.auto_movable_ratio=301',
    );
  });

  it('is the memmap of all that can be added, 64 bytes a page', async () => {
    const { warnings, devices } = await plan({ memory: GIB, devices: ['size=1T'] });
    expect(devices[0]?.guestMemmap).toBe(16 * GIB);
    expect(warnings[0]).toBe(
      'to add all 1 TiB the guest needs 16 GiB (64 B for each of 268435456 pages) of other memory, ' +
        'and boots with 1 GiB: give it more with --memory, or let a part of what it adds be kernel memory',
    );
  });
});

describe('backends', () => {
  it('decide the block size, and are not opened', async () => {
    const backends = ['memfd,id=huge,size=8G,hugetlb=on,hugetlbsize=1G', 'ram,id=plain,size=2G'];
    const { devices } = await plan({ backends, devices: ['memdev=huge', 'memdev=plain'] });
    expect(devices[0]).toMatchObject({ size: 8 * GIB, blockSize: GIB });
    expect(devices[1]).toMatchObject({ size: 2 * GIB });
  });
});

it('a device past what the guest can address is refused with the arithmetic', async () => {
  const promise = plan({ devices: ['size=1T'] }, { ...HOST, addressBits: 40 });
  await expect(promise).rejects.toThrow(
    /^--virtio-mem id=vm0: 1 TiB at 0x100000000 ends at 0x10100000000/,
  );
});
