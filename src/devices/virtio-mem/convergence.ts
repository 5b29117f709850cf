import type { LinuxFit } from '../../memory/linux-blocks.ts';
import { formatSize } from '../../units.ts';

/** How long a guest that does nothing counts as still thinking, in milliseconds. */
const SILENCE_MS = 5_000;

/** What is known of a device that the guest should grow or shrink. */
export interface ConvergenceInput {
  /** Bytes. */
  readonly requestedSize: number;
  readonly pluggedSize: number;
  /** performance.now(), in milliseconds. */
  readonly nowMs: number;
}

export type ConvergenceKind =
  | 'converged'
  | 'no-driver'
  | 'not-asked'
  | 'under-way'
  | 'busy'
  | 'nack'
  | 'error'
  | 'unplug-stalled'
  | 'plug-stalled';

/** Whether the plugged size is what was requested; if not, since when and why. */
export interface Convergence {
  readonly kind: ConvergenceKind;
  /** One phrase for people. */
  readonly cause: string;
  /** How long it has not been, in milliseconds; 0 when it is. */
  readonly forMs: number;
}

const CAUSES: Readonly<Record<Exclude<ConvergenceKind, 'busy'>, string>> = {
  converged: 'size is as requested',
  'no-driver': 'no driver has started the device',
  'not-asked': 'the driver has not asked for anything yet',
  'under-way': 'the guest is at work',
  nack: 'the last request was answered NACK: the driver asks for more than was requested',
  error: 'the last request was answered ERROR: the Linux driver gives the device up after one',
  'unplug-stalled':
    'unplug stalled, the guest asks for nothing: its memory is in use, or was not onlined as movable',
  'plug-stalled':
    'the guest asks for nothing: it may hold about 1 GiB of memory blocks that are not online (see /sys/devices/system/memory/auto_online_blocks in it)',
};

/** All that is known of memory that was asked for and is there: the device does not see what becomes of it. */
const PLUGGED =
  'size is as requested: it is plugged; whether it is online, only the guest knows (lsmem in it, or /sys/devices/system/memory/auto_online_blocks)';

/** Why a guest does not grow that has nothing yet, and so holds nothing. */
const NEVER_PLUGGED = 'the guest asks for nothing, and has nothing yet; its log may say why';

export type Answer = 'ack' | 'nack' | 'busy' | 'error';

/** Watches one device's requests, to be able to say why its size is not what was requested. */
export class ConvergenceWatch {
  #driver = false;
  #sinceMs: number;
  /** From when on the guest could have asked for something. */
  #ableMs: number;
  #lastRequestMs: number | undefined;
  #lastAnswer: Answer = 'ack';
  #busyCause = '';

  readonly #fit: LinuxFit | undefined;

  /** @param fit  what of the region a Linux guest can use */
  constructor(nowMs: number, fit?: LinuxFit) {
    this.#fit = fit;
    this.#sinceMs = nowMs;
    this.#ableMs = nowMs;
  }

  /** The driver came, or went. One that comes has as long as any to ask for something. */
  driverChanged(present: boolean, nowMs: number): void {
    this.#driver = present;
    this.#ableMs = nowMs;
    this.#lastRequestMs = undefined;
    this.#lastAnswer = 'ack';
  }

  /** The guest runs again, after it could do nothing. */
  resumed(nowMs: number): void {
    this.#ableMs = nowMs;
  }

  /** Something else was requested. */
  resized(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#lastRequestMs = undefined;
    this.#lastAnswer = 'ack';
  }

  /** A request to plug or unplug was answered. */
  answered(answer: Answer, nowMs: number): void {
    this.#lastAnswer = answer;
    this.#lastRequestMs = nowMs;
  }

  /** Why the next BUSY is given, as the user should read it. */
  busyBecause(cause: string): void {
    this.#busyCause = cause;
  }

  diagnose(input: ConvergenceInput): Convergence {
    const kind = this.#kind(input);
    const cause = this.#cause(kind, input);
    return { kind, cause, forMs: kind === 'converged' ? 0 : input.nowMs - this.#sinceMs };
  }

  #cause(kind: ConvergenceKind, { pluggedSize, requestedSize }: ConvergenceInput): string {
    if (kind === 'busy') return `answered BUSY: ${this.#busyCause}`;
    if (kind === 'converged' && pluggedSize > 0) return PLUGGED;
    if (kind !== 'plug-stalled') return CAUSES[kind];
    const fit = this.#fit;
    if (fit !== undefined && pluggedSize >= fit.usableSize) {
      const rest = formatSize(requestedSize - fit.usableSize);
      return `the guest asks for nothing: Linux adds memory in whole blocks of ${formatSize(fit.blockSize)}, which the last ${rest} of the region do not fill`;
    }
    return pluggedSize === 0 ? NEVER_PLUGGED : CAUSES[kind];
  }

  #kind({ requestedSize, pluggedSize, nowMs }: ConvergenceInput): ConvergenceKind {
    if (pluggedSize === requestedSize) return 'converged';
    if (!this.#driver) return 'no-driver';
    if (this.#lastAnswer !== 'ack') return this.#lastAnswer;
    const quietSince = Math.max(this.#lastRequestMs ?? this.#sinceMs, this.#ableMs);
    if (nowMs - quietSince < SILENCE_MS) {
      return this.#lastRequestMs === undefined ? 'not-asked' : 'under-way';
    }
    return pluggedSize > requestedSize ? 'unplug-stalled' : 'plug-stalled';
  }
}
