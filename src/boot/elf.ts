import { readU64 } from '../bytes.ts';
import { hex } from '../units.ts';
import type { BootFile } from './boot-file.ts';
import { readKernelNotes } from './elf-notes.ts';
import { COMMAND_LINE_AREA } from './low-memory.ts';

/** A `PT_LOAD` segment that takes memory. */
export interface LoadSegment {
  /** Index among the program headers, for messages. */
  readonly index: number;
  readonly fileOffset: number;
  /** Bytes; the rest up to `memorySize` is zero. */
  readonly fileSize: number;
  readonly gpa: number;
  readonly memorySize: number;
}

/** An ELF file with a PVH entry point. */
export interface PvhImage {
  readonly format: 'pvh';
  readonly file: BootFile;
  /** gpa below 4 GiB, in one of the segments. */
  readonly entry: number;
  /** By address; none overlaps another. */
  readonly segments: readonly LoadSegment[];
  /** Bytes, the terminating zero not counted. */
  readonly commandLineLimit: number;
}

const ELF_MAGIC = 0x7f45_4c46;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
const FILE_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
/** More than any kernel has. */
const PROGRAM_HEADER_LIMIT = 1024;
const ENTRY_LIMIT = 2 ** 32;
/**
 * What Linux takes, the terminating zero not counted (COMMAND_LINE_SIZE of x86). Unlike a bzImage a
 * vmlinux does not say it, and one that is given more ends before it has a console.
 */
const LINUX_COMMAND_LINE = 2047;

interface ProgramHeader {
  readonly index: number;
  readonly type: number;
  readonly offset: number;
  readonly paddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

export function isElf(lead: DataView): boolean {
  return lead.byteLength >= 4 && lead.getUint32(0) === ELF_MAGIC;
}

/** Names of machines that others run on (ELF gABI, e_machine); what is not here goes by its number. */
const MACHINES: Readonly<Record<number, string>> = {
  3: '32-bit x86',
  8: 'MIPS',
  20: '32-bit PowerPC',
  21: 'PowerPC',
  22: 's390',
  40: '32-bit ARM',
  43: 'SPARC',
  183: 'arm64',
  243: 'RISC-V',
  258: 'LoongArch',
};

function checkFileHeader(file: BootFile, header: DataView): void {
  const isLittle = header.getUint8(5) === ELFDATA2LSB;
  const machine = header.getUint16(18, isLittle);
  const name = MACHINES[machine] ?? 'another processor';
  if (header.getUint8(4) !== ELFCLASS64) {
    throw file.refuse(`a 32-bit ELF file (for ${name}); a 64-bit one for x86-64 is needed`);
  }
  const type = header.getUint16(16, true);
  if (!isLittle || machine !== EM_X86_64) {
    throw file.refuse(
      `an ELF file for ${name} (machine ${machine}); one for x86-64 (${EM_X86_64}) is needed`,
    );
  }
  if (type !== ET_EXEC && type !== ET_DYN) {
    throw file.refuse(`an ELF file of type ${type}, not an executable`);
  }
}

function readProgramHeaders(file: BootFile): readonly ProgramHeader[] {
  const header = file.bytes(0, FILE_HEADER_SIZE, 'the ELF header');
  checkFileHeader(file, header);
  const start = readU64(header, 32);
  const size = header.getUint16(54, true);
  const count = header.getUint16(56, true);
  if (count === 0) throw file.refuse('an ELF file without program headers');
  if (size !== PROGRAM_HEADER_SIZE || count > PROGRAM_HEADER_LIMIT) {
    const limits = `at most ${PROGRAM_HEADER_LIMIT} of ${PROGRAM_HEADER_SIZE} bytes`;
    throw file.refuse(`${count} program headers of ${size} bytes; ${limits} can be read`);
  }
  const table = file.bytes(start, count * size, 'the table of program headers');
  return Array.from({ length: count }, (_, index) => {
    const at = index * PROGRAM_HEADER_SIZE;
    return {
      index,
      type: table.getUint32(at, true),
      offset: readU64(table, at + 8),
      paddr: readU64(table, at + 24),
      filesz: readU64(table, at + 32),
      memsz: readU64(table, at + 40),
      align: readU64(table, at + 48),
    };
  });
}

function loadSegment(file: BootFile, header: ProgramHeader): LoadSegment {
  const { index, offset, filesz, memsz, paddr } = header;
  if (filesz > memsz) {
    throw file.refuse(`segment ${index} has ${filesz} bytes in the file, ${memsz} in memory`);
  }
  if (offset + filesz > file.sizeBytes) throw file.truncated(`segment ${index}`, offset + filesz);
  return { index, fileOffset: offset, fileSize: filesz, gpa: paddr, memorySize: memsz };
}

function refuseOverlaps(file: BootFile, segments: readonly LoadSegment[]): void {
  for (const [i, { index, gpa }] of segments.entries()) {
    const before = segments[i - 1];
    if (before === undefined || before.gpa + before.memorySize <= gpa) continue;
    throw file.refuse(`segments ${before.index} and ${index} overlap at ${hex(gpa)}`);
  }
}

/** @throws ConfigError when the file is truncated or contradicts itself, or has no PVH entry */
export function inspectElf(file: BootFile): PvhImage {
  const headers = readProgramHeaders(file);
  const segments = headers
    .filter(({ type, memsz }) => type === PT_LOAD && memsz > 0)
    .map((header) => loadSegment(file, header))
    .sort((a, b) => a.gpa - b.gpa);
  if (segments.length === 0) throw file.refuse('an ELF file with nothing to load');
  refuseOverlaps(file, segments);
  const notes = headers.filter(({ type }) => type === PT_NOTE);
  const { pvhEntry: entry, isLinux } = readKernelNotes(file, notes);
  if (entry === undefined) {
    throw file.refuse(
      'an ELF file without a PVH entry point (note "Xen", type 18): ' +
        'a Linux vmlinux has it with CONFIG_PVH=y, or give its bzImage',
    );
  }
  const holder = segments.find(({ gpa, memorySize }) => gpa <= entry && entry < gpa + memorySize);
  if (entry >= ENTRY_LIMIT || holder === undefined) {
    throw file.refuse(`its PVH entry point ${hex(entry)} is in no segment below 4 GiB`);
  }
  const commandLineLimit = isLinux ? LINUX_COMMAND_LINE : COMMAND_LINE_AREA - 1;
  return { format: 'pvh', file, entry, segments, commandLineLimit };
}
