import type { GuestMemoryAccess } from '../memory/guest-memory.ts';
import type { RamRange } from '../memory/layout.ts';
import { BootFile } from './boot-file.ts';
import { type CpuMode, globalDescriptorTable, type InitialCpuState } from './cpu-state.ts';
import { DryWriter, GuestWriter } from './guest-writer.ts';
import { inspectKernel, type KernelImage } from './kernel-image.ts';
import { loadBzImage } from './linux64.ts';
import type { LoadedKernel, LoadRequest } from './load-request.ts';
import { GDT_BASE } from './low-memory.ts';
import type { LoadedRange } from './placement.ts';
import { loadPvh } from './pvh.ts';

export interface BootOptions {
  readonly memory: GuestMemoryAccess;
  /** Boot memory, as `ramRanges` gives it. */
  readonly ram: readonly RamRange[];
  readonly kernelPath: string;
  readonly initrdPath?: string | undefined;
  readonly commandLine: string;
  /** gpa of the ACPI root pointer. */
  readonly rsdp: number;
  /** Whether only to look if it could be loaded. */
  readonly dry?: boolean;
}

export interface BootResult {
  readonly format: KernelImage['format'];
  readonly entry: bigint;
  readonly mode: CpuMode;
  /** How the boot processor begins. */
  readonly cpu: InitialCpuState;
  /** What the kernel takes, from its first byte to its last. */
  readonly kernel: LoadedRange;
  readonly initrd: LoadedRange | undefined;
}

function load(image: KernelImage, request: LoadRequest): LoadedKernel {
  switch (image.format) {
    case 'pvh':
      return loadPvh(image, request);
    case 'bzimage':
      return loadBzImage(image, request);
  }
}

/**
 * Loads kernel, initrd and what they are told into guest memory. Every boot reads the files anew,
 * so a reboot is the same call again.
 *
 * @throws ConfigError when a file cannot be booted or does not fit; guest memory is untouched then,
 *   unless a file shrinks while it is being read
 */
export function bootGuest(options: BootOptions): BootResult {
  const { memory, ram, commandLine, rsdp, kernelPath, initrdPath } = options;
  const kernelFile = BootFile.open('kernel', kernelPath);
  let initrd: BootFile | undefined;
  try {
    if (initrdPath !== undefined) initrd = BootFile.open('initrd', initrdPath);
    const image = inspectKernel(kernelFile);
    const writer = options.dry === true ? new DryWriter(memory) : new GuestWriter(memory);
    const loaded = load(image, { writer, ram, initrd, commandLine, rsdp });
    const { mode, registers } = loaded.cpu;
    writer.write(GDT_BASE, globalDescriptorTable(mode));
    return { format: image.format, entry: registers.rip, mode, ...loaded };
  } finally {
    kernelFile.close();
    initrd?.close();
  }
}
