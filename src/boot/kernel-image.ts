import type { BootFile } from './boot-file.ts';
import { type BzImage, inspectBzImage, isBzImage } from './bzimage.ts';
import { hex } from '../units.ts';
import { inspectElf, isElf, type PvhImage } from './elf.ts';

/** A kernel file whose headers have been read and checked; nothing is loaded yet. */
export type KernelImage = PvhImage | BzImage;

const LEAD_SIZE = 0x206;

/** Formats that people hand over by mistake. */
const MISTAKEN = [
  { magic: [0x1f, 0x8b], what: 'gzip-compressed: decompress it first' },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'xz-compressed: decompress it first' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: 'zstd-compressed: decompress it first' },
  { magic: [0x42, 0x5a, 0x68], what: 'bzip2-compressed: decompress it first' },
  { magic: [0x04, 0x22, 0x4d, 0x18], what: 'lz4-compressed: decompress it first' },
  { magic: [0x02, 0x21, 0x4c, 0x18], what: 'lz4-compressed: decompress it first' },
  { magic: [0x5d, 0x00, 0x00], what: 'lzma-compressed: decompress it first' },
  { magic: [0x89, 0x4c, 0x5a, 0x4f], what: 'lzo-compressed: decompress it first' },
  { magic: [0x27, 0x05, 0x19, 0x56], what: 'a U-Boot image: take the kernel out of it' },
  { magic: [0xd0, 0x0d, 0xfe, 0xed], what: 'a flattened device tree, or a FIT image' },
  { magic: [0x30, 0x37, 0x30, 0x37, 0x30], what: 'a cpio archive, as an initrd: give --initrd' },
] as const;

/** A 32-bit word at a place that says which processor's Linux `Image` it is. */
const LINUX_IMAGES = [
  // Linux: arch/arm64/include/asm/image.h, arch/riscv/include/asm/image.h, arch/loongarch/kernel/head.S.
  { offset: 0x38, word: 0x644d_5241, what: 'a Linux Image for arm64' },
  { offset: 0x38, word: 0x0543_5352, what: 'a Linux Image for RISC-V' },
  { offset: 0x24, word: 0x016f_2818, what: 'a Linux zImage for 32-bit ARM' },
] as const;
const X86_ONLY = 'this machine is an x86-64';

/** PE/COFF: machine types of EFI programs (UEFI 2.10 §2.1.1, PE format §"Machine Types"). */
const PE_MACHINES: Readonly<Record<number, string>> = {
  0x014c: '32-bit x86',
  0x01c2: '32-bit ARM',
  0x5032: '32-bit RISC-V',
  0x5064: 'RISC-V',
  0x6232: '32-bit LoongArch',
  0x6264: 'LoongArch',
  0x8664: 'x86-64',
  0xaa64: 'arm64',
};
const MZ = 0x5a4d;
const PE_OFFSET = 0x3c;
const PE_SIGNATURE = 0x4550;

/** What a PE file is: an EFI program, or a kernel of another processor that is also one. */
function describePe(file: BootFile, lead: DataView): string | undefined {
  if (lead.byteLength < PE_OFFSET + 4 || lead.getUint16(0, true) !== MZ) return undefined;
  const at = lead.getUint32(PE_OFFSET, true);
  if (at + 6 > file.sizeBytes) return undefined;
  const header = file.bytes(at, 6, 'the PE header');
  if (header.getUint32(0, true) !== PE_SIGNATURE) return undefined;
  // EFI zboot: a kernel compressed inside of a program that unpacks it.
  const isZboot = lead.getUint32(4, true) === ZBOOT;
  const machine = header.getUint16(4, true);
  const processor = PE_MACHINES[machine] ?? `machine type ${hex(machine)}`;
  const what = isZboot ? 'a compressed kernel that EFI unpacks' : 'an EFI program';
  return `${what}, for ${processor}; there is no EFI firmware here, and ${X86_ONLY}`;
}
const ZBOOT = 0x676d_697a;

function describeImage(lead: DataView): string | undefined {
  const found = LINUX_IMAGES.find(
    ({ offset, word }) => offset + 4 <= lead.byteLength && lead.getUint32(offset, true) === word,
  );
  return found && `${found.what}, and ${X86_ONLY}`;
}

/**
 * Finds out what kind of kernel a file is, and checks it as far as that needs no guest memory.
 *
 * @throws ConfigError when it is none that can be booted, with the reason
 */
export function inspectKernel(file: BootFile): KernelImage {
  const lead = file.bytes(0, Math.min(LEAD_SIZE, file.sizeBytes), 'its beginning');
  if (isElf(lead)) return inspectElf(file);
  if (isBzImage(lead)) return inspectBzImage(file);
  const mistaken = MISTAKEN.find(
    ({ magic }) =>
      magic.length <= lead.byteLength && magic.every((byte, i) => lead.getUint8(i) === byte),
  );
  const why =
    mistaken?.what ??
    describeImage(lead) ??
    describePe(file, lead) ??
    'neither a 64-bit ELF file nor a Linux bzImage';
  throw file.refuse(`not a kernel: ${why}`);
}
