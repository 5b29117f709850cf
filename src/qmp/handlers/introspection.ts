import { COMMANDS, type ReturnOf } from '../schema/commands.ts';
import { EVENTS } from '../schema/events.ts';
import { describeSchema } from '../schema/introspect.ts';
import type { Handlers } from './handler.ts';

const names = (table: object): { name: string }[] => Object.keys(table).map((name) => ({ name }));

/** tsvmm's own version, in the place where clients look for one. */
export function versionInfo(version: string): ReturnOf<'query-version'> {
  const [major = 0, minor = 0, micro = 0] = version.split('.').map((part) => Number.parseInt(part));
  return { qemu: { major, minor, micro }, package: `tsvmm ${version}` };
}

export const introspectionHandlers: Handlers<
  'query-version' | 'query-commands' | 'query-events' | 'query-qmp-schema'
> = {
  'query-version': (_args, { control }) => versionInfo(control.version),
  'query-commands': () => names(COMMANDS),
  'query-events': () => names(EVENTS),
  'query-qmp-schema': () => describeSchema(),
};
