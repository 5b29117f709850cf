import { ConfigError } from '../../errors.ts';
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { hex, MIB, PAGE_SIZE } from '../../units.ts';
import type { MemoryBytes } from './inspection.ts';

/** Bytes that are read at once: copying them takes a fraction of a millisecond. */
export const READ_LIMIT = MIB;

/** Where a virtual address lies: undefined where nothing is mapped. */
export type Translate = (address: bigint) => number | undefined;

/** What is at an address that holds no memory, for people. */
export function describeAbsence(memory: GuestMemory, gpa: number): string {
  const region = memory.regions.find((it) => gpa >= it.gpa && gpa < it.gpa + it.size);
  return region === undefined ? 'no memory there' : `${region.name}: not plugged`;
}

function checkLength(length: number): void {
  if (Number.isSafeInteger(length) && length > 0 && length <= READ_LIMIT) return;
  throw new ConfigError('BAD_VALUE', `${length} bytes: from 1 to ${READ_LIMIT} are read at once`);
}

/** Reads page by page what holds memory. Nothing else is touched. */
export function readPhysical(memory: GuestMemory, gpa: number, length: number): MemoryBytes {
  return readPages(memory, length, gpa % PAGE_SIZE, (done) => gpa + done);
}

/**
 * The same by page tables. Runs without a pause, so that they stand still.
 *
 * @param address  64 bits; the range wraps around at their end
 */
export function readVirtual(
  memory: GuestMemory,
  translate: Translate,
  address: bigint,
  length: number,
): MemoryBytes {
  const place = (done: number): number | undefined =>
    translate(BigInt.asUintN(64, address + BigInt(done)));
  return readPages(memory, length, Number(address % BigInt(PAGE_SIZE)), place);
}

/** @param place  guest-physical address of the byte with this index */
function readPages(
  memory: GuestMemory,
  length: number,
  inPage: number,
  place: (done: number) => number | undefined,
): MemoryBytes {
  checkLength(length);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const piece = Math.min(length - done, PAGE_SIZE - ((inPage + done) % PAGE_SIZE));
    const gpa = place(done);
    if (gpa === undefined) return { bytes: bytes.subarray(0, done), endsBecause: 'not mapped' };
    if (!memory.read(gpa, bytes.subarray(done, done + piece), piece)) {
      const [usable, endsBecause] = readSmall(memory, gpa, bytes.subarray(done, done + piece));
      if (usable < piece) return { bytes: bytes.subarray(0, done + usable), endsBecause };
    }
    done += piece;
  }
  return { bytes };
}

/** A piece that is not all memory, or that begins in one region and ends in the next. */
function readSmall(
  memory: GuestMemory,
  gpa: number,
  target: Uint8Array,
): readonly [usable: number, endsBecause: string] {
  let usable = 0;
  while (usable < target.length && memory.read(gpa + usable, target.subarray(usable), 1)) usable++;
  return [usable, `${describeAbsence(memory, gpa + usable)} (${hex(gpa + usable)})`];
}
