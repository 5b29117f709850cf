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
const XEN_ELFNOTE_GUEST_OS = 6;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
/** Far more than notes take. */
const NOTES_LIMIT = MIB;

interface Note {
  readonly name: string;
  readonly type: number;
  readonly content: DataView;
}

/** What the notes of an ELF file say of it. */
export interface KernelNotes {
  /** gpa of the 32-bit entry point; undefined when it is no PVH kernel. */
  readonly pvhEntry: number | undefined;
  /** Whether it is a Linux kernel, as far as one can tell. */
  readonly isLinux: boolean;
}

function readEntry(file: BootFile, { content }: Note): number {
  if (content.byteLength === 4) return content.getUint32(0, true);
  if (content.byteLength === 8) return readU64(content, 0);
  throw file.refuse(`its PVH note has ${content.byteLength} bytes, not 4 or 8`);
}

/** Bytes up to the first zero, as text. */
function textOf(bytes: DataView): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return text.split('\0', 1)[0] ?? '';
}

function* notesIn(file: BootFile, range: NoteRange): Generator<Note> {
  if (range.filesz > NOTES_LIMIT) {
    const limit = formatSize(NOTES_LIMIT);
    throw file.refuse(`notes of ${formatSize(range.filesz)}; at most ${limit} are read`);
  }
  const notes = file.bytes(range.offset, range.filesz, 'its notes');
  const slice = (at: number, size: number): DataView =>
    new DataView(notes.buffer, notes.byteOffset + at, size);
  const alignment = range.align === 8 ? 8 : 4;
  for (let at = 0; at + NOTE_HEADER_SIZE <= notes.byteLength; ) {
    const nameSize = notes.getUint32(at, true);
    const contentSize = notes.getUint32(at + 4, true);
    const name = at + NOTE_HEADER_SIZE;
    const content = alignUp(name + nameSize, alignment);
    if (content + contentSize > notes.byteLength) {
      throw file.refuse(`the note at byte ${range.offset + at} reaches past the end of the notes`);
    }
    yield {
      name: textOf(slice(name, nameSize)),
      type: notes.getUint32(at + 8, true),
      content: slice(content, contentSize),
    };
    at = alignUp(content + contentSize, alignment);
  }
}

/**
 * Reads the notes that say what kernel an ELF file is. Linux names itself in notes of its own, and in
 * Xen's where it was built for that.
 *
 * @throws ConfigError when the notes are truncated or malformed
 * @see Xen, x86/HVM direct boot ABI
 */
export function readKernelNotes(file: BootFile, ranges: readonly NoteRange[]): KernelNotes {
  let pvhEntry: number | undefined;
  let isLinux = false;
  for (const range of ranges) {
    for (const note of notesIn(file, range)) {
      const { name, type, content } = note;
      const isXen = name === 'Xen';
      if (isXen && type === XEN_ELFNOTE_PHYS32_ENTRY) pvhEntry ??= readEntry(file, note);
      isLinux ||= name === 'Linux';
      isLinux ||= isXen && type === XEN_ELFNOTE_GUEST_OS && textOf(content) === 'linux';
    }
  }
  return { pvhEntry, isLinux };
}
