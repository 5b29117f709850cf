import { HostError } from '../errors.ts';

/** What a machine is doing. */
export type MachineState = 'created' | 'running' | 'paused' | 'resetting' | 'ended';

/** Which states may follow which. `ended` is final. */
const TRANSITIONS: Readonly<Record<MachineState, readonly MachineState[]>> = {
  created: ['running', 'paused', 'resetting', 'ended'],
  running: ['paused', 'resetting', 'ended'],
  paused: ['running', 'resetting', 'ended'],
  resetting: ['created', 'running', 'paused', 'ended'],
  ended: [],
};

/** The state of a machine, and the one place where it changes. */
export class Lifecycle {
  #state: MachineState = 'created';
  #reason: string | undefined;

  get state(): MachineState {
    return this.#state;
  }

  /** Why the machine is where it is, when nobody asked for it. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** @throws HostError when the machine cannot go there from where it is */
  enter(next: MachineState, reason?: string): void {
    if (!TRANSITIONS[this.#state].includes(next)) {
      const message = `a machine that is ${this.#state} cannot become ${next}`;
      throw new HostError('BAD_TRANSITION', message);
    }
    this.#state = next;
    this.#reason = reason;
  }
}
