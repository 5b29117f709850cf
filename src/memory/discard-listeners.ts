import { messageOf } from '../errors.ts';
import { log } from '../log.ts';
import type { DiscardListener } from './discard-manager.ts';

const logger = log('memory');

/** A listener, for as long as it listens. */
interface Entry {
  readonly listener: DiscardListener;
  left: boolean;
}

/** What listeners are being told now. */
interface Notice {
  readonly isPopulate: boolean;
  readonly offset: number;
  readonly length: number;
  /** Entries before this one have been told, or are being told. */
  told: number;
}

/**
 * The listeners of a discard manager in the order they came, with the undo that a refusal needs. They may
 * come and go while others, or they themselves, are told something: each hears the end of whatever it
 * heard the beginning of, and nothing after it has left.
 */
export class DiscardListeners {
  #entries: Entry[] = [];
  #notice: Notice | undefined;

  /** One that comes while others are told of memory is told of it, too, after them. */
  add(listener: DiscardListener): void {
    this.#entries.push({ listener, left: false });
  }

  /** One that leaves before it has heard of a discard hears of it now. @returns whether it was there */
  remove(listener: DiscardListener): boolean {
    const index = this.#entries.findIndex((it) => it.listener === listener && !it.left);
    const entry = this.#entries[index];
    if (entry === undefined) return false;
    entry.left = true;
    const notice = this.#notice;
    if (notice === undefined) {
      this.#entries.splice(index, 1);
      return true;
    }
    const wasTold = index < notice.told;
    if (wasTold === notice.isPopulate) tellDiscard(listener, notice.offset, notice.length);
    return true;
  }

  /** Tells all; when one refuses, tells those already told that it is gone again, and throws on. */
  populate(offset: number, length: number): void {
    const notice: Notice = { isPopulate: true, offset, length, told: 0 };
    this.#notice = notice;
    try {
      // Those that come meanwhile are at the end.
      for (let entry = this.#next(notice); entry !== undefined; entry = this.#next(notice)) {
        entry.listener.onPopulate(offset, length);
      }
    } catch (error) {
      this.#takeBack(notice);
      throw error;
    } finally {
      this.#end();
    }
  }

  /** Tells all that are there now. */
  discard(offset: number, length: number): void {
    const notice: Notice = { isPopulate: false, offset, length, told: 0 };
    this.#notice = notice;
    const count = this.#entries.length;
    while (notice.told < count) {
      const entry = this.#entries[notice.told];
      notice.told += 1;
      if (entry?.left === false) tellDiscard(entry.listener, offset, length);
    }
    this.#end();
  }

  /** The next that is to be told. */
  #next(notice: Notice): Entry | undefined {
    for (;;) {
      const entry = this.#entries[notice.told];
      if (entry === undefined) return undefined;
      notice.told += 1;
      if (!entry.left) return entry;
    }
  }

  /** The last that was told has refused; those before it, the last first, hear that it is gone. */
  #takeBack(notice: Notice): void {
    for (let index = notice.told - 2; index >= 0; index--) {
      const entry = this.#entries[index];
      notice.told = index;
      if (entry?.left === false) tellDiscard(entry.listener, notice.offset, notice.length);
    }
  }

  #end(): void {
    this.#notice = undefined;
    if (this.#entries.some((it) => it.left)) this.#entries = this.#entries.filter((it) => !it.left);
  }
}

/** A listener has no say in a discard: the memory goes whatever it does. */
export function tellDiscard(listener: DiscardListener, offset: number, length: number): void {
  try {
    listener.onDiscard(offset, length);
  } catch (error) {
    logger.error({ offset, length, error: messageOf(error) }, 'a listener failed at a discard');
  }
}
