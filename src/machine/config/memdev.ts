import type { BackingSpec } from '../../memory/backing/spec.ts';
import type { KeyValues } from './key-values.ts';

/**
 * The backend that an option's `memdev` names. Its size is the size: the option may repeat it, not
 * change it.
 *
 * @param sizeKey  how the option calls its size
 * @throws ConfigError when there is none with this id, or the sizes differ
 */
export function takeBackend(
  keys: KeyValues,
  backends: readonly BackingSpec[],
  sizeKey = 'size',
): BackingSpec | undefined {
  const id = keys.string('memdev');
  if (id === undefined) return undefined;
  const backend = backends.find((it) => it.id === id);
  if (backend === undefined) {
    const ids = backends.map((it) => it.id).join(', ');
    const known = ids === '' ? 'there are none' : `there is ${ids}`;
    return keys.refuse('memdev', `no memory backend has this id (${known}); see --memory-backend`);
  }
  const size = keys.size(sizeKey);
  if (size !== undefined && size !== backend.size) {
    keys.refuse(sizeKey, `the backend ${id} has ${backend.size} bytes; leave ${sizeKey} out`);
  }
  return backend;
}
