import { MEMORY_POLICIES } from '../schema/memory-commands.ts';
import type { AddressSpaceInfo, MemoryDeviceInfo, RegionInfo } from '../../machine/control.ts';
import { NO_BALLOON } from '../../monitor/commands/balloon.ts';
import { devicePath } from '../../machine/memory-objects.ts';
import { QmpError } from '../error.ts';
import type { ReturnOf } from '../schema/commands.ts';
import { checkRange } from './arguments.ts';
import type { Handlers } from './handler.ts';

/** Pieces that a device is cut into, by default and at most. */
const CELLS = { usual: 64, most: 4096 } as const;

type Region = ReturnOf<'x-tsvmm-query-mtree'>[number]['regions'][number];

type Details = ReturnOf<'x-tsvmm-query-memory-devices'>[number];

const REQUESTS = ['plug', 'unplug', 'unplug-all', 'state'] as const;

function describeDetails({ id, details }: MemoryDeviceInfo): Details {
  const { usableSize, memslots, convergence, protection, answers, ...more } = details();
  const { kind, cause, forMs } = convergence;
  return {
    id,
    'qom-path': devicePath(id),
    'usable-size': usableSize,
    memslots: { ...memslots },
    convergence: { reason: kind, cause, for: Math.round(forMs) },
    nudges: more.nudges,
    'held-requests': more.heldRequests,
    protection: {
      enabled: protection.isOn,
      'unprotected-blocks': protection.unprotectedBlocks,
      violations: protection.violations,
      'zero-reads': protection.zeroReads,
    },
    requests: { ...answers },
    latencies: REQUESTS.map((request) => {
      const { count, medianNs, p99Ns, maxNs } = more.latencies[request];
      return { request, count, median: Math.round(medianNs), p99: Math.round(p99Ns), max: maxNs };
    }),
  };
}

/** A region and what is in it, in the order of the tree. */
function flatten(region: RegionInfo, depth: number): readonly Region[] {
  const { children = [], memory, ...rest } = region;
  const { backend, offset } = memory ?? {};
  const described: Region = {
    depth,
    ...rest,
    ...(backend !== undefined && { memdev: backend }),
    ...(offset !== undefined && { offset }),
  };
  return [described, ...children.flatMap((child) => flatten(child, depth + 1))];
}

const describeSpace = ({ name, root }: AddressSpaceInfo) => ({ name, regions: flatten(root, 0) });

/** `0-2,5` as a list of numbers. */
function nodeList(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(',').flatMap((run) => {
    const [first = 0, last = first] = run.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

function refuseBalloon(): never {
  throw new QmpError('DeviceNotActive', NO_BALLOON);
}

const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);

export const memoryHandlers: Handlers<
  | 'query-memory-devices'
  | 'x-tsvmm-query-memory-devices'
  | 'query-memory-size-summary'
  | 'query-balloon'
  | 'balloon'
  | 'query-memdev'
  | 'x-tsvmm-query-memslots'
  | 'x-tsvmm-query-memory-map'
  | 'x-tsvmm-query-mtree'
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

  'x-tsvmm-query-memory-devices': (_args, { control }) =>
    control.memoryDevices().map(describeDetails),

  'query-memory-size-summary': (_args, { control }) => {
    const ram = control.memslots().slots.filter((it) => it.isBootMemory);
    return {
      'base-memory': sum(ram.map(({ size }) => size)),
      'plugged-memory': sum(control.memoryDevices().map(({ size }) => size)),
    };
  },

  'query-balloon': refuseBalloon,
  balloon: refuseBalloon,

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

  'x-tsvmm-query-memslots': (_args, { control }) => {
    const { slots, limit, metadata } = control.memslots();
    const { nowBytes, staticBytes, whenNesting, basis } = metadata;
    return {
      slots: slots.map(({ id, gpa, size, device }) => ({ id, gpa, size, owner: device })),
      limit,
      metadata: {
        now: nowBytes,
        static: staticBytes,
        'nesting-now': whenNesting.nowBytes,
        'nesting-static': whenNesting.staticBytes,
        basis,
      },
    };
  },

  'x-tsvmm-query-memory-map': async ({ id, cells = CELLS.usual }, { control }) => {
    const most = checkRange('cells', cells, 1, CELLS.most);
    const map = await (await control.inspect()).memoryMap(id, most);
    return {
      id: map.id,
      memaddr: map.memaddr,
      size: map.size,
      'block-size': map.blockSize,
      'plugged-size': map.pluggedSize,
      'usable-size': map.usableSize,
      'window-size': map.windowSize,
      windows: map.windows,
      'active-windows': map.activeWindows,
      memslots: map.memslots,
      'cell-size': map.cellSize,
      cells: map.cells.map(({ plugged, resident, mapped }) => ({ plugged, resident, mapped })),
    };
  },

  'x-tsvmm-query-mtree': (_args, { control }) => control.addressSpaces().map(describeSpace),
};
