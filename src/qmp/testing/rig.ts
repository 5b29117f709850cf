import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { MachineEvents } from '../../machine/events.ts';
import { FakeMachine } from '../../monitor/testing/fake-machine.ts';
import { temporaryFolder } from '../../terminal/testing/temporary-folder.ts';
import { UnixListener } from '../../terminal/unix-listener.ts';
import { parseJson } from '../json/parse.ts';
import { isJsonObject, type JsonValue } from '../json/value.ts';
import { writeJson } from '../json/write.ts';
import { QmpServer } from '../server.ts';

/** A message of the server, parsed. */
export type Message = Readonly<Record<string, unknown>>;

/** A program at the other end of the socket. */
export class TestClient {
  readonly socket: Socket;
  readonly #waiters: (() => void)[] = [];
  #text = '';
  #ended = false;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on('data', (bytes) => {
      this.#text += bytes.toString();
      this.#arrived();
    });
    this.socket.on('error', () => undefined);
    for (const event of ['end', 'close']) {
      this.socket.on(event, () => {
        this.#ended = true;
        this.#arrived();
      });
    }
  }

  #arrived(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  send(value: unknown): void {
    // Not by JSON.stringify, which knows no 64-bit numbers.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-type-assertion -- tests send JSON
    this.socket.write(typeof value === 'string' ? value : writeJson(value as JsonValue));
  }

  /** The next message. @throws Error when the server hangs up instead */
  async next(): Promise<Message> {
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end !== -1) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const message = parseJson(line);
        if (!isJsonObject(message)) throw new Error(`no message: ${line}`);
        return message;
      }
      if (this.#ended) throw new Error(`the server hung up after: ${this.#text}`);
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Sends a command. @returns the next message */
  async ask(command: string, args?: object): Promise<Message> {
    this.send({ execute: command, ...(args === undefined ? {} : { arguments: args }) });
    return await this.next();
  }

  /** Every message up to the end of the connection. */
  async rest(): Promise<readonly Message[]> {
    const messages: Message[] = [];
    while (!this.#ended || this.#text !== '') {
      try {
        messages.push(await this.next());
      } catch {
        break;
      }
    }
    return messages;
  }
}

/** A server of a fake machine, made for each test and closed after it. */
export class QmpRig {
  readonly machine = new FakeMachine();
  readonly events = new MachineEvents();
  readonly server: QmpServer;
  readonly path = join(temporaryFolder(), 'qmp');
  readonly #clients: TestClient[] = [];

  constructor(deviceIntervalMs: number) {
    this.server = new QmpServer({ control: this.machine, events: this.events, deviceIntervalMs });
  }

  async listen(): Promise<void> {
    this.server.serve(await UnixListener.open(this.path, '--qmp'));
  }

  /** A client that has read the greeting. */
  async connect(): Promise<TestClient> {
    const client = new TestClient(this.path);
    this.#clients.push(client);
    const greeting = await client.next();
    if (greeting['QMP'] === undefined) throw new Error(JSON.stringify(greeting));
    return client;
  }

  /** A client that may give commands. */
  async ready(...capabilities: readonly string[]): Promise<TestClient> {
    const client = await this.connect();
    await client.ask('qmp_capabilities', { enable: capabilities });
    return client;
  }

  async close(): Promise<void> {
    await this.server.close();
    for (const { socket } of this.#clients) {
      if (!socket.closed) await once(socket.destroy(), 'close');
    }
  }
}

/** The rig of the running test. */
export function useQmpRig(deviceIntervalMs = 0): () => QmpRig {
  let rig: QmpRig | undefined;
  beforeEach(async () => {
    rig = new QmpRig(deviceIntervalMs);
    await rig.listen();
  });
  afterEach(async () => {
    await rig?.close();
  });
  return () => {
    if (rig === undefined) throw new Error('only within a test');
    return rig;
  };
}
