import type { Doorbell, DoorbellFactory, DoorbellOptions } from '../doorbell.ts';
import { HostError } from '../../errors.ts';

/** Doorbells that a test rings. */
export class FakeDoorbells implements DoorbellFactory {
  readonly #open = new Map<number, DoorbellOptions>();

  create(options: DoorbellOptions): Doorbell {
    if (this.#open.has(options.gpa)) {
      throw new HostError('DOORBELL_TAKEN', `a doorbell is at ${options.gpa} already`);
    }
    this.#open.set(options.gpa, options);
    return {
      close: () => {
        if (this.#open.get(options.gpa) === options) this.#open.delete(options.gpa);
      },
    };
  }

  /** Where doorbells are, ascending. */
  gpas(): number[] {
    return [...this.#open.keys()].sort((a, b) => a - b);
  }

  /** Rings, and calls back at once. @returns whether a doorbell is there */
  ring(gpa: number): boolean {
    const doorbell = this.#open.get(gpa);
    doorbell?.onRing();
    return doorbell !== undefined;
  }
}
