import type { IoSpace } from '../../bus/io-space.ts';
import { PORTS } from '../../memory/layout.ts';

export interface I8042Options {
  readonly ports: IoSpace;
  /** The guest pulled the reset line; may be called again until the machine resets. */
  readonly onReset: (cause: string) => void;
}

export interface I8042State {
  readonly status: number;
  readonly commandByte: number;
  readonly outputPort: number;
}

const STATUS = {
  OUTPUT_FULL: 0x01,
  SELF_TEST_PASSED: 0x04,
  COMMAND: 0x08,
  UNLOCKED: 0x10,
} as const;
/** Output port: bit 0 low resets the processor, bit 1 is the A20 gate. */
const OUTPUT_PORT = { NO_RESET: 0x01, A20: 0x02 } as const;
const COMMAND_BYTE = { SYSTEM: 0x04, KEYBOARD_OFF: 0x10, AUX_OFF: 0x20 } as const;
const COMMAND = {
  READ_COMMAND_BYTE: 0x20,
  WRITE_COMMAND_BYTE: 0x60,
  DISABLE_AUX: 0xa7,
  ENABLE_AUX: 0xa8,
  TEST_AUX: 0xa9,
  SELF_TEST: 0xaa,
  TEST_KEYBOARD: 0xab,
  DISABLE_KEYBOARD: 0xad,
  ENABLE_KEYBOARD: 0xae,
  READ_OUTPUT_PORT: 0xd0,
  WRITE_OUTPUT_PORT: 0xd1,
  LOOP_AUX: 0xd3,
  /** 0xf0 to 0xff pull down the output port's low bits that are 0 in the command. */
  PULSE: 0xf0,
} as const;
const SELF_TEST_OK = 0x55;
/** Interface test: the clock line is stuck low, which is what an empty socket may show. */
const NOT_CONNECTED = 0x01;

const initialState = () => ({
  /** What a read of the data port gives; `undefined` leaves the last byte there. */
  output: undefined as number | undefined,
  lastOutput: 0,
  /** The command that waits for its data byte. */
  awaiting: 0,
  lastWasCommand: false,
  commandByte: COMMAND_BYTE.SYSTEM | COMMAND_BYTE.KEYBOARD_OFF | COMMAND_BYTE.AUX_OFF,
  outputPort: OUTPUT_PORT.NO_RESET | OUTPUT_PORT.A20,
});

/**
 * An 8042 keyboard controller without keyboard or mouse, and system control port A (0x92): there
 * for their reset lines. The controller answers its own commands at once, so that a driver that
 * probes it learns soon that nothing is connected. A20 is a bit that reads back: addresses never
 * wrap. No interrupts: only devices would raise them.
 *
 * @see IBM PS/2 Hardware Interface Technical Reference, "Keyboard and auxiliary device controller"
 */
export class I8042 {
  readonly #onReset: (cause: string) => void;
  readonly #status: Uint8Array;
  readonly #controlA: Uint8Array;
  #state = initialState();

  /** @throws ConfigError when the ports are taken */
  constructor({ ports, onReset }: I8042Options) {
    this.#onReset = onReset;
    ports.add({
      name: 'i8042 data',
      base: PORTS.i8042Data,
      size: 1,
      handler: {
        read: () => this.#readData(),
        write: (_offset, _size, value) => this.#writeData(value & 0xff),
      },
    });
    const command = ports.add({
      name: 'i8042 status/command',
      base: PORTS.i8042Command,
      size: 1,
      read: 'shadow',
      handler: {
        read: () => this.#statusByte(),
        write: (_offset, _size, value) => this.#command(value & 0xff),
      },
    });
    const controlA = ports.add({
      name: 'system control port A',
      base: PORTS.systemControlA,
      size: 1,
      read: 'shadow',
      handler: {
        read: () => this.#controlAByte(),
        write: (_offset, _size, value) => this.#writeControlA(value),
      },
    });
    this.#status = command.shadow ?? new Uint8Array(1);
    this.#controlA = controlA.shadow ?? new Uint8Array(1);
    this.#publish();
  }

  reset(): void {
    this.#state = initialState();
    this.#publish();
  }

  state(): I8042State {
    const { commandByte, outputPort } = this.#state;
    return { status: this.#statusByte(), commandByte, outputPort };
  }

  #readData(): number {
    const state = this.#state;
    if (state.output !== undefined) {
      state.lastOutput = state.output;
      state.output = undefined;
      this.#publish();
    }
    return state.lastOutput;
  }

  #writeData(value: number): void {
    const state = this.#state;
    const command = state.awaiting;
    state.awaiting = 0;
    state.lastWasCommand = false;
    switch (command) {
      case COMMAND.WRITE_COMMAND_BYTE:
        state.commandByte = value;
        break;
      case COMMAND.WRITE_OUTPUT_PORT:
        this.#writeOutputPort(value);
        break;
      case COMMAND.LOOP_AUX:
        // Anything but the byte itself says that there is no auxiliary port to loop.
        state.output = ~value & 0xff;
        break;
      default:
        // For the keyboard or the mouse: nobody there to answer.
        break;
    }
    this.#publish();
  }

  #command(command: number): void {
    const state = this.#state;
    state.awaiting = 0;
    state.lastWasCommand = true;
    if (command >= COMMAND.PULSE) {
      if ((command & OUTPUT_PORT.NO_RESET) === 0) this.#onReset('i8042');
    } else {
      this.#answer(command);
    }
    this.#publish();
  }

  #answer(command: number): void {
    const state = this.#state;
    switch (command) {
      case COMMAND.READ_COMMAND_BYTE:
        state.output = state.commandByte;
        break;
      case COMMAND.WRITE_COMMAND_BYTE:
      case COMMAND.WRITE_OUTPUT_PORT:
      case COMMAND.LOOP_AUX:
        state.awaiting = command;
        break;
      case COMMAND.DISABLE_AUX:
        state.commandByte |= COMMAND_BYTE.AUX_OFF;
        break;
      case COMMAND.ENABLE_AUX:
        state.commandByte &= ~COMMAND_BYTE.AUX_OFF;
        break;
      case COMMAND.DISABLE_KEYBOARD:
        state.commandByte |= COMMAND_BYTE.KEYBOARD_OFF;
        break;
      case COMMAND.ENABLE_KEYBOARD:
        state.commandByte &= ~COMMAND_BYTE.KEYBOARD_OFF;
        break;
      case COMMAND.SELF_TEST:
        state.output = SELF_TEST_OK;
        break;
      case COMMAND.TEST_AUX:
      case COMMAND.TEST_KEYBOARD:
        state.output = NOT_CONNECTED;
        break;
      case COMMAND.READ_OUTPUT_PORT:
        state.output = state.outputPort;
        break;
      default:
        // Commands for hardware that is not there have no answer.
        break;
    }
  }

  #writeOutputPort(value: number): void {
    this.#state.outputPort = value | OUTPUT_PORT.NO_RESET;
    if ((value & OUTPUT_PORT.NO_RESET) === 0) this.#onReset('i8042');
  }

  /** Bit 0 resets when set, bit 1 is the A20 gate. */
  #writeControlA(value: number): void {
    const a20 = value & OUTPUT_PORT.A20;
    this.#state.outputPort = (this.#state.outputPort & ~OUTPUT_PORT.A20) | a20;
    this.#publish();
    if ((value & 0x01) !== 0) this.#onReset('port 0x92');
  }

  #controlAByte(): number {
    return this.#state.outputPort & OUTPUT_PORT.A20;
  }

  /** Input is taken at once: "input buffer full" is never set. */
  #statusByte(): number {
    const { output, lastWasCommand } = this.#state;
    return (
      STATUS.SELF_TEST_PASSED |
      STATUS.UNLOCKED |
      (lastWasCommand ? STATUS.COMMAND : 0) |
      (output === undefined ? 0 : STATUS.OUTPUT_FULL)
    );
  }

  #publish(): void {
    this.#status[0] = this.#statusByte();
    this.#controlA[0] = this.#controlAByte();
  }
}
