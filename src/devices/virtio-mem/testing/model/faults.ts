/** Where the host can refuse. */
export type FaultCall =
  | 'protect'
  | 'populate'
  | 'secure'
  | 'discard'
  /** Memory that cannot be given back is not filled with zeros. */
  | 'zero'
  | 'set-memslot'
  | 'delete-memslot'
  | 'delete-memslots'
  | 'listener';

/** A call that is refused once. */
export interface Fault {
  readonly call: FaultCall;
  /** How many calls of its kind go through before. */
  readonly skip: number;
  /** Whether the first half of what it should do is done all the same. */
  readonly half: boolean;
  readonly code: 'ENOMEM' | 'EIO';
}

/** What the host refuses during one step. */
export class Faults {
  #armed: { readonly fault: Fault; left: number }[] = [];
  #fired: Fault[] = [];

  /** Those that were met since they were armed. */
  get fired(): readonly Fault[] {
    return this.#fired;
  }

  arm(faults: readonly Fault[]): void {
    this.#armed = faults.map((fault) => ({ fault, left: fault.skip }));
    this.#fired = [];
  }

  disarm(): void {
    this.#armed = [];
  }

  /** Whether the next call of its kind is refused. */
  isNext(call: FaultCall): boolean {
    return this.#armed.find(({ fault }) => fault.call === call)?.left === 0;
  }

  /**
   * A call is made.
   *
   * @param half  does the first half of it
   * @throws Error with a `code`, as of a system call, when it is refused
   */
  meet(call: FaultCall, half: () => void = () => undefined): void {
    const at = this.#armed.findIndex(({ fault }) => fault.call === call);
    const armed = this.#armed[at];
    if (armed === undefined) return;
    if (armed.left > 0) {
      armed.left -= 1;
      return;
    }
    this.#armed.splice(at, 1);
    this.#fired.push(armed.fault);
    if (armed.fault.half) half();
    throw Object.assign(new Error(`${call} refused`), { code: armed.fault.code });
  }
}
