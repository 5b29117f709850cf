import { describe, expect, it } from 'vitest';
import { FakeIoSpace } from '../../bus/testing/fake-io-space.ts';
import { EXIT_KIND, KVM_EXIT, type VcpuExit } from '../../kvm/exit.ts';
import { GIB, MIB } from '../../units.ts';
import { FakeGuestMemory } from '../../virtio/testing/fake-guest-memory.ts';
import { fakeExit, FakeVcpu, registers, special } from './testing/fake-vcpu.ts';
import { UnpluggedGuard } from './unplugged-guard.ts';
import { describeViolation, type ViolationPolicy } from './violation.ts';
import type { ZeroRead } from '../../devices/virtio-mem/plugged-memory.ts';

const REGION = 4 * GIB;
const CODE = 0x1000;
/** mov rax, [rbx] */
const LOAD = [0x48, 0x8b, 0x03];
const PRESENT = 7;
const STOP: ViolationPolicy = { read: 'stop', write: 'stop' };
const ZEROS: ViolationPolicy = { read: 'zeros', write: 'stop' };

function rig(code: readonly number[] = LOAD, policy: ViolationPolicy = STOP) {
  const memory = new FakeGuestMemory(MIB, { gpa: REGION, size: MIB });
  memory.write(CODE, Uint8Array.from(code), code.length);
  const mmio = new FakeIoSpace();
  const told: string[] = [];
  const zeros: { answer: ZeroRead; offsets: number[] } = { answer: 'shown', offsets: [] };
  const showZeros = (offset: number): ZeroRead => {
    zeros.offsets.push(offset);
    return zeros.answer;
  };
  const regions = [{ id: 'vm0', gpa: REGION, size: MIB, showZeros }];
  const guard = new UnpluggedGuard({
    regions,
    memory,
    mmio,
    policy,
    onViolation: (violation, action) =>
      told.push(`${action === 'stop' ? '' : `${action}: `}${describeViolation(violation)}`),
  });
  const fake = new FakeVcpu();
  const point = (rbx: number): void => {
    fake.state = registers({ rip: BigInt(CODE), rbx: BigInt(rbx) });
  };
  point(REGION + 0x800);
  const settle = (exit: VcpuExit = fakeExit()): boolean => guard.settle(fake.vcpu, exit);
  return { memory, mmio, zeros, told, guard, fake, point, settle };
}

describe('an exit without an address', () => {
  it('is a violation where an operand is not plugged', () => {
    const { told, guard, settle } = rig();
    expect(settle()).toBe(true);
    expect(told).toEqual(['violation of vm0: read of 0x100000800 at rip 0x1000']);
    expect(guard.count('vm0')).toBe(1);
  });

  it('is one where only the end of an operand is not plugged', () => {
    const { memory, told, point, settle } = rig();
    memory.plug(REGION, 0x1000);
    point(REGION + 0xffc);
    expect(settle()).toBe(true);
    expect(told).toEqual(['violation of vm0: read of 0x100001000 at rip 0x1000']);
  });

  it('is one where the instruction itself is not plugged, or the rest of it', () => {
    const { memory, told, fake, settle } = rig();
    fake.state = registers({ rip: BigInt(REGION) });
    expect(settle()).toBe(true);
    memory.plug(REGION, 0x1000);
    memory.write(REGION + 0xffe, Uint8Array.from(LOAD), 2);
    fake.state = registers({ rip: BigInt(REGION + 0xffe) });
    expect(settle()).toBe(true);
    expect(told).toEqual([
      'violation of vm0: execute of 0x100000000 at rip 0x100000000',
      'violation of vm0: execute of 0x100001000 at rip 0x100000ffe',
    ]);
  });

  it('is one where page tables lie in memory that is not plugged', () => {
    const { memory, told, fake, point, settle } = rig();
    point(0x7000_0000_0000);
    fake.translate = (linear) => (linear < BigInt(MIB) ? Number(linear) : undefined);
    fake.specialState = special({ cr3: 0x2000n });
    const entry = new DataView(new ArrayBuffer(8));
    entry.setBigUint64(0, BigInt(REGION + 0x3000 + PRESENT), true);
    memory.write(0x2000 + 0xe0 * 8, new Uint8Array(entry.buffer), 8);
    expect(settle()).toBe(true);
    expect(told).toEqual(['violation of vm0: read of 0x100003000 at rip 0x1000']);
  });

  it('is one where the stack for an interrupt is not plugged', () => {
    const { told, fake, point, settle } = rig();
    point(0x2000);
    fake.state = { ...fake.state, rsp: BigInt(REGION + 0x100) };
    expect(settle()).toBe(true);
    expect(told).toEqual(['violation of vm0: access to 0x1000000ff at rip 0x1000']);
  });

  it('is tried again, once, where what it needs was plugged meanwhile', () => {
    const { memory, told, guard, settle } = rig();
    memory.plug(REGION, MIB);
    expect(settle()).toBe(true);
    expect(settle()).toBe(false);
    guard.plugged();
    expect(settle()).toBe(true);
    expect(told).toEqual([]);
  });

  it.each<[string, Partial<VcpuExit>]>([
    ['another errno', { errno: 22 }],
    ['a triple fault', { kind: EXIT_KIND.other, reason: KVM_EXIT.SHUTDOWN }],
    ['an unknown exit', { kind: EXIT_KIND.other, reason: KVM_EXIT.UNKNOWN }],
  ])('is none of ours with %s', (_name, exit) => {
    expect(rig().settle(fakeExit(exit))).toBe(false);
  });

  it('is none of ours where no operand is in device memory', () => {
    const { told, point, settle } = rig();
    point(0x2000);
    expect(settle()).toBe(false);
    expect(told).toEqual([]);
  });
});

it('takes the address of a memory fault from KVM', () => {
  const { told, settle } = rig();
  const values = (): bigint[] => [BigInt(REGION + 0x5000), 4096n, 0n];
  expect(settle(fakeExit({ reason: KVM_EXIT.MEMORY_FAULT, values }))).toBe(true);
  expect(told).toEqual(['violation of vm0: access to 0x100005000 at rip 0x1000']);
  const elsewhere = (): bigint[] => [0xffff_ffff_ffff_f000n, 4096n, 0n];
  const fault = { kind: EXIT_KIND.other, reason: KVM_EXIT.MEMORY_FAULT, values: elsewhere };
  expect(settle(fakeExit(fault))).toBe(false);
});

it('sees why KVM could not emulate: the instruction is where nothing is plugged', () => {
  const { told, fake, settle } = rig();
  fake.state = registers({ rip: BigInt(REGION) });
  const exit = { kind: EXIT_KIND.other, reason: KVM_EXIT.INTERNAL_ERROR, detail: 1 };
  expect(settle(fakeExit(exit))).toBe(true);
  expect(told).toEqual(['violation of vm0: execute of 0x100000000 at rip 0x100000000']);
});

describe('an access that KVM brings to us', () => {
  const served = (
    { guard, fake }: ReturnType<typeof rig>,
    addr: number,
    isWrite: boolean,
    size = 8,
  ): void => guard.served(fake.vcpu, fakeExit({ kind: EXIT_KIND.mmio, addr, isWrite, size }));

  it('reads all ones, writes nothing, and is one violation however wide', () => {
    const it = rig();
    expect(it.mmio.read(REGION + 8, 4)).toBe(0xffff_ffff);
    expect(it.mmio.read(REGION + 12, 4)).toBe(0xffff_ffff);
    served(it, REGION + 8, false);
    it.mmio.write(REGION + 0x20, 2, 0x1234);
    served(it, REGION + 0x20, true);
    served(it, 0x3f8, true);
    it.guard.served(it.fake.vcpu, fakeExit({ kind: EXIT_KIND.port, addr: 0x3f8, size: 1 }));
    expect(it.told).toEqual([
      'violation of vm0: read of 0x100000008 at rip 0x1000',
      'violation of vm0: write of 0x100000020 at rip 0x1000',
    ]);
  });

  it('is one where KVM brings an odd part of it', () => {
    const it = rig();
    it.memory.plug(REGION, 0x1000);
    served(it, REGION + 0x1000, false, 5);
    served(it, REGION + 0xffd, false, 3);
    expect(it.told).toEqual(['violation of vm0: read of 0x100001000 at rip 0x1000']);
  });

  it('is done where the memory was plugged meanwhile', () => {
    const it = rig();
    it.memory.plug(REGION, MIB);
    it.mmio.write(REGION + 4, 4, 0x1234_5678);
    served(it, REGION + 4, true);
    expect(it.mmio.read(REGION + 6, 1)).toBe(0x34);
    expect(it.mmio.read(REGION + 4, 4)).toBe(0x1234_5678);
    served(it, REGION + 4, false);
    expect(it.told).toEqual([]);
  });
});

describe('reads that see zeros', () => {
  /** movsb: reads [rsi], writes [rdi]. */
  const COPY = [0xa4];

  it('go on where zeros can be shown, and are counted', () => {
    const { told, guard, zeros, settle } = rig(LOAD, ZEROS);
    expect(settle()).toBe(true);
    expect(zeros.offsets).toEqual([0x800]);
    expect(told).toEqual(['zeros: violation of vm0: read of 0x100000800 at rip 0x1000']);
    expect([guard.count('vm0'), guard.zeroReads('vm0')]).toEqual([1, 1]);
  });

  it('wait for a request that is under way, and count nothing', () => {
    const { told, zeros, settle } = rig(LOAD, ZEROS);
    zeros.answer = 'later';
    for (let i = 0; i < 5; i++) expect(settle()).toBe(true);
    expect(told).toEqual([]);
  });

  it('try once more where another vCPU has had them shown, and stop when that does not help', () => {
    const { told, zeros, settle } = rig(LOAD, ZEROS);
    zeros.answer = 'known';
    expect(settle()).toBe(true);
    expect(told).toEqual([]);
    expect(settle()).toBe(true);
    expect(told).toEqual(['violation of vm0: read of 0x100000800 at rip 0x1000']);
    zeros.answer = 'shown';
    settle();
    zeros.answer = 'known';
    expect(settle()).toBe(true);
    expect(told).toHaveLength(2);
  });

  it('stop where they cannot be shown', () => {
    const { told, zeros, settle } = rig(LOAD, ZEROS);
    zeros.answer = 'refused';
    expect(settle()).toBe(true);
    expect(told).toEqual(['violation of vm0: read of 0x100000800 at rip 0x1000']);
  });

  it('do not hide that the same instruction writes', () => {
    const { told, fake, settle } = rig(COPY, ZEROS);
    fake.state = registers({
      rip: BigInt(CODE),
      rsi: BigInt(REGION + 0x100),
      rdi: BigInt(REGION + 0x5000),
    });
    expect(settle()).toBe(true);
    expect(told).toEqual(['violation of vm0: write of 0x100005000 at rip 0x1000']);
  });

  it('are not instructions, nor what the processor does by itself', () => {
    const { told, fake, zeros, settle } = rig(LOAD, ZEROS);
    fake.state = registers({ rip: BigInt(REGION) });
    expect(settle()).toBe(true);
    expect(zeros.offsets).toEqual([]);
    expect(told).toEqual(['violation of vm0: execute of 0x100000000 at rip 0x100000000']);
  });

  it('are told by what the instruction does where KVM gives the address', () => {
    const { told, settle } = rig(LOAD, ZEROS);
    const values = (): bigint[] => [BigInt(REGION), 4096n, 0n];
    expect(settle(fakeExit({ reason: KVM_EXIT.MEMORY_FAULT, values }))).toBe(true);
    expect(told).toEqual(['zeros: violation of vm0: read of 0x100000000 at rip 0x1000']);
  });

  it('see zeros where KVM brings them to us', () => {
    const it = rig(LOAD, ZEROS);
    expect(it.mmio.read(REGION + 8, 4)).toBe(0);
    const exit = { kind: EXIT_KIND.mmio, addr: REGION + 8, size: 4 };
    it.guard.served(it.fake.vcpu, fakeExit(exit));
    it.guard.served(it.fake.vcpu, fakeExit({ ...exit, isWrite: true }));
    expect(it.told).toEqual([
      'zeros: violation of vm0: read of 0x100000008 at rip 0x1000',
      'violation of vm0: write of 0x100000008 at rip 0x1000',
    ]);
  });
});
