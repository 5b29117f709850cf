/*
 * Registers and bits of the 16550A (PC16550D data sheet, §8), in the data sheet's words.
 */

/** Offsets; 0 to 2 mean different registers for reads, writes and with LCR.DLAB set. */
export const UART = {
  /** Read: receiver buffer. Write: transmitter holding. DLAB: divisor latch, low. */
  DATA: 0,
  /** Interrupt enable. DLAB: divisor latch, high. */
  IER: 1,
  /** Read: interrupt identification. Write: FIFO control. */
  IIR_FCR: 2,
  LCR: 3,
  MCR: 4,
  LSR: 5,
  MSR: 6,
  SCR: 7,
  count: 8,
} as const;

export const IER = { ERBFI: 0x01, ETBEI: 0x02, mask: 0x0f } as const;

export const IIR = {
  NONE: 0x01,
  THR_EMPTY: 0x02,
  DATA_AVAILABLE: 0x04,
  CHARACTER_TIMEOUT: 0x0c,
  FIFOS_ENABLED: 0xc0,
} as const;

export const FCR = { ENABLE: 0x01, RESET_RX: 0x02 } as const;
/** Characters in the FIFO at which `DATA_AVAILABLE` is reported, by FCR bits 7:6. */
export const FCR_TRIGGERS: readonly number[] = [1, 4, 8, 14];
export const FIFO_DEPTH = 16;

export const LCR_DLAB = 0x80;

export const MCR = {
  DTR: 0x01,
  RTS: 0x02,
  OUT1: 0x04,
  /** On a PC this output gates the interrupt request. */
  OUT2: 0x08,
  LOOP: 0x10,
  mask: 0x1f,
} as const;

export const LSR = { DR: 0x01, THRE: 0x20, TEMT: 0x40 } as const;

export const MSR = { CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80 } as const;

/** MSR in loopback: the modem outputs come back as inputs. */
export function loopedModemStatus(mcr: number): number {
  return (
    ((mcr & MCR.RTS) !== 0 ? MSR.CTS : 0) |
    ((mcr & MCR.DTR) !== 0 ? MSR.DSR : 0) |
    ((mcr & MCR.OUT1) !== 0 ? MSR.RI : 0) |
    ((mcr & MCR.OUT2) !== 0 ? MSR.DCD : 0)
  );
}
