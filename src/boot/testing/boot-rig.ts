import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ramRanges } from '../../memory/layout.ts';
import { MIB } from '../../units.ts';
import { type BootOptions, type BootResult, bootGuest } from '../boot-guest.ts';
import { ArrayMemory } from './array-memory.ts';

export const RSDP = 0xe_0000;
const USED = 32 * MIB;

/** A folder of made-up files, and guests booted from them. */
export class BootRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'tsvmm-boot-'));
  #memory = new ArrayMemory([]);

  /** Of the guest that was booted last. */
  get memory(): ArrayMemory {
    return this.#memory;
  }

  /** @returns the path */
  file(name: string, content: Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /**
   * Boots a guest whose first 32 MiB are full of 0xaa.
   *
   * @param ramSize  bytes
   */
  boot(
    ramSize: number,
    options: Pick<BootOptions, 'kernelPath' | 'initrdPath'> & { commandLine?: string },
  ): BootResult {
    const ram = ramRanges(ramSize);
    this.#memory = new ArrayMemory(ram);
    this.#memory.fill(0xaa, USED);
    return bootGuest({ memory: this.#memory, ram, commandLine: '', rsdp: RSDP, ...options });
  }

  view(gpa: number, length: number): DataView {
    const bytes = this.#memory.slice(gpa, length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Text up to its zero. */
  text(gpa: number): string {
    const bytes = Buffer.from(this.#memory.slice(gpa, 0x1_0000));
    return bytes.toString('utf8', 0, bytes.indexOf(0));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
