import { readU64 } from '../bytes.ts';
import { alignUp, formatSize, MIB } from '../units.ts';
import type { BootFile } from './boot-file.ts';

/** Where notes are, as a program header says. */
export interface NoteRange {
  readonly offset: number;
  /** Bytes. */
  readonly filesz: number;
  /** 8 or less usual values, which mean 4. */
  readonly align: number;
}

const NOTE_HEADER_SIZE = 12;
/** `Xen` and its zero, little-endian. */
const XEN_NAME = 0x006e_6558;
const XEN_NAME_SIZE = 4;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
/** Far more than notes take. */
const NOTES_LIMIT = MIB;

function readEntry(file: BootFile, notes: DataView, at: number, size: number): number {
  if (size === 4) return notes.getUint32(at, true);
  if (size === 8) return readU64(notes, at);
  throw file.refuse(`its PVH note has ${size} bytes, not 4 or 8`);
}

function findInRange(file: BootFile, range: NoteRange): number | undefined {
  if (range.filesz > NOTES_LIMIT) {
    const limit = formatSize(NOTES_LIMIT);
    throw file.refuse(`notes of ${formatSize(range.filesz)}; at most ${limit} are read`);
  }
  const notes = file.bytes(range.offset, range.filesz, 'its notes');
  const alignment = range.align === 8 ? 8 : 4;
  for (let at = 0; at + NOTE_HEADER_SIZE <= notes.byteLength; ) {
    const nameSize = notes.getUint32(at, true);
    const contentSize = notes.getUint32(at + 4, true);
    const type = notes.getUint32(at + 8, true);
    const name = at + NOTE_HEADER_SIZE;
    const content = alignUp(name + nameSize, alignment);
    if (content + contentSize > notes.byteLength) {
      throw file.refuse(`the note at byte ${range.offset + at} reaches past the end of the notes`);
    }
    const isXen = nameSize === XEN_NAME_SIZE && notes.getUint32(name, true) === XEN_NAME;
    if (isXen && type === XEN_ELFNOTE_PHYS32_ENTRY) {
      return readEntry(file, notes, content, contentSize);
    }
    at = alignUp(content + contentSize, alignment);
  }
  return undefined;
}

/**
 * Looks for the note that makes an ELF file a PVH kernel.
 *
 * @returns gpa of the 32-bit entry point; undefined when there is no such note
 * @throws ConfigError when the notes are truncated or malformed
 * @see Xen, x86/HVM direct boot ABI
 */
export function findPvhEntry(file: BootFile, ranges: readonly NoteRange[]): number | undefined {
  for (const range of ranges) {
    const entry = findInRange(file, range);
    if (entry !== undefined) return entry;
  }
  return undefined;
}
