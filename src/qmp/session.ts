import { messageOf, TsvmmError } from '../errors.ts';
import { log } from '../log.ts';
import { genericError, QmpError } from './error.ts';
import { execute } from './handlers/execute.ts';
import type { QmpContext } from './handlers/handler.ts';
import { versionInfo } from './handlers/introspection.ts';
import { JsonError, parseJson } from './json/parse.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json/value.ts';
import type { NextValue } from './json/value-splitter.ts';
import { writeJson } from './json/write.ts';
import { commandNotFound, readRequest, type Request } from './request.ts';
import { allowsOob, COMMANDS, isCommand } from './schema/commands.ts';
import { isOwnEvent, OWN_EVENTS, type EventName } from './schema/events.ts';
import { validate } from './schema/validate.ts';

const LINE_END = '\r\n';

/** Something that a client has sent and gets an answer to. */
export interface Job {
  /** May overtake the jobs before it. */
  readonly oob: boolean;
  /** The client cannot be followed any further: its answer is the last. */
  readonly fatal: boolean;
  /** Does it, never rejects. @returns the answer, a line */
  respond(): Promise<string>;
}

/** A line of the protocol. */
export function message(value: JsonValue): string {
  return `${writeJson(value)}${LINE_END}`;
}

function errorMessage(error: unknown, id: JsonValue | undefined): string {
  if (!(error instanceof QmpError || error instanceof TsvmmError)) {
    log('qmp').error({ err: error }, 'command failed');
  }
  const errorClass = error instanceof QmpError ? error.class : 'GenericError';
  return message({ id, error: { class: errorClass, desc: messageOf(error) } });
}

/** One client's side of the protocol: first it negotiates capabilities, then it gives commands. */
export class QmpSession {
  readonly #context: QmpContext;
  #negotiated = false;
  #oob = false;
  /** Events of our own that the client has asked for. */
  #ownEvents: readonly EventName[] = [];

  constructor(context: QmpContext) {
    this.#context = context;
  }

  /** Whether the client is to hear of such an event. */
  wants(event: EventName): boolean {
    return this.#negotiated && (!isOwnEvent(event) || this.#ownEvents.includes(event));
  }

  /** Whether out-of-band commands are enabled. */
  get oob(): boolean {
    return this.#oob;
  }

  greeting(): string {
    const version = versionInfo(this.#context.control.version);
    return message({ QMP: { version, capabilities: ['oob'] } });
  }

  /** Decides what to do with what came. It is done when its turn has come. */
  accept(next: NextValue): Job {
    if (!('text' in next)) return this.#noJson(next.problem, next.fatal);
    let value: JsonValue;
    try {
      value = parseJson(next.text);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      return this.#noJson(error.message, false);
    }
    const id = isJsonObject(value) ? value['id'] : undefined;
    try {
      const request = readRequest(value, this.#oob);
      const isOob = request.oob && isCommand(request.command) && allowsOob(request.command);
      return { oob: isOob, fatal: false, respond: () => this.#respond(request, id) };
    } catch (error) {
      return failed(error, id, false);
    }
  }

  /**
   * Who does not speak JSON from the beginning is no client, but perhaps a web page that sends what
   * it can to a port of this host: it does not get to the part that looks like a command.
   */
  #noJson(problem: string, fatal: boolean): Job {
    const error = genericError(`JSON parse error, ${problem}`);
    return failed(error, undefined, fatal || !this.#negotiated);
  }

  async #respond(request: Request, id: JsonValue | undefined): Promise<string> {
    try {
      return message({ return: await this.#run(request), id });
    } catch (error) {
      return errorMessage(error, id);
    }
  }

  async #run({ command, args, oob }: Request): Promise<JsonValue> {
    if (!this.#negotiated) return this.#negotiate(command, args);
    if (!isCommand(command)) throw commandNotFound(command);
    if (oob && !allowsOob(command)) {
      throw genericError(`The command ${command} does not support OOB`);
    }
    if (command === 'qmp_capabilities') {
      throw new QmpError(
        'CommandNotFound',
        'Capabilities negotiation is already complete, command ignored',
      );
    }
    if (command === 'x-tsvmm-enable-events') return this.#enableEvents(args);
    return await execute(command, args, this.#context);
  }

  #enableEvents(args: JsonObject): JsonValue {
    const given: JsonValue = args;
    validate(COMMANDS['x-tsvmm-enable-events'].args, given);
    this.#ownEvents = given.events ?? OWN_EVENTS;
    return {};
  }

  #negotiate(command: string, args: JsonObject): JsonValue {
    if (command !== 'qmp_capabilities') {
      throw new QmpError(
        'CommandNotFound',
        "Expecting capabilities negotiation with 'qmp_capabilities'",
      );
    }
    const given: JsonValue = args;
    validate(COMMANDS.qmp_capabilities.args, given);
    this.#oob = given.enable?.includes('oob') === true;
    this.#negotiated = true;
    return {};
  }
}

function failed(error: unknown, id: JsonValue | undefined, fatal: boolean): Job {
  return { oob: false, fatal, respond: () => Promise.resolve(errorMessage(error, id)) };
}
