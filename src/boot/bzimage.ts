import { readU64 } from '../bytes.ts';
import { alignUp, hex, isPowerOfTwo, PAGE_SIZE } from '../units.ts';
import type { BootFile } from './boot-file.ts';
import { HIGH_MEMORY_BASE } from './low-memory.ts';

/** A Linux kernel that is entered by the 64-bit boot protocol. */
export interface BzImage {
  readonly format: 'bzimage';
  readonly file: BootFile;
  /** The setup header, from SETUP_HEADER on, as boot_params takes it over. */
  readonly setupHeader: Uint8Array;
  /** The protected-mode part: bytes of the file. */
  readonly payloadOffset: number;
  readonly payloadSize: number;
  /** gpa it is loaded to, at or above 1 MiB. */
  readonly loadAddress: number;
  /** RAM it needs from there on to unpack itself. */
  readonly memorySize: number;
  /** Bytes, the terminating zero not counted. */
  readonly commandLineLimit: number;
  /** Exclusive end of where the initrd may be. */
  readonly initrdEnd: number;
}

/** Offset of the setup header, in the file and in boot_params. */
export const SETUP_HEADER = 0x1f1;
/** Offset of what follows the setup header in boot_params. */
const SETUP_HEADER_LIMIT = 0x290;
/** The 64-bit entry point, counted from the start of the protected-mode part. */
export const ENTRY_OFFSET = 0x200;

const SECTOR_SIZE = 512;
const DEFAULT_SETUP_SECTORS = 4;
const BOOT_FLAG = 0xaa55;
const HDRS = 0x5372_6448;
const LOADED_HIGH = 1 << 0;
const XLF_KERNEL_64 = 1 << 0;
const OLDEST_PROTOCOL = 0x020c;
/** Size of the setup header of that protocol is up to here, as an offset. */
const OLDEST_HEADER_END = 0x268;
/** Unit of `syssize`. */
const PARAGRAPH = 16;

export function isBzImage(lead: DataView): boolean {
  return (
    lead.byteLength >= 0x206 &&
    lead.getUint16(0x1fe, true) === BOOT_FLAG &&
    lead.getUint32(0x202, true) === HDRS
  );
}

const versionText = (version: number): string =>
  `${version >> 8}.${String(version & 0xff).padStart(2, '0')}`;

function readSetupHeader(file: BootFile): DataView {
  const header = file.bytes(0, OLDEST_HEADER_END, 'the setup header');
  const version = header.getUint16(0x206, true);
  if (version < OLDEST_PROTOCOL) {
    const oldest = versionText(OLDEST_PROTOCOL);
    throw file.refuse(`boot protocol ${versionText(version)}; ${oldest} or later is needed`);
  }
  if ((header.getUint16(0x236, true) & XLF_KERNEL_64) === 0) {
    throw file.refuse('a 32-bit kernel; one with a 64-bit entry point is needed');
  }
  if ((header.getUint8(0x211) & LOADED_HIGH) === 0) {
    throw file.refuse('a kernel to be loaded below 1 MiB (zImage); a bzImage is needed');
  }
  return header;
}

/**
 * Where the protocol wants it: a kernel that is loaded below its preferred address moves itself
 * up to it, so no other place would need less RAM.
 */
function loadAddressOf(file: BootFile, header: DataView): number {
  const preferred = readU64(header, 0x258);
  const alignment = header.getUint32(0x230, true);
  if (preferred === 0) {
    if (!isPowerOfTwo(alignment)) {
      throw file.refuse(`its alignment ${hex(alignment)} is not a power of two`);
    }
    return alignUp(HIGH_MEMORY_BASE, Math.max(alignment, PAGE_SIZE));
  }
  if (preferred < HIGH_MEMORY_BASE) {
    const lowest = hex(HIGH_MEMORY_BASE);
    throw file.refuse(`its preferred address ${hex(preferred)} is below ${lowest}`);
  }
  return preferred;
}

/** @throws ConfigError when the file is truncated, too old, or not a 64-bit kernel */
export function inspectBzImage(file: BootFile): BzImage {
  const header = readSetupHeader(file);
  // Byte 0x201 is the distance of a jump over the header, from 0x202 on.
  const headerEnd = Math.min(0x202 + header.getUint8(0x201), SETUP_HEADER_LIMIT);
  if (headerEnd < OLDEST_HEADER_END) {
    throw file.refuse(`its setup header ends at ${hex(headerEnd)}, too early for its protocol`);
  }
  const setup = file.bytes(SETUP_HEADER, headerEnd - SETUP_HEADER, 'the setup header');
  const sectors = header.getUint8(SETUP_HEADER);
  const payloadOffset = SECTOR_SIZE * (1 + (sectors === 0 ? DEFAULT_SETUP_SECTORS : sectors));
  const payloadSize = PARAGRAPH * header.getUint32(0x1f4, true);
  if (payloadSize <= ENTRY_OFFSET) {
    throw file.refuse(`its protected-mode part has ${payloadSize} bytes, and no 64-bit entry`);
  }
  if (payloadOffset + payloadSize > file.sizeBytes) {
    throw file.truncated('the kernel', payloadOffset + payloadSize);
  }
  return {
    format: 'bzimage',
    file,
    setupHeader: new Uint8Array(setup.buffer),
    payloadOffset,
    payloadSize,
    loadAddress: loadAddressOf(file, header),
    memorySize: Math.max(payloadSize, header.getUint32(0x260, true)),
    commandLineLimit: header.getUint32(0x238, true),
    initrdEnd: header.getUint32(0x22c, true) + 1,
  };
}
