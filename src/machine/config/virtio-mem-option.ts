import { ConfigError } from '../../errors.ts';
import type { VirtioMemOptions } from '../../devices/virtio-mem/properties.ts';
import type { BackingSpec } from '../../memory/backing/spec.ts';
import { checkId } from './ids.ts';
import { KeyValues } from './key-values.ts';
import { takeBackend } from './memdev.ts';
import { SLOTS } from '../../pci/bus.ts';

const OPTION = '--virtio-mem';

/**
 * Parses one `--virtio-mem` option.
 *
 * @param text      what the user wrote
 * @param index     which of the options it is, for the default id
 * @param backends  those that `memdev` may name
 * @throws ConfigError naming the key and the value
 */
export function parseVirtioMemOption(
  text: string,
  index: number,
  backends: readonly BackingSpec[] = [],
): VirtioMemOptions {
  const keys = new KeyValues(OPTION, text);
  const id = keys.string('id') ?? `vm${index}`;
  checkId(OPTION, id);
  const backend = takeBackend(keys, backends);
  if (backend?.prealloc === true) {
    keys.refuse(
      'memdev',
      'the backend has prealloc=on; set prealloc on the virtio-mem device instead',
    );
  }
  const size = keys.size('size') ?? backend?.size;
  const rest = {
    requestedSize: keys.size('requested-size'),
    blockSize: keys.size('block-size'),
    node: keys.count('node'),
    memaddr: keys.size('memaddr'),
    prealloc: keys.flag('prealloc'),
    unpluggedInaccessible: keys.choice('unplugged-inaccessible', ['on', 'off', 'auto']),
    dynamicMemslots: keys.flag('dynamic-memslots'),
    memslotSize: keys.size('memslot-size'),
    protectUnplugged: keys.choice('protect-unplugged', ['on', 'off', 'auto']),
  };
  keys.done();
  if (size === undefined) throw new ConfigError('BAD_OPTION', `${OPTION} ${text}: size is missing`);
  return { id, size, memdev: backend?.id, ...rest };
}

/** Memory devices that a machine can have: the host bridge has a slot of the PCI bus, too. */
export const MEMORY_DEVICE_LIMIT = SLOTS - 1;

/** Parses all of them. @throws ConfigError also when two have the same id, or there are too many */
export function parseVirtioMemOptions(
  texts: readonly string[],
  backends: readonly BackingSpec[] = [],
): readonly VirtioMemOptions[] {
  if (texts.length > MEMORY_DEVICE_LIMIT) {
    const message = `${OPTION}: ${texts.length} memory devices; the PCI bus has room for ${MEMORY_DEVICE_LIMIT}`;
    throw new ConfigError('BAD_OPTION', message);
  }
  const options = texts.map((text, index) => parseVirtioMemOption(text, index, backends));
  for (const [index, { id }] of options.entries()) {
    if (options.findIndex((it) => it.id === id) < index) {
      throw new ConfigError('BAD_OPTION', `${OPTION} id=${id}: two devices have this id`);
    }
  }
  return options;
}
