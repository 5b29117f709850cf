import { writeU64 } from '../../bytes.ts';

/*
 * Made-up kernels, byte for byte: right unless a test asks for something else.
 */

export interface FakeSegment {
  readonly paddr: number;
  readonly content: Uint8Array;
  /** Bytes in memory; default: as in the file. */
  readonly memsz?: number;
}

export interface FakeElf {
  readonly segments: readonly FakeSegment[];
  /** Content of the notes segment; undefined: no such segment. */
  readonly notes: Uint8Array | undefined;
  readonly notesAlign?: number;
}

export const ELF_PROGRAM_HEADERS = 64;
const PROGRAM_HEADER_SIZE = 56;
const PT_LOAD = 1;
const PT_NOTE = 4;

/** @param align  4 or 8 */
export function elfNote(name: string, type: number, content: Uint8Array, align = 4): Uint8Array {
  const padded = (size: number): number => Math.ceil(size / align) * align;
  const nameBytes = Buffer.from(`${name}\0`);
  const contentAt = padded(12 + nameBytes.length);
  const note = Buffer.alloc(contentAt + padded(content.length));
  note.writeUInt32LE(nameBytes.length, 0);
  note.writeUInt32LE(content.length, 4);
  note.writeUInt32LE(type, 8);
  note.set(nameBytes, 12);
  note.set(content, contentAt);
  return note;
}

/** @param size  of the address: 4 or 8 bytes */
export function pvhNote(entry: number, size = 4): Uint8Array {
  const content = Buffer.alloc(8);
  content.writeBigUInt64LE(BigInt(entry));
  return elfNote('Xen', 18, content.subarray(0, size));
}

/** The program header of segment i begins at ELF_PROGRAM_HEADERS + 56 * i, notes being last. */
export function makeElf({ segments, notes, notesAlign = 4 }: FakeElf): Buffer {
  const parts = segments.map(({ paddr, content, memsz }) => ({
    type: PT_LOAD,
    paddr,
    content,
    memsz: memsz ?? content.length,
  }));
  if (notes !== undefined) {
    parts.push({ type: PT_NOTE, paddr: 0, content: notes, memsz: notes.length });
  }
  const header = Buffer.alloc(ELF_PROGRAM_HEADERS + PROGRAM_HEADER_SIZE * parts.length);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  view.setUint32(0, 0x7f45_4c46);
  header.set([2, 1, 1], 4);
  view.setUint16(16, 2, true); // executable
  view.setUint16(18, 62, true); // x86-64
  writeU64(view, 32, ELF_PROGRAM_HEADERS);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, parts.length, true);
  let offset = header.length;
  for (const [i, { type, paddr, content, memsz }] of parts.entries()) {
    const at = ELF_PROGRAM_HEADERS + PROGRAM_HEADER_SIZE * i;
    view.setUint32(at, type, true);
    writeU64(view, at + 8, offset);
    writeU64(view, at + 24, paddr);
    writeU64(view, at + 32, content.length);
    writeU64(view, at + 40, memsz);
    writeU64(view, at + 48, type === PT_NOTE ? notesAlign : 4096);
    offset += content.length;
  }
  return Buffer.concat([header, ...parts.map(({ content }) => content)]);
}

export interface FakeBzImage {
  readonly setupSectors?: number;
  readonly version?: number;
  readonly xloadflags?: number;
  readonly loadflags?: number;
  readonly payload?: Uint8Array;
  readonly prefAddress?: number;
  readonly alignment?: number;
  readonly initSize?: number;
  readonly cmdlineSize?: number;
  readonly initrdAddrMax?: number;
  /** Byte 0x201. */
  readonly jump?: number;
}

export function makeBzImage(options: FakeBzImage = {}): Buffer {
  const payload = options.payload ?? Buffer.alloc(4096, 0x90);
  const sectors = options.setupSectors ?? 2;
  const setup = Buffer.alloc(512 * (1 + (sectors === 0 ? 4 : sectors)));
  setup.writeUInt8(sectors, 0x1f1);
  setup.writeUInt32LE(payload.length / 16, 0x1f4);
  setup.writeUInt16LE(0xaa55, 0x1fe);
  setup.writeUInt8(0xeb, 0x200);
  setup.writeUInt8(options.jump ?? 0x6a, 0x201);
  setup.write('HdrS', 0x202, 'ascii');
  setup.writeUInt16LE(options.version ?? 0x020f, 0x206);
  setup.writeUInt8(options.loadflags ?? 0x81, 0x211);
  setup.writeUInt32LE(options.initrdAddrMax ?? 0x7fff_ffff, 0x22c);
  setup.writeUInt32LE(options.alignment ?? 0x20_0000, 0x230);
  setup.writeUInt8(1, 0x234);
  setup.writeUInt16LE(options.xloadflags ?? 1, 0x236);
  setup.writeUInt32LE(options.cmdlineSize ?? 2047, 0x238);
  setup.writeBigUInt64LE(0xdead_0000n, 0x250);
  setup.writeBigUInt64LE(BigInt(options.prefAddress ?? 0x100_0000), 0x258);
  setup.writeUInt32LE(options.initSize ?? 0x10_0000, 0x260);
  return Buffer.concat([setup, payload]);
}
