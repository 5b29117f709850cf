import { SocketClient } from './client.ts';
import type { Vm } from './vm.ts';

/** A message of the server. */
export interface QmpMessage {
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly id?: unknown;
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly timestamp?: { readonly seconds: number; readonly microseconds: number };
}

/** A program that drives a machine over QMP. */
export class Qmp {
  readonly client: SocketClient;
  /** Events that came, and nobody has waited for yet. */
  readonly #events: QmpMessage[] = [];

  private constructor(client: SocketClient) {
    this.client = client;
  }

  /** Connects and reads the greeting; commands come after `negotiate`. */
  static async connect(vm: Vm, path: string): Promise<Qmp> {
    const qmp = new Qmp(await SocketClient.open(path, 'QMP', () => vm.process.describe()));
    await qmp.#next();
    return qmp;
  }

  /** Connects, and enables commands and every event. */
  static async open(vm: Vm, path: string): Promise<Qmp> {
    const qmp = await Qmp.connect(vm, path);
    await qmp.ask('qmp_capabilities');
    await qmp.run('x-tsvmm-enable-events');
    return qmp;
  }

  async #next(): Promise<QmpMessage> {
    return JSON.parse(await this.client.text.expect('\r\n')) as QmpMessage;
  }

  /** Gives a command. @returns its answer, whatever it is */
  async ask(execute: string, args?: object): Promise<QmpMessage> {
    this.client.write(JSON.stringify({ execute, ...(args && { arguments: args }) }));
    for (;;) {
      const message = await this.#next();
      if (message.event === undefined) return message;
      this.#events.push(message);
    }
  }

  /** Gives a command that must succeed. @returns what it returns */
  async run(execute: string, args?: object): Promise<unknown> {
    const answer = await this.ask(execute, args);
    if (answer.error !== undefined) throw new Error(`${execute}: ${answer.error.desc}`);
    return answer.return;
  }

  /** The next event, of any kind. */
  async nextEvent(): Promise<QmpMessage> {
    const waiting = this.#events.shift();
    if (waiting !== undefined) return waiting;
    const message = await this.#next();
    if (message.event === undefined) throw new Error(`no event: ${JSON.stringify(message)}`);
    return message;
  }

  /** Waits for an event by its name; those before it are gone. @returns its data */
  async event(name: string): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const { event, data } = await this.nextEvent();
      if (event === name) return data ?? {};
    }
  }

  /** Every message up to the end of the connection. */
  async rest(): Promise<readonly QmpMessage[]> {
    const lines = (await this.client.text.rest()).split('\r\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as QmpMessage);
  }
}
