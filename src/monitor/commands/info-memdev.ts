import type { MemoryBackendInfo } from '../../machine/control.ts';
import type { MonitorCommand } from '../command.ts';
import { lines } from '../text.ts';

function describeBackend(backend: MemoryBackendInfo): string[] {
  return [
    `memory backend: ${backend.id}`,
    `  size:  ${backend.size}`,
    `  merge: ${backend.merge}`,
    `  dump: ${backend.dump}`,
    `  prealloc: ${backend.prealloc}`,
    `  share: ${backend.share}`,
    `  reserve: ${backend.reserve}`,
    `  policy: ${backend.policy}`,
    `  host nodes: ${backend.hostNodes}`,
    ...backend.more.map(({ name, value }) => `  ${name}: ${String(value)}`),
  ];
}

export const infoMemdev: MonitorCommand = {
  name: 'info memdev',
  summary: 'show the memory backends, and what each can do',
  run: (_args, { control }) => lines([...control.memoryBackends().flatMap(describeBackend), '']),
};
