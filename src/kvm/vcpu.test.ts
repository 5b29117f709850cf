import { afterEach, describe, expect, it } from 'vitest';
import { EXIT_KIND, KVM_EXIT, TAG_NONE } from './exit.ts';
import { describeExit, failedInstruction, isEmulationFailure } from './exit-text.ts';
import { POSTED_RING } from './posted-ring.ts';
import { CODE, NO_KVM, TinyGuest, loopTurn, type TinyGuestOptions } from './testing/tiny-guest.ts';

/** `out imm8, al` and its like, as bytes. */
const outAl = (port: number): number[] => [0xe6, port];
const inAl = (port: number): number[] => [0xe4, port];
const movAl = (value: number): number[] => [0xb0, value];
const HLT = 0xf4;
const SPIN = [0xeb, 0xfe];
/** Counts in AX for ever, without leaving the guest. */
const COUNT = [0x40, 0xeb, 0xfd];

/** Real mode reaches 64 KiB above 1 MiB - 16; memory ends at 1 MiB. */
const GUEST_HOLE = 0x10_0000;
/** mov ax, 0xffff; mov es, ax; offsets from 0x10 on are above 1 MiB. */
const SET_ES_TO_HOLE = [0xb8, 0xff, 0xff, 0x8e, 0xc0];

const open: TinyGuest[] = [];
function boot(options: TinyGuestOptions): TinyGuest {
  const guest = new TinyGuest(options);
  open.push(guest);
  return guest;
}

afterEach(() => {
  for (const guest of open.splice(0)) guest.close();
});

describe.skipIf(NO_KVM !== '')('port I/O', () => {
  it('asks about reads and writes of a sync range, with its tag', async () => {
    const code = [...movAl(0x41), ...outAl(0x10), ...inAl(0x11), ...outAl(0x12), HLT];
    const guest = boot({ code, ranges: [{ base: 0x10, size: 3, tag: 77 }] });
    guest.vcpu.run();
    const first = await guest.nextExit();
    expect(first).toMatchObject({ kind: EXIT_KIND.port, isWrite: true, addr: 0x10, size: 1 });
    expect(first).toMatchObject({ tag: 77, data: 0x41n, reason: KVM_EXIT.IO });
    guest.vcpu.resume();
    const second = await guest.nextExit();
    expect(second).toMatchObject({ isWrite: false, addr: 0x11, size: 1, tag: 77 });
    guest.vcpu.answer(0x99);
    const third = await guest.nextExit();
    expect(third).toMatchObject({ isWrite: true, addr: 0x12, data: 0x99n });
    guest.vcpu.resume();
    const halt = await guest.nextExit();
    expect(halt).toMatchObject({ kind: EXIT_KIND.other, reason: KVM_EXIT.HLT, tag: TAG_NONE });
  });

  it('answers shadow reads and unowned ports without a visit to JavaScript', async () => {
    const ranges = [
      { base: 0x20, size: 2, read: 'shadow', write: 'drop' },
      { base: 0x10, size: 4 },
      { base: 0x40, size: 1, read: 'ones' },
    ] as const;
    const code = [
      ...[...inAl(0x21), ...outAl(0x10)],
      ...[...inAl(0x77), ...outAl(0x10)],
      ...[...inAl(0x40), ...outAl(0x10)],
      ...[...movAl(5), ...outAl(0x20), ...outAl(0x77), ...inAl(0x20), ...outAl(0x10)],
      // A word at 0x21 leaves the range: it belongs to nobody.
      ...[0xe5, 0x21, 0xe7, 0x10],
    ];
    const guest = boot({ code, ranges });
    const shadow = new Uint8Array(guest.vm.ioShadow, guest.shadowOffsets[0], 2);
    shadow.set([0xaa, 0xbb]);
    guest.vcpu.run();
    const seen: bigint[] = [];
    for (let i = 0; i < 5; i++) {
      seen.push((await guest.nextExit()).data);
      guest.vcpu.resume();
    }
    expect(seen).toEqual([0xbbn, 0xffn, 0xffn, 0xaan, 0xffffn]);
  });

  it('posts writes in order, and tells of them before the exit that follows', async () => {
    const ranges = [
      { base: 0x20, size: 4, read: 'shadow', write: 'post', tag: 9 },
      { base: 0x10, size: 1 },
    ] as const;
    const code = [...movAl(1), ...outAl(0x20), ...movAl(2), ...outAl(0x22), ...outAl(0x10), HLT];
    const guest = boot({ code, ranges });
    guest.vcpu.run();
    await guest.nextExit();
    expect(guest.posted).toEqual(['9:0:1', '9:2:2']);
  });

  it('serves each element of a string instruction on its own', async () => {
    const ranges = [
      { base: 0x10, size: 1, write: 'post', tag: 1 },
      { base: 0x11, size: 1 },
    ] as const;
    const code = [
      // mov cx, 5; mov si, 0x2000; mov dx, 0x10; cld; rep outsb
      ...[0xb9, 5, 0, 0xbe, 0x00, 0x20, 0xba, 0x10, 0, 0xfc, 0xf3, 0x6e],
      // mov cx, 3; mov di, 0x3000; mov dx, 0x11; rep insb; hlt
      ...[0xb9, 3, 0, 0xbf, 0x00, 0x30, 0xba, 0x11, 0, 0xf3, 0x6c, HLT],
    ];
    const guest = boot({ code, ranges });
    guest.memory.write(0x2000, Uint8Array.from([10, 20, 30, 40, 50]));
    guest.vcpu.run();
    for (const answer of [7, 8, 9]) {
      expect(await guest.nextExit()).toMatchObject({ isWrite: false, addr: 0x11, size: 1 });
      guest.vcpu.answer(answer);
    }
    expect(await guest.nextExit()).toMatchObject({ reason: KVM_EXIT.HLT });
    expect(guest.posted).toEqual(['1:0:10', '1:0:20', '1:0:30', '1:0:40', '1:0:50']);
    const read = new Uint8Array(3);
    guest.memory.read(0x3000, read);
    expect([...read]).toEqual([7, 8, 9]);
  });

  it('loses nothing when the guest fills the ring faster than it is drained', async () => {
    const writes = POSTED_RING.capacity * 3;
    const ranges = [{ base: 0x20, size: 1, write: 'post', tag: 3 }, { base: 0x10 }] as const;
    const code = [
      // mov cx, writes; again: mov al, cl; out 0x20, al; loop again; out 0x10, al
      ...[0xb9, writes & 0xff, writes >> 8, 0x88, 0xc8, 0xe6, 0x20, 0xe2, 0xfa, 0xe6, 0x10, HLT],
    ];
    const guest = boot({ code, ranges });
    let calls = 0;
    guest.onPosted = () => {
      // The first calls come while the guest writes on: let it run into the full ring.
      if (calls++ > 0) guest.drain();
      else setTimeout(() => guest.drain(), 50);
    };
    guest.vcpu.run();
    expect(await guest.nextExit()).toMatchObject({ addr: 0x10 });
    guest.drain();
    const expected = Array.from({ length: writes }, (_, i) => `3:0:${(writes - i) & 0xff}`);
    expect(guest.posted).toEqual(expected);
  });
});

describe.skipIf(NO_KVM !== '')('exit counts', () => {
  it('tell what a vCPU left the guest for, and what JavaScript had to answer', async () => {
    const ranges = [
      { base: 0x10, size: 1 },
      { base: 0x20, size: 1, read: 'shadow', write: 'drop' },
    ] as const;
    const code = [...inAl(0x20), ...outAl(0x20), ...inAl(0x77), ...outAl(0x10), HLT];
    const guest = boot({ code, ranges });
    const none = { port: 0, mmio: 0, interrupted: 0, other: 0, failed: 0, answered: 0 };
    expect(guest.vcpu.exitCounts()).toEqual(none);
    guest.vcpu.run();
    await guest.nextExit();
    expect(guest.vcpu.exitCounts()).toEqual({ ...none, port: 4, answered: 1 });
    guest.vcpu.resume();
    await guest.nextExit();
    expect(guest.vcpu.exitCounts()).toEqual({ ...none, port: 4, other: 1, answered: 2 });
  });

  it('tell interruptions', async () => {
    const guest = boot({ code: SPIN });
    guest.vcpu.run();
    guest.vcpu.pause();
    await guest.nextExit();
    expect(guest.vcpu.exitCounts()).toMatchObject({ port: 0, answered: 0 });
    expect(guest.vcpu.exitCounts().interrupted).toBeGreaterThan(0);
  });
});

describe.skipIf(NO_KVM !== '')('MMIO', () => {
  const ranges = [
    { space: 'mmio', base: 0xf_0000_0000, size: 8 },
    { space: 'mmio', base: GUEST_HOLE, size: 16, tag: 5 },
  ] as const;

  it('asks about a sync range and answers all ones elsewhere', async () => {
    const code = [
      ...SET_ES_TO_HOLE,
      // mov al, es:[0x100] (nobody's); mov es:[0x10], al; mov es:[0x200], al; mov ax, es:[0x12];
      // out 0x10, ax
      ...[0x26, 0xa0, 0x00, 0x01, 0x26, 0xa2, 0x10, 0, 0x26, 0xa2, 0, 2, 0x26, 0xa1, 0x12, 0],
      ...[0xe7, 0x10, HLT],
    ];
    const guest = boot({ code, ranges: [...ranges, { base: 0x10, size: 2 }] });
    guest.vcpu.run();
    const write = await guest.nextExit();
    expect(write).toMatchObject({ kind: EXIT_KIND.mmio, isWrite: true, addr: GUEST_HOLE, size: 1 });
    expect(write).toMatchObject({ tag: 5, data: 0xffn, reason: KVM_EXIT.MMIO });
    guest.vcpu.resume();
    expect(await guest.nextExit()).toMatchObject({ isWrite: false, addr: GUEST_HOLE + 2, size: 2 });
    guest.vcpu.answer(0x1234);
    expect(await guest.nextExit()).toMatchObject({ kind: EXIT_KIND.port, data: 0x1234n });
  });

  it('presents an 8-byte access as one', async () => {
    const code = [
      ...SET_ES_TO_HOLE,
      // movq mm0, es:[0x10]; movq es:[0x18], mm0
      ...[0x26, 0x0f, 0x6f, 0x06, 0x10, 0, 0x26, 0x0f, 0x7f, 0x06, 0x18, 0, HLT],
    ];
    const guest = boot({ code, ranges });
    guest.vcpu.run();
    expect(await guest.nextExit()).toMatchObject({ isWrite: false, addr: GUEST_HOLE, size: 8 });
    guest.vcpu.answer(0x89ab_cdef, 0x0123_4567);
    const write = await guest.nextExit();
    expect(write).toMatchObject({ isWrite: true, size: 8, data: 0x0123_4567_89ab_cdefn });
  });
});

describe.skipIf(NO_KVM !== '')('pause and run', () => {
  it('parks a guest that never leaves by itself, and lets it go on', async () => {
    const guest = boot({ code: COUNT });
    guest.vcpu.run();
    for (let i = 0; i < 3; i++) {
      expect(() => guest.vcpu.registers()).toThrow('vCPU 0 is running');
      guest.vcpu.pause();
      expect(await guest.nextExit()).toMatchObject({ kind: EXIT_KIND.parked });
      const { rip } = guest.vcpu.registers();
      expect(rip - BigInt(CODE)).toBeLessThan(3n);
      guest.vcpu.run();
    }
  });

  it('completes the last instruction before it parks', async () => {
    const guest = boot({ code: [...inAl(0x10), ...SPIN], ranges: [{ base: 0x10 }] });
    guest.vcpu.run();
    await guest.nextExit();
    guest.vcpu.pause();
    guest.vcpu.answer(0x5a);
    expect(await guest.nextExit()).toMatchObject({ kind: EXIT_KIND.parked });
    const { rax, rip } = guest.vcpu.registers();
    expect(rax & 0xffn).toBe(0x5an);
    expect(rip).toBe(BigInt(CODE + 2));
  });

  it('shows and takes registers while it waits for an answer', async () => {
    const guest = boot({ code: [...outAl(0x10), ...outAl(0x10)], ranges: [{ base: 0x10 }] });
    guest.vcpu.run();
    await guest.nextExit();
    guest.vcpu.resume();
    expect(() => guest.vcpu.getState('regs')).toThrow('vCPU 0 is running');
    await guest.nextExit();
    expect(guest.vcpu.registers().rip).toBeGreaterThan(BigInt(CODE));
  });

  it('takes pause() of a parked and run() of a running vCPU as done', async () => {
    const guest = boot({ code: COUNT });
    guest.vcpu.pause();
    guest.vcpu.run();
    guest.vcpu.run();
    guest.vcpu.pause();
    guest.vcpu.pause();
    expect(await guest.nextExit()).toMatchObject({ kind: EXIT_KIND.parked });
    guest.vcpu.pause();
    await loopTurn();
    expect(guest.unseenExits).toBe(0);
  });

  it('withdraws a pause by run() before the parked exit was told', async () => {
    const guest = boot({ code: COUNT });
    guest.vcpu.run();
    for (let i = 0; i < 200; i++) {
      guest.vcpu.pause();
      // Long enough, some of the time, for the thread to park.
      const until = performance.now() + (i % 4) * 0.05;
      while (performance.now() < until);
      guest.vcpu.run();
    }
    await loopTurn();
    expect(guest.unseenExits).toBe(0);
    guest.vcpu.pause();
    expect(await guest.nextExit()).toMatchObject({ kind: EXIT_KIND.parked });
    expect(guest.unseenExits).toBe(0);
  });

  it('loses neither pauses nor answers when several vCPUs do I/O meanwhile', async () => {
    const ranges = [{ base: 0x10 }, { base: 0x20, write: 'post', tag: 4 }] as const;
    // again: out 0x20, al; in al, 0x10; inc bx; jmp again
    const code = [...outAl(0x20), ...inAl(0x10), 0x43, 0xeb, 0xf9];
    const guest = boot({ code, ranges, vcpus: 3 });
    let answers = 0;
    for (let round = 0; round < 60; round++) {
      for (const vcpu of guest.vcpus) vcpu.run();
      let left = round % 5;
      let parked = 0;
      while (parked < 3) {
        if (left-- === 0) for (const vcpu of guest.vcpus) vcpu.pause();
        const exit = await guest.nextExit();
        if (exit.kind === EXIT_KIND.parked) {
          parked++;
        } else {
          guest.vcpus[exit.vcpu]!.answer(1);
          answers++;
        }
      }
    }
    const rounds = guest.vcpus.map((vcpu) => Number(vcpu.registers().rbx & 0xffffn));
    const rips = guest.vcpus.map((vcpu) => Number(vcpu.registers().rip) - CODE);
    // A vCPU that has posted and not asked yet stands before `in`.
    expect(guest.posted).toHaveLength(answers + rips.filter((at) => at === 2).length);
    // One that has read and not counted yet stands before `inc`.
    const total = rounds.reduce((sum, n) => sum + n, 0) + rips.filter((at) => at === 4).length;
    expect(total).toBe(answers);
  });

  it('parks vCPUs that sleep in the kernel: halted, or waiting to be started', async () => {
    const guest = boot({ code: [HLT, ...SPIN], irqchip: true, vcpus: 2 });
    for (let i = 0; i < 20; i++) {
      for (const vcpu of guest.vcpus) vcpu.run();
      if (i % 2 === 0) await loopTurn();
      for (const vcpu of guest.vcpus) vcpu.pause();
      const parked = [await guest.nextExit(), await guest.nextExit()];
      expect(parked.map(({ kind }) => kind)).toEqual([EXIT_KIND.parked, EXIT_KIND.parked]);
      expect(parked.map(({ vcpu }) => vcpu).sort()).toEqual([0, 1]);
    }
  });

  it('refuses resume() of a vCPU that waits for nothing', async () => {
    const guest = boot({ code: [HLT] });
    expect(() => guest.vcpu.resume()).toThrow('vCPU 0 waits for no answer');
    guest.vcpu.run();
    expect(() => guest.vcpu.resume()).toThrow('vCPU 0 waits for no answer');
    await guest.nextExit();
    guest.vcpu.resume();
    expect(() => guest.vcpu.resume()).toThrow('vCPU 0 waits for no answer');
  });
});

describe.skipIf(NO_KVM !== '')('close', () => {
  it('stops vCPUs wherever they are, many times', async () => {
    const loops = [
      COUNT,
      [...inAl(0x10), 0xeb, 0xfc],
      [...outAl(0x20), 0xeb, 0xfc],
      [HLT, 0xeb, 0xfd],
    ];
    for (let i = 0; i < 40; i++) {
      const ranges = [{ base: 0x10 }, { base: 0x20, write: 'post' }] as const;
      const guest = new TinyGuest({ code: loops[i % 4]!, ranges, vcpus: 2 });
      for (const vcpu of guest.vcpus) vcpu.run();
      if (i % 3 === 1) await loopTurn();
      if (i % 3 === 2) for (const vcpu of guest.vcpus) vcpu.pause();
      guest.close();
      const told = guest.unseenExits + guest.posted.length;
      await loopTurn();
      expect(guest.unseenExits + guest.posted.length).toBe(told);
    }
  });

  it('stops a vCPU that waits for room in the ring', async () => {
    const guest = boot({
      code: [...outAl(0x20), 0xeb, 0xfc],
      ranges: [{ base: 0x20, write: 'post' }],
    });
    const full = new Promise<void>((resolve) => {
      guest.onPosted = () => {
        const words = new Uint32Array(guest.vm.ring.buffer);
        const look = (): void => {
          const head = Atomics.load(words, POSTED_RING.head / 4);
          if (head === POSTED_RING.capacity) resolve();
          else setImmediate(look);
        };
        look();
      };
    });
    guest.vcpu.run();
    await full;
    guest.close();
  });

  it('may be called from a callback', async () => {
    const guest = boot({ code: [...outAl(0x20), HLT], ranges: [{ base: 0x20, write: 'post' }] });
    const closed = new Promise<void>((resolve) => {
      guest.onPosted = () => {
        guest.close();
        resolve();
      };
    });
    guest.vcpu.run();
    await closed;
    expect(() => guest.vcpu.run()).toThrow('the Vm is closed');
    expect(() => guest.vcpu.getState('regs')).toThrow('the Vm is closed');
    expect(() => guest.vm.createIrqchip()).toThrow('the Vm is closed');
    expect(guest.vcpu.id).toBe(0);
  });
});

describe.skipIf(NO_KVM !== '')('other exits', () => {
  it('tells of a triple fault', async () => {
    // ud2, with no interrupt table
    const guest = boot({ code: [0x0f, 0x0b], mode: 'user64' });
    guest.vcpu.run();
    const exit = await guest.nextExit();
    expect(exit).toMatchObject({ kind: EXIT_KIND.other, reason: KVM_EXIT.SHUTDOWN });
    expect(describeExit(guest.vcpu.readExit())).toBe('triple fault');
  });

  it('tells of code outside memory, and runs on when it is put right', async () => {
    const guest = boot({ code: [HLT] });
    const registers = guest.vcpu.registers();
    const special = guest.vcpu.specialRegisters();
    guest.vcpu.setSpecialRegisters({ ...special, cs: { ...special.cs, base: 0x4000_0000n } });
    guest.vcpu.run();
    const exit = await guest.nextExit();
    expect(exit).toMatchObject({ kind: EXIT_KIND.other, reason: KVM_EXIT.INTERNAL_ERROR });
    expect(isEmulationFailure(guest.vcpu.readExit())).toBe(true);
    expect(describeExit(guest.vcpu.readExit())).toBe('emulation failure');
    expect(failedInstruction(guest.vcpu.readExit())).toBeInstanceOf(Uint8Array);
    guest.vcpu.setSpecialRegisters(special);
    guest.vcpu.setRegisters(registers);
    guest.vcpu.resume();
    expect(await guest.nextExit()).toMatchObject({ reason: KVM_EXIT.HLT });
  });

  it('tells of memory that the host does not give', async () => {
    const ranges = [{ base: 0x10 }];
    // mov al, [0x9000]; out 0x10, al
    const code = [0x8a, 0x04, 0x25, 0x00, 0x90, 0, 0, ...outAl(0x10)];
    const guest = boot({ code, mode: 'user64', ranges });
    guest.memory.protect(0x9000, 4096, 'none');
    guest.vcpu.run();
    const exit = await guest.nextExit();
    expect(exit).toMatchObject({ kind: EXIT_KIND.runFailed, errno: 14 });
    expect(describeExit(guest.vcpu.readExit())).toContain('KVM_RUN failed with errno 14');
    guest.memory.protect(0x9000, 4096, 'read-write');
    guest.memory.write(0x9000, Uint8Array.from([0x77]));
    guest.vcpu.resume();
    expect(await guest.nextExit()).toMatchObject({ kind: EXIT_KIND.port, data: 0x77n });
  });
});

describe.skipIf(NO_KVM !== '')('state of a vCPU', () => {
  it('comes back as it was set', () => {
    const guest = boot({ code: [HLT], irqchip: true });
    const registers = { ...guest.vcpu.registers(), rax: 0x1122_3344_5566_7788n, r15: 2n ** 63n };
    guest.vcpu.setRegisters(registers);
    expect(guest.vcpu.registers()).toEqual(registers);
    for (const kind of ['sregs', 'fpu', 'lapic', 'mp_state', 'xsave', 'xcrs'] as const) {
      const bytes = guest.vcpu.getState(kind);
      guest.vcpu.setState(kind, bytes);
      expect(guest.vcpu.getState(kind)).toEqual(bytes);
    }
    expect(guest.vcpu.getState('xsave').length).toBeGreaterThanOrEqual(4096);
    for (const kind of ['vcpu_events', 'debugregs'] as const) {
      guest.vcpu.setState(kind, guest.vcpu.getState(kind));
    }
  });

  it('refuses structures of another size, and kinds there are not', () => {
    const guest = boot({ code: [HLT] });
    expect(() => guest.vcpu.setState('regs', new Uint8Array(3))).toThrow(
      'state regs: 3 bytes and not 144',
    );
    expect(() => guest.vcpu.getState('nonsense' as 'regs')).toThrow('nonsense is none of regs');
  });

  it('reads and writes MSRs, naming the one that KVM does not know', () => {
    const guest = boot({ code: [HLT] });
    const star = 0xc000_0081;
    guest.vcpu.setMsrs(new Uint32Array([star]), new BigUint64Array([0x1234_0000_0000n]));
    expect([...guest.vcpu.getMsrs(new Uint32Array([star]))]).toEqual([0x1234_0000_0000n]);
    const missing = new Uint32Array([star, 0xdead]);
    expect(() => guest.vcpu.getMsrs(missing)).toThrow('KVM_GET_MSRS(index=0xdead)');
    expect(() => guest.vcpu.setMsrs(missing, new BigUint64Array(1))).toThrow(
      'values: 1 for 2 indices',
    );
  });

  it('translates linear addresses', () => {
    const guest = boot({ code: [HLT] });
    expect(guest.vcpu.translate(0x1234n)).toBe(0x1234);
    expect(() => guest.vcpu.translate(-1n)).toThrow(RangeError);
  });
});
