import { expect, it } from 'vitest';
import { FakeIoSpace } from './fake-io-space.ts';

function logged(log: string[], answer = 0) {
  return {
    read: (offset: number, size: number) => {
      log.push(`read ${offset} ${size}`);
      return answer;
    },
    write: (offset: number, size: number, value: number) => {
      log.push(`write ${offset} ${size} ${value}`);
    },
  };
}

it('answers all ones where nobody is', () => {
  const ports = new FakeIoSpace({ kind: 'port' });
  expect([1, 2, 4].map((size) => ports.read(0x80, size))).toEqual([0xff, 0xffff, 0xffff_ffff]);
  ports.write(0x80, 1, 0);
  expect(() => ports.add({ name: 'x', base: 0xffff, size: 2, handler: logged([]) })).toThrow();
});

it('keeps posted writes back until something asks', () => {
  const log: string[] = [];
  const space = new FakeIoSpace();
  space.add({ name: 'uart', base: 0x100, size: 8, handler: logged(log), write: 'post' });
  space.write(0x101, 1, 65);
  space.write(0x102, 2, 66);
  expect(log).toEqual([]);
  space.read(0x107, 1);
  expect(log).toEqual(['write 1 1 65', 'write 2 2 66', 'read 7 1']);
});

it('drops posted writes whose range went away', () => {
  const log: string[] = [];
  const space = new FakeIoSpace();
  const options = { name: 'a', base: 0, size: 8, handler: logged(log), write: 'post' } as const;
  const range = space.add(options);
  space.write(0, 1, 1);
  range.remove();
  space.add({ ...options, name: 'b' });
  space.drain();
  expect(log).toEqual([]);
});

it('answers from a shadow without the handler', () => {
  const log: string[] = [];
  const space = new FakeIoSpace();
  const range = space.add({ name: 's', base: 16, size: 8, handler: logged(log), read: 'shadow' });
  range.shadow?.set([1, 2, 3, 4], 4);
  expect(space.read(20, 4)).toBe(0x0403_0201);
  expect(space.read64(16)).toBe(0x0403_0201_0000_0000n);
  expect(log).toEqual([]);
});

it('splits accesses of 8 bytes, low half first', () => {
  const log: string[] = [];
  const space = new FakeIoSpace();
  space.add({ name: 'a', base: 0, size: 8, handler: logged(log, 5) });
  space.write64(0, 0x1_0000_0002n);
  expect(space.read64(0)).toBe(0x5_0000_0005n);
  expect(log).toEqual(['write 0 4 2', 'write 4 4 1', 'read 0 4', 'read 4 4']);
});
