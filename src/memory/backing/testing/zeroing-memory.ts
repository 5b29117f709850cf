import { addon, type NativeMapping } from '../../../kvm/addon.ts';
import { PAGE_SIZE } from '../../../units.ts';
import type { Backing } from '../../backing.ts';
import { MappedBacking } from '../mapped-backing.ts';
import { ZeroingDiscarder } from '../zeroing-discarder.ts';

/**
 * Memory that is filled with zeros where other memory would be given back. A memfd plays the device:
 * what is zeroed through one mapping is zero in all.
 *
 * @param onZero  called before memory is zeroed; it may throw to refuse
 */
export function zeroingMemory(size: number, onZero: () => void = () => undefined): Backing {
  const fd = addon.createMemfd({ name: 'zeroing', size, hugePageSize: 0, seal: true });
  const map = (offset: number, length: number): NativeMapping =>
    addon.mapMemory({
      size: length,
      alignment: PAGE_SIZE,
      shared: true,
      noReserve: true,
      access: 'read-write',
      fd,
      fdOffset: offset,
    });
  const mapAgain = (offset: number, length: number): NativeMapping => {
    onZero();
    return map(offset, length);
  };
  const mapping = map(0, size);
  return new MappedBacking({
    id: 'zeroing',
    mapping,
    discarder: new ZeroingDiscarder({ size, pageSize: PAGE_SIZE, map: mapAgain }),
    pageSize: PAGE_SIZE,
    sharedZeropage: false,
    populateCanFail: false,
    threads: 1,
    trouble: () => undefined,
    release: () => addon.closeMemfd(fd),
  });
}
