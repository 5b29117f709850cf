import type { InterruptLine } from '../bus/interrupt.ts';
import type { ConfigSpace } from './config-space.ts';
import {
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_STATUS,
  PCI_STATUS_INTERRUPT,
} from './registers.ts';

/** A wire that several functions pull: high as long as one of them does. */
export class SharedLine {
  readonly #line: InterruptLine;
  #pulling = 0;

  constructor(line: InterruptLine) {
    this.#line = line;
  }

  /** One more function's end of the wire. */
  connect(): InterruptLine {
    let pulled = false;
    return {
      set: (level) => {
        if (level === pulled) return;
        pulled = level;
        this.#pulling += level ? 1 : -1;
        // Only the first to pull and the last to let go change the level.
        if (this.#pulling === (level ? 1 : 0)) this.#line.set(level);
      },
    };
  }
}

/** The wire of a function: PCI 3.0 §6.2.2 (Interrupt Disable), §6.2.3 (Interrupt Status). */
export class Intx {
  readonly #config: ConfigSpace;
  readonly #isReplaced: () => boolean;
  #line: InterruptLine | undefined;
  #asserted = false;

  /** @param isReplaced  whether MSI-X is used in its place */
  constructor(config: ConfigSpace, isReplaced: () => boolean) {
    this.#config = config;
    this.#isReplaced = isReplaced;
  }

  attach(line: InterruptLine): void {
    this.#line = line;
  }

  /** Whether the device wants service. */
  get asserted(): boolean {
    return this.#asserted;
  }

  /**
   * The device wants service, or no longer. The wire follows unless Interrupt Disable or
   * MSI-X Enable is set; without an interrupt pin nothing happens.
   */
  set(asserted: boolean): void {
    if (this.#line === undefined || asserted === this.#asserted) return;
    this.#asserted = asserted;
    this.update();
  }

  /** Follows the command register, MSI-X and the config space's reset. */
  update(): void {
    const { view } = this.#config;
    const status = view.getUint16(PCI_STATUS, true) & ~PCI_STATUS_INTERRUPT;
    view.setUint16(PCI_STATUS, status | (this.#asserted ? PCI_STATUS_INTERRUPT : 0), true);
    const disabled = (view.getUint16(PCI_COMMAND, true) & PCI_COMMAND_INTX_DISABLE) !== 0;
    this.#line?.set(this.#asserted && !disabled && !this.#isReplaced());
  }
}
