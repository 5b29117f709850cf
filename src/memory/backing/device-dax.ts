import { ConfigError } from '../../errors.ts';
import { formatSize } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { checkAlign } from './file.ts';
import type { FileFacts } from './file-facts.ts';
import { mapDevice } from './map-device.ts';
import { checkPages } from './map-file.ts';
import type { FileSpec } from './spec.ts';

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
  if (spec.reserve !== undefined) refuse('all of it is there: reserve does not apply to it');
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
  const { id, path, size, offset, align = 0, preallocThreads: threads } = spec;
  return mapDevice({ id, path, size, offset, pageSize: device.pageSize, align, threads });
}
