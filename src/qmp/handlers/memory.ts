import { MEMORY_POLICIES } from '../schema/commands.ts';
import type { Handlers } from './handler.ts';

/** `0-2,5` as a list of numbers. */
function nodeList(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(',').flatMap((run) => {
    const [first = 0, last = first] = run.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);

export const memoryHandlers: Handlers<
  'query-memory-devices' | 'query-memory-size-summary' | 'query-memdev'
> = {
  'query-memory-devices': (_args, { control }) =>
    control.memoryDevices().map((device) => ({
      type: device.type,
      data: {
        id: device.id,
        memaddr: device.memaddr,
        'requested-size': device.requestedSize,
        size: device.size,
        'max-size': device.maxSize,
        'block-size': device.blockSize,
        node: device.node,
        memdev: device.memdev,
      },
    })),

  'query-memory-size-summary': (_args, { control }) => {
    const ram = control.memslots().slots.filter(({ device }) => device === 'ram');
    return {
      'base-memory': sum(ram.map(({ size }) => size)),
      'plugged-memory': sum(control.memoryDevices().map(({ size }) => size)),
    };
  },

  'query-memdev': (_args, { control }) =>
    control.memoryBackends().map((backend) => ({
      id: backend.id,
      size: backend.size,
      merge: backend.merge,
      dump: backend.dump,
      prealloc: backend.prealloc,
      share: backend.share,
      reserve: backend.reserve,
      'host-nodes': nodeList(backend.hostNodes),
      policy: MEMORY_POLICIES.find((policy) => policy === backend.policy) ?? 'default',
    })),
};
