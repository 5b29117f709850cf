import type { Socket } from 'node:net';
import type { MachineControl } from '../machine/control.ts';
import type { Endpoint } from '../terminal/endpoint.ts';
import { CLIENT_LIMIT, type Listener } from '../terminal/listener.ts';
import { socketEndpoint } from '../terminal/socket-endpoint.ts';
import type { CommandTable } from './command-table.ts';
import { parsePrompt, PROMPT_NAME, type PromptStyle } from './prompt.ts';
import type { Session } from './session.ts';
import type { TerminalClientOptions } from './terminal-client.ts';

/**
 * The human monitor of one machine, for any number of clients. Each has its own history, and its
 * commands run in order; commands of different clients do not wait for each other. The commands
 * themselves are loaded with the first client: most machines start without one.
 */
export class Monitor {
  readonly #control: MachineControl;
  readonly #style: PromptStyle;
  #commands: CommandTable | undefined;
  readonly #listeners: Listener[] = [];
  readonly #endpoints = new Set<Endpoint>();
  readonly #closers: (() => void)[] = [];

  constructor(control: MachineControl, style = parsePrompt(PROMPT_NAME)) {
    this.#control = control;
    this.#style = style;
  }

  /** Serves the clients of a socket, which is closed with the monitor. */
  serveSocket(listener: Listener): void {
    this.#listeners.push(listener);
    listener.onConnection((socket) => void this.#accept(socket, listener));
  }

  /**
   * Serves one client on an endpoint that somebody else closes, as `Stdio.monitor`: with line
   * editing when a person types there.
   */
  async serveEndpoint(
    endpoint: Endpoint,
    options: Omit<TerminalClientOptions, 'prompt'> = {},
  ): Promise<void> {
    const style = this.#style;
    const session = await this.#newSession(endpoint);
    if (!endpoint.isTerminal) {
      const { PlainClient } = await import('./plain-client.ts');
      new PlainClient(endpoint, session, { style });
      return;
    }
    const { TerminalClient } = await import('./terminal-client.ts');
    const client = new TerminalClient(endpoint, session, { ...options, prompt: style.prompt });
    this.#closers.push(() => client.close());
  }

  async #newSession(endpoint: Endpoint): Promise<Session> {
    const [{ CommandTable }, { Session }] = await Promise.all([
      import('./command-table.ts'),
      import('./session.ts'),
    ]);
    this.#commands ??= new CommandTable();
    return new Session(this.#control, this.#commands, () => endpoint.columns());
  }

  async #accept(socket: Socket, { kind }: Listener): Promise<void> {
    const endpoint = socketEndpoint(socket, 'monitor client');
    if (this.#endpoints.size >= CLIENT_LIMIT) {
      endpoint.write(`Error: ${CLIENT_LIMIT} clients are connected to this monitor already\n`);
      await endpoint.close();
      return;
    }
    this.#endpoints.add(endpoint);
    const { PlainClient } = await import('./plain-client.ts');
    const session = await this.#newSession(endpoint);
    const options = { style: this.#style, isRemote: kind === 'tcp' };
    await new PlainClient(endpoint, session, options).done;
    await endpoint.close();
    this.#endpoints.delete(endpoint);
  }

  /** Takes no more clients, sends them what waits (briefly), and lets them go. */
  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const close of this.#closers) close();
    await Promise.all(Array.from(this.#endpoints, (endpoint) => endpoint.close()));
  }
}
