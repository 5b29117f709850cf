import type { Socket } from 'node:net';
import type { MachineControl } from '../machine/control.ts';
import type { Endpoint } from '../terminal/endpoint.ts';
import { socketEndpoint } from '../terminal/socket-endpoint.ts';
import type { UnixListener } from '../terminal/unix-listener.ts';
import { CommandTable } from './command-table.ts';
import { PlainClient } from './plain-client.ts';
import { Session } from './session.ts';
import type { TerminalClientOptions } from './terminal-client.ts';

/** Clients of a socket at the same time. */
const CLIENT_LIMIT = 32;

/**
 * The human monitor of one machine, for any number of clients. Each has its own history, and its
 * commands run in order; commands of different clients do not wait for each other.
 */
export class Monitor {
  readonly #control: MachineControl;
  readonly #commands = new CommandTable();
  readonly #listeners: UnixListener[] = [];
  readonly #endpoints = new Set<Endpoint>();
  readonly #closers: (() => void)[] = [];

  constructor(control: MachineControl) {
    this.#control = control;
  }

  /** Serves the clients of a socket, which is closed with the monitor. */
  serveSocket(listener: UnixListener): void {
    this.#listeners.push(listener);
    listener.onConnection((socket) => this.#accept(socket));
  }

  /**
   * Serves one client on an endpoint that somebody else closes, as `Stdio.monitor`: with line
   * editing when a person types there.
   */
  async serveEndpoint(endpoint: Endpoint, options: TerminalClientOptions = {}): Promise<void> {
    const session = new Session(this.#control, this.#commands);
    if (!endpoint.isTerminal) {
      new PlainClient(endpoint, session);
      return;
    }
    const { TerminalClient } = await import('./terminal-client.ts');
    const client = new TerminalClient(endpoint, session, options);
    this.#closers.push(() => client.close());
  }

  #accept(socket: Socket): void {
    const endpoint = socketEndpoint(socket, 'monitor client');
    if (this.#endpoints.size >= CLIENT_LIMIT) {
      endpoint.write(`Error: ${CLIENT_LIMIT} clients are connected to this monitor already\n`);
      void endpoint.close();
      return;
    }
    this.#endpoints.add(endpoint);
    const client = new PlainClient(endpoint, new Session(this.#control, this.#commands));
    void client.done.then(async () => {
      await endpoint.close();
      this.#endpoints.delete(endpoint);
    });
  }

  /** Takes no more clients, sends them what waits (briefly), and lets them go. */
  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const close of this.#closers) close();
    await Promise.all(Array.from(this.#endpoints, (endpoint) => endpoint.close()));
  }
}
