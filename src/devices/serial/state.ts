/** What a serial port is up to; registers as the guest set them. */
export interface SerialPortState {
  readonly ier: number;
  readonly lcr: number;
  readonly mcr: number;
  readonly lsr: number;
  readonly msr: number;
  readonly scr: number;
  readonly divisor: number;
  readonly fifosEnabled: boolean;
  readonly trigger: number;
  /** Characters in the receive FIFO, and behind it. */
  readonly received: number;
  readonly waiting: number;
  /** Whether the guest is made to wait for the backend. */
  readonly stalled: boolean;
  readonly sentBytes: number;
  /** Output of a guest that ignores LSR, and input of a backend that ignores `pauseInput`. */
  readonly droppedBytes: number;
}

/** What the guest has set, and the interrupt source that LSR does not show. */
export const initialRegisters = () => ({
  ier: 0,
  lcr: 0,
  mcr: 0,
  scr: 0,
  divisorLow: 1,
  divisorHigh: 0,
  fifosEnabled: false,
  trigger: 1,
  /** The "THR empty" interrupt source. */
  thrEmptyPending: false,
  /** Something was sent since `thrEmptyPending` was last decided. */
  sending: false,
});
