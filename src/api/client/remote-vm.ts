import type { JsonObject, JsonValue } from '../../qmp/json/value.ts';
import { checkTimeout } from '../deadline.ts';
import { EventHub, type VmEvent } from '../event-hub.ts';
import { EventStream, type EventsOptions } from '../event-stream.ts';
import { MemoryDevice } from '../memory-device.ts';
import {
  isConvergenceKind,
  type MemoryDeviceState,
  type MemoryHost,
  type VmStatus,
} from '../memory-host.ts';
import { noDevice } from '../no-device.ts';
import type { VmControl } from '../vm-control.ts';
import { listOf, numberOf, objectOf, textOf } from './answers.ts';
import { QmpConnection, type ConnectionHandlers } from './qmp-connection.ts';
import { vmEvent } from './qmp-events.ts';

/** How long a machine may take to answer at all, in milliseconds: it may be busy, or stopped. */
export const ANSWER_MS = 30_000;

export interface ConnectOptions {
  /**
   * How long the machine may take to answer the first time, in milliseconds; default 30,000. Infinity
   * is allowed.
   */
  readonly timeoutMs?: number;
}

/**
 * Takes control of a machine in another process, started with `tsvmm run --qmp WHERE`.
 *
 * @param where  path of its socket, `unix:PATH`, or `tcp:ADDR:PORT`
 * @throws (rejects with) ConfigError, HostError CANNOT_CONNECT when nobody listens there, CONNECTION_LOST when
 *   who does is no machine, or says nothing
 */
export async function connectVm(where: string, options: ConnectOptions = {}): Promise<RemoteVm> {
  const hub = new EventHub();
  let ended = false;
  const handlers: ConnectionHandlers = {
    onEvent: (name, data) => {
      const event = vmEvent(name, data);
      if (event !== undefined) hub.emit(event);
      if (event?.type !== 'shutdown') return;
      ended = true;
      hub.end();
    },
    onClose: (error) => hub.end(error),
  };
  const { timeoutMs = ANSWER_MS } = options;
  checkTimeout('timeoutMs', timeoutMs);
  const connection = await QmpConnection.open(where, handlers, timeoutMs);
  return new RemoteVm(new RemoteHost(connection, hub, () => ended));
}

/** A machine in another process. Closing it ends the connection, not the machine. */
export class RemoteVm implements VmControl {
  readonly #host: RemoteHost;

  /** @internal Use `connectVm`. */
  constructor(host: RemoteHost) {
    this.#host = host;
  }

  status(): Promise<VmStatus> {
    return this.#host.status();
  }

  async stop(): Promise<void> {
    await this.#host.connection.execute('stop', {});
  }

  async cont(): Promise<void> {
    await this.#host.connection.execute('cont', {});
  }

  async reset(): Promise<void> {
    await this.#host.connection.execute('system_reset', {});
  }

  async powerDown(): Promise<void> {
    await this.#host.connection.execute('system_powerdown', {});
  }

  /** Ends the machine and its process. */
  async quit(): Promise<void> {
    await this.#host.connection.execute('quit', {});
  }

  memoryDevices(): Promise<readonly MemoryDeviceState[]> {
    return this.#host.states();
  }

  memoryDevice(id: string): MemoryDevice {
    return new MemoryDevice(this.#host, id);
  }

  events(options: EventsOptions = {}): AsyncIterableIterator<VmEvent, undefined> {
    return new EventStream(this.#host.hub, options);
  }

  /** Runs a command of the human monitor. @returns its output, lines that end in `\n` */
  async monitor(line: string): Promise<string> {
    const args = { 'command-line': line };
    const output = await this.#host.connection.execute('human-monitor-command', args);
    return typeof output === 'string' ? output.replaceAll('\r\n', '\n') : '';
  }

  close(): Promise<void> {
    this.#host.connection.close();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A machine in another process as its memory devices see it. */
class RemoteHost implements MemoryHost {
  readonly connection: QmpConnection;
  readonly hub: EventHub;
  /** Whether the machine has said so: its process is about to go. */
  readonly #ended: () => boolean;
  /** What was last known, for when the machine is gone. */
  #known: readonly MemoryDeviceState[] = [];

  constructor(connection: QmpConnection, hub: EventHub, ended: () => boolean) {
    this.connection = connection;
    this.hub = hub;
    this.#ended = ended;
  }

  async status(): Promise<VmStatus> {
    if (this.#ended()) return 'ended';
    const { running, status } = objectOf(await this.#ask('query-status'), 'status');
    if (running === true) return 'running';
    if (status === 'prelaunch') return 'created';
    return status === 'shutdown' ? 'ended' : 'paused';
  }

  async states(): Promise<readonly MemoryDeviceState[]> {
    if (this.#ended()) return this.#known;
    const devices = listOf(await this.#ask('query-memory-devices'), 'list of memory devices');
    const more = listOf(await this.#ask('x-tsvmm-query-memory-devices'), 'list of memory devices');
    const states = devices.map((device, index) => {
      const data = objectOf(device, 'memory device')['data'];
      return stateOf(objectOf(data, 'memory device'), objectOf(more[index], 'memory device'));
    });
    this.#known = states;
    return states;
  }

  async state(id: string): Promise<MemoryDeviceState> {
    const states = await this.states();
    const found = states.find((state) => state.id === id);
    if (found !== undefined) return found;
    throw noDevice(
      id,
      states.map((state) => state.id),
    );
  }

  async request(id: string, bytes: number): Promise<void> {
    await this.state(id);
    const args = { path: id, property: 'requested-size', value: bytes };
    await this.connection.execute('qom-set', args);
  }

  #ask(
    command: 'query-status' | 'query-memory-devices' | 'x-tsvmm-query-memory-devices',
  ): Promise<JsonValue | undefined> {
    return this.connection.execute(command, {});
  }
}

/** @param details of the same device */
function stateOf(data: JsonObject, details: JsonObject): MemoryDeviceState {
  const convergence = objectOf(details['convergence'], 'convergence');
  const reason = textOf(convergence, 'reason');
  return {
    id: textOf(data, 'id'),
    requestedSize: numberOf(data, 'requested-size'),
    size: numberOf(data, 'size'),
    maxSize: numberOf(data, 'max-size'),
    blockSize: numberOf(data, 'block-size'),
    memaddr: numberOf(data, 'memaddr'),
    node: numberOf(data, 'node'),
    convergence: isConvergenceKind(reason) ? reason : 'under-way',
    cause: textOf(convergence, 'cause'),
  };
}
