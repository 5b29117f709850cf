import { expect, it } from 'vitest';
import type { Plan } from '../machine/plan.ts';
import { GIB, KIB, MIB, TIB } from '../units.ts';
import { renderPlan } from './plan.ts';

const DEVICE: Plan['devices'][number] = {
  id: 'vm0',
  memaddr: 4 * GIB,
  size: TIB,
  requestedSize: 0,
  blockSize: 2 * MIB,
  dynamicMemslots: true,
  memslotSize: GIB,
  memslots: 1024,
  staticMetadata: 2.5 * GIB,
  metadataPerGib: 2.5 * MIB,
  whenNesting: { staticMetadata: 2.5 * GIB, metadataPerGib: 2.5 * MIB },
  guestMemmap: 16 * GIB,
};

const PLAN: Plan = {
  host: { kvm: 'shadow MMU, write tracking', memslots: 32764, addressBits: 46 },
  regions: [
    { name: 'RAM', gpa: 0, size: GIB },
    { name: 'vm0', gpa: 4 * GIB, size: TIB },
  ],
  end: 4 * GIB + TIB,
  ramMemslots: 1,
  devices: [DEVICE],
  metadata: {
    ...{ atStart: 2.5 * MIB, allPlugged: 2.5 * GIB + 2.5 * MIB },
    whenNesting: { atStart: 2.5 * MIB, allPlugged: 2.5 * GIB + 2.5 * MIB },
  },
  warnings: ['beware'],
  guestOptions: 'memhp_default_state=online',
};

it('a plan says where memory goes, what it costs, and what to tell the guest', () => {
  expect(renderPlan(PLAN)).toEqual([
    'KVM of this host: shadow MMU, write tracking; 32764 memslots; guests have 46 address bits',
    'Guest-physical memory:',
    '             0x0 - 0x3fffffff      RAM, 1 GiB',
    '     0x100000000 - 0x100ffffffff   vm0, 1 TiB',
    '  it ends at 0x10100000000, 63 TiB below the limit 0x400000000000',
    'Memslots:',
    '  RAM: 1, always there',
    '  vm0: up to 1024 of 1 GiB, as memory is plugged',
    "KVM's metadata, of host memory:",
    '  at the start: 2.50 MiB',
    '  with everything plugged: 2.50 GiB',
    '  vm0: 2.50 GiB in all, 2.50 MiB for each GiB, as memory is plugged',
    'Memory that a Linux guest needs to add all of a device:',
    '  vm0: 16.00 GiB (64 B for each page of 4 KiB)',
    'Warning: beware',
    'Command line of a Linux guest: memhp_default_state=online',
  ]);
});

it('a plan says what dynamic memslots would do', () => {
  const devices = [{ ...DEVICE, dynamicMemslots: false, memslots: 1 }];
  const text = renderPlan({ ...PLAN, devices }).join('\n');
  expect(text).toContain('  vm0: 1, always there\n');
  expect(text).toContain('GiB, all at the start; with dynamic-memslots=on as memory is plugged\n');
});

it('a plan says what a guest that runs guests makes of it', () => {
  const { whenNesting } = DEVICE;
  const devices = [{ ...DEVICE, staticMetadata: 2 * MIB, metadataPerGib: 8 * KIB, whenNesting }];
  const metadata = { ...PLAN.metadata, atStart: 8 * KIB, allPlugged: 2 * MIB };
  expect(renderPlan({ ...PLAN, devices, metadata }).slice(8, 13)).toEqual([
    "KVM's metadata, of host memory:",
    '  at the start: 8 KiB',
    '  with everything plugged: 2.00 MiB',
    '  once the guest runs guests of its own: 2.50 MiB and 2.50 GiB',
    '  vm0: 2.00 MiB in all, 8 KiB for each GiB (once the guest runs guests: 2.50 GiB in all, 2.50 MiB for each GiB), as memory is plugged',
  ]);
});

it('a plan without devices leaves out what is about them', () => {
  const text = renderPlan({ ...PLAN, devices: [], warnings: [], guestOptions: '' }).join('\n');
  expect(text).not.toMatch(/Linux guest|Warning|vm0:/);
});
