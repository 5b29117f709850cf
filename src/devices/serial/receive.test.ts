import { describe, expect, it } from 'vitest';
import { UART } from './registers.ts';
import { BASE, createSerial } from './testing/serial-rig.ts';

type Serial = ReturnType<typeof createSerial>;

/** Reads as a driver does: while LSR says that there is data. */
function readAll({ read }: Serial): string {
  let text = '';
  while ((read(UART.LSR) & 0x01) !== 0) text += String.fromCharCode(read(UART.DATA));
  return text;
}

describe('receiving', () => {
  it('shows data in LSR until it has been read', () => {
    const { backend, read } = createSerial();
    backend.type('A');
    expect(read(UART.LSR)).toBe(0x61);
    expect(read(UART.DATA)).toBe(0x41);
    expect(read(UART.LSR)).toBe(0x60);
    expect(read(UART.DATA)).toBe(0);
  });

  it('gives everything in order, with FIFOs and without', () => {
    const typed = 'The quick brown fox jumps over the lazy dog';
    for (const fcr of [0x00, 0x01]) {
      const serial = createSerial();
      serial.write(UART.IIR_FCR, fcr);
      serial.backend.type(typed);
      expect(readAll(serial)).toBe(typed);
    }
  });

  it('tells a full enough FIFO from one that waited long enough', () => {
    const { open, backend, read } = createSerial();
    open(0x01);
    backend.type('1234567');
    expect(read(UART.IIR_FCR)).toBe(0xcc);
    backend.type('8');
    expect(read(UART.IIR_FCR)).toBe(0xc4);
    read(UART.DATA);
    expect(read(UART.IIR_FCR)).toBe(0xcc);
  });

  it('calls every character available data without FIFOs', () => {
    const { open, write, backend, read, line } = createSerial();
    open(0x01);
    write(UART.IIR_FCR, 0);
    backend.type('a');
    expect(line()).toBe(true);
    expect(read(UART.IIR_FCR)).toBe(0x04);
    read(UART.DATA);
    expect(line()).toBe(false);
  });

  it('puts received data before an empty THR', () => {
    const { open, backend, read } = createSerial();
    open(0x03);
    backend.type('a');
    expect(read(UART.IIR_FCR)).toBe(0xcc);
    read(UART.DATA);
    expect(read(UART.IIR_FCR)).toBe(0xc2);
    expect(read(UART.IIR_FCR)).toBe(0xc1);
  });

  it('gives another edge for each FIFO full of input', () => {
    const { open, backend, read, line, raises } = createSerial();
    open(0x01);
    backend.type('x'.repeat(40));
    expect(raises()).toBe(1);
    for (let i = 0; i < 16; i++) read(UART.DATA);
    expect(raises()).toBe(2);
    for (let i = 0; i < 24; i++) read(UART.DATA);
    expect(raises()).toBe(3);
    expect(line()).toBe(false);
  });

  it('forgets the FIFO when the guest resets it, and only that', () => {
    const serial = createSerial();
    serial.write(UART.IIR_FCR, 0x01);
    serial.backend.type('0123456789abcdefREST');
    serial.write(UART.IIR_FCR, 0x03);
    expect(readAll(serial)).toBe('REST');
  });

  it('keeps what was typed ahead of a reset, but for the FIFO', () => {
    const serial = createSerial();
    serial.backend.type('abc');
    serial.uart.reset();
    expect(readAll(serial)).toBe('bc');
  });
});

describe('a guest that does not read', () => {
  it('pauses the backend, and lets it go on when it has read most', () => {
    const serial = createSerial();
    serial.backend.type('x'.repeat(4000));
    expect(serial.backend.paused).toBe(false);
    serial.backend.type('y'.repeat(200));
    expect(serial.backend.paused).toBe(true);
    for (let i = 0; i < 3000; i++) serial.read(UART.DATA);
    expect(serial.backend.paused).toBe(true);
    expect(readAll(serial)).toHaveLength(1200);
    expect(serial.backend.paused).toBe(false);
  });

  it('bounds what a backend sends that does not pause', () => {
    const serial = createSerial();
    for (let i = 0; i < 5; i++) serial.backend.type('z'.repeat(65_536));
    const { received, waiting, droppedBytes } = serial.uart.state();
    expect(received + waiting).toBe(128 * 1024 + 1);
    expect(droppedBytes).toBe(3 * 65_536 - 1);
    expect(readAll(serial)).toHaveLength(128 * 1024 + 1);
  });
});

describe('loopback', () => {
  it('receives what it sends, sends nothing, and holds input back', async () => {
    const serial = createSerial();
    const { write, send, drained, backend } = serial;
    write(UART.IIR_FCR, 0x01);
    write(UART.MCR, 0x10);
    backend.type('typed');
    send('looped');
    await drained();
    expect(readAll(serial)).toBe('looped');
    expect(backend.text).toBe('');
    write(UART.MCR, 0x00);
    expect(readAll(serial)).toBe('typed');
  });

  it('holds as many characters as the FIFO has', async () => {
    const serial = createSerial();
    serial.write(UART.IIR_FCR, 0x01);
    serial.write(UART.MCR, 0x10);
    serial.send('x'.repeat(256));
    await serial.drained();
    expect(readAll(serial)).toHaveLength(16);
  });
});

describe('a hostile guest', () => {
  it('gets bytes and nothing else, whatever it does', async () => {
    const { ports, backend, read, uart, drained } = createSerial();
    // A linear congruential generator: the same sequence in every run.
    let seed = 1;
    const random = (limit: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * limit);
    };
    for (let i = 0; i < 50_000; i++) {
      const size = [1, 2, 4][random(3)] ?? 1;
      const port = BASE + random(8);
      if (random(2) === 0) ports.write(port, size, random(2 ** 32));
      else ports.read(port, size);
      if (random(50) === 0) backend.type('input');
      backend.room = random(10) !== 0;
      if (random(20) === 0) backend.drain();
      if (random(100) === 0) await drained();
    }
    uart.reset();
    backend.drain();
    expect(read(UART.IER)).toBe(0);
    expect(read(UART.LSR) & 0xfe).toBe(0x60);
  });

  it('may access neighbours at once where they are served alike', () => {
    const { ports, read } = createSerial();
    ports.write(BASE + UART.LCR, 2, 0x0b03);
    expect([read(UART.LCR), read(UART.MCR)]).toEqual([0x03, 0x0b]);
    expect(ports.read(BASE + UART.LSR, 2)).toBe(0xb060);
  });
});
