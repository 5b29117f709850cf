import { Agent } from '../../guest-tests/harness/agent.ts';
import { Child } from '../../guest-tests/harness/child.ts';
import { guestPath, type GuestName } from '../../guest-tests/harness/guests.ts';
import { Monitor } from '../../guest-tests/harness/monitor.ts';
import { TempDir } from '../../guest-tests/harness/temp-dir.ts';

/** The virtio-mem device of a benchmark's machine. */
export interface Device {
  /** As a user writes it; so is `requested`. */
  readonly size: string;
  readonly requested?: string;
  readonly dynamic: boolean;
  /** Whether the host gives it huge pages, where that can be said; otherwise as the VMM likes. */
  readonly hugePages?: boolean;
}

/** A stock Linux to boot. */
export interface Linux {
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
}

/** A machine with one CPU and at most one device; its console is on stdin and stdout. */
export interface Machine {
  readonly guest: GuestName | Linux;
  /** Boot memory, as a user writes it; default 128M. */
  readonly memory?: string;
  readonly device?: Device;
  /** Path of the monitor's socket; no monitor without. */
  readonly monitor?: string;
}

/** A program to start, as `spawn` takes it. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** What is compared. */
export interface Vmm {
  readonly name: 'tsvmm' | 'qemu';
  /** As `tsvmm 0.1.0` or `QEMU 10.0.2`. */
  readonly title: string;
  readonly prompt: string;
  /** Whether it maps only what is plugged, when it is asked to. */
  readonly dynamicMemslots: boolean;
  command(machine: Machine, kernel: string, linux: Linux | undefined): CommandLine;
}

/** Where and how to start `machine` under `vmm`. */
export function commandFor(vmm: Vmm, machine: Machine): CommandLine {
  const { guest } = machine;
  if (typeof guest === 'string') return vmm.command(machine, guestPath(guest), undefined);
  return vmm.command(machine, guest.kernel, guest);
}

/** The agent guest in a running machine. */
export class AgentVm {
  readonly vmm: Vmm;
  readonly agent: Agent;
  readonly #child: Child;
  readonly #temp: TempDir;
  #monitors: Monitor[] = [];

  private constructor(vmm: Vmm, child: Child, temp: TempDir) {
    this.vmm = vmm;
    this.#child = child;
    this.#temp = temp;
    this.agent = new Agent(child.stdout, (text) => child.write(text));
  }

  /** Starts the machine and waits for the agent; runs `use`; ends it, whatever happens. */
  static async run<T>(
    vmm: Vmm,
    device: Device | undefined,
    use: (vm: AgentVm) => Promise<T>,
  ): Promise<T> {
    const temp = new TempDir();
    const monitor = temp.file('monitor.sock');
    const machine: Machine = { guest: 'agent', monitor, ...(device && { device }) };
    const { file, args, env } = commandFor(vmm, machine);
    const child = new Child(file, args, env);
    const vm = new AgentVm(vmm, child, temp);
    try {
      await vm.agent.ready();
      return await use(vm);
    } catch (error) {
      throw new Error(`${vmm.title}: ${String(error)}\n${child.describe()}`, { cause: error });
    } finally {
      await vm.#close();
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  async monitor(): Promise<Monitor> {
    const path = this.#temp.file('monitor.sock');
    const monitor = await Monitor.open(path, () => this.#child.describe(), this.vmm.prompt);
    this.#monitors.push(monitor);
    return monitor;
  }

  async #close(): Promise<void> {
    for (const monitor of this.#monitors) monitor.close();
    this.#monitors = [];
    await this.#child.stop();
    this.#temp.remove();
  }
}
