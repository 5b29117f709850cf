import type { Duplex } from 'node:stream';
import { HostError } from '../errors.ts';
import { parseIdentity } from '../machine/config/identity-option.ts';
import { ControlView } from '../machine/control-view.ts';
import { Machine, type MachineEnd } from '../machine/machine.ts';
import type { MemoryDevice as DeviceParts } from '../machine/memory-devices.ts';
import { humanMonitor } from '../qmp/human-monitor.ts';
import { EventHub, type VmEvent } from './event-hub.ts';
import { EventStream, type EventsOptions } from './event-stream.ts';
import { MemoryDevice } from './memory-device.ts';
import type { MemoryDeviceState, MemoryHost, VmStatus } from './memory-host.ts';
import type { VmOptions } from './options.ts';
import { machineConfig } from './parse-options.ts';
import { noDevice } from './no-device.ts';
import { SerialStream } from './serial-stream.ts';
import { Servers } from './servers.ts';
import type { VmControl } from './vm-control.ts';

/** How a machine came to its end. */
export type VmEnd = Exclude<MachineEnd, { readonly kind: 'signal' }>;

export interface CreateOptions {
  /** Gives up, which may be wanted where much memory is preallocated; rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a machine in this process, ready to start. Its sockets are served meanwhile: whoever says
 * `cont` there has it started, whoever says `quit` ends it.
 *
 * @throws (rejects with) ConfigError for options that cannot be, HostError for what this host cannot
 *   give, or when it was ended meanwhile; nothing is left then
 */
export async function createVm(options: VmOptions, create: CreateOptions = {}): Promise<Vm> {
  const { signal } = create;
  signal?.throwIfAborted();
  const config = await machineConfig(options);
  const identity = parseIdentity(options.name, options.uuid);
  const serial = new SerialStream();
  const servers = await Servers.open(options);
  let machine: Machine | undefined;
  const giveUp = (): void => machine?.quit();
  signal?.addEventListener('abort', giveUp);
  try {
    machine = await Machine.create(config, serial.backend);
    const control = new ControlView(machine, identity);
    servers.serve(control, machine.events);
    signal?.throwIfAborted();
    await machine.prepare();
    signal?.throwIfAborted();
    if (machine.hasEnded) throw new HostError('MACHINE_ENDED', 'the machine was ended: quit');
    return new Vm({ machine, control, serial, servers });
  } catch (error) {
    await servers.close();
    await machine?.close();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** What a machine in this process consists of. */
interface VmParts {
  readonly machine: Machine;
  readonly control: ControlView;
  readonly serial: SerialStream;
  readonly servers: Servers;
}

/** A machine in this process. Everything that it took is given back when it ends or is closed. */
export class Vm implements VmControl {
  /** The serial port: read what the guest says, write what it shall hear. Ends with the machine. */
  readonly serial: Duplex;
  /** Where its QMP sockets are, each as `connectVm` takes it: `tcp:` with the port that it got. */
  readonly qmp: readonly string[];
  /** Where its monitor's socket is, as `tsvmm monitor` takes it, likewise; undefined without one. */
  readonly monitorAt: string | undefined;
  /** Resolves when the machine has ended and everything is given back. */
  readonly ended: Promise<VmEnd>;
  readonly #machine: Machine;
  readonly #control: ControlView;
  readonly #host: LocalHost;

  /** @internal Use `createVm`. */
  constructor(parts: VmParts) {
    const { machine, control, serial, servers } = parts;
    this.#machine = machine;
    this.#control = control;
    this.#host = new LocalHost(machine);
    this.serial = serial;
    this.qmp = servers.qmp;
    this.monitorAt = servers.monitor;
    this.ended = this.#end(parts);
    // Somebody may wait for close() alone, which tells of it too.
    this.ended.catch(() => undefined);
  }

  async #end({ machine, serial, servers }: VmParts): Promise<VmEnd> {
    const end = await machine.ended;
    try {
      await servers.close();
      await machine.close();
    } finally {
      serial.finish();
      this.#host.hub.end();
    }
    // There is nobody to pass on a signal.
    return end.kind === 'signal' ? { kind: 'quit' } : end;
  }

  /** What monitors call it. */
  get name(): string {
    return this.#control.name;
  }

  /** In lower case; all zeros when it was given none. */
  get uuid(): string {
    return this.#control.uuid;
  }

  /**
   * Lets the guest run for the first time; after a `stop()` it begins paused. Nothing to do after a
   * `cont()`, which has started it.
   *
   * @throws (rejects with) HostError when it was called already
   */
  async start(): Promise<void> {
    this.#host.checkAlive();
    await this.#machine.start();
  }

  status(): Promise<VmStatus> {
    return this.#host.status();
  }

  async stop(): Promise<void> {
    this.#host.checkAlive();
    await this.#machine.stop();
  }

  async cont(): Promise<void> {
    this.#host.checkAlive();
    await this.#machine.cont();
  }

  async reset(): Promise<void> {
    this.#host.checkAlive();
    await this.#machine.reset();
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures are rejections everywhere
  async powerDown(): Promise<void> {
    this.#host.checkAlive();
    this.#machine.powerDown();
  }

  memoryDevices(): Promise<readonly MemoryDeviceState[]> {
    return Promise.resolve(this.#machine.memoryDevices.map(stateOf));
  }

  memoryDevice(id: string): MemoryDevice {
    return new MemoryDevice(this.#host, id);
  }

  events(options: EventsOptions = {}): AsyncIterableIterator<VmEvent, undefined> {
    return new EventStream(this.#host.hub, options);
  }

  monitor(line: string): Promise<string> {
    return humanMonitor(this.#control, line, 0);
  }

  /** Ends the machine, whatever the guest does. Idempotent. */
  async close(): Promise<void> {
    this.#machine.quit();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A machine as its memory devices see it. */
class LocalHost implements MemoryHost {
  readonly hub = new EventHub();
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
    machine.events.listen((event) => this.hub.emit(event));
  }

  /** @throws HostError */
  checkAlive(): void {
    if (this.#machine.hasEnded) throw new HostError('MACHINE_ENDED', 'the machine has ended');
  }

  status(): Promise<VmStatus> {
    const { hasBegun, hasEnded, isRunning } = this.#machine;
    if (hasEnded) return Promise.resolve('ended');
    if (isRunning) return Promise.resolve('running');
    return Promise.resolve(hasBegun ? 'paused' : 'created');
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures are rejections everywhere
  async state(id: string): Promise<MemoryDeviceState> {
    return stateOf(this.#device(id));
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- failures are rejections everywhere
  async request(id: string, bytes: number): Promise<void> {
    this.checkAlive();
    this.#device(id).device.setRequestedSize(bytes);
  }

  #device(id: string): DeviceParts {
    const found = this.#machine.memoryDevices.find(({ device }) => device.id === id);
    if (found !== undefined) return found;
    throw noDevice(
      id,
      this.#machine.memoryDevices.map(({ device }) => device.id),
    );
  }
}

function stateOf({ device }: DeviceParts): MemoryDeviceState {
  const { id, size: maxSize, blockSize, memaddr, node } = device.properties;
  const { requestedSize, pluggedSize: size } = device.sizes;
  const { kind: convergence, cause } = device.convergence;
  return { id, requestedSize, size, maxSize, blockSize, memaddr, node, convergence, cause };
}
