import { describe, expect, it } from 'vitest';
import { POSTED_RING, PostedRing } from './posted-ring.ts';

/** A ring filled by hand, as the addon does. */
class Producer {
  readonly ioRing = new ArrayBuffer(
    POSTED_RING.entries + POSTED_RING.capacity * POSTED_RING.stride,
  );
  drained = 0;
  readonly #view = new DataView(this.ioRing);

  constructor(start = 0) {
    this.#view.setUint32(POSTED_RING.head, start, true);
    this.#view.setUint32(POSTED_RING.tail, start, true);
  }

  ringDrained(): void {
    this.drained++;
  }

  get tail(): number {
    return this.#view.getUint32(POSTED_RING.tail, true);
  }

  post(...[tag, vcpu, offset, size, low, high]: number[]): void {
    const head = this.#view.getUint32(POSTED_RING.head, true);
    const at = POSTED_RING.entries + (head % POSTED_RING.capacity) * POSTED_RING.stride;
    [tag, vcpu, offset, size, low, high].forEach((word, index) => {
      this.#view.setUint32(at + index * 4, word ?? 0, true);
    });
    this.#view.setUint32(POSTED_RING.head, (head + 1) >>> 0, true);
  }
}

describe('draining', () => {
  it('hands over what was posted, in order, and says so once', () => {
    const producer = new Producer();
    const ring = new PostedRing(producer);
    producer.post(1, 2, 3, 8, 0xffff_ffff, 5);
    producer.post(4, 0, 0, 1, 6);
    const seen: number[][] = [];
    ring.drain((...write) => seen.push(write));
    expect(seen).toEqual([
      [1, 2, 3, 8, 0xffff_ffff, 5],
      [4, 0, 0, 1, 6, 0],
    ]);
    expect(producer).toMatchObject({ tail: 2, drained: 1 });
    ring.drain((...write) => seen.push(write));
    expect(seen).toHaveLength(2);
    expect(producer.drained).toBe(1);
  });

  it('goes past the end of the ring and of the counters', () => {
    const producer = new Producer(2 ** 32 - 2);
    const ring = new PostedRing(producer);
    for (let i = 0; i < 5; i++) producer.post(i);
    const tags: number[] = [];
    ring.drain((tag) => tags.push(tag));
    expect(tags).toEqual([0, 1, 2, 3, 4]);
    expect(producer.tail).toBe(3);
  });

  it('leaves for later what is posted meanwhile', () => {
    const producer = new Producer();
    const ring = new PostedRing(producer);
    producer.post(1);
    const tags: number[] = [];
    ring.drain((tag) => {
      tags.push(tag);
      producer.post(tag + 1);
      ring.drain((inner) => tags.push(inner));
    });
    expect(tags).toEqual([1]);
    ring.drain((tag) => tags.push(tag));
    expect(tags).toEqual([1, 2]);
  });

  it('counts a write whose handler throws as handed over', () => {
    const producer = new Producer();
    const ring = new PostedRing(producer);
    producer.post(1);
    producer.post(2);
    const fail = (): never => {
      throw new Error('handler');
    };
    expect(() => ring.drain(fail)).toThrow('handler');
    expect(producer).toMatchObject({ tail: 1, drained: 1 });
    const tags: number[] = [];
    ring.drain((tag) => tags.push(tag));
    expect(tags).toEqual([2]);
  });
});
