import { describe, expect, it } from 'vitest';
import { UART } from './registers.ts';
import { createSerial } from './testing/serial-rig.ts';

describe('what a driver does to find a 16550A', () => {
  it('keeps the four interrupt enable bits and no others', () => {
    const { read, write } = createSerial();
    write(UART.IER, 0xff);
    expect(read(UART.IER)).toBe(0x0f);
    write(UART.IER, 0);
    expect(read(UART.IER)).toBe(0);
  });

  it('loops modem outputs back to modem inputs', () => {
    const { read, write } = createSerial();
    const looped = [0x12, 0x11, 0x14, 0x18, 0x1a, 0x10].map((mcr) => {
      write(UART.MCR, mcr);
      return read(UART.MSR);
    });
    expect(looped).toEqual([0x10, 0x20, 0x40, 0x80, 0x90, 0x00]);
    write(UART.MCR, 0);
    expect(read(UART.MSR)).toBe(0xb0);
  });

  it('shows working FIFOs in IIR, of 16 characters and not of 64', () => {
    const { read, write } = createSerial();
    expect(read(UART.IIR_FCR)).toBe(0x01);
    write(UART.IIR_FCR, 0x01);
    expect(read(UART.IIR_FCR)).toBe(0xc1);
    write(UART.LCR, 0x80);
    write(UART.IIR_FCR, 0x21);
    expect(read(UART.IIR_FCR)).toBe(0xc1);
    write(UART.LCR, 0xbf);
    expect(read(UART.IIR_FCR)).toBe(0xc1);
  });

  it('keeps the scratch register, LCR and MCR', () => {
    const { read, write } = createSerial();
    write(UART.SCR, 0xa5);
    write(UART.LCR, 0x1b);
    write(UART.MCR, 0xff);
    expect([read(UART.SCR), read(UART.LCR), read(UART.MCR)]).toEqual([0xa5, 0x1b, 0x1f]);
  });

  it('shows the divisor in place of data and IER while DLAB is set', async () => {
    const { read, write, backend, drained, uart } = createSerial();
    write(UART.IER, 0x05);
    write(UART.LCR, 0x83);
    write(0, 0x34);
    write(1, 0x12);
    expect([read(0), read(1)]).toEqual([0x34, 0x12]);
    write(UART.LCR, 0x03);
    expect(read(UART.IER)).toBe(0x05);
    expect(uart.state().divisor).toBe(0x1234);
    await drained();
    expect(backend.text).toBe('');
  });

  it('tells characters from divisors by the order of posted and synchronous writes', async () => {
    const { write, backend, drained, uart } = createSerial();
    write(0, 0x41);
    write(UART.LCR, 0x80);
    write(0, 0x42);
    write(UART.LCR, 0x00);
    write(0, 0x43);
    await drained();
    expect(backend.text).toBe('AC');
    expect(uart.state().divisor).toBe(0x42);
  });
});

describe('sending', () => {
  it('takes a polled line without a synchronous access, and hands it on as one batch', async () => {
    const { write, read, backend, drained } = createSerial();
    for (const byte of Buffer.from('Linux version\r\n')) {
      expect(read(UART.LSR)).toBe(0x60);
      write(UART.DATA, byte);
    }
    expect(read(UART.LSR)).toBe(0x60);
    expect(read(UART.MSR)).toBe(0xb0);
    // Nothing of it has reached the device yet: it all waits in the ring.
    expect(backend.batches).toEqual([]);
    await drained();
    expect(backend.batches).toEqual(['Linux version\r\n']);
  });

  it('cuts a drain that never ends into batches', () => {
    const { send, ports, backend } = createSerial();
    send('x'.repeat(10_000));
    ports.drain();
    expect(backend.batches.map((batch) => batch.length)).toEqual([4096, 4096]);
  });

  it('interrupts when the source is enabled while the THR is empty, until IIR is read', () => {
    const { open, read, line, write } = createSerial();
    open(0x02);
    expect(line()).toBe(true);
    expect(read(UART.IIR_FCR)).toBe(0xc2);
    expect(line()).toBe(false);
    expect(read(UART.IIR_FCR)).toBe(0xc1);
    // Disabled and enabled once more: a driver tests that the source comes back.
    write(UART.IER, 0);
    write(UART.IER, 0x02);
    expect(read(UART.IIR_FCR)).toBe(0xc2);
  });

  it('does not raise the source again when it was enabled all along', () => {
    const { open, read, write, line } = createSerial();
    open(0x02);
    read(UART.IIR_FCR);
    write(UART.IER, 0x03);
    expect(line()).toBe(false);
  });

  it('interrupts once for what one drain sent', async () => {
    const { open, read, send, drained, line, raises } = createSerial();
    open(0x02);
    read(UART.IIR_FCR);
    const before = raises();
    send('0123456789abcdef');
    expect(line()).toBe(false);
    await drained();
    expect(line()).toBe(true);
    expect(raises() - before).toBe(1);
  });

  it('answers "THR empty" again to a handler that fills the FIFO and asks again', () => {
    const { open, read, send, backend, raises } = createSerial();
    open(0x02);
    const before = raises();
    for (let round = 0; round < 4; round++) {
      expect(read(UART.IIR_FCR)).toBe(0xc2);
      send('0123456789abcdef');
    }
    expect(raises()).toBe(before);
    expect(backend.batches).toEqual([]);
  });

  it('clears the source when a character is written', () => {
    const { open, send, ports, line } = createSerial();
    open(0x02);
    send('x');
    ports.drain();
    expect(line()).toBe(false);
  });

  it('interrupts nobody while OUT2 is off or looped', () => {
    const { open, write, line } = createSerial();
    open(0x02);
    write(UART.MCR, 0x03);
    expect(line()).toBe(false);
    write(UART.MCR, 0x08);
    expect(line()).toBe(true);
    write(UART.MCR, 0x18);
    expect(line()).toBe(false);
  });
});

describe('a backend that is full', () => {
  it('makes the guest wait until it has drained', async () => {
    const { send, read, backend, drained, uart } = createSerial();
    backend.room = false;
    send('one');
    await drained();
    expect(read(UART.LSR)).toBe(0x00);
    expect(uart.state().stalled).toBe(true);
    send('two');
    await drained();
    expect(backend.batches).toEqual(['one']);
    backend.drain();
    expect(backend.batches).toEqual(['one', 'two']);
    expect(read(UART.LSR)).toBe(0x60);
  });

  it('keeps the THR interrupt back until then, also one that IIR had announced', async () => {
    const { open, read, send, backend, drained, line } = createSerial();
    open(0x02);
    backend.room = false;
    read(UART.IIR_FCR);
    send('x');
    expect(read(UART.IIR_FCR)).toBe(0xc2);
    await drained();
    expect(line()).toBe(false);
    expect(read(UART.IIR_FCR)).toBe(0xc1);
    backend.drain();
    expect(line()).toBe(true);
    expect(read(UART.IIR_FCR)).toBe(0xc2);
  });

  it('loses nothing of the posted writes in flight', async () => {
    const { send, backend, drained } = createSerial();
    backend.room = false;
    send('a');
    await drained();
    send('b'.repeat(1024 + 8 * 16));
    await drained();
    backend.drain();
    expect(backend.text).toHaveLength(1 + 1024 + 8 * 16);
  });

  it('drops what a guest sends that does not wait, and counts it', async () => {
    const { send, backend, drained, uart } = createSerial();
    backend.room = false;
    send('a');
    await drained();
    send('b'.repeat(20_000));
    await drained();
    expect(uart.state().droppedBytes).toBe(20_000 - 8192);
    backend.drain();
    expect(backend.text).toHaveLength(1 + 8192);
  });

  it('does not stop loopback', async () => {
    const { send, read, write, backend, drained } = createSerial();
    backend.room = false;
    send('a');
    await drained();
    write(UART.MCR, 0x10);
    expect(read(UART.LSR)).toBe(0x60);
    write(UART.MCR, 0);
    expect(read(UART.LSR)).toBe(0);
  });
});

describe('reset', () => {
  it('sends what was gathered, forgets registers and lowers the interrupt', () => {
    const { open, send, read, uart, backend, ports, line } = createSerial();
    open(0x03);
    send('last words');
    ports.drain();
    backend.type('x');
    expect(line()).toBe(true);
    uart.reset();
    expect(backend.text).toBe('last words');
    expect(line()).toBe(false);
    expect([read(1), read(2), read(3), read(4), read(5), read(7)]).toEqual([0, 1, 0, 0, 0x60, 0]);
  });

  it('leaves the guest waiting for a backend that is still full', async () => {
    const { send, read, uart, backend, drained } = createSerial();
    backend.room = false;
    send('a');
    await drained();
    uart.reset();
    expect(read(UART.LSR)).toBe(0);
    backend.drain();
    expect(read(UART.LSR)).toBe(0x60);
  });

  it('flushes on request', () => {
    const { send, ports, uart, backend } = createSerial();
    send('bye');
    ports.drain();
    uart.flush();
    expect(backend.batches).toEqual(['bye']);
    expect(uart.state().sentBytes).toBe(3);
  });
});
