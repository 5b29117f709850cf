import { HostError } from '../../errors.ts';
import type { InterruptController, InterruptLine, MsiRoute } from '../interrupt.ts';

export interface SentMessage {
  readonly address: number;
  readonly data: number;
}

/** Records what devices do to the interrupt controllers. */
export class FakeInterrupts implements InterruptController {
  /** Messages sent, oldest first. */
  readonly messages: SentMessage[] = [];
  /** Routes created and not closed. */
  openRoutes = 0;
  /** createMsiRoute throws beyond this many open routes. */
  routeLimit = Infinity;
  readonly #levels = new Map<number, boolean>();
  readonly #raises = new Map<number, number>();

  /** Whether a wire is high. */
  level(gsi: number): boolean {
    return this.#levels.get(gsi) ?? false;
  }

  /** How often a wire went from low to high. */
  raises(gsi: number): number {
    return this.#raises.get(gsi) ?? 0;
  }

  /** Data of the messages sent since the last call. */
  takeData(): number[] {
    return this.messages.splice(0).map(({ data }) => data);
  }

  line(gsi: number): InterruptLine {
    return {
      set: (level) => {
        if (level && !this.level(gsi)) this.#raises.set(gsi, this.raises(gsi) + 1);
        this.#levels.set(gsi, level);
      },
    };
  }

  createMsiRoute(): MsiRoute {
    if (this.openRoutes >= this.routeLimit) throw new HostError('GSI_EXHAUSTED', 'no GSI is free');
    this.openRoutes += 1;
    let message: SentMessage | undefined;
    let closed = false;
    return {
      update: (address, data) => {
        if (closed) throw new Error('the route is closed');
        message = { address, data };
      },
      signal: () => {
        if (closed || message === undefined) throw new Error('the route leads nowhere');
        this.messages.push(message);
      },
      close: () => {
        if (!closed) this.openRoutes -= 1;
        closed = true;
      },
    };
  }
}
