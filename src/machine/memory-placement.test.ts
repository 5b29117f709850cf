import { describe, expect, it } from 'vitest';
import { GIB, MIB, TIB } from '../units.ts';
import { parseVirtioMemOptions } from './config/virtio-mem-option.ts';
import { checkMemslots, placeMemoryDevices, windowSizes } from './memory-placement.ts';

const NO_BACKENDS = {
  get: (id: string): never => {
    throw new Error(`no backend ${id}`);
  },
};

function place(ramSize: number, ...keys: readonly string[]) {
  return placeMemoryDevices(parseVirtioMemOptions(keys, []), {
    ramSize,
    addressLimit: 2 ** 46,
    nodeCount: 0,
    backends: NO_BACKENDS,
  });
}

const addresses = (ramSize: number, ...keys: readonly string[]): readonly number[] =>
  place(ramSize, ...keys).map(({ memaddr }) => memaddr / GIB);

describe('automatic places', () => {
  it('are multiples of the block size', () => {
    expect(addresses(4 * GIB, 'size=8G,block-size=2G')).toEqual([6]);
    expect(addresses(GIB, 'size=1G', 'size=32G,block-size=16G', 'size=1G')).toEqual([4, 16, 5]);
  });

  it("are multiples of the guest's memory blocks, which are larger from 64 GiB on", () => {
    expect(addresses(8 * GIB, 'size=1G', 'size=4G')).toEqual([9, 10]);
    expect(addresses(65 * GIB, 'size=1G', 'size=4G')).toEqual([66, 68]);
  });

  it('leave those alone that the user has named, also for later devices', () => {
    const named = `size=4G,memaddr=${5 * GIB}`;
    expect(addresses(GIB, 'size=1G', named, 'size=1G')).toEqual([4, 5, 9]);
    expect(addresses(GIB, 'size=2G', named, 'size=1G')).toEqual([9, 5, 4]);
  });
});

describe('named places', () => {
  it('that overlap are refused, with both', () => {
    const at = (gib: number): string => `size=2G,memaddr=${gib * GIB}`;
    expect(() => place(GIB, at(4), at(5))).toThrow(
      '--virtio-mem id=vm1: memaddr=0x140000000 to 0x1c0000000 overlaps vm0 at 0x100000000',
    );
    expect(() => place(4 * GIB, at(4))).toThrow('below 0x140000000');
  });
});

describe('windows', () => {
  const dynamic = (keys: string): string => `dynamic-memslots=on,${keys}`;
  const windows = (available: number, ...keys: readonly string[]): readonly number[] =>
    windowSizes(place(GIB, ...keys), available);

  it('leave devices with a memslot-size what they take, and static ones their one', () => {
    const fine = dynamic('size=48G,memslot-size=2M');
    const [, automatic = 0] = windows(32_756, fine, dynamic('size=16T'));
    expect(Math.ceil((16 * TIB) / automatic)).toBeLessThanOrEqual(32_756 - 24_576);
    expect(automatic).toBeLessThan(3 * GIB);
    expect(windows(3, 'size=1T', dynamic('size=8G'))).toEqual([TIB, 4 * GIB]);
  });

  it('share the rest by size', () => {
    const sizes = windows(100, dynamic('size=900G'), dynamic('size=100G'));
    expect(sizes).toEqual([Math.ceil((900 * GIB) / 89 / (2 * MIB)) * 2 * MIB, 10 * GIB]);
  });

  it.each([2, 3, 10, 97])(
    'of three devices fit %i memslots, or are as large as the region',
    (available) => {
      const placed = place(GIB, ...['size=1T', 'size=2G', 'size=130M'].map(dynamic));
      const sizes = windowSizes(placed, available);
      const check = () => checkMemslots(placed, sizes, { capacity: available + 8, available });
      if (available < 3) {
        expect(check).toThrow(
          "vm2: 130 MiB in memslots of 130 MiB are 1, and 0 of this KVM's 10 are left; give a larger memslot-size to those that have one",
        );
      } else {
        expect(check).not.toThrow();
      }
    },
  );
});
