import { ConfigError } from '../errors.ts';
import type { RamRange } from '../memory/layout.ts';
import type { BootFile } from './boot-file.ts';
import type { InitialCpuState } from './cpu-state.ts';
import type { GuestWriter } from './guest-writer.ts';
import { COMMAND_LINE_AREA, COMMAND_LINE_BASE } from './low-memory.ts';
import type { LoadedRange, PlacedInitrd } from './placement.ts';

/** What the loaders of both formats are given. */
export interface LoadRequest {
  readonly writer: GuestWriter;
  readonly ram: readonly RamRange[];
  readonly initrd: BootFile | undefined;
  readonly commandLine: string;
  /** gpa of the ACPI root pointer. */
  readonly rsdp: number;
}

/** What they have done. */
export interface LoadedKernel {
  readonly cpu: InitialCpuState;
  readonly kernel: LoadedRange;
  readonly initrd: LoadedRange | undefined;
}

/** Copies the initrd to its place. @returns where it is, as the kernel is told */
export function writeInitrd(
  writer: GuestWriter,
  initrd: PlacedInitrd | undefined,
): LoadedRange | undefined {
  if (initrd === undefined) return undefined;
  const { file, gpa, size } = initrd;
  writer.copyFile(file, 0, gpa, size, 'the initrd');
  return { gpa, size };
}

/**
 * Encodes the command line, its terminating zero included.
 *
 * @param limit  bytes that the kernel takes, the zero not counted
 * @throws ConfigError when it is longer, or has a zero in it
 */
export function encodeCommandLine(text: string, limit: number): Uint8Array {
  const bytes = Buffer.from(`${text}\0`, 'utf8');
  const longest = Math.min(limit, COMMAND_LINE_AREA - 1);
  if (bytes.length - 1 > longest) {
    const numbers = `${bytes.length - 1} bytes, the kernel takes ${longest}`;
    throw new ConfigError('BAD_COMMAND_LINE', `the kernel command line has ${numbers}`);
  }
  if (bytes.indexOf(0) !== bytes.length - 1) {
    throw new ConfigError('BAD_COMMAND_LINE', 'the kernel command line has a zero byte in it');
  }
  return bytes;
}

/** @returns gpa */
export function writeCommandLine(writer: GuestWriter, encoded: Uint8Array): number {
  writer.write(COMMAND_LINE_BASE, encoded);
  return COMMAND_LINE_BASE;
}
