import type { JsonValue } from '../json/value.ts';
import { COMMANDS, type CommandName } from '../schema/commands.ts';
import { object } from '../schema/type.ts';
import { validate } from '../schema/validate.ts';
import type { QmpRig } from './rig.ts';

/** Gives a command. @returns its result, which is as the schema says, or its error */
export async function ask(rig: QmpRig, command: CommandName, args?: object): Promise<unknown> {
  const client = await rig.ready();
  const { return: result, error } = await client.ask(command, args);
  if (error !== undefined) return error;
  // eslint-disable-next-line @typescript-eslint/no-unsafe-type-assertion -- it was parsed as such
  validate(object({ result: COMMANDS[command].returns }), { result: result as JsonValue });
  return result;
}

export const generic = (desc: string): object => ({ class: 'GenericError', desc });
