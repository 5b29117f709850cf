import type { IoHandler } from '../../bus/io-space.ts';

export interface ResetControlOptions {
  /** The guest asked for a reset; may be called again until the machine resets. */
  readonly onReset: (cause: string) => void;
}

export interface ResetControlState {
  readonly value: number;
}

const SYSTEM_RESET = 0x02;
const RESET_CPU = 0x04;
const FULL_RESET = 0x08;

/**
 * The reset control register at port 0xCF9, one byte inside the PCI host bridge's
 * 0xCF8 to 0xCFB, which hands byte accesses there to it (offset 0).
 *
 * RST_CPU going from 0 to 1 resets. The types that SYS_RST and FULL_RST choose (processor only,
 * platform, power cycle) are all a reset of the machine: without firmware a processor that is
 * reset alone would have nothing to run.
 *
 * @see Intel ICH9 data sheet §13.7.5 (RST_CNT)
 */
export class ResetControl implements IoHandler {
  readonly #onReset: (cause: string) => void;
  #value = 0;

  constructor({ onReset }: ResetControlOptions) {
    this.#onReset = onReset;
  }

  reset(): void {
    this.#value = 0;
  }

  state(): ResetControlState {
    return { value: this.#value };
  }

  read(): number {
    return this.#value;
  }

  write(_offset: number, _size: number, value: number): void {
    const triggered = (value & ~this.#value & RESET_CPU) !== 0;
    this.#value = value & (SYSTEM_RESET | RESET_CPU | FULL_RESET);
    if (triggered) this.#onReset('port 0xcf9');
  }
}
