import { ConfigError } from '../../errors.ts';
import type {
  CpuRegisters,
  InterruptControllerInfo,
  InterruptCount,
  LocalApicInfo,
  MachineInspection,
  MemoryBytes,
  MemoryMapInfo,
  SavedMemory,
  Segment,
  StatGroup,
  VirtioDeviceInfo,
} from '../../machine/control.ts';
import { GIB, MIB } from '../../units.ts';

const CPUS = 3;
/** Byte n of memory is n modulo 251, up to here; behind it is a device. */
const MEMORY_BYTES = 0x1_0000;
/** Virtual addresses are this much above physical ones. */
export const VIRTUAL_BASE = 0xffff_8000_0000_0000n;

const SEGMENT: Segment = {
  selector: 0x18,
  base: 0n,
  limit: 0xffff_ffff,
  type: 3,
  present: 1,
  dpl: 0,
  db: 1,
  s: 1,
  l: 0,
  g: 1,
  avl: 0,
};
const NO_SEGMENT: Segment = { ...SEGMENT, selector: 0, type: 0, present: 0, s: 0, db: 0, limit: 0 };

/** A vCPU in long mode whose registers hold their own index. */
export function fakeRegisters(id: number): CpuRegisters {
  const names = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rsp', 'rbp'] as const;
  const more = ['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const;
  const [a, b, c, d, si, di, sp, bp] = names.map((_, index) => BigInt(0x1000 * id + index));
  const [r8, r9, r10, r11, r12, r13, r14, r15] = more.map((_, index) => BigInt(8 + index));
  const or = (value: bigint | undefined): bigint => value ?? 0n;
  return {
    general: {
      ...{ rax: or(a), rbx: or(b), rcx: or(c), rdx: or(d) },
      ...{ rsi: or(si), rdi: or(di), rsp: or(sp), rbp: or(bp) },
      ...{ r8: or(r8), r9: or(r9), r10: or(r10), r11: or(r11) },
      ...{ r12: or(r12), r13: or(r13), r14: or(r14), r15: or(r15) },
      rip: VIRTUAL_BASE + 0x20n,
      rflags: 0x246n,
    },
    special: {
      cs: { ...SEGMENT, selector: 0x10, type: 11, l: 1, db: 0 },
      ...{ ds: NO_SEGMENT, es: NO_SEGMENT, fs: NO_SEGMENT, gs: NO_SEGMENT, ss: SEGMENT },
      tr: { ...SEGMENT, selector: 0x40, base: 0xfe00n, limit: 0x206f, type: 11, s: 0, db: 0, g: 0 },
      ldt: NO_SEGMENT,
      gdt: { base: 0x1000n, limit: 0x7f },
      idt: { base: 0x2000n, limit: 0xfff },
      ...{ cr0: 0x8005_0033n, cr2: 0n, cr3: 0x3000n, cr4: 0x6f0n, cr8: 0n },
      efer: 0xd01n,
      apicBase: 0xfee0_0900n,
      interruptBitmap: [0n, 0n, 0n, 0n],
    },
    fpu: {
      fpr: Array.from({ length: 8 }, () => ({ mantissa: 0n, exponent: 0 })),
      ...{ fcw: 0x37f, fsw: 0x3800, ftw: 0, mxcsr: 0x1f80 },
      xmm: Array.from({ length: 16 }, (_, index) => BigInt(index) << 64n),
    },
    debug: { db: [0n, 0n, 0n, 0n], dr6: 0xffff_0ff0n, dr7: 0x400n },
    halted: id > 0,
  };
}

/** What looks into the fake machine. */
export class FakeInspection implements MachineInspection {
  readonly calls: string[];

  constructor(calls: string[]) {
    this.calls = calls;
  }

  registers(cpu: number): Promise<CpuRegisters> {
    if (cpu < CPUS) return Promise.resolve(fakeRegisters(cpu));
    return Promise.reject(new ConfigError('NO_OBJECT', `there is no vCPU ${cpu}`));
  }

  localApic(cpu: number): Promise<LocalApicInfo> {
    const registers: Readonly<Record<number, number>> = {
      0x20: cpu << 24,
      0xe0: 0xffff_ffff,
      0xf0: 0x1ff,
      0x220: 0x8000,
      0x300: 0xc_08fd,
      0x320: 0x2_00ec,
      0x350: 0x1_0700,
      0x360: 0x400,
      0x380: 1000,
      0x390: 10,
      0x3e0: 0xb,
    };
    return Promise.resolve({ cpu, register: (offset) => registers[offset] ?? 0 });
  }

  interruptControllers(): InterruptControllerInfo {
    const pic = { irr: 4, imr: 0xfb, isr: 0, irqBase: 0x30, elcr: 0xc };
    return {
      pics: [pic, { ...pic, irqBase: 0x38 }],
      ioApicId: 0,
      pins: [
        { pin: 0, entry: 0x1_0000n, requested: false },
        { pin: 4, entry: 0x0300_0000_0000_a924n, requested: true },
        { pin: 9, entry: 0x0000_0000_0000_c023n, requested: false },
      ],
    };
  }

  interruptCounts(): readonly InterruptCount[] {
    return [
      { gsi: 4, kind: 'wire', count: 12 },
      { gsi: 8, kind: 'wire', count: 0 },
      { gsi: 24, kind: 'msi', count: 3 },
    ];
  }

  injectNmi(): void {
    this.calls.push('nmi');
  }

  readPhysical(gpa: number, length: number): MemoryBytes {
    const usable = Math.max(0, Math.min(length, MEMORY_BYTES - gpa));
    const bytes = Uint8Array.from({ length: usable }, (_, index) => (gpa + index) % 251);
    return usable === length ? { bytes } : { bytes, endsBecause: 'vm0: not plugged (0x10000)' };
  }

  readVirtual(cpu: number, address: bigint, length: number): Promise<MemoryBytes> {
    this.calls.push(`readVirtual ${cpu}`);
    const bytes = new Uint8Array(0);
    if (address < VIRTUAL_BASE) return Promise.resolve({ bytes, endsBecause: 'not mapped' });
    return Promise.resolve(this.readPhysical(Number(address - VIRTUAL_BASE), length));
  }

  translate(_cpu: number, address: bigint): Promise<number | undefined> {
    const isMapped = address >= VIRTUAL_BASE;
    return Promise.resolve(isMapped ? Number(address - VIRTUAL_BASE) : undefined);
  }

  savePhysical(gpa: number, size: number, path: string): Promise<SavedMemory> {
    this.calls.push(`savePhysical ${gpa} ${size} ${path}`);
    const saved = Math.min(size, MEMORY_BYTES - gpa);
    return Promise.resolve({ saved, holes: size - saved });
  }

  saveVirtual(cpu: number, address: bigint, size: number, path: string): Promise<SavedMemory> {
    this.calls.push(`saveVirtual ${cpu} ${address} ${size} ${path}`);
    return Promise.resolve({ saved: size, holes: 0 });
  }

  virtioDevices(): readonly VirtioDeviceInfo[] {
    const queue = { desc: 0x1000, avail: 0x2000, used: 0x3000, inFlight: 1, requests: 9 };
    return [
      {
        path: '/machine/peripheral/vm0',
        name: 'virtio-mem',
        deviceType: 24,
        status: 0xf,
        offeredFeatures: 0x1_3000_0002n,
        acceptedFeatures: 0x1_0000_0002n,
        ...{ isr: 2, queueSelect: 0 },
        queues: [{ ...queue, index: 0, size: 128, sizeLimit: 256, nextAvail: 9, nextUsed: 8 }],
      },
      {
        path: '/machine/peripheral/vm1',
        name: 'virtio-mem',
        deviceType: 24,
        status: 0x43,
        offeredFeatures: 0x1_3000_0002n,
        acceptedFeatures: 0n,
        ...{ isr: 0, queueSelect: 1 },
        needsReset: 'unknown request type 9',
        queues: [undefined],
      },
    ];
  }

  /** 1 GiB in sixteen cells at most: a memslot of each kind, and blocks of each kind. */
  memoryMap(id: string, cells: number): Promise<MemoryMapInfo> {
    this.calls.push(`memoryMap ${id} ${cells}`);
    const cellSize = 64 * MIB;
    const cell = (
      plugged: number,
      resident: number,
      border = false,
      mapped: 'all' | 'none' = 'all',
    ) => ({
      plugged: plugged * MIB,
      resident: resident * MIB,
      mapped,
      border,
    });
    const first = [
      cell(64, 64, true),
      cell(64, 20),
      cell(64, 0),
      cell(8, 8),
      ...Array.from({ length: 4 }, () => cell(0, 0)),
    ];
    return Promise.resolve({
      id,
      memaddr: 0x1_4000_0000,
      size: GIB,
      blockSize: 2 * MIB,
      pluggedSize: 200 * MIB,
      usableSize: 300 * MIB,
      windowSize: 512 * MIB,
      windows: 2,
      activeWindows: 1,
      memslots: 1,
      cellSize,
      cells: [...first, ...Array.from({ length: 8 }, (_, at) => cell(0, 0, at === 0, 'none'))],
    });
  }

  stats(): readonly StatGroup[] {
    return [
      {
        name: 'vm0',
        path: '/machine/peripheral/vm0',
        target: 'vm',
        values: [
          { name: 'requests-ack', type: 'cumulative', value: 7 },
          {
            ...{ name: 'plug-latency', type: 'log2-histogram', unit: 'seconds', exponent: -9 },
            value: [0, 0, 1, 5],
          },
        ],
      },
      {
        name: 'vcpu 0',
        path: '/machine/unattached/device[0]',
        target: 'vcpu',
        values: [
          { name: 'guest-time', type: 'cumulative', unit: 'seconds', exponent: -3, value: 120 },
        ],
      },
    ];
  }
}
