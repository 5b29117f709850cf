import { afterAll, describe, expect, it } from 'vitest';
import { readU64 } from '../bytes.ts';
import { ConfigError } from '../errors.ts';
import { GIB, KIB, MIB } from '../units.ts';
import { BootRig, RSDP } from './testing/boot-rig.ts';
import {
  ELF_PROGRAM_HEADERS,
  elfNote,
  type FakeElf,
  makeElf,
  pvhNote,
} from './testing/kernel-files.ts';

const rig = new BootRig();
afterAll(() => {
  rig.remove();
});

const ENTRY = 0x20_0040;
const CODE = Buffer.alloc(3 * MIB + 17, 'code');
const ELF: FakeElf = {
  segments: [
    { paddr: 0x20_0000, content: CODE },
    { paddr: 0x80_0000, content: Buffer.from('data'), memsz: 5000 },
  ],
  notes: pvhNote(ENTRY),
};
const kernelOf = (elf: Partial<FakeElf>): string =>
  rig.file('vmlinux', makeElf({ ...ELF, ...elf }));
const boot = (kernelPath: string, ramSize = 32 * MIB): ReturnType<BootRig['boot']> =>
  rig.boot(ramSize, { kernelPath });

function refusal(kernelPath: string, ramSize?: number): string {
  try {
    boot(kernelPath, ramSize);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(rig.memory.written).toBe(0);
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    expect(message.startsWith(`kernel ${kernelPath}: `)).toBe(true);
    return message.slice(`kernel ${kernelPath}: `.length);
  }
  throw new Error('not refused');
}

describe('a PVH kernel', () => {
  it('begins at its entry point in flat 32-bit protected mode', () => {
    const { cpu, entry, mode, format } = boot(kernelOf({}));
    expect([format, mode, entry]).toEqual(['pvh', 'protected32', BigInt(ENTRY)]);
    expect(cpu.registers.rip).toBe(BigInt(ENTRY));
    expect([cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer]).toEqual([0x11n, 0n, 0n, 0n]);
    expect(cpu.registers.rflags).toBe(2n);
    const { cs, ds, tr } = cpu.segments;
    expect(cs).toMatchObject({ base: 0n, limit: 0xffff_ffff, type: 0xb, db: 1, l: 0, s: 1, g: 1 });
    expect(ds).toMatchObject({ base: 0n, limit: 0xffff_ffff, type: 3, db: 1, s: 1, g: 1 });
    expect(tr).toMatchObject({ base: 0n, limit: 0x67, type: 0xb, s: 0, present: 1 });
  });

  it('is loaded as it is in the file, and zero after that', () => {
    const { kernel } = boot(kernelOf({}));
    expect(CODE.equals(rig.memory.slice(0x20_0000, CODE.length))).toBe(true);
    const data = Buffer.alloc(5000);
    data.write('data');
    expect(data.equals(rig.memory.slice(0x80_0000, 5000))).toBe(true);
    expect(rig.view(0x80_0000 + 5000, 1).getUint8(0)).toBe(0xaa);
    expect(kernel).toEqual({ gpa: 0x20_0000, size: 0x60_0000 + 5000 });
  });

  it('finds start info, command line, root pointer and memory map', () => {
    const kernelPath = kernelOf({});
    const { cpu } = rig.boot(32 * MIB, { kernelPath, commandLine: 'console=ttyS0 ö' });
    const info = rig.view(Number(cpu.registers.rbx), 56);
    expect([0, 4, 8, 12].map((offset) => info.getUint32(offset, true))).toEqual([
      0x336e_c578, 1, 0, 0,
    ]);
    expect(readU64(info, 16)).toBe(0);
    expect(rig.text(readU64(info, 24))).toBe('console=ttyS0 ö');
    expect(readU64(info, 32)).toBe(RSDP);
    const map = rig.view(readU64(info, 40), 24 * info.getUint32(48, true));
    const entries = Array.from({ length: map.byteLength / 24 }, (_, i) => [
      readU64(map, 24 * i),
      readU64(map, 24 * i + 8),
      map.getUint32(24 * i + 16, true),
    ]);
    expect(entries).toEqual([
      [0, 0x9_fc00, 1],
      [0x9_fc00, 0x400, 2],
      [0xe_0000, 0x2_0000, 2],
      [MIB, 31 * MIB, 1],
      [0xe000_0000, MIB, 2],
    ]);
  });

  it('finds its initrd at the top of RAM', () => {
    const content = Buffer.alloc(5 * MIB + 100, 'initrd');
    const initrdPath = rig.file('initrd', content);
    const { cpu, initrd } = rig.boot(32 * MIB, { kernelPath: kernelOf({}), initrdPath });
    const info = rig.view(Number(cpu.registers.rbx), 56);
    expect(info.getUint32(12, true)).toBe(1);
    const module = rig.view(readU64(info, 16), 32);
    const gpa = 32 * MIB - 5 * MIB - 4096;
    expect(initrd).toEqual({ gpa, size: content.length });
    expect([0, 8, 16, 24].map((at) => readU64(module, at))).toEqual([gpa, content.length, 0, 0]);
    expect(content.equals(rig.memory.slice(gpa, content.length))).toBe(true);
  });

  it('has its initrd below a segment that lies at the top of RAM', () => {
    const high = { paddr: 24 * MIB, content: Buffer.alloc(4096), memsz: 8 * MIB };
    const kernelPath = kernelOf({ segments: [...ELF.segments, high] });
    const initrdPath = rig.file('initrd', Buffer.alloc(4 * MIB));
    expect(rig.boot(32 * MIB, { kernelPath, initrdPath }).initrd?.gpa).toBe(20 * MIB);
  });

  it('may have segments in conventional memory and above 4 GiB', () => {
    const low = { paddr: 0x2_0000, content: Buffer.from('low') };
    const high = { paddr: 4 * GIB, content: Buffer.from('high') };
    boot(kernelOf({ segments: [low, ...ELF.segments, high] }), 3 * GIB + MIB);
    expect(Buffer.from(rig.memory.slice(0x2_0000, 3)).toString()).toBe('low');
    expect(Buffer.from(rig.memory.slice(4 * GIB, 4)).toString()).toBe('high');
  });

  it('may have its note among others, of 8 bytes, or aligned to 8', () => {
    const other = elfNote('GNU', 3, Buffer.alloc(20));
    const xen = elfNote('Xen', 6, Buffer.from('linux\0'));
    const notes = Buffer.concat([other, xen, pvhNote(ENTRY, 8)]);
    expect(boot(kernelOf({ notes })).entry).toBe(BigInt(ENTRY));
    const address = Buffer.alloc(8);
    address.writeUInt32LE(ENTRY);
    const aligned = Buffer.concat([
      elfNote('GNU', 5, Buffer.alloc(12), 8),
      elfNote('Xen', 18, address, 8),
    ]);
    expect(boot(kernelOf({ notes: aligned, notesAlign: 8 })).entry).toBe(BigInt(ENTRY));
  });

  it('is loaded afresh by a second boot', () => {
    const kernelPath = kernelOf({});
    const first = boot(kernelPath);
    const second = boot(kernelPath);
    expect(second).toEqual(first);
    expect(CODE.equals(rig.memory.slice(0x20_0000, CODE.length))).toBe(true);
  });
});

describe('an ELF file is refused', () => {
  const whole = makeElf(ELF);
  /** The right file with bytes overwritten. */
  const patched = (change: (view: DataView) => void): string => {
    const file = Buffer.from(whole);
    change(new DataView(file.buffer, file.byteOffset, file.length));
    return rig.file('patched', file);
  };

  it.each([
    ['four bytes', 4, 'truncated: the file ends at byte 4, the ELF header at byte 64'],
    [
      'the ELF header',
      64,
      'truncated: the file ends at byte 64, the table of program headers at byte 232',
    ],
    [
      'half a segment',
      MIB,
      `truncated: the file ends at byte ${MIB}, segment 0 at byte ${232 + CODE.length}`,
    ],
    ['all but its notes', whole.length - 4, `its notes at byte ${whole.length}`],
  ])('when it is cut off after %s', (_, size, why) => {
    expect(refusal(rig.file('cut', whole.subarray(0, size)))).toContain(why);
  });

  it('without a PVH note, saying what is needed', () => {
    const why = /^an ELF file without a PVH entry point .*CONFIG_PVH=y, or give its bzImage$/;
    expect(refusal(kernelOf({ notes: undefined }))).toMatch(why);
    expect(refusal(kernelOf({ notes: elfNote('Xen', 6, Buffer.alloc(4)) }))).toMatch(why);
    expect(refusal(kernelOf({ notes: elfNote('GNU', 18, Buffer.alloc(4)) }))).toMatch(why);
    expect(refusal(kernelOf({ notes: Buffer.alloc(0) }))).toMatch(why);
  });

  it.each<[string, string, (view: DataView) => void]>([
    ['is for 32 bits', 'a 32-bit ELF file (for', (v) => v.setUint8(4, 1)],
    ['is big-endian', 'for another processor', (v) => v.setUint8(5, 2)],
    ['is for RISC-V', 'for RISC-V (machine 243)', (v) => v.setUint16(18, 243, true)],
    [
      'is for Arm',
      'an ELF file for arm64 (machine 183); one for x86-64 (62) is needed',
      (v) => v.setUint16(18, 183, true),
    ],
    ['is an object file', 'an ELF file of type 1, not', (v) => v.setUint16(16, 1, true)],
    ['has no headers', 'without program headers', (v) => v.setUint16(56, 0, true)],
    ['has 65535 headers', '65535 program headers of 56', (v) => v.setUint16(56, 0xffff, true)],
    ['has small headers', '3 program headers of 32 bytes', (v) => v.setUint16(54, 32, true)],
    [
      'has its table far away',
      'the table of program headers at byte',
      (v) => v.setBigUint64(32, 2n ** 64n - 1n),
    ],
    [
      'loads nothing',
      'an ELF file with nothing to load',
      (v) => {
        v.setUint32(ELF_PROGRAM_HEADERS, 6, true);
        v.setUint32(ELF_PROGRAM_HEADERS + 56, 6, true);
      },
    ],
  ])('when it %s', (_, why, change) => {
    expect(refusal(patched(change))).toContain(why);
  });

  it.each<[string, RegExp, number, number, number]>([
    // [what, message, segment, offset in its program header, value]
    ['ends past the file', /^truncated: .* segment 1 at byte/, 1, 8, 2 ** 40],
    ['begins past 2^53', /^truncated: .* segment 1 at byte/, 1, 8, 2 ** 64 - 2048],
    [
      'has more in the file than in memory',
      /^segment 0 has 3145745 bytes in the file, 16/,
      0,
      40,
      16,
    ],
    ['overlaps another', /^segments 0 and 1 overlap at 0x200010$/, 1, 24, 0x20_0010],
    ['covers another', /^segments 0 and 1 overlap at 0x800000$/, 0, 40, 16 * MIB],
    ['is larger than RAM', /^it takes \d+ \S+ of memory, the guest has 32 MiB$/, 1, 40, 2 ** 60],
    [
      'begins outside RAM',
      /^segment 1 \(0x2000000 to .* outside the guest's RAM, 0x0 to 0x2000000$/,
      1,
      24,
      32 * MIB,
    ],
    ['begins past 2^53 in memory', /^segment 1 .* is outside/, 1, 24, 2 ** 64 - 2048],
    ['ends outside RAM', /^segment 1 .* is outside the guest's RAM/, 1, 24, 32 * MIB - 4096],
    [
      'lies on the data of the loader',
      /^segment 1 .* overlaps what the loader hands over, 0x0 to 0x20000$/,
      1,
      24,
      0x1_f000,
    ],
    ['begins at 0', /^segment 1 .* overlaps what the loader hands over/, 1, 24, 0],
    [
      'lies on the BIOS area',
      /^segment 1 .* overlaps the BIOS area, 0x9fc00 to 0x100000$/,
      1,
      24,
      0x9_f000,
    ],
  ])('when a segment %s', (_, message, segment, offset, value) => {
    const path = patched((view) => {
      view.setBigUint64(ELF_PROGRAM_HEADERS + 56 * segment + offset, BigInt(value), true);
    });
    expect(refusal(path)).toMatch(message);
  });

  it.each([
    ['in no segment', 0x10_0000],
    ['behind the end of a segment', 0x80_0000 + 5000],
    ['above 4 GiB', 4 * GIB + 16],
  ])('when its entry point is %s', (_, entry) => {
    const high = { paddr: 4 * GIB, content: Buffer.alloc(64) };
    const path = kernelOf({ segments: [...ELF.segments, high], notes: pvhNote(entry, 8) });
    expect(refusal(path, 3 * GIB + MIB)).toMatch(
      /^its PVH entry point 0x[0-9a-f]+ is in no segment/,
    );
  });

  it('when a note is malformed', () => {
    const long = Buffer.from(pvhNote(ENTRY));
    long.writeUInt32LE(0xffff_ffff, 0);
    expect(refusal(kernelOf({ notes: long }))).toMatch(/^the note at byte \d+ reaches past/);
    expect(refusal(kernelOf({ notes: elfNote('Xen', 18, Buffer.alloc(2)) }))).toBe(
      'its PVH note has 2 bytes, not 4 or 8',
    );
    expect(refusal(kernelOf({ notes: Buffer.alloc(2 * MIB) }))).toBe(
      'notes of 2 MiB; at most 1 MiB are read',
    );
  });

  it('when it needs more memory than the guest has, with both numbers', () => {
    const large = { paddr: MIB, content: CODE, memsz: 64 * MIB };
    const path = kernelOf({ segments: [large] });
    expect(refusal(path, 16 * MIB)).toBe('it takes 64 MiB of memory, the guest has 16 MiB');
  });
});

describe('a boot is refused', () => {
  const small = (): string => kernelOf({});

  it('when the initrd does not fit, with both numbers', () => {
    const initrdPath = rig.file('initrd', Buffer.alloc(30 * MIB));
    expect(() => rig.boot(32 * MIB, { kernelPath: small(), initrdPath })).toThrow(
      /^initrd \S+: its 30 MiB do not fit into the guest's memory: beside the kernel \d+ B are free below 0x2000000$/,
    );
    expect(rig.memory.written).toBe(0);
  });

  it('when the command line is too long, with both numbers', () => {
    const commandLine = 'x'.repeat(64 * KIB);
    expect(() => rig.boot(32 * MIB, { kernelPath: small(), commandLine })).toThrow(
      'the kernel command line has 65536 bytes, the kernel takes 65535',
    );
    rig.boot(32 * MIB, { kernelPath: small(), commandLine: commandLine.slice(1) });
  });

  it.each([
    ['its own', elfNote('Linux', 0x100, Buffer.from('6.1.0\0'))],
    ["Xen's", elfNote('Xen', 6, Buffer.from('linux\0'))],
  ])('when the command line is too long for Linux, by a note of %s', (_whose, note) => {
    const notes = Buffer.concat([pvhNote(ENTRY), note]);
    const kernelPath = kernelOf({ notes });
    rig.boot(32 * MIB, { kernelPath, commandLine: 'x'.repeat(2047) });
    expect(() => rig.boot(32 * MIB, { kernelPath, commandLine: 'x'.repeat(2048) })).toThrow(
      'the kernel command line has 2048 bytes, the kernel takes 2047',
    );
    expect(rig.memory.written).toBe(0);
  });

  it('when the command line has a zero in it', () => {
    expect(() => rig.boot(32 * MIB, { kernelPath: small(), commandLine: 'a\0b' })).toThrow(
      'the kernel command line has a zero byte in it',
    );
  });

  it('when memory ends at 1 MiB', () => {
    expect(() => boot(small(), MIB)).toThrow('memory: 1 MiB is too small');
  });
});
