import { afterEach, beforeEach, describe, it, vi } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { GIB, MIB } from '../../units.ts';
import { REGION_GPA as BASE } from './testing/device-rig.ts';
import { explore, replay } from './testing/model/explore.ts';
import type { Fault } from './testing/model/faults.ts';
import type { Shape } from './testing/model/shape.ts';
import type { AnyRequest } from './testing/model/any-request.ts';
import type { Step } from './testing/model/step.ts';

setLogLevel('silent');

/** Devices of the fixed list, each of its own shape; a night's worth with TSVMM_MODEL_DEVICES=10000. */
const DEVICES = Number(process.env['TSVMM_MODEL_DEVICES'] ?? 60);
const SEEDS = Array.from({ length: DEVICES }, (_, index) => index + 1);
/** Steps that each takes. */
const STEPS = 150;

// Reminders come with a configuration interrupt after seconds; here only resizes should.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a device behaves as the rules say', () => {
  it.each(SEEDS)('seed %d', (seed) => explore(seed, STEPS));

  const fresh = Date.now() % 2 ** 32;
  it(`with a new seed each time: ${fresh}`, () => explore(fresh, 2 * STEPS));
});

const SHAPE: Shape = {
  blockSize: 2 * MIB,
  blocks: 64,
  requestedBlocks: 64,
  dynamicMemslots: true,
  memslotSize: 8 * MIB,
  sharesMemslots: false,
  unpluggedInaccessible: 'on',
  protectUnplugged: true,
  prealloc: false,
  memory: 'private',
  mappings: 1000,
};

/** The same as one memslot that is always there. */
const STATIC: Shape = { ...SHAPE, dynamicMemslots: false, memslotSize: 0 };

const refuse = (call: Fault['call'], more: Partial<Fault> = {}): Fault => ({
  call,
  skip: 0,
  half: false,
  code: 'EIO',
  ...more,
});

function ask(type: AnyRequest['type'], block: number, count: number, ...faults: Fault[]): Step {
  const request = { type, addr: BASE + block * SHAPE.blockSize, count };
  return { do: 'request', request, faults };
}

/** Each was found by random steps once, and each took a fault of the host. */
describe('what the host refuses', () => {
  it('halfway through lifting protection leaves nothing accessible', () =>
    replay(SHAPE, [ask('plug', 8, 8, refuse('protect', { half: true }))]));

  it('when a range with gaps is protected leaves the gaps inaccessible', () =>
    replay(SHAPE, [
      ask('plug', 0, 1),
      ask('plug', 20, 1),
      ask('unplug-all', 0, 0, refuse('protect', { code: 'ENOMEM' })),
    ]));

  it('halfway through deleting memslots leaves all of them there', () =>
    replay(SHAPE, [
      ask('plug', 0, 16),
      ask('unplug-all', 0, 0, refuse('delete-memslots', { half: true })),
      ask('unplug', 0, 16),
    ]));

  it('twice, so that blocks are lost, lowers the plugged size, and their content is never seen', () =>
    replay({ ...SHAPE, protectUnplugged: false }, [
      ask('plug', 0, 2),
      { do: 'write', block: 0, value: 7 },
      ask('unplug', 0, 1, refuse('discard'), refuse('listener')),
      ask('plug', 0, 1),
    ]));

  it('twice, so that a memslot is left over, is made up for by UNPLUG_ALL', () =>
    replay(SHAPE, [
      ask('plug', 4, 1, refuse('listener'), refuse('delete-memslots')),
      ask('unplug-all', 0, 0),
    ]));

  it('to clean after a refused plug keeps what was there from whoever gets the memory next', () =>
    replay({ ...SHAPE, memory: 'zeroing' }, [
      ask('plug', 0, 2, refuse('listener'), refuse('zero', { skip: 1 })),
      ask('plug', 0, 2),
      { do: 'write', block: 0, value: 7 },
      ask('unplug', 0, 2),
      ask('plug', 0, 2),
    ]));

  it('to set aside is undone once cleaning is through', () =>
    replay({ ...SHAPE, memory: 'memfd' }, [
      ask('plug', 0, 8, refuse('listener'), refuse('discard')),
      ask('plug', 0, 8, refuse('secure', { half: true })),
      ask('plug', 0, 8),
    ]));

  it.each(['private', 'memfd', 'zeroing'] as const)(
    'after others have used %s memory leaves nothing of it, protected or not',
    async (memory) => {
      for (const protectUnplugged of [true, false]) {
        await replay({ ...STATIC, memory, protectUnplugged }, [
          ask('plug', 0, 1, refuse('listener')),
          ask('plug', 0, 1),
          { do: 'write', block: 0, value: 7 },
          ask('unplug', 0, 1),
          ask('plug', 0, 12, refuse('listener')),
          ask('plug', 0, 12),
        ]);
      }
    },
  );

  it('halfway through an unplug is set aside again', () =>
    replay({ ...SHAPE, memory: 'memfd' }, [
      ask('plug', 0, 8),
      ask('unplug', 0, 8, refuse('discard', { half: true })),
    ]));

  it('is no worse where memslots span several windows', () =>
    replay({ ...SHAPE, memslotSize: 2 * MIB, sharesMemslots: true }, [
      ask('plug', 0, 40),
      ask('plug', 48, 1, refuse('set-memslot')),
      ask('plug', 56, 4, refuse('listener')),
      ask('unplug', 8, 20, refuse('delete-memslots', { half: true })),
      ask('unplug', 8, 32, refuse('discard')),
      ask('unplug-all', 0, 0, refuse('delete-memslots', { half: true })),
      ask('unplug-all', 0, 0),
    ]));

  it('is no worse with blocks of a GiB', () =>
    replay({ ...SHAPE, blockSize: GIB, blocks: 4, requestedBlocks: 4, memslotSize: 0 }, [
      ask('plug', 0, 0),
      { do: 'burst', requests: [{ type: 'plug', addr: BASE, count: 3 }] },
      {
        do: 'request',
        request: { type: 'unplug', addr: BASE + GIB, count: 2 },
        faults: [refuse('discard', { half: true })],
      },
    ]));
});
