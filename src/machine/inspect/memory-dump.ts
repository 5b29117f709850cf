import { constants, statSync, unlinkSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { claimantOf, claimFile } from '../../claimed-files.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import type { GuestMemory, MemoryRegion } from '../../memory/guest-memory.ts';
import { GIB, hex, KIB } from '../../units.ts';
import { describeAbsence } from './guest-reader.ts';
import type { MemoryBytes, SavedMemory } from './inspection.ts';

/** Bytes that are copied on the event loop at once, some tens of microseconds. */
const CHUNK = 256 * KIB;
/** Bytes of a device whose plugged runs are looked up at once. */
const SPAN = GIB;
const ZEROS = Buffer.alloc(CHUNK);

const { O_WRONLY, O_CREAT, O_NONBLOCK } = constants;

/** Where memory is saved to, and what gives that up: the end of the machine. */
export interface SaveTarget {
  readonly path: string;
  readonly signal: AbortSignal;
}

/** A regular file that takes memory at any place; what is not written stays a hole. */
class SparseFile {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #signal: AbortSignal;
  readonly #isNew: boolean;
  readonly #giveUpClaim: () => void;

  private constructor(file: FileHandle, { path, signal }: SaveTarget, isNew: boolean) {
    this.#file = file;
    this.#path = path;
    this.#signal = signal;
    this.#isNew = isNew;
    this.#giveUpClaim = claimFile('being saved to already', 'output', file.fd);
  }

  /** Opens and empties it. @throws (rejects with) ConfigError, with nothing changed */
  static async open(target: SaveTarget): Promise<SparseFile> {
    const { path } = target;
    const isNew = statSync(path, { throwIfNoEntry: false }) === undefined;
    let file: FileHandle;
    try {
      // Guest memory is nobody else's business; a pipe without a reader must not hang us.
      file = await open(path, O_WRONLY | O_CREAT | O_NONBLOCK, 0o600);
    } catch (error) {
      throw cannotSave(path, error);
    }
    try {
      if (!(await file.stat()).isFile()) throw new Error('not a regular file');
      const claimant = claimantOf(file.fd);
      if (claimant !== undefined) throw new Error(`it is ${claimant}`);
      await file.truncate(0);
    } catch (error) {
      await file.close();
      throw cannotSave(path, error);
    }
    return new SparseFile(file, target, isNew);
  }

  /** Zeros are left out. @throws (rejects with) HostError when the machine has ended */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.checkAlive();
    if (ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0) return;
    try {
      let done = 0;
      while (done < bytes.length) {
        const left = bytes.length - done;
        done += (await this.#file.write(bytes, done, left, position + done)).bytesWritten;
      }
    } catch (error) {
      throw cannotSave(this.#path, error);
    }
  }

  /** @throws HostError */
  checkAlive(): void {
    if (!this.#signal.aborted) return;
    const message = `the machine has ended: ${this.#path} is not saved`;
    throw new HostError('MACHINE_ENDED', message);
  }

  /** Gives the file its size and closes it. Half of what was wanted is not kept, where time ran out. */
  async finish(size: number): Promise<void> {
    this.#giveUpClaim();
    try {
      await this.#file.truncate(this.#signal.aborted ? 0 : size);
      if (this.#signal.aborted && this.#isNew) await this.#remove();
    } catch (error) {
      throw cannotSave(this.#path, error);
    } finally {
      await this.#file.close();
    }
  }

  async #remove(): Promise<void> {
    const { dev, ino } = await this.#file.stat();
    const now = statSync(this.#path, { throwIfNoEntry: false });
    if (now?.dev === dev && now.ino === ino) unlinkSync(this.#path);
  }
}

function cannotSave(path: string, cause: unknown): ConfigError {
  return new ConfigError('CANNOT_SAVE', `cannot save to ${path}: ${messageOf(cause)}`, { cause });
}

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Run {
  readonly gpa: number;
  readonly size: number;
}

/** What holds memory in one span of a region, now. */
function runsIn(region: MemoryRegion, from: number, end: number): readonly Run[] {
  if (region.discards === undefined) return [{ gpa: region.gpa + from, size: end - from }];
  const runs: Run[] = [];
  region.discards.replayPopulated(from, end - from, (offset, length) => {
    runs.push({ gpa: region.gpa + offset, size: length });
  });
  return runs;
}

/** Saves a range; see MachineInspection.savePhysical. */
export async function savePhysical(
  memory: GuestMemory,
  gpa: number,
  size: number,
  target: SaveTarget,
): Promise<SavedMemory> {
  const end = gpa + size;
  const regions = memory.regions.filter((it) => gpa < it.gpa + it.size && it.gpa < end);
  const isPopulated = regions.some((region) => {
    const from = Math.max(0, gpa - region.gpa);
    return region.discards === undefined || holdsMemory(region, from, end - region.gpa);
  });
  if (!isPopulated) {
    const why = describeAbsence(memory, gpa);
    throw new ConfigError('NO_MEMORY', `${hex(gpa)} to ${hex(end)}: nothing to save: ${why}`);
  }
  const file = await SparseFile.open(target);
  let saved = 0;
  try {
    for (const region of regions) saved += await saveRegion(memory, region, { gpa, end }, file);
  } finally {
    await file.finish(size);
  }
  return { saved, holes: size - saved };
}

function holdsMemory(region: MemoryRegion, from: number, end: number): boolean {
  return runsIn(region, from, Math.min(end, region.size)).length > 0;
}

async function saveRegion(
  memory: GuestMemory,
  region: MemoryRegion,
  range: { readonly gpa: number; readonly end: number },
  file: SparseFile,
): Promise<number> {
  const end = Math.min(region.size, range.end - region.gpa);
  const chunk = Math.min(CHUNK, region.discards?.granularity ?? CHUNK);
  const toFile = { base: range.gpa, file };
  let saved = 0;
  for (let from = Math.max(0, range.gpa - region.gpa); from < end; from += SPAN) {
    toFile.file.checkAlive();
    for (const run of runsIn(region, from, Math.min(end, from + SPAN))) {
      saved += await saveRun(memory, run, chunk, toFile);
    }
    await breathe();
  }
  return saved;
}

/** A reset may unplug what was plugged a moment ago, though nobody else may: then that is a hole. */
async function saveRun(
  memory: GuestMemory,
  run: Run,
  chunk: number,
  toFile: { readonly base: number; readonly file: SparseFile },
): Promise<number> {
  const { base, file } = toFile;
  const buffer = new Uint8Array(chunk);
  const end = run.gpa + run.size;
  let saved = 0;
  let gpa = run.gpa;
  while (gpa < end) {
    // Chunks end where blocks may end, so that none is lost with its neighbour.
    file.checkAlive();
    const bytes = buffer.subarray(0, Math.min(end - gpa, chunk - (gpa % chunk)));
    if (memory.read(gpa, bytes, bytes.length)) {
      await file.write(bytes, gpa - base);
      saved += bytes.length;
      await breathe();
    }
    gpa += bytes.length;
  }
  return saved;
}

/**
 * Saves virtual memory; see MachineInspection.saveVirtual.
 *
 * @param read  reads up to a chunk, with the vCPU at rest
 */
export async function saveVirtual(
  read: (address: bigint, length: number) => Promise<MemoryBytes>,
  address: bigint,
  size: number,
  target: SaveTarget,
): Promise<SavedMemory> {
  const { path } = target;
  const file = await SparseFile.open(target);
  let saved = 0;
  try {
    while (saved < size) {
      file.checkAlive();
      const at = BigInt.asUintN(64, address + BigInt(saved));
      const { bytes, endsBecause } = await read(at, Math.min(CHUNK, size - saved));
      await file.write(bytes, saved);
      saved += bytes.length;
      if (endsBecause === undefined) continue;
      const where = hex(BigInt.asUintN(64, address + BigInt(saved)));
      const message = `${where}: ${endsBecause}; ${path} has the ${saved} bytes before it`;
      throw new ConfigError('NO_MEMORY', message);
    }
  } finally {
    await file.finish(saved);
  }
  return { saved, holes: 0 };
}
