import { ConfigError } from '../../errors.ts';

/** What ids may look like: they become part of object paths and of monitor commands. */
const ID_PATTERN = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

/** @throws ConfigError */
export function checkId(option: string, id: string): void {
  if (ID_PATTERN.test(id)) return;
  throw new ConfigError(
    'BAD_OPTION',
    `${option} id=${id}: letters, digits, dot, dash and underscore, a letter first`,
  );
}
