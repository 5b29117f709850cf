import { describe, expect, it } from 'vitest';
import type { IoHandler } from './io-space.ts';
import { registerMap, reserved } from './register-map.ts';

function device() {
  const state = { wide: 0x1122_3344, half: 0x5566, byte: 0x77, reads: 0, writes: [] as string[] };
  const block: IoHandler = {
    read: (offset, size) => (size === 1 ? 0xa0 : 0xa0b0) + offset,
    write: (offset, size, value) => state.writes.push(`block ${offset} ${size} ${value}`),
  };
  const handler = registerMap({
    name: 'device',
    size: 16,
    registers: [
      {
        name: 'wide',
        size: 4,
        read: () => {
          state.reads += 1;
          return state.wide;
        },
        write: (value) => (state.wide = value),
        narrow: 'merge',
      },
      { name: 'half', size: 2, read: () => state.half, write: (value) => (state.half = value) },
      { name: 'byte', size: 1, read: () => state.byte },
      reserved(2),
      { name: 'block', size: 6, block },
      { name: 'command', size: 1, write: (value) => state.writes.push(`command ${value}`) },
    ],
  });
  return { state, handler };
}

describe('a register map', () => {
  it('serves an exact access from its register', () => {
    const { handler, state } = device();
    expect(handler.read(0, 4)).toBe(0x1122_3344);
    handler.write(0, 4, 0xffff_fffe);
    expect(state.wide).toBe(0xffff_fffe);
    handler.write(4, 2, 0xabcd);
    expect(state.half).toBe(0xabcd);
    handler.write(15, 1, 3);
    expect(state.writes).toEqual(['command 3']);
  });

  it('reads a part of a register', () => {
    const { handler } = device();
    expect([0, 1, 2, 3].map((offset) => handler.read(offset, 1))).toEqual([0x44, 0x33, 0x22, 0x11]);
    expect(handler.read(1, 2)).toBe(0x2233);
  });

  it('reads several registers at once, each of them once', () => {
    const { handler, state } = device();
    expect(handler.read(2, 4)).toBe(0x5566_1122);
    expect(state.reads).toBe(1);
    expect(handler.read(4, 4)).toBe(0x0077_5566);
  });

  it('merges a narrow write where the register says so', () => {
    const { handler, state } = device();
    handler.write(3, 1, 0xff);
    expect(state.wide).toBe(0xff22_3344);
    handler.write(1, 2, 0);
    expect(state.wide).toBe(0xff00_0044);
  });

  it('ignores a narrow write elsewhere', () => {
    const { handler, state } = device();
    handler.write(4, 1, 0xff);
    handler.write(5, 1, 0xff);
    expect(state.half).toBe(0x5566);
  });

  it('hands a wide write to each register in it', () => {
    const { handler, state } = device();
    handler.write(2, 4, 0x1234_5678);
    expect(state.wide).toBe(0x5678_3344);
    expect(state.half).toBe(0x1234);
  });

  it('gives blocks what falls inside, in sizes of 1, 2 and 4', () => {
    const { handler, state } = device();
    expect(handler.read(10, 1)).toBe(0xa1);
    handler.write(12, 4, 0x0403_0201);
    expect(state.writes).toEqual(['block 3 2 513', 'block 5 1 3', 'command 4']);
    expect(handler.read(12, 4)).toBe(0x00a5_a0b3);
  });

  it('reads 0 where nothing can be read and drops writes where nothing can be written', () => {
    const { handler, state } = device();
    expect(handler.read(7, 2)).toBe(0);
    expect(handler.read(15, 1)).toBe(0);
    expect(handler.read(16, 4)).toBe(0);
    expect(handler.read(1000, 4)).toBe(0);
    handler.write(6, 1, 0);
    handler.write(16, 4, 1);
    expect(state.byte).toBe(0x77);
  });

  it('refuses registers that do not add up', () => {
    const registers = [reserved(3)];
    expect(() => registerMap({ name: 'short', size: 4, registers })).toThrow(
      'short: the registers take 3 bytes and not 4',
    );
  });
});
