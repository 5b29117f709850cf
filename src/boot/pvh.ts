import { writeU64 } from '../bytes.ts';
import { initialCpuState } from './cpu-state.ts';
import type { PvhImage } from './elf.ts';
import {
  encodeCommandLine,
  type LoadedKernel,
  type LoadRequest,
  writeCommandLine,
  writeInitrd,
} from './load-request.ts';
import { START_INFO_AREA, START_INFO_BASE } from './low-memory.ts';
import { memoryMap, type MemoryMapEntry } from './memory-map.ts';
import { checkPlacement, type LoadedRange, lowRam, placeInitrd } from './placement.ts';

const START_MAGIC = 0x336e_c578;
const START_INFO_VERSION = 1;
const START_INFO_SIZE = 56;
const MODULE_SIZE = 32;
const MAP_ENTRY_SIZE = 24;

interface StartInfo {
  readonly commandLine: number;
  readonly rsdp: number;
  readonly initrd: LoadedRange | undefined;
  readonly map: readonly MemoryMapEntry[];
}

/**
 * `hvm_start_info` with the module list and the memory map behind it.
 *
 * @param base  gpa that it will be written to
 * @see Xen, public/arch-x86/hvm/start_info.h
 */
function buildStartInfo(base: number, info: StartInfo): Uint8Array {
  const modules = START_INFO_SIZE;
  const map = modules + MODULE_SIZE;
  const size = map + MAP_ENTRY_SIZE * info.map.length;
  if (size > START_INFO_AREA) throw new RangeError(`start info of ${size} bytes`);
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(0, START_MAGIC, true);
  view.setUint32(4, START_INFO_VERSION, true);
  writeU64(view, 24, info.commandLine);
  writeU64(view, 32, info.rsdp);
  writeU64(view, 40, base + map);
  view.setUint32(48, info.map.length, true);
  if (info.initrd !== undefined) {
    view.setUint32(12, 1, true); // modules
    writeU64(view, 16, base + modules);
    writeU64(view, modules, info.initrd.gpa);
    writeU64(view, modules + 8, info.initrd.size);
  }
  for (const [index, entry] of info.map.entries()) {
    const at = map + index * MAP_ENTRY_SIZE;
    writeU64(view, at, entry.gpa);
    writeU64(view, at + 8, entry.size);
    view.setUint32(at + 16, entry.type, true);
  }
  return new Uint8Array(view.buffer);
}

/** Copies the segments, their tails zeroed: after a reboot memory is not zero. */
function copySegments(image: PvhImage, { writer }: LoadRequest): void {
  for (const { index, fileOffset, fileSize, gpa, memorySize } of image.segments) {
    writer.copyFile(image.file, fileOffset, gpa, fileSize, `segment ${index}`);
    writer.zero(gpa + fileSize, memorySize - fileSize);
  }
}

/**
 * Loads an ELF kernel as the PVH boot ABI says: 32-bit protected mode, EBX at the start info.
 *
 * @throws ConfigError, with nothing written, when kernel, initrd or command line do not fit
 * @see Xen, x86/HVM direct boot ABI
 */
export function loadPvh(image: PvhImage, request: LoadRequest): LoadedKernel {
  const { writer, ram, rsdp } = request;
  const low = lowRam(ram);
  const extents = image.segments.map(({ index, gpa, memorySize }) => ({
    name: `segment ${index}`,
    start: gpa,
    end: gpa + memorySize,
  }));
  checkPlacement(image.file, ram, extents);
  const encoded = encodeCommandLine(request.commandLine, image.commandLineLimit);
  const place = placeInitrd(request.initrd, low.size, extents);

  copySegments(image, request);
  const initrd = writeInitrd(writer, place);
  const commandLine = writeCommandLine(writer, encoded);
  const info = { commandLine, rsdp, initrd, map: memoryMap(ram) };
  writer.write(START_INFO_BASE, buildStartInfo(START_INFO_BASE, info));
  const start = Math.min(...extents.map((extent) => extent.start));
  const end = Math.max(...extents.map((extent) => extent.end));
  return {
    cpu: initialCpuState('protected32', {
      rip: BigInt(image.entry),
      rbx: BigInt(START_INFO_BASE),
    }),
    kernel: { gpa: start, size: end - start },
    initrd,
  };
}
