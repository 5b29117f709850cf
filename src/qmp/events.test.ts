import { describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import type { ConvergenceEvent, ViolationEvent } from '../machine/events.ts';
import { GIB } from '../units.ts';
import { useQmpRig, type QmpRig, type TestClient } from './testing/rig.ts';

setLogLevel('silent');
const rig = useQmpRig(0);

function sizeChanged({ events }: QmpRig, id: string, size: number): void {
  events.emit({ type: 'memory-device-size', id, size, path: `/machine/peripheral/${id}` });
}

/** Makes a client fall behind: it does not read, and answers fill its socket. */
async function hold(client: TestClient): Promise<void> {
  client.socket.pause();
  client.send('{"execute":"query-qmp-schema"}'.repeat(100));
  // What the server does for the one, it does no slower than many times as much for another.
  const other = await rig().ready();
  for (let round = 0; round < 500; round++) await other.ask('query-qmp-schema');
  other.socket.destroy();
}

const vm1 = { id: 'vm1', path: '/machine/peripheral/vm1' };
const stalled: ConvergenceEvent = {
  ...{ type: 'memory-device-convergence', ...vm1, state: 'stalled', reason: 'busy' },
  ...{ cause: 'the host is busy', size: 0, requestedSize: GIB },
};
const violation: ViolationEvent = {
  ...{ type: 'violation', ...vm1, vcpu: 0, gpa: GIB, rip: 0n },
  ...{ access: 'read', action: 'stop', count: 1 },
};

/** Lets everything happen that clients may hear of. @returns what a client has heard of */
async function hears(client: TestClient): Promise<readonly unknown[]> {
  const { events } = rig();
  events.emit(stalled);
  events.emit({ ...stalled, state: 'resumed' });
  events.emit({ ...stalled, state: 'converged' });
  events.emit(violation);
  events.emit({ type: 'stop' });
  const names: unknown[] = [];
  while (names.at(-1) !== 'STOP') names.push((await client.next())['event']);
  return names;
}

describe('events of our own', () => {
  it('reach nobody who has not asked for them', async () => {
    expect(await hears(await rig().ready())).toEqual(['STOP']);
    expect(await hears(await rig().ready('oob'))).toEqual(['STOP']);
  });

  it('reach who asks: every one, or those that are named', async () => {
    const client = await rig().ready();
    expect(await client.ask('x-tsvmm-enable-events')).toEqual({ return: {} });
    expect(await hears(client)).toEqual([
      'X_TSVMM_MEMORY_DEVICE_STALLED',
      'X_TSVMM_MEMORY_DEVICE_RESUMED',
      'X_TSVMM_MEMORY_DEVICE_CONVERGED',
      'X_TSVMM_MEMORY_DEVICE_VIOLATION',
      'STOP',
    ]);
    const events = ['X_TSVMM_MEMORY_DEVICE_VIOLATION'];
    await client.ask('x-tsvmm-enable-events', { events });
    expect(await hears(client)).toEqual([...events, 'STOP']);
    await client.ask('x-tsvmm-enable-events', { events: [] });
    expect(await hears(client)).toEqual(['STOP']);
  });

  it('are asked for by a client alone for itself', async () => {
    const asking = await rig().ready();
    const other = await rig().ready();
    await asking.ask('x-tsvmm-enable-events');
    expect(await hears(other)).toEqual(['STOP']);
  });

  it.each(['X_TSVMM_NONE', 'STOP'])('do not have %s among them', async (name) => {
    const client = await rig().ready();
    expect(await client.ask('x-tsvmm-enable-events', { events: [name] })).toMatchObject({
      error: { desc: `Parameter 'events[0]' does not accept value '${name}'` },
    });
    expect(await hears(client)).toEqual(['STOP']);
  });
});

describe('events', () => {
  it('go to every client that has negotiated, with a time', async () => {
    const clients = [await rig().ready(), await rig().ready()];
    const silent = await rig().connect();
    const before = Math.floor(Date.now() / 1000);
    rig().events.emit({ type: 'stop' });
    for (const client of clients) {
      const { timestamp, ...event } = await client.next();
      expect(event).toEqual({ event: 'STOP' });
      const { seconds, microseconds } = timestamp as Record<string, number>;
      expect(seconds).toBeGreaterThanOrEqual(before);
      expect(microseconds).toBeGreaterThanOrEqual(0);
      expect(microseconds).toBeLessThan(1_000_000);
    }
    expect(await silent.ask('qmp_capabilities')).toEqual({ return: {} });
  });

  it('carry their data', async () => {
    const client = await rig().ready();
    sizeChanged(rig(), 'vm0', 2 ** 52);
    expect(await client.next()).toMatchObject({
      event: 'MEMORY_DEVICE_SIZE_CHANGE',
      data: { id: 'vm0', size: 2 ** 52, 'qom-path': '/machine/peripheral/vm0' },
    });
  });

  it('about sizes wait for a client that does not read, the latest of each device', async () => {
    const client = await rig().ready();
    await hold(client);
    for (let size = 1; size <= 5_000; size++) sizeChanged(rig(), 'vm0', size);
    for (let size = 1; size <= 5_000; size++) sizeChanged(rig(), 'vm1', GIB + size);
    client.socket.resume();
    const events: unknown[] = [];
    while (events.length < 2) {
      const { event, data } = await client.next();
      if (event !== undefined) events.push(data);
    }
    expect(events).toMatchObject([{ size: 5_000 }, { size: GIB + 5_000 }]);
  });

  it('about violations and convergence wait too, the latest of each device', async () => {
    const client = await rig().ready();
    await client.ask('x-tsvmm-enable-events');
    await hold(client);
    const vm0 = { id: 'vm0', path: '/machine/peripheral/vm0' };
    const where = { vcpu: 0, gpa: GIB, rip: 2n ** 63n, access: 'read', action: 'stop' } as const;
    for (let count = 1; count <= 5_000; count++) {
      rig().events.emit({ type: 'violation', ...vm0, ...where, count });
      const sizes = { size: count, requestedSize: GIB };
      const why = { state: 'stalled', reason: 'busy', cause: 'the host is busy' } as const;
      rig().events.emit({ type: 'memory-device-convergence', ...vm0, ...why, ...sizes });
    }
    client.socket.resume();
    const events: unknown[] = [];
    while (events.length < 2) {
      const { event, data } = await client.next();
      if (event !== undefined) events.push(data);
    }
    expect(events).toMatchObject([{ count: 5_000, rip: 2n ** 63n }, { size: 5_000 }]);
  });

  it('cut off a client that misses too many of those that cannot wait', async () => {
    const client = await rig().ready();
    await hold(client);
    for (let round = 0; round < 129; round++) {
      rig().events.emit({ type: 'stop' });
      rig().events.emit({ type: 'resume' });
    }
    client.socket.resume();
    const messages = await client.rest();
    expect(messages.filter(({ event }) => event !== undefined)).toEqual([]);
  });

  it('stop with the server', async () => {
    const client = await rig().ready();
    await rig().server.close();
    rig().events.emit({ type: 'stop' });
    expect(await client.rest()).toEqual([]);
  });
});
