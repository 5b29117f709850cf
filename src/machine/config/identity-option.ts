import { ConfigError } from '../../errors.ts';

/** What a machine is called. Nobody but monitors asks. */
export interface MachineIdentity {
  readonly name: string;
  /** In lower case. */
  readonly uuid: string;
}

export const NO_IDENTITY: MachineIdentity = {
  name: 'tsvmm',
  uuid: '00000000-0000-0000-0000-000000000000',
};

/** Characters of a name. */
const NAME_LIMIT = 128;
/** Characters that would make more than a line of it, or hide some. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Parses `--name` and `--uuid`, which may be left out. @throws ConfigError naming the value */
export function parseIdentity(name: string | undefined, uuid: string | undefined): MachineIdentity {
  if (name !== undefined && (name === '' || name.length > NAME_LIMIT)) {
    const message = `--name=${name.slice(0, NAME_LIMIT)}: a name has 1 to ${NAME_LIMIT} characters`;
    throw new ConfigError('BAD_OPTION', message);
  }
  if (name !== undefined && UNPRINTABLE.test(name)) {
    const message = `--name=${JSON.stringify(name)}: a name is a line of characters that can be printed`;
    throw new ConfigError('BAD_OPTION', message);
  }
  const lower = uuid?.toLowerCase();
  if (lower !== undefined && !UUID.test(lower)) {
    const message = `--uuid=${lower}: not a UUID, as 550e8400-e29b-41d4-a716-446655440000`;
    throw new ConfigError('BAD_OPTION', message);
  }
  return { name: name ?? NO_IDENTITY.name, uuid: lower ?? NO_IDENTITY.uuid };
}
