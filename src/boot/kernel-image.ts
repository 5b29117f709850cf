import type { BootFile } from './boot-file.ts';
import { type BzImage, inspectBzImage, isBzImage } from './bzimage.ts';
import { inspectElf, isElf, type PvhImage } from './elf.ts';

/** A kernel file whose headers have been read and checked; nothing is loaded yet. */
export type KernelImage = PvhImage | BzImage;

const LEAD_SIZE = 0x206;

/** Formats that people hand over by mistake. */
const MISTAKEN = [
  { magic: [0x1f, 0x8b], what: 'gzip-compressed: decompress it first' },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'xz-compressed: decompress it first' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: 'zstd-compressed: decompress it first' },
] as const;

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
  const why = mistaken?.what ?? 'neither a 64-bit ELF file nor a Linux bzImage';
  throw file.refuse(`not a kernel: ${why}`);
}
