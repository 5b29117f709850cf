import type { MachineControl } from '../machine/control.ts';
import type { MachineEvents } from '../machine/events.ts';
import { openListener, type OpenEnd } from '../terminal/open-listener.ts';
import { QmpServer } from './server.ts';
import { parseEventInterval, parseQmpTarget } from './target.ts';

/** Sockets for programs, open but not yet served: the machine they are about comes later. */
export class QmpEnds {
  readonly #ends: OpenEnd[] = [];
  readonly #intervalMs: number;
  #server: QmpServer | undefined;

  private constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /**
   * Listens at every place.
   *
   * @param wheres   values of `--qmp`
   * @param interval value of `--qmp-event-interval`
   * @throws ConfigError naming the value that cannot be; nothing is left then
   */
  static async open(wheres: readonly string[], interval: string): Promise<QmpEnds> {
    const targets = wheres.map(parseQmpTarget);
    const ends = new QmpEnds(parseEventInterval(interval));
    try {
      for (const target of targets) ends.#ends.push(await openListener(target, '--qmp'));
    } catch (error) {
      await ends.close();
      throw error;
    }
    return ends;
  }

  /** Where clients connect, as `openListener` has it; in the order of `wheres`. */
  get wheres(): readonly string[] {
    return this.#ends.map(({ where }) => where);
  }

  /** Serves the clients that come, and those that wait. */
  serve(control: MachineControl, events: MachineEvents): void {
    const server = new QmpServer({ control, events, deviceIntervalMs: this.#intervalMs });
    this.#server = server;
    for (const { listener } of this.#ends) server.serve(listener);
  }

  async close(): Promise<void> {
    if (this.#server !== undefined) await this.#server.close();
    else for (const { listener } of this.#ends) listener.close();
  }
}
