import { log } from '../log.ts';
import { GuestLog } from '../virtio/guest-log.ts';

/** Who resets a machine: the guest by asking, by a triple fault, by a violation; or a monitor. */
export const RESET_KINDS = ['reboot', 'triple-fault', 'violation', 'monitor'] as const;
export type ResetKind = (typeof RESET_KINDS)[number];

export interface Reset {
  readonly kind: ResetKind;
  /** By what, for people: `port 0xcf9`. */
  readonly cause: string;
}

export interface ResetCount {
  readonly kind: ResetKind;
  readonly count: number;
}

const MESSAGES: Readonly<Record<ResetKind, string>> = {
  reboot: 'the guest asked for a reset',
  'triple-fault': 'the guest is reset after a triple fault',
  violation: 'the guest is reset after a violation',
  monitor: 'the machine is reset by a monitor',
};

/** Counts resets by their kind and logs them: of a guest that resets all the time, a line a second. */
export class ResetLog {
  readonly #logger = log('machine');
  readonly #counts = new Map<ResetKind, number>();
  readonly #logs = new Map<ResetKind, GuestLog>();

  /** Those that there were. */
  get counts(): readonly ResetCount[] {
    return RESET_KINDS.flatMap((kind) => {
      const count = this.#counts.get(kind);
      return count === undefined ? [] : [{ kind, count }];
    });
  }

  /** @returns how many of its kind there were, this one included */
  add({ kind, cause }: Reset): number {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    let lines = this.#logs.get(kind);
    if (lines === undefined) {
      // A guest may reboot; that it faults or touches what it must not is worth a warning.
      const level = kind === 'triple-fault' || kind === 'violation' ? 'warn' : 'info';
      const { [level]: write } = this.#logger;
      lines = new GuestLog({ warn: write });
      this.#logs.set(kind, lines);
    }
    lines.warn({ cause, resets: count }, MESSAGES[kind]);
    return count;
  }
}
