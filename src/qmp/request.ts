import { genericError, QmpError, quoted } from './error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json/value.ts';

/** What a client asks for, before anything is known of the command. */
export interface Request {
  readonly command: string;
  readonly args: JsonObject;
  /** Given as `exec-oob`. */
  readonly oob: boolean;
}

const NO_ARGUMENTS: JsonObject = {};

function commandName(value: JsonValue, member: string): string {
  if (typeof value === 'string') return value;
  throw genericError(`QMP input member '${member}' must be a string`);
}

/**
 * Reads the envelope of a request.
 *
 * @param oob whether the client has enabled out-of-band commands
 * @throws QmpError saying what is wrong with it
 */
export function readRequest(value: JsonValue, oob: boolean): Request {
  if (!isJsonObject(value)) throw genericError('QMP input must be a JSON object');
  const known = ['execute', 'arguments', 'id', ...(oob ? ['exec-oob'] : [])];
  const stranger = Object.keys(value).find((name) => !known.includes(name));
  if (stranger !== undefined) {
    throw genericError(`QMP input member ${quoted(stranger)} is unexpected`);
  }
  const { execute, 'exec-oob': execOob, arguments: args } = value;
  if (args !== undefined && !isJsonObject(args)) {
    throw genericError("QMP input member 'arguments' must be an object");
  }
  if (execute !== undefined && execOob !== undefined) {
    throw genericError("QMP input member 'execute' clashes with 'exec-oob'");
  }
  if (execOob !== undefined) {
    return { command: commandName(execOob, 'exec-oob'), args: args ?? NO_ARGUMENTS, oob: true };
  }
  if (execute === undefined) throw genericError("QMP input lacks member 'execute'");
  return { command: commandName(execute, 'execute'), args: args ?? NO_ARGUMENTS, oob: false };
}

export function commandNotFound(command: string): QmpError {
  const cut = quoted(command).slice(1, -1);
  return new QmpError('CommandNotFound', `The command ${cut} has not been found`);
}
