import { describe, expect, it } from 'vitest';
import { EventHub, type VmEvent } from './event-hub.ts';
import { EventStream } from './event-stream.ts';

const size = (id: string, bytes: number): VmEvent => ({
  type: 'memory-device-size',
  id,
  path: `/machine/peripheral/${id}`,
  size: bytes,
});
const violation = (count: number): VmEvent => ({
  ...{ type: 'violation', id: 'vm0', path: '/machine/peripheral/vm0', vcpu: 0 },
  ...{ gpa: 0x1000, rip: 0n, access: 'read', action: 'stop', count },
});

async function all(events: AsyncIterable<VmEvent>): Promise<readonly VmEvent[]> {
  const seen: VmEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

describe('EventStream', () => {
  it('gives what happens from then on, in order, up to the end', async () => {
    const hub = new EventHub();
    hub.emit({ type: 'powerdown' });
    const events = new EventStream(hub);
    hub.emit({ type: 'stop' });
    const seen = all(events);
    hub.emit({ type: 'resume' });
    hub.end();
    expect(await seen).toEqual([{ type: 'stop' }, { type: 'resume' }]);
  });

  it('answers those who wait, in their order', async () => {
    const hub = new EventHub();
    const events = new EventStream(hub);
    const waiting = [events.next(), events.next(), events.next()];
    hub.emit({ type: 'stop' });
    hub.emit({ type: 'resume' });
    hub.end();
    const values = (await Promise.all(waiting)).map(({ value }) => value?.type);
    expect(values).toEqual(['stop', 'resume', undefined]);
  });

  it('keeps the latest of what a guest can cause at will, by device', async () => {
    const hub = new EventHub();
    const events = new EventStream(hub);
    hub.emit({ type: 'stop' });
    for (let bytes = 1; bytes <= 5000; bytes++) {
      hub.emit(size('vm0', bytes));
      hub.emit(size('vm1', -bytes));
      hub.emit(violation(bytes));
    }
    hub.end();
    expect(await all(events)).toEqual([
      { type: 'stop' },
      size('vm0', 5000),
      size('vm1', -5000),
      violation(5000),
    ]);
  });

  it('tells a reader that has missed too much, once, and is over then', async () => {
    const hub = new EventHub();
    const events = new EventStream(hub);
    for (let round = 0; round < 1025; round++) hub.emit({ type: 'stop' });
    hub.emit({ type: 'resume' });
    await expect(events.next()).rejects.toMatchObject({ code: 'EVENTS_LOST' });
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('passes on why the machine is lost', async () => {
    const hub = new EventHub();
    const waiting = new EventStream(hub);
    const late = new EventStream(hub);
    const next = waiting.next();
    hub.end(new Error('gone'));
    await expect(next).rejects.toThrow('gone');
    await expect(late.next()).rejects.toThrow('gone');
    await expect(new EventStream(hub).next()).rejects.toThrow('gone');
    expect(await waiting.next()).toEqual({ done: true, value: undefined });
  });

  it('is over at once after the end', async () => {
    const hub = new EventHub();
    hub.end();
    expect(await all(new EventStream(hub))).toEqual([]);
  });

  it('ends with its signal, and gives what came before', async () => {
    const hub = new EventHub();
    const controller = new AbortController();
    const events = new EventStream(hub, { signal: controller.signal });
    hub.emit({ type: 'stop' });
    controller.abort();
    hub.emit({ type: 'resume' });
    expect(await all(events)).toEqual([{ type: 'stop' }]);
    expect(await all(new EventStream(hub, { signal: controller.signal }))).toEqual([]);
  });

  it('is left by return(), as a loop does', async () => {
    const hub = new EventHub();
    const events = new EventStream(hub);
    hub.emit({ type: 'stop' });
    hub.emit({ type: 'resume' });
    for await (const event of events) {
      expect(event).toEqual({ type: 'stop' });
      break;
    }
    expect(await events.next()).toEqual({ done: true, value: undefined });
    await using again = new EventStream(hub);
    expect(again[Symbol.asyncIterator]()).toBe(again);
  });
});

describe('EventHub', () => {
  it('lets a listener go while it is being told', () => {
    const hub = new EventHub();
    const told: string[] = [];
    const onEnd = (): void => void told.push('end');
    const stop = hub.listen({
      onEvent: ({ type }) => {
        told.push(type);
        stop();
        stop();
      },
      onEnd,
    });
    hub.listen({ onEvent: ({ type }) => void told.push(type), onEnd });
    hub.emit({ type: 'stop' });
    hub.emit({ type: 'resume' });
    hub.end();
    hub.end(new Error('too late'));
    expect(told).toEqual(['stop', 'stop', 'resume', 'end']);
  });
});
