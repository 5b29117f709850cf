import type { InterruptLine } from '../../bus/interrupt.ts';
import type { IoSpace } from '../../bus/io-space.ts';
import type { SerialBackend } from './backend.ts';
import { Receiver } from './receiver.ts';
import {
  FCR,
  FCR_TRIGGERS,
  FIFO_DEPTH,
  IER,
  IIR,
  LCR_DLAB,
  LSR,
  loopedModemStatus,
  MCR,
  MSR,
  UART,
} from './registers.ts';
import { initialRegisters, type SerialPortState } from './state.ts';
import { Transmitter } from './transmitter.ts';
import { UartPorts } from './uart-ports.ts';

export interface SerialPortOptions {
  /** For `info mtree`, as `com1`. */
  readonly name: string;
  readonly ports: IoSpace;
  /** First of eight ports. */
  readonly base: number;
  readonly irq: InterruptLine;
  readonly backend: SerialBackend;
}

/**
 * A 16550A UART, made so that a console costs no exit per character: THR writes are posted, LSR
 * and MSR are read from the shadow.
 *
 * That LSR reads are not seen is no loss, because nothing they would clear is ever set: there is
 * no noise on this line, and characters wait on the wire instead of overrunning the FIFO. For the
 * same reason MSR shows no changes: CTS, DSR and DCD are always on. The posted writes under way
 * count as part of the transmitter, which is why THRE may stay set meanwhile; only a full backend
 * takes it away.
 *
 * Time on the line is zero: a character is received as soon as the FIFO has room, and the
 * character timeout has always passed.
 *
 * @see PC16550D data sheet §8
 */
export class SerialPort {
  readonly #irq: InterruptLine;
  readonly #rx: Receiver;
  readonly #tx: Transmitter;
  readonly #ports: UartPorts;
  #registers = initialRegisters();

  /** @throws ConfigError when the ports are taken */
  constructor(options: SerialPortOptions) {
    this.#irq = options.irq;
    this.#rx = new Receiver(options.backend);
    this.#tx = new Transmitter(options.backend, () => this.#transmitterChanged());
    this.#ports = new UartPorts(options, {
      read: (register) => this.#read(register),
      write: (register, value) => this.#write(register, value),
    });
    options.backend.onData((bytes) => this.#accept(bytes));
    this.#publish();
  }

  /** System reset. What was sent still goes out; input that waits behind the FIFO stays. */
  reset(): void {
    this.#tx.flush();
    this.#registers = initialRegisters();
    this.#rx.clear();
    this.#rx.setDepth(1);
    this.#updateLine();
    this.#rx.fill();
    this.#transmitterChanged();
  }

  /** Hands gathered output to the backend now, for a machine that is about to stop. */
  flush(): void {
    this.#tx.flush();
    this.#transmitterChanged();
  }

  state(): SerialPortState {
    const { ier, lcr, mcr, scr, divisorHigh, divisorLow, fifosEnabled, trigger } = this.#registers;
    const sent = this.#tx.counters;
    return {
      ier,
      lcr,
      mcr,
      lsr: this.#lineStatus(),
      msr: this.#modemStatus(),
      scr,
      divisor: divisorHigh * 256 + divisorLow,
      fifosEnabled,
      trigger,
      received: this.#rx.count,
      waiting: this.#rx.waiting,
      stalled: this.#tx.full,
      sentBytes: sent.sent,
      droppedBytes: sent.dropped + this.#rx.dropped,
    };
  }

  /** Registers whose reads have effects; the shadow answers for the rest. */
  #read(register: number): number {
    if (register === UART.IIR_FCR) return this.#identifyInterrupt();
    return this.#divisorAccess ? this.#registers.divisorLow : this.#receive();
  }

  #write(register: number, value: number): void {
    const registers = this.#registers;
    switch (register) {
      case UART.DATA:
        if (this.#divisorAccess) registers.divisorLow = value;
        else this.#send(value);
        return;
      case UART.IER:
        if (this.#divisorAccess) registers.divisorHigh = value;
        else this.#enableInterrupts(value & IER.mask);
        break;
      case UART.IIR_FCR:
        this.#controlFifos(value);
        return;
      case UART.LCR:
        registers.lcr = value;
        break;
      case UART.MCR:
        registers.mcr = value & MCR.mask;
        this.#receiverChanged();
        return;
      case UART.SCR:
        registers.scr = value;
        break;
      default:
        // LSR and MSR are read-only.
        return;
    }
    this.#publish();
  }

  get #divisorAccess(): boolean {
    return (this.#registers.lcr & LCR_DLAB) !== 0;
  }

  get #loopback(): boolean {
    return (this.#registers.mcr & MCR.LOOP) !== 0;
  }

  /** The hot path: nothing that the shadow shows changes. */
  #send(byte: number): void {
    const registers = this.#registers;
    if (this.#loopback) {
      this.#rx.push(byte);
      registers.thrEmptyPending = true;
      this.#publish();
      return;
    }
    registers.sending = true;
    if (registers.thrEmptyPending) {
      registers.thrEmptyPending = false;
      this.#updateLine();
    }
    this.#tx.push(byte);
  }

  /** After a batch was handed over, or the backend has room again. */
  #transmitterChanged(): void {
    if (this.#tx.full) {
      // The THR is no longer empty, whatever a read of IIR said; when it is again, the guest hears.
      this.#registers.sending = true;
      this.#registers.thrEmptyPending = false;
    }
    this.#finishSending();
    this.#publish();
  }

  /** The THR is empty as soon as its character has been gathered, unless the backend is full. */
  #finishSending(): void {
    const registers = this.#registers;
    if (!registers.sending || this.#tx.full) return;
    registers.sending = false;
    registers.thrEmptyPending = true;
  }

  #accept(bytes: Uint8Array): void {
    this.#rx.accept(bytes);
    this.#receiverChanged();
  }

  #receive(): number {
    const byte = this.#rx.pop();
    // Refilled only when empty, after lowering the request: ISA interrupts are edges, and a guest
    // that stops reading before the wire is empty needs another.
    if (this.#rx.count === 0) {
      this.#updateLine();
      this.#receiverChanged();
    }
    return byte;
  }

  #receiverChanged(): void {
    if (!this.#loopback) this.#rx.fill();
    this.#publish();
  }

  #enableInterrupts(ier: number): void {
    const registers = this.#registers;
    const newlyEnabled = ier & ~registers.ier;
    registers.ier = ier;
    // Enabling the source while the THR is empty raises it (data sheet §8.6).
    if ((newlyEnabled & IER.ETBEI) !== 0 && (this.#lineStatus() & LSR.THRE) !== 0) {
      registers.thrEmptyPending = true;
    }
  }

  #controlFifos(value: number): void {
    const registers = this.#registers;
    const enabled = (value & FCR.ENABLE) !== 0;
    registers.fifosEnabled = enabled;
    registers.trigger = enabled ? (FCR_TRIGGERS[value >> 6] ?? 1) : 1;
    this.#rx.setDepth(enabled ? FIFO_DEPTH : 1);
    // Nothing to reset in the transmitter: what the guest wrote counts as sent.
    if (enabled && (value & FCR.RESET_RX) !== 0) this.#rx.clear();
    this.#updateLine();
    this.#receiverChanged();
  }

  /** IIR: the enabled source of highest priority; reading clears it when it is "THR empty". */
  #identifyInterrupt(): number {
    // Every write that came before this read has been seen, so that a guest that fills the FIFO
    // again and again stays in its interrupt handler instead of being interrupted for each.
    this.#finishSending();
    const source = this.#pendingSource();
    if (source === IIR.THR_EMPTY) this.#registers.thrEmptyPending = false;
    this.#updateLine();
    return source | (this.#registers.fifosEnabled ? IIR.FIFOS_ENABLED : 0);
  }

  #pendingSource(): number {
    const { ier, trigger, thrEmptyPending } = this.#registers;
    if ((ier & IER.ERBFI) !== 0 && this.#rx.count > 0) {
      return this.#rx.count >= trigger ? IIR.DATA_AVAILABLE : IIR.CHARACTER_TIMEOUT;
    }
    if ((ier & IER.ETBEI) !== 0 && thrEmptyPending) return IIR.THR_EMPTY;
    return IIR.NONE;
  }

  /** The request leaves the chip while OUT2 is on, and loopback turns that output off. */
  #updateLine(): void {
    const gated = (this.#registers.mcr & (MCR.OUT2 | MCR.LOOP)) !== MCR.OUT2;
    this.#irq.set(!gated && this.#pendingSource() !== IIR.NONE);
  }

  #lineStatus(): number {
    const ready = this.#rx.count > 0 ? LSR.DR : 0;
    return this.#tx.full && !this.#loopback ? ready : ready | LSR.THRE | LSR.TEMT;
  }

  #modemStatus(): number {
    return this.#loopback ? loopedModemStatus(this.#registers.mcr) : MSR.CTS | MSR.DSR | MSR.DCD;
  }

  /** Brings shadows and interrupt request up to date. */
  #publish(): void {
    const { ier, divisorHigh, lcr, mcr, scr } = this.#registers;
    this.#ports.show(UART.IER, this.#divisorAccess ? divisorHigh : ier);
    this.#ports.show(UART.LCR, lcr);
    this.#ports.show(UART.MCR, mcr);
    this.#ports.show(UART.LSR, this.#lineStatus());
    this.#ports.show(UART.MSR, this.#modemStatus());
    this.#ports.show(UART.SCR, scr);
    this.#updateLine();
  }
}
