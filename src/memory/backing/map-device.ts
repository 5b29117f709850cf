import { closeSync, constants, openSync } from 'node:fs';
import { addon, type NativeMapping } from '../../kvm/addon.ts';
import { HostError, messageOf } from '../../errors.ts';
import { formatSize, hex } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { thpSize } from '../thp-size.ts';
import { MappedBacking } from './mapped-backing.ts';
import { ZeroingDiscarder } from './zeroing-discarder.ts';

export interface DeviceMemory {
  readonly id: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes into the device. */
  readonly offset: number;
  readonly pageSize: number;
  /** What the mapping's address is a multiple of, at least: bytes. */
  readonly align: number;
  /** Threads that fill its page tables ahead. */
  readonly threads: number;
}

/** Maps memory of a device: it is always there, and cannot be given back. @throws HostError */
export function mapDevice(memory: DeviceMemory): Backing {
  const { id, path, size, offset: start, pageSize, align, threads } = memory;
  let fd: number | undefined;
  const map = (offset: number, length: number): NativeMapping => {
    fd ??= openSync(path, constants.O_RDWR);
    return addon.mapMemory({
      size: length,
      alignment: Math.max(thpSize(), pageSize, align),
      shared: true,
      noReserve: true,
      access: 'read-write',
      fd,
      fdOffset: start + offset,
      pageSize,
    });
  };
  const release = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  try {
    return new MappedBacking({
      id,
      mapping: map(0, size),
      discarder: new ZeroingDiscarder({ size, pageSize, map }),
      pageSize,
      sharedZeropage: false,
      populateCanFail: false,
      threads,
      trouble: () => undefined,
      release,
    });
  } catch (cause) {
    release();
    const message = `memory backend ${id}: cannot map ${formatSize(size)} at ${hex(start)} of ${path}: ${messageOf(cause)}`;
    throw new HostError('MAP_FAILED', message, { cause });
  }
}
