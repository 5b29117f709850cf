import { writeU64 } from '../bytes.ts';
import { PAGE_SIZE } from '../units.ts';
import { type BzImage, ENTRY_OFFSET, SETUP_HEADER } from './bzimage.ts';
import { initialCpuState } from './cpu-state.ts';
import {
  encodeCommandLine,
  type LoadedKernel,
  type LoadRequest,
  writeCommandLine,
  writeInitrd,
} from './load-request.ts';
import { BOOT_PARAMS_BASE, PAGE_TABLE_BASE } from './low-memory.ts';
import { memoryMap, type MemoryMapEntry } from './memory-map.ts';
import { identityPageTables } from './page-tables.ts';
import { checkPlacement, type LoadedRange, lowRam, placeInitrd } from './placement.ts';

/** Offsets in boot_params (Linux, Documentation/arch/x86/zero-page.rst). */
const ACPI_RSDP_ADDR = 0x070;
const E820_ENTRIES = 0x1e8;
const VID_MODE = 0x1fa;
const TYPE_OF_LOADER = 0x210;
const LOADFLAGS = 0x211;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const CMD_LINE_PTR = 0x228;
const SETUP_DATA = 0x250;
const E820_TABLE = 0x2d0;
const E820_ENTRY_SIZE = 20;
const E820_LIMIT = 128;

const LOADER_UNDEFINED = 0xff;
const CAN_USE_HEAP = 1 << 7;
const VIDEO_NORMAL = 0xffff;

interface BootParams {
  readonly setupHeader: Uint8Array;
  readonly commandLine: number;
  readonly rsdp: number;
  readonly initrd: LoadedRange | undefined;
  readonly map: readonly MemoryMapEntry[];
}

function buildBootParams(params: BootParams): Uint8Array {
  const { map, initrd } = params;
  if (map.length > E820_LIMIT) throw new RangeError(`memory map of ${map.length} entries`);
  const page = new Uint8Array(PAGE_SIZE);
  page.set(params.setupHeader, SETUP_HEADER);
  const view = new DataView(page.buffer);
  writeU64(view, ACPI_RSDP_ADDR, params.rsdp);
  view.setUint16(VID_MODE, VIDEO_NORMAL, true);
  view.setUint8(TYPE_OF_LOADER, LOADER_UNDEFINED);
  // The heap is for code that runs before the 64-bit entry.
  view.setUint8(LOADFLAGS, view.getUint8(LOADFLAGS) & ~CAN_USE_HEAP);
  view.setUint32(RAMDISK_IMAGE, initrd?.gpa ?? 0, true);
  view.setUint32(RAMDISK_SIZE, initrd?.size ?? 0, true);
  view.setUint32(CMD_LINE_PTR, params.commandLine, true);
  writeU64(view, SETUP_DATA, 0);
  view.setUint8(E820_ENTRIES, map.length);
  for (const [index, { gpa, size, type }] of map.entries()) {
    const at = E820_TABLE + index * E820_ENTRY_SIZE;
    writeU64(view, at, gpa);
    writeU64(view, at + 8, size);
    view.setUint32(at + 16, type, true);
  }
  return page;
}

/**
 * Loads a bzImage by the 64-bit boot protocol: long mode, RSI at boot_params.
 *
 * @throws ConfigError, with nothing written, when kernel, initrd or command line do not fit
 * @see Linux, Documentation/arch/x86/boot.rst
 */
export function loadBzImage(image: BzImage, request: LoadRequest): LoadedKernel {
  const { writer, ram, rsdp } = request;
  const low = lowRam(ram);
  const { loadAddress, memorySize } = image;
  const extent = { name: 'the kernel', start: loadAddress, end: loadAddress + memorySize };
  // Only the RAM below the hole is mapped at the entry.
  checkPlacement(image.file, [low], [extent]);
  const encoded = encodeCommandLine(request.commandLine, image.commandLineLimit);
  const limit = Math.min(low.size, image.initrdEnd);
  const place = placeInitrd(request.initrd, limit, [extent]);

  writer.copyFile(image.file, image.payloadOffset, loadAddress, image.payloadSize, 'the kernel');
  const initrd = writeInitrd(writer, place);
  const commandLine = writeCommandLine(writer, encoded);
  const { setupHeader } = image;
  const params = { setupHeader, commandLine, rsdp, initrd, map: memoryMap(ram) };
  writer.write(BOOT_PARAMS_BASE, buildBootParams(params));
  writer.write(PAGE_TABLE_BASE, identityPageTables(PAGE_TABLE_BASE));
  return {
    cpu: initialCpuState('long64', {
      rip: BigInt(loadAddress + ENTRY_OFFSET),
      rsi: BigInt(BOOT_PARAMS_BASE),
    }),
    kernel: { gpa: loadAddress, size: memorySize },
    initrd,
  };
}
