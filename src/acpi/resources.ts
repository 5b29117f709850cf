import { type Aml, buffer } from './aml.ts';
import { type Field, u16, u32, u64, u8 } from './fields.ts';

/*
 * Resource descriptors, of which `_CRS` buffers are made (ACPI 6.5 §6.4).
 */

const END_TAG: Field = [0x79, 0];

/** Address space descriptors: the kind of resource. */
const MEMORY_RANGE = 0;
const IO_RANGE = 1;
const BUS_RANGE = 2;
/** A window that a bridge hands down, with both ends fixed. */
const PRODUCER_FIXED = 0b1100;
/** Both ISA and other ports. */
const ENTIRE_IO_RANGE = 3;
const READ_WRITE = 1;

export function resources(descriptors: readonly Field[]): Aml {
  return buffer([...descriptors.flat(), ...END_TAG]);
}

/** Ports at a fixed place, up to 255, decoded by 16 bits. */
export function ioPorts(base: number, count: number): Field {
  return [0x47, 1, ...u16(base), ...u16(base), ...u8(1), ...u8(count)];
}

/** An ISA interrupt, edge-triggered and active-high. */
export function isaInterrupt(irq: number): Field {
  return [0x22, ...u16(1 << irq)];
}

/** Read-write memory at a fixed place below 4 GiB. */
export function fixedMemory32(base: number, size: number): Field {
  return [0x86, ...u16(9), READ_WRITE, ...u32(base), ...u32(size)];
}

type Unsigned = (value: number) => Field;

interface Window {
  readonly base: number;
  readonly size: number;
}

function addressSpace(type: number, flags: number, unsigned: Unsigned, window: Window): Field {
  const last = window.base + window.size - 1;
  const granularity = 0;
  const translation = 0;
  const numbers = [granularity, window.base, last, translation, window.size];
  return [type, PRODUCER_FIXED, flags, ...numbers.map(unsigned).flat()];
}

function largeItem(tag: number, content: Field): Field {
  return [tag, ...u16(content.length), ...content];
}

export function busWindow(window: Window): Field {
  return largeItem(0x88, addressSpace(BUS_RANGE, 0, u16, window));
}

export function ioWindow(window: Window): Field {
  return largeItem(0x88, addressSpace(IO_RANGE, ENTIRE_IO_RANGE, u16, window));
}

/** Not cacheable, and not declared prefetchable, so that BARs of both kinds may go there. */
export function memoryWindow32(window: Window): Field {
  return largeItem(0x87, addressSpace(MEMORY_RANGE, READ_WRITE, u32, window));
}

export function memoryWindow64(window: Window): Field {
  return largeItem(0x8a, addressSpace(MEMORY_RANGE, READ_WRITE, u64, window));
}
