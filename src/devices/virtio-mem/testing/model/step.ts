import type { AnyRequest } from './any-request.ts';
import type { BlockModel } from './block-model.ts';
import type { Fault, FaultCall } from './faults.ts';
import type { Random } from './random.ts';

export type Malformed = 'short request' | 'short response' | 'unknown type';

/** What happens to a device, as plain data: a list of steps can be printed and run again. */
export type Step =
  | { readonly do: 'request'; readonly request: AnyRequest; readonly faults: readonly Fault[] }
  | { readonly do: 'burst'; readonly requests: readonly AnyRequest[] }
  | { readonly do: 'malformed'; readonly how: Malformed }
  | { readonly do: 'resize'; readonly bytes: number }
  | { readonly do: 'driver-reset' }
  | { readonly do: 'system-reset'; readonly faults: readonly Fault[] }
  | {
      readonly do: 'interrupted';
      readonly request: AnyRequest;
      /** Turns of the event loop that the device has until the reset. */
      readonly turns: number;
      readonly by: 'driver-reset' | 'system-reset';
      /** What the driver asks as soon as it is back. */
      readonly next: AnyRequest;
    }
  | { readonly do: 'write'; readonly block: number; readonly value: number }
  | { readonly do: 'listener' }
  | { readonly do: 'hold' };

const CALLS: readonly FaultCall[] = [
  'protect',
  'populate',
  'secure',
  'discard',
  'zero',
  'set-memslot',
  'delete-memslots',
  'delete-memslot',
  'listener',
];

const UNDO_CALLS: readonly FaultCall[] = ['discard', 'zero', 'delete-memslots'];

function randomFaults(random: Random): readonly Fault[] {
  if (!random.once(3)) return [];
  const fault = (): Fault => ({
    call: random.pick(CALLS),
    skip: random.pick([0, 0, 0, 1, 2, 5]),
    half: random.once(3),
    code: random.pick(['ENOMEM', 'ENOMEM', 'EIO'] as const),
  });
  if (!random.once(4)) return [fault()];
  // The second may meet what undoes the first.
  return [fault(), random.once(2) ? fault() : { ...fault(), call: random.pick(UNDO_CALLS) }];
}

/** Likely to be valid, but by no means always. */
function randomRequest(random: Random, model: BlockModel): AnyRequest {
  const type = random.pick([
    ...(['plug', 'plug', 'plug', 'unplug', 'unplug', 'unplug', 'state'] as const),
    ...(random.once(4) ? (['unplug-all'] as const) : []),
  ]);
  if (type === 'unplug-all') return { type, addr: 0, count: 0 };
  const { blockSize, blocks } = model.shape;
  const runs = model.runs(type === 'unplug' || (type === 'state' && random.once(2)));
  if (runs.length === 0 || random.once(12)) return { type, ...randomRange(random, model) };
  const [start, length] = random.pick(runs);
  const first = start + random.below(length);
  const room = Math.min(start + length - first, Math.max(1, random.pick([1, 2, 5, blocks])));
  const count = 1 + random.below(room) + (random.once(15) ? 1 : 0);
  return { type, addr: model.base + first * blockSize, count };
}

function randomRange(random: Random, model: BlockModel): { addr: number; count: number } {
  const { blockSize, blocks } = model.shape;
  const addr = random.pick([
    model.base + random.below(blocks + 2) * blockSize,
    model.base + random.below(blocks) * blockSize + 4096,
    model.base - blockSize,
    model.base + model.usable,
    0,
    2 ** 53 + model.base,
    2 ** 63,
    2 ** 64 - blockSize,
  ]);
  return { addr, count: random.pick([0, 1, 2, random.below(blocks + 3), 65_535]) };
}

function randomSize(random: Random, model: BlockModel): number {
  const { blockSize, blocks } = model.shape;
  const size = random.below(blocks + 1) * blockSize;
  if (random.once(12)) return random.pick([size + 4096, (blocks + 1) * blockSize]);
  return random.once(6) ? 0 : size;
}

export function randomStep(random: Random, model: BlockModel): Step {
  const dice = random.below(100);
  if (dice < 55) {
    return { do: 'request', request: randomRequest(random, model), faults: randomFaults(random) };
  }
  if (dice < 63) {
    const requests = Array.from({ length: 2 + random.below(6) }, () =>
      randomRequest(random, model),
    );
    return { do: 'burst', requests };
  }
  if (dice < 74) {
    const block = random.below(model.shape.blocks);
    return { do: 'write', block, value: 1 + random.below(2 ** 31) };
  }
  if (dice < 84) return { do: 'resize', bytes: randomSize(random, model) };
  if (dice < 88) return { do: 'driver-reset' };
  if (dice < 90) return { do: 'system-reset', faults: randomFaults(random) };
  if (dice < 92) {
    const how = random.pick(['short request', 'short response', 'unknown type'] as const);
    return { do: 'malformed', how };
  }
  if (dice < 94) return { do: 'listener' };
  if (dice < 96) return { do: 'hold' };
  return {
    do: 'interrupted',
    request: randomRequest(random, model),
    turns: random.below(4),
    by: random.pick(['driver-reset', 'driver-reset', 'system-reset'] as const),
    next: randomRequest(random, model),
  };
}
