import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addon, type NativeMapping } from '../../kvm/addon.ts';
import { MIB } from '../../units.ts';
import { ZeroingDiscarder } from './zeroing-discarder.ts';

const SIZE = 192 * MIB;

/** A memfd plays the device: what is zeroed through one mapping is zero in all. */
let fd: number;
let guest: NativeMapping;
let zeroed: (readonly [offset: number, length: number])[];
let discarder: ZeroingDiscarder;

function map(offset: number, length: number): NativeMapping {
  return addon.mapMemory({
    size: length,
    alignment: 4096,
    shared: true,
    noReserve: true,
    access: 'read-write',
    fd,
    fdOffset: offset,
  });
}

beforeEach(() => {
  fd = addon.createMemfd({ name: 'test', size: SIZE, hugePageSize: 0, seal: true });
  guest = map(0, SIZE);
  zeroed = [];
  discarder = new ZeroingDiscarder({
    size: SIZE,
    pageSize: 4096,
    map: (offset, length) => {
      zeroed.push([offset, length]);
      return map(offset, length);
    },
  });
});

afterEach(() => {
  guest.close();
  addon.closeMemfd(fd);
});

const write = (offset: number): void => guest.write(offset, Uint8Array.of(0xa5));
function byteAt(offset: number): number | undefined {
  const byte = new Uint8Array(1);
  guest.read(offset, byte);
  return byte[0];
}

describe('memory that cannot be given back', () => {
  it('does not show the guest what was left there', async () => {
    write(3 * MIB);
    write(4 * MIB);
    await discarder.clear(2 * MIB, 2 * MIB);
    expect(byteAt(3 * MIB)).toBe(0);
    expect(byteAt(4 * MIB)).toBe(0xa5);
  });

  it('is zeroed when it is unplugged, though nobody may touch it any more', async () => {
    await discarder.clear(0, 4 * MIB);
    write(MIB);
    guest.protect(0, SIZE, 'none');
    await discarder.discard(0, 4 * MIB);
    guest.protect(0, SIZE, 'read-write');
    expect(byteAt(MIB)).toBe(0);
  });

  it('is not zeroed again where nobody had it since', async () => {
    await discarder.clear(0, 4 * MIB);
    await discarder.discard(0, 4 * MIB);
    zeroed.length = 0;
    await discarder.discard(0, 4 * MIB);
    expect(discarder.clear(MIB, 2 * MIB)).toBeUndefined();
    expect(zeroed).toEqual([]);
    await discarder.discard(0, 4 * MIB);
    expect(zeroed).toEqual([[MIB, 2 * MIB]]);
  });

  it('is zeroed a piece at a time, so that little of it is mapped twice', async () => {
    write(SIZE - 1);
    await discarder.discard(0, SIZE);
    expect(zeroed).toEqual([
      [0, 64 * MIB],
      [64 * MIB, 64 * MIB],
      [128 * MIB, 64 * MIB],
    ]);
    expect(byteAt(SIZE - 1)).toBe(0);
  });
});
