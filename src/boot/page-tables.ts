import { writeU64 } from '../bytes.ts';
import { GIB, MIB, PAGE_SIZE } from '../units.ts';

const PRESENT_WRITABLE = 3;
const LARGE_PAGE = 1 << 7;
const LARGE_PAGE_SIZE = 2 * MIB;
const ENTRY_SIZE = 8;
const MAPPED_GIB = 4;

/**
 * Page tables that map the first 4 GiB one to one with pages of 2 MiB, which every processor with
 * long mode knows: the top level, one page directory pointer table, four page directories.
 *
 * @param base  gpa that they will be written to, page-aligned
 */
export function identityPageTables(base: number): Uint8Array {
  const pointers = PAGE_SIZE;
  const directories = 2 * PAGE_SIZE;
  const tables = new Uint8Array(directories + MAPPED_GIB * PAGE_SIZE);
  const view = new DataView(tables.buffer);
  writeU64(view, 0, base + pointers + PRESENT_WRITABLE);
  for (let i = 0; i < MAPPED_GIB; i += 1) {
    const directory = base + directories + i * PAGE_SIZE;
    writeU64(view, pointers + i * ENTRY_SIZE, directory + PRESENT_WRITABLE);
  }
  const pages = (MAPPED_GIB * GIB) / LARGE_PAGE_SIZE;
  for (let i = 0; i < pages; i += 1) {
    const entry = i * LARGE_PAGE_SIZE + LARGE_PAGE + PRESENT_WRITABLE;
    writeU64(view, directories + i * ENTRY_SIZE, entry);
  }
  return tables;
}
