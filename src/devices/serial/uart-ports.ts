import type { IoHandler, IoRange, IoRangeOptions, IoSpace } from '../../bus/io-space.ts';
import { UART } from './registers.ts';

/** One register, one byte. */
export interface RegisterAccess {
  read(register: number): number;
  write(register: number, value: number): void;
}

type Mode = Pick<IoRangeOptions, 'read' | 'write'>;

/** Neighbours with the same mode share a range: first register, registers, mode. */
const RANGES: readonly (readonly [name: string, first: number, size: number, mode: Mode])[] = [
  ['data', UART.DATA, 1, { read: 'sync', write: 'post' }],
  ['ier', UART.IER, 1, { read: 'shadow' }],
  ['iir/fcr', UART.IIR_FCR, 1, {}],
  ['lcr, mcr', UART.LCR, 2, { read: 'shadow' }],
  ['lsr, msr', UART.LSR, 2, { read: 'shadow', write: 'post' }],
  ['scr', UART.SCR, 1, { read: 'shadow' }],
];

export interface UartPortsOptions {
  readonly name: string;
  readonly ports: IoSpace;
  readonly base: number;
}

/** The eight ports of a UART: which accesses reach it, and what the shadow answers. */
export class UartPorts {
  readonly #access: RegisterAccess;
  /** By register; undefined for those whose reads are synchronous. */
  readonly #ranges: (IoRange | undefined)[] = [];
  readonly #offsets = new Uint8Array(UART.count);

  /** @throws ConfigError when the ports are taken */
  constructor({ name, ports, base }: UartPortsOptions, access: RegisterAccess) {
    this.#access = access;
    for (const [label, first, size, mode] of RANGES) {
      const handler = this.#handler(first);
      const range = ports.add({
        name: `${name} ${label}`,
        base: base + first,
        size,
        handler,
        ...mode,
      });
      for (let i = 0; i < size; i++) {
        this.#ranges[first + i] = range;
        this.#offsets[first + i] = i;
      }
    }
  }

  /** Sets what reads of a register answer that do not reach the UART. */
  show(register: number, value: number): void {
    const shadow = this.#ranges[register]?.shadow;
    if (shadow !== undefined) shadow[this.#offsets[register] ?? 0] = value;
  }

  /** Wider accesses are those of their bytes, low first. */
  #handler(first: number): IoHandler {
    return {
      read: (offset, size) => {
        let value = 0;
        for (let i = 0; i < size; i++) {
          value += this.#access.read(first + offset + i) * 2 ** (8 * i);
        }
        return value;
      },
      write: (offset, size, value) => {
        for (let i = 0; i < size; i++) {
          this.#access.write(first + offset + i, (value >>> (8 * i)) & 0xff);
        }
      },
    };
  }
}
