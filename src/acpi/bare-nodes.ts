import { type Aml, device, integer, name, string } from './aml.ts';
import type { AcpiNuma } from './config.ts';
import { ascii, type Field, u32, u8, zeros } from './fields.ts';

/** A module device: a container for what a node has (ACPI 6.5 §9.11). */
const MODULE_HID = 'ACPI0004';
const ENABLED = 1;
const ACPI_HANDLE = 0;

/**
 * Nodes without processors that the tables have to name all the same. Linux counts nodes in the order
 * in which it meets them, first with processors and initiators, then with memory: a node that has
 * nothing at all, or is before one with processors, would be left out or come later, and those behind
 * it would have other numbers than here. Such a node has an initiator: an empty module.
 */
export function bareNodes({ cpuNodes, memory, distances }: AcpiNuma): readonly number[] {
  const withCpus = new Set(cpuNodes);
  const withMemory = new Set(memory.map(({ node }) => node));
  const nodes = distances.map((_, node) => node);
  const last = nodes.findLast((node) => withCpus.has(node) || !withMemory.has(node)) ?? -1;
  return nodes.filter((node) => node <= last && !withCpus.has(node));
}

/** ACPI 6.5 §5.2.16.6: the module below as the initiator of its node. */
export function initiator(node: number): Field {
  const handle = [ascii(MODULE_HID, 8), u32(node), zeros(4)];
  return [u8(5), u8(32), u8(0), u8(ACPI_HANDLE), u32(node), ...handle, u32(ENABLED), u32(0)].flat();
}

/** The module of a node, to be put into `\_SB`. */
export function nodeModule(node: number): Aml {
  const digits = node.toString(16).toUpperCase().padStart(3, '0');
  return device(`N${digits}`, [
    name('_HID', string(MODULE_HID)),
    name('_UID', integer(node)),
    name('_PXM', integer(node)),
  ]);
}
