import { afterEach, describe, expect, it } from 'vitest';
import { addon, type NativeIoRange, type NativeMapping } from './addon.ts';
import { CAPABILITY, KVM_MEM } from './capabilities.ts';
import { EXIT_KIND } from './exit.ts';
import { KvmError } from './kvm-error.ts';
import { KvmSystem } from './system.ts';
import { CODE, NO_KVM, TinyGuest, type TinyGuestOptions } from './testing/tiny-guest.ts';

const MIB = 2 ** 20;
const open: TinyGuest[] = [];
function boot(options: Partial<TinyGuestOptions> = {}): TinyGuest {
  const guest = new TinyGuest({ code: [0xf4], ...options });
  open.push(guest);
  return guest;
}

afterEach(() => {
  for (const guest of open.splice(0)) guest.close();
});

function thrownBy(call: () => void): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.skipIf(NO_KVM !== '')('memslots', () => {
  it('are refused by KVM with the ioctl, its arguments and the errno', () => {
    const { vm, memory } = boot();
    const overlap = { slot: 7, flags: 0, gpa: 0x8000, size: 0x1000, mapping: memory, offset: 0 };
    const error = thrownBy(() => vm.setMemslot(overlap));
    expect(error).toBeInstanceOf(KvmError);
    expect(error).toMatchObject({
      code: 'EEXIST',
      errno: 17,
      syscall: 'KVM_SET_USER_MEMORY_REGION',
      args: 'slot=7, gpa=0x8000, size=0x1000, flags=0x0',
      message:
        'KVM_SET_USER_MEMORY_REGION(slot=7, gpa=0x8000, size=0x1000, flags=0x0): File exists (EEXIST)',
    });
  });

  it('never leave their mapping', () => {
    const { vm, memory } = boot();
    const slot = { slot: 1, flags: 0, gpa: 16 * MIB, size: 2 * MIB, mapping: memory, offset: 0 };
    expect(() => vm.setMemslot(slot)).toThrow(
      'offset 0x0 and length 0x200000 leave the size 0x100000',
    );
    expect(() => vm.setMemslot({ ...slot, size: MIB, offset: 4096 })).toThrow(RangeError);
    expect(() => vm.setMemslot({ ...slot, size: 0 })).toThrow('memslot 1: the size is 0');
    expect(() => vm.setMemslot({ ...slot, slot: 65536 })).toThrow('slot: 65536 is not a whole');
    expect(() => vm.setMemslot({ ...slot, gpa: Number.NaN })).toThrow('gpa: nan is not a whole');
    const mapping = {} as NativeMapping;
    expect(() => vm.setMemslot({ ...slot, mapping })).toThrow('mapping: expected a Mapping');
    const incomplete = { ...slot, gpa: undefined as unknown as number };
    expect(() => vm.setMemslot(incomplete)).toThrow('gpa: expected a number');
  });

  it.each([
    ['', false],
    [', and only their own memory is unmapped', true],
  ])('take effect when they are replaced while the guest runs on%s', async (_how, only) => {
    // again: mov al, [0x200000]; out 0x10, al; jmp again
    const code = [0x8a, 0x04, 0x25, 0, 0, 0x20, 0, 0xe6, 0x10, 0xeb, 0xf5];
    const guest = boot({ code, mode: 'user64', ranges: [{ base: 0x10 }] });
    if (only) guest.vm.unmapDeletedSlotsOnly();
    const mapping = addon.mapMemory({
      size: 2 * MIB,
      alignment: 4096,
      shared: false,
      noReserve: true,
      access: 'read-write',
    });
    mapping.write(0, Uint8Array.from([1]));
    mapping.write(MIB, Uint8Array.from([2]));
    const slot = { slot: 3, flags: 0, gpa: 2 * MIB, size: MIB, mapping, offset: 0 };
    guest.vm.setMemslot(slot);
    guest.vcpu.run();
    expect((await guest.nextExit()).data).toBe(1n);
    guest.vm.deleteMemslot(3);
    guest.vcpu.resume();
    expect((await guest.nextExit()).data).toBe(0xffn);
    guest.vm.setMemslot({ ...slot, offset: MIB });
    guest.vcpu.resume();
    expect((await guest.nextExit()).data).toBe(2n);
    guest.vm.close();
    mapping.close();
  });

  it('tell which pages the guest wrote', async () => {
    // mov [0x3000], al; mov [0x5000], al; out 0x10, al
    const code = [0xa2, 0, 0x30, 0xa2, 0, 0x50, 0xe6, 0x10];
    const guest = boot({ code, ranges: [{ base: 0x10 }] });
    const { vm, memory } = guest;
    const flags = KVM_MEM.LOG_DIRTY_PAGES;
    vm.setMemslot({ slot: 0, flags, gpa: 0, size: MIB, mapping: memory, offset: 0 });
    guest.vcpu.run();
    await guest.nextExit();
    const bitmap = new Uint8Array(MIB / 4096 / 8);
    vm.getDirtyLog(0, bitmap);
    expect([3, 5].map((page) => (bitmap[0]! >> page) & 1)).toEqual([1, 1]);
    expect(() => vm.getDirtyLog(0, new Uint8Array(31))).toThrow(
      'bitmap: 31 bytes, and memslot 0 needs 32',
    );
    expect(() => vm.getDirtyLog(9, bitmap)).toThrow('memslot 9 does not exist');
  });
});

describe.skipIf(NO_KVM !== '')('I/O ranges', () => {
  const range: NativeIoRange = {
    space: 'port',
    base: 0x100,
    size: 16,
    read: 'shadow',
    write: 'post',
    tag: 1,
  };

  it('never overlap within a space', () => {
    const { vm } = boot();
    vm.addIoRange(range);
    for (const [base, size] of [
      [0x100, 1],
      [0x10f, 1],
      [0xff, 2],
      [0, 0x1000],
    ] as const) {
      expect(() => vm.addIoRange({ ...range, base, size })).toThrow('overlaps another');
    }
    vm.addIoRange({ ...range, base: 0x110, size: 1 });
    vm.addIoRange({ ...range, base: 0xff, size: 1 });
    vm.addIoRange({ ...range, space: 'mmio' });
    vm.removeIoRange('port', 0x100);
    vm.addIoRange({ ...range, base: 0x108, size: 8 });
    expect(() => vm.removeIoRange('port', 0x100)).toThrow('no I/O range at base=0x100');
  });

  it('share the shadow, and give their part back', () => {
    const { vm } = boot();
    expect(vm.ioShadow.byteLength).toBe(65536);
    const offsets = [0, 1, 2].map((i) =>
      vm.addIoRange({ ...range, space: 'mmio', base: i * 0x4000, size: 0x4000 }),
    );
    expect(new Set(offsets).size).toBe(3);
    const large = { ...range, space: 'mmio', base: 0x10_0000, size: 0x8000 } as const;
    expect(() => vm.addIoRange(large)).toThrow('no room in the shadow');
    vm.removeIoRange('mmio', 0x4000);
    expect(vm.addIoRange({ ...large, size: 0x4000 })).toBe(offsets[1]);
    const huge = { ...large, base: 0x40_0000, size: 2 ** 40, write: 'drop' } as const;
    expect(() => vm.addIoRange(huge)).toThrow('no room in the shadow');
    expect(() => vm.addIoRange({ ...huge, write: 'post' })).toThrow('too large for posted writes');
  });

  it('are refused by name', () => {
    const { vm } = boot();
    const add = (change: object) => () => vm.addIoRange({ ...range, ...change });
    expect(add({ size: 0 })).toThrow('I/O range base=0x100, size=0x0: empty');
    expect(add({ base: 65535, size: 2 })).toThrow('leaves its space');
    expect(add({ base: 65536 })).toThrow('base: 65536 is not');
    expect(add({ read: 'maybe' })).toThrow('read: expected sync, shadow or ones');
    expect(add({ write: 'maybe' })).toThrow('write: expected sync, post or drop');
    expect(add({ space: 'disk' })).toThrow('space: expected port or mmio');
    expect(add({ tag: 2 ** 32 - 1 })).toThrow('tag: 4.29497e+09 is not');
  });

  it('change while the guest runs on', async () => {
    // again: in al, 0x50; out 0x10, al; jmp again
    const code = [0xe4, 0x50, 0xe6, 0x10, 0xeb, 0xfa];
    const guest = boot({ code, ranges: [{ base: 0x10 }] });
    guest.vcpu.run();
    expect((await guest.nextExit()).data).toBe(0xffn);
    const offset = guest.vm.addIoRange({ ...range, base: 0x50 });
    new Uint8Array(guest.vm.ioShadow)[offset] = 0x21;
    guest.vcpu.resume();
    expect((await guest.nextExit()).data).toBe(0x21n);
    guest.vm.removeIoRange('port', 0x50);
    guest.vcpu.resume();
    expect((await guest.nextExit()).data).toBe(0xffn);
  });
});

describe.skipIf(NO_KVM !== '')('the VM', () => {
  it('has its interrupt controllers, timer and clock in the kernel', () => {
    const { vm } = boot({ irqchip: true });
    vm.createPit();
    for (const kind of ['clock', 'pit2', 'irqchip0', 'irqchip1', 'irqchip2'] as const) {
      const bytes = vm.getState(kind);
      expect(bytes.length).toBeGreaterThan(0);
      if (kind !== 'clock') vm.setState(kind, bytes);
    }
    expect(new DataView(vm.getState('irqchip2').buffer).getUint32(0, true)).toBe(2);
    expect(() => vm.createIrqchip()).toThrow('KVM_CREATE_IRQCHIP(): File exists (EEXIST)');
    vm.irqLine(4, true);
    vm.irqLine(4, false);
    vm.signalMsi(0xfee0_0000, 0x41);
    expect(() => vm.setGsiRouting(new Uint32Array(4))).toThrow('entries: 4 words');
    const badRoute = new Uint32Array([1, 0, 77, 0, 0]);
    expect(() => vm.setGsiRouting(badRoute)).toThrow('KVM_SET_GSI_ROUTING(entries=1)');
  });

  it('says what it can do', () => {
    const { vm } = boot();
    expect(vm.checkExtension(CAPABILITY.IRQCHIP)).toBe(1);
    expect(vm.checkExtension(CAPABILITY.NR_MEMSLOTS)).toBeGreaterThan(500);
    expect(() => vm.enableCap(9999)).toThrow(/^KVM_ENABLE_CAP\(capability=9999/);
    expect(() => vm.enableCap(1, [1n, 2n, 3n, 4n, 5n])).toThrow('args: 5 and at most 4');
    expect(() => vm.enableCap(1, [-1n])).toThrow('args: not from 0 to 2^64-1');
  });

  it('refuses a vCPU twice, and vCPUs before anybody listens', () => {
    const { vm } = boot();
    expect(() => vm.createVcpu(0)).toThrow('KVM_CREATE_VCPU(vcpu=0): File exists (EEXIST)');
    const kvm = KvmSystem.open();
    const silent = kvm.createVm();
    kvm.close();
    expect(() => kvm.createVm()).toThrow('the Kvm is closed');
    expect(() => silent.createVcpu(0).run()).toThrow('setCallbacks() comes before run()');
    silent.close();
    silent.close();
    expect(() => silent.setCallbacks({ onExit: () => {}, onPosted: () => {} })).toThrow('closed');
  });

  it('gives the guest the CPUID it was told', async () => {
    // mov eax, 0x40000123; cpuid; mov [0x3000], eax; out 0x10, al
    const code = [
      ...[0x66, 0xb8, 0x23, 0x01, 0, 0x40, 0x0f, 0xa2, 0x66, 0xa3, 0, 0x30],
      ...[0xe6, 0x10],
    ];
    const guest = boot({ code, ranges: [{ base: 0x10 }] });
    const entry = [0x4000_0123, 0, 0, 0xcafe_f00d, 2, 3, 4];
    guest.vcpu.setCpuid(new Uint32Array([0, 0, 0, 1, 0, 0, 0, ...entry]));
    guest.vcpu.run();
    await guest.nextExit();
    const eax = new Uint8Array(4);
    guest.memory.read(0x3000, eax);
    expect(new DataView(eax.buffer).getUint32(0, true)).toBe(0xcafe_f00d);
    expect(() => guest.vcpu.setCpuid(new Uint32Array(8))).toThrow('table: 8 words');
  });

  it('reports what a callback throws as an uncaught exception, and goes on', async () => {
    const guest = boot({ code: [0xe6, 0x10, 0xe6, 0x10], ranges: [{ base: 0x10 }] });
    const thrown = new Promise<unknown>((resolve) => {
      const listeners = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const listener of listeners) process.on('uncaughtException', listener);
        resolve(error);
      });
    });
    guest.vm.setCallbacks({
      onExit: () => {
        throw new Error('from the callback');
      },
      onPosted: () => {},
    });
    guest.vcpu.run();
    expect(await thrown).toMatchObject({ message: 'from the callback' });
    const seen = new Promise<number>((resolve) => {
      guest.vm.setCallbacks({ onExit: resolve, onPosted: () => {} });
    });
    guest.vcpu.resume();
    expect(await seen).toBe(0);
    expect(guest.vcpu.readExit()).toMatchObject({ kind: EXIT_KIND.port });
    expect(guest.vcpu.registers().rip).toBeGreaterThan(BigInt(CODE));
  });
});
