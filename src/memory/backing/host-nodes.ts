import { readFileSync } from 'node:fs';

const HAS_MEMORY = '/sys/devices/system/node/has_memory';

/** What a list such as `0-2,5` names; empty where it is no such list. */
export function parseNumberList(text: string): readonly number[] {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    if (match === null) return [];
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first) return [];
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** Host NUMA nodes that have memory; a host without NUMA has node 0. */
export function memoryNodes(path = HAS_MEMORY): readonly number[] {
  try {
    return parseNumberList(readFileSync(path, 'utf8').trim());
  } catch {
    return [0];
  }
}
