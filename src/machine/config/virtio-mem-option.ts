import { ConfigError } from '../../errors.ts';
import type { VirtioMemOptions } from '../../devices/virtio-mem/properties.ts';
import { KeyValues } from './key-values.ts';

const OPTION = '--virtio-mem';

/** What ids may look like: they become part of object paths and of monitor commands. */
const ID_PATTERN = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

/**
 * Parses one `--virtio-mem` option.
 *
 * @param text   what the user wrote
 * @param index  which of the options it is, for the default id
 * @throws ConfigError naming the key and the value
 */
export function parseVirtioMemOption(text: string, index: number): VirtioMemOptions {
  const keys = new KeyValues(OPTION, text);
  const id = keys.string('id') ?? `vm${index}`;
  if (!ID_PATTERN.test(id)) {
    throw new ConfigError(
      'BAD_OPTION',
      `${OPTION} id=${id}: letters, digits, dot, dash and underscore, a letter first`,
    );
  }
  const size = keys.size('size');
  const rest = {
    requestedSize: keys.size('requested-size'),
    blockSize: keys.size('block-size'),
    node: keys.count('node'),
    memaddr: keys.size('memaddr'),
    prealloc: keys.flag('prealloc'),
    unpluggedInaccessible: keys.choice('unplugged-inaccessible', ['on', 'off', 'auto']),
    dynamicMemslots: keys.flag('dynamic-memslots'),
    memslotSize: keys.size('memslot-size'),
  };
  refuseUnbuilt(keys);
  keys.done();
  if (size === undefined) throw new ConfigError('BAD_OPTION', `${OPTION} ${text}: size is missing`);
  return { id, size, ...rest };
}

/** Keys that the design knows and this version does not: refused by name. */
function refuseUnbuilt(keys: KeyValues): void {
  const memdev = keys.string('memdev');
  if (memdev !== undefined) {
    const message = `${OPTION} memdev=${memdev}: no memory backend has this id (there is no --memory-backend yet; give size)`;
    throw new ConfigError('NOT_BUILT', message);
  }
  const protect = keys.string('protect-unplugged');
  if (protect !== undefined) {
    const message = `${OPTION} protect-unplugged=${protect}: not built yet`;
    throw new ConfigError('NOT_BUILT', message);
  }
}

/** Parses all of them. @throws ConfigError also when two have the same id */
export function parseVirtioMemOptions(texts: readonly string[]): readonly VirtioMemOptions[] {
  const options = texts.map((text, index) => parseVirtioMemOption(text, index));
  for (const [index, { id }] of options.entries()) {
    if (options.findIndex((it) => it.id === id) < index) {
      throw new ConfigError('BAD_OPTION', `${OPTION} id=${id}: two devices have this id`);
    }
  }
  return options;
}
