import { ConfigError } from '../errors.ts';

/** @param known  the ids that there are */
export function noDevice(id: string, known: readonly string[]): ConfigError {
  const others = known.length === 0 ? 'there are none' : `there is ${known.join(', ')}`;
  return new ConfigError('NO_DEVICE', `${id}: no memory device has this id (${others})`);
}
