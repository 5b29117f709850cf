import type { Socket } from 'node:net';
import type { MachineControl } from '../machine/control.ts';
import type { MachineEvents } from '../machine/events.ts';
import type { Endpoint } from '../terminal/endpoint.ts';
import { socketEndpoint } from '../terminal/socket-endpoint.ts';
import { CLIENT_LIMIT, type Listener } from '../terminal/listener.ts';
import { QmpClient } from './client.ts';
import { EventSource, type TimedEvent } from './event-source.ts';
import type { QmpContext } from './handlers/handler.ts';
import { humanMonitor } from './human-monitor.ts';
import { message, QmpSession } from './session.ts';

export interface QmpServerOptions {
  readonly control: MachineControl;
  readonly events: MachineEvents;
  /** Least time between two events of a kind about one memory device, in milliseconds. */
  readonly deviceIntervalMs: number;
}

/** Clients that wait to negotiate, or are being served, on any number of sockets. */
export class QmpServer {
  readonly #context: QmpContext;
  readonly #source: EventSource;
  readonly #stopListening: () => void;
  readonly #listeners: Listener[] = [];
  readonly #clients = new Set<QmpClient>();
  readonly #endpoints = new Set<Endpoint>();

  constructor({ control, events, deviceIntervalMs }: QmpServerOptions) {
    this.#context = { control, humanMonitor: (line, cpu = 0) => humanMonitor(control, line, cpu) };
    this.#source = new EventSource({
      control,
      intervalMs: deviceIntervalMs,
      publish: (event) => this.#publish(event),
    });
    this.#stopListening = events.listen(this.#source.happened);
  }

  /** Serves the clients of a socket, which is closed with the server. */
  serve(listener: Listener): void {
    this.#listeners.push(listener);
    listener.onConnection((socket) => void this.#accept(socket));
  }

  async #accept(socket: Socket): Promise<void> {
    const endpoint = socketEndpoint(socket, 'QMP client');
    if (this.#endpoints.size >= CLIENT_LIMIT) {
      const desc = `${CLIENT_LIMIT} clients are connected to this machine already`;
      endpoint.write(message({ error: { class: 'GenericError', desc } }));
      await endpoint.close();
      return;
    }
    this.#endpoints.add(endpoint);
    const client = new QmpClient(endpoint, new QmpSession(this.#context));
    this.#clients.add(client);
    await client.done;
    this.#clients.delete(client);
    await endpoint.close();
    this.#endpoints.delete(endpoint);
  }

  #publish({ event: { event, data }, atMs, subject }: TimedEvent): void {
    const timestamp = { seconds: Math.floor(atMs / 1000), microseconds: (atMs % 1000) * 1000 };
    const hasData = Object.keys(data).length > 0;
    const text = message({ timestamp, event, ...(hasData ? { data } : {}) });
    for (const client of this.#clients) client.publish({ name: event, text, subject });
  }

  /** Takes no more clients, sends them what waits (briefly), and lets them go. */
  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    this.#stopListening();
    this.#source.close();
    // The command that has ended the machine, `quit`, is still to be answered.
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(Array.from(this.#endpoints, (endpoint) => endpoint.close()));
  }
}
