import type { CommandSpec, CommandSpecs } from './command-spec.ts';
import { INSPECT_COMMANDS } from './inspect-commands.ts';
import { MACHINE_COMMANDS } from './machine-commands.ts';
import { MEMORY_COMMANDS } from './memory-commands.ts';
import { SchemaInfo } from './schema-info.ts';
import { STATS_COMMANDS } from './stats-commands.ts';
import { OWN_EVENTS } from './events.ts';
import { any, bool, listOf, NOTHING, object, oneOf, optional, str, type TypeOf } from './type.ts';

const ObjectPropertyInfo = object({ name: str, type: str });

const ObjectTypeInfo = object({ name: str, abstract: optional(bool), parent: optional(str) });

/** The protocol about itself. */
const PROTOCOL_COMMANDS = {
  qmp_capabilities: {
    args: object({ enable: optional(listOf(oneOf('oob'))) }),
    returns: NOTHING,
  },
  'query-commands': { args: NOTHING, returns: listOf(object({ name: str })) },
  'query-events': { args: NOTHING, returns: listOf(object({ name: str })) },
  /** From now on this client gets these events of our own; all of them where none are named. */
  'x-tsvmm-enable-events': {
    args: object({ events: optional(listOf(oneOf(...OWN_EVENTS))) }),
    returns: NOTHING,
  },
  'query-qmp-schema': { args: NOTHING, returns: listOf(SchemaInfo) },
} as const satisfies CommandSpecs;

const OBJECT_COMMANDS = {
  'qom-list': { args: object({ path: str }), returns: listOf(ObjectPropertyInfo) },
  'qom-list-types': {
    args: object({ implements: optional(str), abstract: optional(bool) }),
    returns: listOf(ObjectTypeInfo),
  },
  'qom-get': { args: object({ path: str, property: str }), returns: any },
  'qom-set': { args: object({ path: str, property: str, value: any }), returns: NOTHING },
} as const satisfies CommandSpecs;

/** Every command there is: arguments, results, checks and introspection come from this table. */
export const COMMANDS = {
  ...PROTOCOL_COMMANDS,
  ...MACHINE_COMMANDS,
  ...MEMORY_COMMANDS,
  ...OBJECT_COMMANDS,
  ...INSPECT_COMMANDS,
  ...STATS_COMMANDS,
} as const satisfies CommandSpecs;

export type CommandName = keyof typeof COMMANDS;
export type ArgumentsOf<Name extends CommandName> = TypeOf<(typeof COMMANDS)[Name]['args']>;
export type ReturnOf<Name extends CommandName> = TypeOf<(typeof COMMANDS)[Name]['returns']>;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** Commands that are about a client's session; the machine serves the others. */
export type SessionCommand = 'qmp_capabilities' | 'x-tsvmm-enable-events';

/** Whether a command may be given out of band. */
export function allowsOob(name: CommandName): boolean {
  const spec: CommandSpec = COMMANDS[name];
  return spec.oob === true;
}
