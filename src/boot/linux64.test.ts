import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readU64 } from '../bytes.ts';
import { ConfigError } from '../errors.ts';
import { GIB, MIB } from '../units.ts';
import { BootRig, RSDP } from './testing/boot-rig.ts';
import { type FakeBzImage, makeBzImage } from './testing/kernel-files.ts';

const rig = new BootRig();
afterAll(() => {
  rig.remove();
});

const kernelOf = (options: FakeBzImage = {}): string => rig.file('vmlinuz', makeBzImage(options));

function refusal(kernelPath: string, ramSize = 32 * MIB): string {
  try {
    rig.boot(ramSize, { kernelPath });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(rig.memory.written).toBe(0);
    const { message } = error as Error;
    expect(message.startsWith(`kernel ${kernelPath}: `)).toBe(true);
    return message.slice(`kernel ${kernelPath}: `.length);
  }
  throw new Error('not refused');
}

/** What the page tables that CR3 points to make of a linear address. */
function translate(cr3: bigint, linear: number): number | undefined {
  let table = Number(cr3);
  for (const shift of [39, 30, 21]) {
    const index = Math.floor(linear / 2 ** shift) % 512;
    const entry = readU64(rig.view(table + 8 * index, 8), 0);
    if (entry % 2 === 0) return undefined;
    if ((entry & 0x80) !== 0)
      return Math.floor(entry / 2 ** shift) * 2 ** shift + (linear % 2 ** shift);
    table = Math.floor(entry / 4096) * 4096;
  }
  return undefined;
}

describe('a bzImage', () => {
  it('begins at its 64-bit entry in long mode, RSI at boot_params', () => {
    const { cpu, entry, mode, format } = rig.boot(32 * MIB, { kernelPath: kernelOf() });
    expect([format, mode, entry]).toEqual(['bzimage', 'long64', 0x100_0200n]);
    expect([cpu.cr0, cpu.cr4, cpu.efer]).toEqual([0x8000_0011n, 0x20n, 0x500n]);
    expect([cpu.registers.rip, cpu.registers.rflags]).toEqual([0x100_0200n, 2n]);
    const { cs, ds, ss, tr, ldt } = cpu.segments;
    expect(cs).toMatchObject({ selector: 0x10, type: 0xb, l: 1, db: 0, present: 1, s: 1 });
    expect(ds).toMatchObject({ selector: 0x18, type: 3, present: 1, s: 1 });
    expect(ss).toEqual(ds);
    expect([tr.type, tr.present, ldt.present]).toEqual([0xb, 1, 0]);
    expect(rig.view(Number(cpu.registers.rsi) + 0x1fe, 2).getUint16(0, true)).toBe(0xaa55);
  });

  it('finds its selectors in the descriptor table', () => {
    const { cpu } = rig.boot(32 * MIB, { kernelPath: kernelOf() });
    const gdt = rig.view(Number(cpu.gdt.base), cpu.gdt.limit + 1);
    expect(gdt.getBigUint64(0, true)).toBe(0n);
    expect(gdt.getBigUint64(0x10, true)).toBe(0x00af_9b00_0000_ffffn);
    expect(gdt.getBigUint64(0x18, true)).toBe(0x00cf_9300_0000_ffffn);
    expect(gdt.getBigUint64(0x20, true)).toBe(0x0000_8b00_0000_0067n);
  });

  it('finds the first 4 GiB mapped one to one, and nothing above', () => {
    const { cpu } = rig.boot(32 * MIB, { kernelPath: kernelOf() });
    for (const linear of [0, 0x1234, 0x100_0200, 2 ** 31, 0xfee0_0020, 4 * GIB - 1]) {
      expect(translate(cpu.cr3, linear)).toBe(linear);
    }
    expect(translate(cpu.cr3, 4 * GIB)).toBeUndefined();
  });

  it('is loaded whole, its protected-mode part only', () => {
    const payload = Buffer.alloc(2 * MIB + 48, 'kernel');
    const { kernel } = rig.boot(32 * MIB, { kernelPath: kernelOf({ payload, setupSectors: 0 }) });
    expect(payload.equals(rig.memory.slice(0x100_0000, payload.length))).toBe(true);
    expect(rig.view(0x100_0000 + payload.length, 1).getUint8(0)).toBe(0xaa);
    expect(kernel).toEqual({ gpa: 0x100_0000, size: payload.length });
  });

  it('may have a signature behind it', () => {
    const path = rig.file('signed', Buffer.concat([makeBzImage(), Buffer.alloc(1000, 's')]));
    expect(rig.boot(32 * MIB, { kernelPath: path }).entry).toBe(0x100_0200n);
  });

  it('goes to an aligned address above 1 MiB when it prefers none', () => {
    const kernelPath = kernelOf({ prefAddress: 0, alignment: 0x40_0000 });
    expect(rig.boot(32 * MIB, { kernelPath }).entry).toBe(0x40_0200n);
  });

  it('finds its setup header and what it was told in boot_params', () => {
    const kernelPath = kernelOf();
    const commandLine = 'console=ttyS0';
    const { cpu } = rig.boot(3 * GIB + 512 * MIB, { kernelPath, commandLine });
    const params = rig.view(Number(cpu.registers.rsi), 4096);
    expect(params.getUint32(0x202, true)).toBe(0x5372_6448);
    expect(params.getUint8(0x1f1)).toBe(2);
    expect(readU64(params, 0x258)).toBe(0x100_0000);
    expect(params.getUint8(0x210)).toBe(0xff);
    expect(params.getUint8(0x211)).toBe(1);
    expect(params.getUint16(0x1fa, true)).toBe(0xffff);
    expect(readU64(params, 0x250)).toBe(0);
    expect(params.getUint8(0x1ef)).toBe(0);
    expect(rig.text(params.getUint32(0x228, true))).toBe(commandLine);
    expect(readU64(params, 0x70)).toBe(RSDP);
    expect([params.getUint32(0x218, true), params.getUint32(0x21c, true)]).toEqual([0, 0]);
    const entries = Array.from({ length: params.getUint8(0x1e8) }, (_, i) => [
      readU64(params, 0x2d0 + 20 * i),
      readU64(params, 0x2d8 + 20 * i),
      params.getUint32(0x2e0 + 20 * i, true),
    ]);
    expect(entries).toEqual([
      [0, 0x9_fc00, 1],
      [0x9_fc00, 0x400, 2],
      [0xe_0000, 0x2_0000, 2],
      [MIB, 3 * GIB - MIB, 1],
      [0xe000_0000, MIB, 2],
      [4 * GIB, 512 * MIB, 1],
    ]);
  });

  it('takes over nothing of the file behind the setup header', () => {
    const file = makeBzImage();
    file.fill(0x77, 0x26c, 0x300);
    file.fill(0x77, 0, 0x1f1);
    const { cpu } = rig.boot(32 * MIB, { kernelPath: rig.file('dirty', file) });
    const params = rig.view(Number(cpu.registers.rsi), 4096);
    expect(params.getUint8(0)).toBe(0);
    expect(params.getUint8(0x26c)).toBe(0);
    expect(params.getUint8(0xfff)).toBe(0);
  });

  it('finds its initrd as high as possible', () => {
    const content = Buffer.alloc(MIB + 1, 'initrd');
    const initrdPath = rig.file('initrd', content);
    const { cpu, initrd } = rig.boot(32 * MIB, { kernelPath: kernelOf(), initrdPath });
    const gpa = 31 * MIB - 4096;
    expect(initrd).toEqual({ gpa, size: content.length });
    expect(content.equals(rig.memory.slice(gpa, content.length))).toBe(true);
    const params = rig.view(Number(cpu.registers.rsi), 4096);
    expect(params.getUint32(0x218, true)).toBe(gpa);
    expect(params.getUint32(0x21c, true)).toBe(content.length);
  });

  it('finds its initrd below what it can reach', () => {
    const initrdPath = rig.file('initrd', Buffer.alloc(4096));
    const kernelPath = kernelOf({ initrdAddrMax: 0x17f_ffff });
    expect(rig.boot(32 * MIB, { kernelPath, initrdPath }).initrd?.gpa).toBe(0x17f_f000);
  });

  it('finds its initrd below itself when there is no room above', () => {
    const initrdPath = rig.file('initrd', Buffer.alloc(10 * MIB));
    const kernelPath = kernelOf({ initSize: 12 * MIB });
    expect(rig.boot(32 * MIB, { kernelPath, initrdPath }).initrd?.gpa).toBe(6 * MIB);
  });
});

describe('a bzImage is refused', () => {
  it.each([
    [
      'inside the setup header',
      0x210,
      'truncated: the file ends at byte 528, the setup header at byte 616',
    ],
    [
      'inside the setup code',
      1000,
      'truncated: the file ends at byte 1000, the kernel at byte 5632',
    ],
    ['inside the kernel', 5631, 'truncated: the file ends at byte 5631, the kernel at byte 5632'],
  ])('when it is cut off %s', (_, size, why) => {
    expect(refusal(rig.file('cut', makeBzImage().subarray(0, size)))).toContain(why);
  });

  it.each<[string, string, FakeBzImage]>([
    ['is too old', 'boot protocol 2.11; 2.12 or later is needed', { version: 0x020b }],
    ['has no 64-bit entry', 'a 32-bit kernel; one with a 64-bit entry point', { xloadflags: 2 }],
    ['is a zImage', 'a kernel to be loaded below 1 MiB', { loadflags: 0 }],
    ['has half a header', 'its setup header ends at 0x242', { jump: 0x40 }],
    ['is too short', 'its protected-mode part has 512 bytes', { payload: Buffer.alloc(512) }],
    ['prefers low memory', 'its preferred address 0x10000 is below', { prefAddress: 0x1_0000 }],
    ['is oddly aligned', 'its alignment 0x3000 is not', { prefAddress: 0, alignment: 0x3000 }],
    [
      'needs more RAM than there is',
      'it takes 64 MiB of memory, the guest has 32 MiB',
      { initSize: 64 * MIB },
    ],
    [
      'reaches past the end of RAM',
      "the kernel (0x1000000 to 0x2400000) is outside the guest's RAM, 0x0 to 0x2000000",
      { initSize: 20 * MIB },
    ],
    ['prefers an absurd address', "is outside the guest's RAM", { prefAddress: 2 ** 53 }],
  ])('when it %s', (_, why, options) => {
    expect(refusal(kernelOf(options))).toContain(why);
  });

  it('when the initrd does not fit, with both numbers', () => {
    const initrdPath = rig.file('initrd', Buffer.alloc(16 * MIB));
    expect(() => rig.boot(32 * MIB, { kernelPath: kernelOf(), initrdPath })).toThrow(
      /^initrd \S+: its 16 MiB do not fit .* beside the kernel 15 MiB are free below 0x2000000$/,
    );
  });

  it('when the command line is longer than it takes, with both numbers', () => {
    const kernelPath = kernelOf({ cmdlineSize: 255 });
    rig.boot(32 * MIB, { kernelPath, commandLine: 'x'.repeat(255) });
    expect(() => rig.boot(32 * MIB, { kernelPath, commandLine: 'x'.repeat(256) })).toThrow(
      'the kernel command line has 256 bytes, the kernel takes 255',
    );
  });
});

const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const assets = join(process.env['TSVMM_CACHE'] ?? join(cache, 'tsvmm'), 'guest');

describe.skipIf(!existsSync(join(assets, 'vmlinuz')))('with the stock kernel present', () => {
  it('its bzImage and initrd are loaded', () => {
    const options = { kernelPath: join(assets, 'vmlinuz'), initrdPath: join(assets, 'initrd') };
    const { entry, mode, initrd } = rig.boot(256 * MIB, options);
    expect([entry, mode]).toEqual([0x100_0200n, 'long64']);
    expect(initrd?.gpa).toBeGreaterThan(128 * MIB);
  });
});

describe.skipIf(!existsSync(join(assets, 'vmlinux')))('with the unpacked kernel present', () => {
  it('is refused a command line of 2,048 bytes, before it would end without a word', () => {
    const kernelPath = join(assets, 'vmlinux');
    rig.boot(256 * MIB, { kernelPath, commandLine: 'x'.repeat(2047) });
    expect(() => rig.boot(256 * MIB, { kernelPath, commandLine: 'x'.repeat(2048) })).toThrow(
      'the kernel command line has 2048 bytes, the kernel takes 2047',
    );
  });

  it('its ELF file is loaded by its PVH entry', () => {
    const { format, mode, kernel } = rig.boot(256 * MIB, { kernelPath: join(assets, 'vmlinux') });
    expect([format, mode, kernel.gpa]).toEqual(['pvh', 'protected32', 0x100_0000]);
  });
});
