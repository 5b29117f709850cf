import type { Socket } from 'node:net';
import { ConfigError, HostError, messageOf } from '../../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../qmp/json/value.ts';
import { parseJson } from '../../qmp/json/parse.ts';
import { ValueSplitter } from '../../qmp/json/value-splitter.ts';
import { writeJson } from '../../qmp/json/write.ts';
import type { ArgumentsOf, CommandName } from '../../qmp/schema/commands.ts';
import { Deadline } from '../deadline.ts';
import { openSocket } from '../../terminal/open-socket.ts';

/** A message of the server is no longer than this; `query-qmp-schema` is the longest. */
const LIMITS = { bytes: 16 * 1024 * 1024, depth: 64 } as const;

interface Waiter {
  readonly resolve: (value: JsonValue | undefined) => void;
  readonly reject: (error: Error) => void;
}

export interface ConnectionHandlers {
  readonly onEvent: (name: string, data: JsonObject) => void;
  /** The connection is gone; `error` unless this side has closed it. */
  readonly onClose: (error: Error | undefined) => void;
}

/** A connection to a machine in another process, over QMP. Commands are answered in order. */
export class QmpConnection {
  readonly #socket: Socket;
  readonly #where: string;
  readonly #handlers: ConnectionHandlers;
  readonly #splitter = new ValueSplitter(LIMITS);
  /** Those who wait for a message, by the id of their command; the greeting has none. */
  readonly #waiters = new Map<number, Waiter>();
  #lastId = 0;
  #closed = false;

  private constructor(socket: Socket, where: string, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#where = where;
    this.#handlers = handlers;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', (error) => this.#lost(messageOf(error)));
    socket.on('close', () => this.#lost('the machine has closed the connection'));
  }

  /**
   * Connects, negotiates, and asks for every event that there is.
   *
   * @param timeoutMs  for all of it: who accepts a connection may still have nothing to say
   * @throws (rejects with) HostError when nobody answers there
   */
  static async open(
    where: string,
    handlers: ConnectionHandlers,
    timeoutMs: number,
  ): Promise<QmpConnection> {
    const why = `nothing that speaks QMP answers in ${timeoutMs} ms`;
    const late = new AbortController();
    const deadline = new Deadline(timeoutMs, () => late.abort(new Error(why)));
    try {
      const socket = await openSocket(where, '--qmp', late.signal);
      const connection = new QmpConnection(socket, where, handlers);
      late.signal.addEventListener('abort', () => connection.#lost(why));
      await connection.execute('qmp_capabilities', {});
      await connection.#enableEvents();
      return connection;
    } finally {
      deadline.clear();
    }
  }

  /**
   * Gives a command and waits for its answer.
   *
   * @throws (rejects with) ConfigError REFUSED with the machine's words, HostError when the
   *   connection is lost
   */
  execute<Name extends CommandName>(
    command: Name,
    args: ArgumentsOf<Name> & JsonObject,
  ): Promise<JsonValue | undefined> {
    if (this.#closed) return Promise.reject(this.#error('the connection is closed'));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      this.#socket.write(`${writeJson({ execute: command, arguments: args, id })}\n`);
    });
  }

  async #enableEvents(): Promise<void> {
    try {
      await this.execute('x-tsvmm-enable-events', {});
    } catch (error) {
      // A machine of an older version does not know the command: it tells of everything unasked.
      if (!(error instanceof ConfigError)) throw error;
    }
  }

  /** Idempotent. */
  close(): void {
    this.#end(undefined);
  }

  #error(why: string): HostError {
    return new HostError('CONNECTION_LOST', `${this.#where}: ${why}`);
  }

  #lost(why: string): void {
    this.#end(this.#error(why));
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    const reason = error ?? this.#error('the connection is closed');
    for (const { reject } of this.#waiters.values()) reject(reason);
    this.#waiters.clear();
    this.#handlers.onClose(error);
  }

  #read(bytes: Uint8Array): void {
    this.#splitter.push(bytes);
    for (let next = this.#splitter.next(); next !== undefined; next = this.#splitter.next()) {
      if (!('text' in next)) {
        this.#lost(`what answers does not speak QMP: ${next.problem}`);
        return;
      }
      try {
        this.#take(parseJson(next.text));
      } catch (error) {
        this.#lost(`what answers does not speak QMP: ${messageOf(error)}`);
        return;
      }
    }
  }

  #take(message: JsonValue): void {
    if (!isJsonObject(message)) throw new Error('not an object');
    const { event, data, id, error } = message;
    if (typeof event === 'string') {
      this.#handlers.onEvent(event, isJsonObject(data) ? data : {});
      return;
    }
    if (typeof id !== 'number') {
      // The greeting; or a refusal to talk at all.
      if (message['QMP'] === undefined) throw new Error(errorText(error));
      return;
    }
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    if (error === undefined) waiter?.resolve(message['return']);
    else waiter?.reject(new ConfigError('REFUSED', errorText(error)));
  }
}

function errorText(error: JsonValue | undefined): string {
  const text = isJsonObject(error) ? error['desc'] : undefined;
  return typeof text === 'string' ? text : 'neither an answer nor an error';
}
