import { closeSync, constants, openSync } from 'node:fs';
import { addon } from '../../kvm/addon.ts';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { formatSize } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { thpSize } from '../thp-size.ts';
import { checkAlign } from './file.ts';
import type { FileFacts } from './file-facts.ts';
import { MappedBacking } from './mapped-backing.ts';
import { checkPages } from './map-file.ts';
import type { FileSpec } from './spec.ts';
import { ZeroingDiscarder } from './zeroing-discarder.ts';

/** What is asked for and has no meaning for memory that is always there, and no page of the kernel's. */
function checkKeys(spec: FileSpec, device: FileFacts): void {
  const { id, path, size, offset } = spec;
  const refuse = (what: string): never => {
    const message = `--memory-backend id=${id}: mem-path=${path} is a device-dax: ${what}`;
    throw new ConfigError('BAD_BACKEND', message);
  };
  if (!spec.share) refuse('it can only be mapped with share=on');
  if (spec.readonly) refuse('readonly=on: a guest must write to its memory');
  if (spec.thp !== undefined) refuse('thp does not apply to it');
  if (spec.policy !== 'default') refuse('its memory is where it is: policy does not apply to it');
  if (offset + size > device.size) {
    refuse(
      `it has ${formatSize(device.size)}; offset and size together are ${formatSize(offset + size)}`,
    );
  }
  checkPages(id, 'size', size, device.pageSize);
  checkPages(id, 'offset', offset, device.pageSize);
  checkAlign(spec, device.pageSize);
}

/** Memory that the host keeps for whoever maps it: always there, never freed. */
export function openDeviceDax(spec: FileSpec, device: FileFacts): Backing {
  checkKeys(spec, device);
  const { id, path, size } = spec;
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDWR);
    const mapping = addon.mapMemory({
      size,
      alignment: Math.max(thpSize(), device.pageSize, spec.align ?? 0),
      shared: true,
      noReserve: true,
      access: 'read-write',
      fd,
      fdOffset: spec.offset,
      pageSize: device.pageSize,
    });
    return new MappedBacking({
      id,
      mapping,
      discarder: new ZeroingDiscarder(mapping),
      pageSize: device.pageSize,
      sharedZeropage: false,
      populateCanFail: false,
      threads: spec.preallocThreads,
      mayHoldData: true,
      trouble: () => undefined,
      release: () => undefined,
    });
  } catch (cause) {
    const message = `memory backend ${id}: cannot map ${path}: ${messageOf(cause)}`;
    throw new HostError('MAP_FAILED', message, { cause });
  } finally {
    // The mapping keeps the device open.
    if (fd !== undefined) closeSync(fd);
  }
}
