import { Agent } from './agent.ts';
import { Child, type Exit } from './child.ts';
import { guestPath, type GuestName } from './guests.ts';
import { residentBytes } from './host.ts';
import { Monitor, PROMPTS } from './monitor.ts';
import { qemuArguments, type QemuBinary } from './qemu.ts';
import { TempDir } from './temp-dir.ts';
import type { TextStream } from './text-stream.ts';
import { spawnTsvmm } from './tsvmm.ts';

/** What to start. Everything has a default: the agent with 128 MiB, one CPU and no devices. */
export interface VmOptions {
  readonly guest?: GuestName;
  /** A file instead of one of the guests. */
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  /** Size as a user writes it. */
  readonly memory?: string;
  readonly cpus?: number;
  /** Values of `--virtio-mem`. */
  readonly virtioMem?: readonly string[];
  /** More arguments, as `--no-reboot`. */
  readonly args?: readonly string[];
  /** Runs the guest under this QEMU instead, for comparison. */
  readonly qemu?: QemuBinary;
}

function tsvmmArguments(options: VmOptions, monitorPath: string): readonly string[] {
  const optional = (name: string, value: string | number | undefined) =>
    value === undefined ? [] : [name, String(value)];
  return [
    'run',
    ...['--kernel', options.kernel ?? guestPath(options.guest ?? 'agent')],
    ...optional('--initrd', options.initrd),
    ...optional('--append', options.append),
    ...['--memory', options.memory ?? '128M'],
    ...optional('--cpus', options.cpus),
    ...(options.virtioMem ?? []).flatMap((keys) => ['--virtio-mem', keys]),
    ...['--serial', 'stdio', '--monitor', `unix:${monitorPath}`],
    ...(options.args ?? []),
  ];
}

/** A machine in a child process: its serial console, its monitor, its end. */
export class Vm {
  readonly process: Child;
  readonly agent: Agent;
  readonly temp = new TempDir();
  readonly #qemu: boolean;
  #monitors: Monitor[] = [];

  constructor(options: VmOptions = {}) {
    this.#qemu = options.qemu !== undefined;
    const kernel = options.kernel ?? guestPath(options.guest ?? 'agent');
    this.process =
      options.qemu === undefined
        ? spawnTsvmm(tsvmmArguments(options, this.monitorPath))
        : new Child(options.qemu.path, qemuArguments({ ...options, kernel }, this.monitorPath));
    this.agent = new Agent(this.serial, (text) => this.process.write(text));
  }

  /** What the guest says on its serial port. */
  get serial(): TextStream {
    return this.process.stdout;
  }

  get pid(): number {
    return this.process.pid;
  }

  get exited(): Promise<Exit> {
    return this.process.exited;
  }

  get monitorPath(): string {
    return this.temp.file('monitor.sock');
  }

  residentBytes(): number {
    return residentBytes(this.pid);
  }

  /** Opens a monitor session of its own. */
  async monitor(): Promise<Monitor> {
    const prompt = this.#qemu ? PROMPTS.qemu : PROMPTS.tsvmm;
    const explain = () => this.process.describe();
    const monitor = await Monitor.open(this.monitorPath, explain, prompt);
    this.#monitors.push(monitor);
    return monitor;
  }

  /** Console and stderr, for a failed test. */
  describe(): string {
    return `--- serial console\n${this.serial.transcript}\n${this.process.describe()}`;
  }

  /** Ends the process if it still runs, and removes its files. */
  async close(): Promise<void> {
    for (const monitor of this.#monitors) monitor.close();
    this.#monitors = [];
    await this.process.stop();
    this.temp.remove();
  }
}
