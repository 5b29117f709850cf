import type { JsonObject, JsonValue } from '../json/value.ts';
import {
  COMMANDS,
  type CommandName,
  type ReturnOf,
  type SessionCommand,
} from '../schema/commands.ts';
import { validate } from '../schema/validate.ts';
import type { Handlers, QmpContext } from './handler.ts';
import { deviceHandlers } from './devices.ts';
import { inspectHandlers } from './inspect.ts';
import { introspectionHandlers } from './introspection.ts';
import { machineHandlers } from './machine.ts';
import { memoryHandlers } from './memory.ts';
import { objectHandlers } from './objects.ts';
import { statsHandlers } from './stats.ts';

/** Commands that the machine serves; the others the session does itself. */
export type MachineCommand = Exclude<CommandName, SessionCommand>;

const HANDLERS: Handlers<MachineCommand> = {
  ...introspectionHandlers,
  ...machineHandlers,
  ...memoryHandlers,
  ...objectHandlers,
  ...inspectHandlers,
  ...deviceHandlers,
  ...statsHandlers,
};

/**
 * Checks the arguments and does the command.
 *
 * @throws QmpError for wrong arguments, and whatever the command throws
 */
export async function execute<Name extends MachineCommand>(
  name: Name,
  args: JsonObject,
  context: QmpContext,
): Promise<ReturnOf<Name>> {
  const given: JsonValue = args;
  // Spelled so that the compiler keeps to this one command.
  validate<(typeof COMMANDS)[Name]['args']>(COMMANDS[name]['args'], given);
  return await HANDLERS[name](given, context);
}
