import { execFileSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../errors.ts';
import { MIB } from '../units.ts';
import { BootFile } from './boot-file.ts';
import { inspectKernel } from './kernel-image.ts';
import { BootRig } from './testing/boot-rig.ts';
import { makeBzImage } from './testing/kernel-files.ts';

const rig = new BootRig();
afterAll(() => {
  rig.remove();
});
const at = (name: string): string => join(rig.folder, name);
const kernel = rig.file('kernel', makeBzImage());

/** The one message that both roles give for a path, with the role left out. */
function refusal(path: string): string {
  const messages = (['kernel', 'initrd'] as const).map((role) => {
    const open = (): unknown =>
      role === 'kernel'
        ? rig.boot(32 * MIB, { kernelPath: path })
        : rig.boot(32 * MIB, { kernelPath: kernel, initrdPath: path });
    expect(open).toThrow(ConfigError);
    try {
      open();
    } catch (error) {
      const { message } = error as Error;
      expect(message).not.toContain('\n');
      expect(message.startsWith(`${role} ${path}: `)).toBe(true);
      return message.slice(`${role} ${path}: `.length);
    }
    return '';
  });
  expect(messages[0]).toBe(messages[1]);
  expect(rig.memory.written).toBe(0);
  return messages[0] ?? '';
}

/** A file with a magic number at a place. */
function linuxImage(offset: number, magic: string): Buffer {
  const image = Buffer.alloc(4096);
  image.write(magic, offset, 'latin1');
  return image;
}

/** A PE file for a type of machine; `image` and `zboot` are what Linux writes into its DOS header. */
function pe(machine: number, image = '', zboot = ''): Buffer {
  const file = linuxImage(0x38, image);
  file.write('MZ', 0, 'latin1');
  file.write(zboot, 4, 'latin1');
  file.writeUInt32LE(0x80, 0x3c);
  file.write('PE\0\0', 0x80, 'latin1');
  file.writeUInt16LE(machine, 0x84);
  return file;
}

describe('a kernel or initrd is refused', () => {
  it('when it is missing', () => {
    expect(refusal(at('nothing'))).toBe('no such file');
  });

  it('when it is below a file', () => {
    expect(refusal(join(kernel, 'x'))).toMatch(/^no such file: part of its path/);
  });

  it('when it is a directory', () => {
    expect(refusal(rig.folder)).toBe('is a directory');
  });

  it('when it is empty', () => {
    expect(refusal(rig.file('empty', Buffer.alloc(0)))).toBe('the file is empty');
  });

  it('when it is a device', () => {
    expect(refusal('/dev/zero')).toBe('is not a regular file');
  });

  it('when it is a pipe, without waiting for its writer', () => {
    execFileSync('mkfifo', [at('pipe')]);
    expect(refusal(at('pipe'))).toBe('is not a regular file');
  });
});

describe('a file', () => {
  it('that shrinks while it is open is refused', () => {
    const path = rig.file('shrinking', Buffer.alloc(100));
    const file = BootFile.open('initrd', path);
    truncateSync(path, 50);
    expect(() => file.bytes(0, 100, 'the archive')).toThrow(
      `initrd ${path}: became shorter than 100 bytes in use`,
    );
    file.close();
  });

  it.each([
    ['text', Buffer.from('hello'), 'neither a 64-bit ELF file nor a Linux bzImage'],
    ['one byte', Buffer.from([0x7f]), 'neither a 64-bit ELF file nor a Linux bzImage'],
    ['zeros', Buffer.alloc(4096), 'neither a 64-bit ELF file nor a Linux bzImage'],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), 'gzip-compressed: decompress it first'],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), 'zstd-compressed: decompress it first'],
    ['bzip2', Buffer.from('BZh91AY'), 'bzip2-compressed: decompress it first'],
    ['cpio', Buffer.from('070701000'), 'a cpio archive, as an initrd: give --initrd'],
    ['device tree', Buffer.from([0xd0, 0x0d, 0xfe, 0xed]), 'a flattened device tree'],
    [
      'arm64',
      linuxImage(0x38, 'ARM\x64'),
      'a Linux Image for arm64, and this machine is an x86-64',
    ],
    ['arm64 with EFI stub', pe(0xaa64, 'ARM\x64'), 'a Linux Image for arm64, and this machine'],
    ['risc-v', linuxImage(0x38, 'RSC\x05'), 'a Linux Image for RISC-V'],
    ['arm', linuxImage(0x24, '\x18\x28\x6f\x01'), 'a Linux zImage for 32-bit ARM'],
    ['EFI', pe(0x8664), 'an EFI program, for x86-64; there is no EFI firmware here'],
    ['arm64 EFI', pe(0xaa64), 'an EFI program, for arm64'],
    ['EFI of nobody', pe(0x1234), 'an EFI program, for machine type 0x1234'],
    ['zboot', pe(0xaa64, '', 'zimg'), 'a compressed kernel that EFI unpacks, for arm64'],
    ['MZ without PE', Buffer.from('MZ'.padEnd(64, '\xff')), 'neither a 64-bit ELF file'],
  ])('of %s is no kernel', (name, content, why) => {
    const path = rig.file(name, content);
    const file = BootFile.open('kernel', path);
    expect(() => inspectKernel(file)).toThrow(`kernel ${path}: not a kernel: ${why}`);
    file.close();
  });
});
