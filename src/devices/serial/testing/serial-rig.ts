import { FakeInterrupts } from '../../../bus/testing/fake-interrupts.ts';
import { FakeIoSpace } from '../../../bus/testing/fake-io-space.ts';
import type { SerialBackend } from '../backend.ts';
import { SerialPort } from '../serial-port.ts';

export const BASE = 0x3f8;
export const IRQ = 4;

/** A terminal that a test types at, reads, and fills up. */
export class FakeBackend implements SerialBackend {
  /** One string per `write`. */
  readonly batches: string[] = [];
  /** What the next `write` answers. */
  room = true;
  paused = false;
  #drained: () => void = () => undefined;
  #received: (bytes: Uint8Array) => void = () => undefined;

  get text(): string {
    return this.batches.join('');
  }

  write(bytes: Uint8Array): boolean {
    this.batches.push(Buffer.from(bytes).toString('latin1'));
    return this.room;
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  onData(callback: (bytes: Uint8Array) => void): void {
    this.#received = callback;
  }

  pauseInput(): void {
    this.paused = true;
  }

  resumeInput(): void {
    this.paused = false;
  }

  drain(): void {
    this.room = true;
    this.#drained();
  }

  type(text: string): void {
    this.#received(Buffer.from(text, 'latin1'));
  }
}

/** A serial port with a guest's hands on its registers. */
export function createSerial() {
  const ports = new FakeIoSpace({ kind: 'port' });
  const interrupts = new FakeInterrupts();
  const backend = new FakeBackend();
  const uart = new SerialPort({
    name: 'com1',
    ports,
    base: BASE,
    irq: interrupts.line(IRQ),
    backend,
  });
  const read = (register: number): number => ports.read(BASE + register, 1);
  const write = (register: number, value: number): void => ports.write(BASE + register, 1, value);
  return {
    ports,
    backend,
    uart,
    read,
    write,
    line: () => interrupts.level(IRQ),
    raises: () => interrupts.raises(IRQ),
    /** Sends without looking at LSR; the drain that follows is the machine's. */
    send: (text: string) => {
      for (const byte of Buffer.from(text, 'latin1')) write(0, byte);
    },
    /** The machine drains the ring, and its callback returns. */
    drained: async () => {
      ports.drain();
      await Promise.resolve();
    },
    /** Interrupts reach the guest: OUT2, FIFOs with the trigger at 8, and these sources. */
    open: (ier: number) => {
      write(4, 0x0b);
      write(2, 0x81);
      write(1, ier);
    },
  };
}
