import type { AcpiTables } from '../acpi/tables.ts';
import type { SerialBackend } from '../devices/serial/backend.ts';
import { claimInputs } from './input-files.ts';
import { GuestError, HostError } from '../errors.ts';
import type { VcpuExit } from '../kvm/exit.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { VirtioPci } from '../virtio/pci-transport/virtio-pci.ts';
import type { MachineConfig } from './config/machine-config.ts';
import { MachineEvents } from './events.ts';
import { ExitDispatch } from './exit-dispatch.ts';
import { judgeExit } from './exit-verdict.ts';
import { GuestClock } from './guest-clock.ts';
import { CpuPlacement } from './cpu-placement.ts';
import { diagnose } from './guest-fault.ts';
import type { KvmInterrupts } from './kvm-interrupts.ts';
import type { KvmIoSpaces } from './kvm-io-spaces.ts';
import { Lifecycle } from './lifecycle.ts';
import { isByGuest, type MachineEnd } from './machine-end.ts';
import { checkGuest, loadGuest } from './load-guest.ts';
import { buildParts } from './machine-parts.ts';
import { MemoryBackends } from './memory-backends.ts';
import { chargedMemory, resetMemoryDevices, type MemoryDevice } from './memory-devices.ts';
import { reportMemoryDevices } from './memory-device-events.ts';
import { MemoryLimitWatch } from './memory-limit-watch.ts';
import { devicePath } from './memory-objects.ts';
import type { Platform } from './platform.ts';
import { ProcessHold } from './process-hold.ts';
import { rehearse } from './rehearsal/rehearse.ts';
import { ResetLog, type Reset, type ResetCount } from './resets.ts';
import { SerialTasks } from './serial-tasks.ts';
import { StarvationWatch } from './starvation.ts';
import { actOnViolation } from './violations/act.ts';
import type { UnpluggedGuard } from './violations/unplugged-guard.ts';
import type { Violation, ViolationAction } from './violations/violation.ts';
import { createVmShell, type VmShell } from './vm-shell.ts';

export type { MachineEnd } from './machine-end.ts';

/** A look at the machine that takes longer is a pause, of which the guest is told, ms. */
const LONG_LOOK_MS = 100;

/**
 * One virtual machine: KVM below, devices, and the guest that boots in it. Everything runs on the
 * event loop but the vCPUs. Stop, go on and reset wait for each other.
 */
export class Machine {
  readonly config: MachineConfig;
  readonly shell: VmShell;
  readonly spaces: KvmIoSpaces;
  readonly platform: Platform;
  readonly interrupts: KvmInterrupts;
  readonly memoryDevices: readonly MemoryDevice[];
  readonly transports: readonly VirtioPci[];
  readonly guard: UnpluggedGuard;
  /** Resolves when the machine has come to its end; close() comes after. */
  readonly ended: Promise<MachineEnd>;
  readonly events = new MachineEvents();
  readonly #lifecycle = new Lifecycle();
  readonly #tasks = new SerialTasks();
  readonly #resets = new ResetLog();
  readonly #clock: GuestClock;
  readonly #starvation: StarvationWatch;
  readonly #placement: CpuPlacement;
  readonly #acpi: AcpiTables;
  readonly #stopReports: () => void;
  /** Ends what prepares the machine. */
  readonly #giveUp = new AbortController();
  readonly #giveUpInputs: () => void;
  readonly #memoryLimits: MemoryLimitWatch;
  readonly #jobs = new Set<Promise<unknown>>();
  #prepared: Promise<void> | undefined;
  #isPrepared = false;
  #startAsked = false;
  /** What was said before the machine runs: it begins paused, or as soon as it can. */
  #wish: 'hold' | 'run' | undefined;
  #stopRehearsal: () => void = () => undefined;
  #end: (end: MachineEnd) => void = () => undefined;
  #resetPending = false;
  #closed: Promise<void> | undefined;
  /** From here until it is closed, whatever it does. */
  readonly #hold: ProcessHold;

  /**
   * Makes a machine, to be prepared and started; nothing is left when it cannot be made. It can be
   * looked at and told what to do from now on, and nothing of the user's has been changed.
   *
   * @throws (rejects with) ConfigError for what the user can mend, HostError for what the host
   *   cannot give
   */
  static async create(config: MachineConfig, serial: SerialBackend | undefined): Promise<Machine> {
    const giveUpInputs = claimInputs(config);
    try {
      const shell = createVmShell(config, await MemoryBackends.open(config));
      try {
        return new Machine(config, shell, serial, giveUpInputs);
      } catch (error) {
        shell.close();
        throw error;
      }
    } catch (error) {
      giveUpInputs();
      throw error;
    }
  }

  private constructor(
    config: MachineConfig,
    shell: VmShell,
    serial: SerialBackend | undefined,
    giveUpInputs: () => void,
  ) {
    this.config = config;
    this.shell = shell;
    this.#placement = new CpuPlacement(config.cpuAffinity, shell.vcpus.all);
    const parts = buildParts({
      config,
      shell,
      serial,
      placement: this.#placement,
      onReset: (cause) => this.#guestReset({ kind: 'reboot', cause }),
      onPowerOff: () => this.#finish({ kind: 'power-off' }),
      onViolation: (...what) => this.#violated(...what),
    });
    this.#acpi = parts.acpi;
    this.guard = parts.guard;
    this.interrupts = parts.interrupts;
    this.memoryDevices = parts.memoryDevices;
    this.platform = parts.platform;
    this.spaces = parts.spaces;
    this.transports = parts.transports;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { vm, backends } = shell;
    this.#clock = new GuestClock({
      vm,
      vcpus: shell.vcpus.all,
      devices: this.platform,
      whilePaused: config.pauseClock,
    });
    const dispatch = new ExitDispatch({
      tags: this.spaces.tags,
      ring: vm.ring,
      vcpu: (id) => shell.vcpus.get(id),
      onParked: (id) => shell.vcpus.parked(id),
      onServed: (vcpu, exit) => this.guard.served(vcpu, exit),
      onUnhandled: (vcpu, exit) => this.#unhandled(vcpu, exit),
    });
    vm.setCallbacks({ onExit: dispatch.onExit, onPosted: dispatch.onPosted });
    backends.onLost((error) => this.#finish({ kind: 'failed', error }));
    this.#starvation = new StarvationWatch({
      backends: backends.unsecured,
      memory: shell.memory,
      vcpus: shell.vcpus.all,
      isRunning: () => this.isRunning,
      whileParked: (work) => this.whileParked(work),
      onStarved: (error) => this.#finish({ kind: 'failed', error }),
    });
    const limits = new MemoryLimitWatch(() => chargedMemory(backends.all, this.memoryDevices));
    this.#memoryLimits = limits;
    this.#stopReports = reportMemoryDevices(this.memoryDevices, this, () => limits.check());
    this.#giveUpInputs = giveUpInputs;
    this.#placement.apply();
    // Last: a machine that cannot be made keeps nothing.
    this.#hold = new ProcessHold();
  }

  /** How often it was reset, and by whom. */
  get resets(): readonly ResetCount[] {
    return this.#resets.counts;
  }

  get isRunning(): boolean {
    return this.#lifecycle.state === 'running';
  }

  get hasEnded(): boolean {
    return this.#lifecycle.state === 'ended';
  }

  /** Why the machine stands still, when nobody asked for it. */
  get pauseReason(): string | undefined {
    return this.#lifecycle.reason;
  }

  /** Whether it ran, or would but for a `stop`. */
  get hasBegun(): boolean {
    return this.#lifecycle.state !== 'created';
  }

  /**
   * Makes memory ready and loads the guest: takes time where memory is to be preallocated or files
   * are to be emptied. Nothing is changed before everything that can be refused has been. A machine
   * that ends meanwhile gives up soon; that is no failure.
   *
   * @throws (rejects with) ConfigError, HostError; the machine has ended then
   */
  prepare(): Promise<void> {
    this.#prepared ??= this.#prepare();
    return this.#prepared;
  }

  async #prepare(): Promise<void> {
    const { config, shell } = this;
    const { signal } = this.#giveUp;
    try {
      if (shell.backends.needsPreparation) checkGuest(config, shell, this.#acpi);
      await shell.backends.prepare(config, signal);
      this.#memoryLimits.check();
      await this.#tasks.run(() => this.#load());
    } catch (error) {
      if (signal.aborted) return;
      this.#finish({ kind: 'failed', error });
      throw error;
    }
  }

  #load(): void {
    if (this.hasEnded) return;
    loadGuest(this.config, this.shell, this.#acpi, true);
    const lost = this.shell.backends.lost();
    if (lost !== undefined) throw lost;
    this.#isPrepared = true;
    if (this.#wish === 'run') this.#begin();
  }

  /**
   * Lets the vCPUs of a prepared machine run for the first time, unless it was told to stop before.
   * Nothing to do when it was told to go on before.
   *
   * @throws (rejects with) HostError when it was called already
   */
  start(): Promise<void> {
    return this.#tasks.run(() => {
      if (this.#startAsked)
        throw new HostError('BAD_TRANSITION', 'the machine was started already');
      this.#startAsked = true;
      if (!this.hasBegun) this.#begin();
    });
  }

  #begin(): void {
    if (this.memoryDevices.length > 0) this.#stopRehearsal = rehearse();
    if (this.#wish === 'hold') {
      this.#clock.hold();
      this.#lifecycle.enter('paused');
      return;
    }
    this.#lifecycle.enter('running');
    this.shell.vcpus.run();
  }

  /**
   * Parks every vCPU and holds the devices. Nothing to do when they are. A machine that has not begun
   * will begin paused.
   *
   * @param reason  for `info status`
   */
  stop(reason?: string): Promise<void> {
    return this.#tasks.run(async () => {
      if (!this.hasBegun) this.#wish = 'hold';
      if (!this.isRunning) return;
      await this.#park();
      this.#clock.hold();
      this.#lifecycle.enter('paused', reason);
      this.events.emit({ type: 'stop' });
    });
  }

  /**
   * Lets a stopped machine go on, and one that has not begun begin as soon as it can.
   *
   * @throws HostError when it has ended
   */
  cont(): Promise<void> {
    return this.#tasks.run(() => {
      if (this.isRunning) return;
      if (!this.hasBegun) {
        this.#wish = 'run';
        if (!this.#isPrepared) return;
      }
      this.#lifecycle.enter('running');
      this.#clock.release();
      this.#resume();
      this.events.emit({ type: 'resume' });
    });
  }

  /** Resets the machine as its reset button does; one that was stopped stays stopped. */
  reset(): Promise<void> {
    return this.#tasks.run(async () => {
      try {
        await this.#reset({ kind: 'monitor', cause: 'system_reset' });
      } catch (error) {
        // Half a guest is none.
        this.#finish({ kind: 'failed', error });
        throw error;
      }
    });
  }

  /**
   * Does something while no vCPU runs, between two instructions of the guest. It goes on
   * afterwards, if it ran; nobody is told.
   *
   * @throws (rejects with) HostError when the machine has ended, and what `work` throws
   */
  whileParked<T>(work: () => T): Promise<T> {
    return this.#tasks.run(async () => {
      const start = performance.now();
      if (this.isRunning) await this.shell.vcpus.park();
      if (this.hasEnded) throw new HostError('MACHINE_ENDED', 'the machine has ended');
      try {
        return work();
      } finally {
        if (this.isRunning) {
          if (performance.now() - start > LONG_LOOK_MS) this.#clock.markPaused();
          this.shell.vcpus.run();
        }
      }
    });
  }

  /**
   * Does something that takes many turns of the event loop and needs the machine. The machine's end is
   * told by the signal, and waits until it is through.
   */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const job = work(this.#giveUp.signal);
    this.#jobs.add(job);
    try {
      return await job;
    } finally {
      this.#jobs.delete(job);
    }
  }

  /** Presses the ACPI power button; the guest decides what to do. */
  powerDown(): void {
    this.platform.pressPowerButton();
    this.events.emit({ type: 'powerdown' });
  }

  quit(by: 'quit' | 'signal' = 'quit'): void {
    this.#finish({ kind: by });
  }

  /** Stops everything and gives everything back; idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close().finally(() => this.#hold.release());
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#finish({ kind: 'quit' });
    this.#starvation.close();
    await this.#prepared?.catch(() => undefined);
    await Promise.allSettled(this.#jobs);
    await this.#tasks.idle();
    this.#giveUpInputs();
    this.platform.close();
    await Promise.all(this.memoryDevices.map(({ device }) => device.idle()));
    this.#placement.close();
    this.shell.close();
  }

  #finish(end: MachineEnd): void {
    if (this.hasEnded) return;
    this.#lifecycle.enter('ended');
    this.#giveUp.abort();
    this.shell.vcpus.park().catch(() => undefined);
    for (const transport of this.transports) transport.pause();
    this.#stopReports();
    this.#stopRehearsal();
    const guest = isByGuest(end);
    if (end.kind === 'failed' && end.error instanceof GuestError) {
      this.events.emit({ type: 'guest-fault', report: end.error.report });
    }
    this.events.emit({ type: 'shutdown', guest, cause: end.kind });
    if (this.#jobs.size === 0) this.#end(end);
    else void this.#endAfterJobs(end);
  }

  /** Whoever is under way is stopped, and its client told, before monitors are closed. */
  async #endAfterJobs(end: MachineEnd): Promise<void> {
    await Promise.allSettled(this.#jobs);
    await new Promise((resolve) => setImmediate(resolve));
    this.#end(end);
  }

  /** By a device, from within an exit: the vCPU must get its answer first. */
  #guestReset(reset: Reset): void {
    if (this.#resetPending || this.hasEnded) return;
    if (this.config.noReboot) {
      this.#resets.add(reset);
      this.#finish({ kind: 'reboot' });
      return;
    }
    this.#resetPending = true;
    const failed = (error: unknown): void => this.#finish({ kind: 'failed', error });
    this.#tasks.run(() => this.#reset(reset)).catch(failed);
  }

  async #reset(reset: Reset): Promise<void> {
    if (this.hasEnded) return;
    const goesOn = this.isRunning;
    const before = this.hasBegun ? 'paused' : 'created';
    if (goesOn) await this.#park();
    if (this.#isOver()) return;
    this.#resetPending = false;
    this.#lifecycle.enter('resetting');
    this.platform.reset();
    await resetMemoryDevices(this.memoryDevices);
    if (this.#isOver()) return;
    this.shell.resetInterruptControllers();
    // A machine that is being prepared is about to get its guest.
    if (this.#isPrepared) loadGuest(this.config, this.shell, this.#acpi, false);
    this.#clock.reset();
    this.#lifecycle.enter(goesOn ? 'running' : before);
    const count = this.#resets.add(reset);
    this.events.emit({ type: 'reset', guest: reset.kind !== 'monitor', ...reset, count });
    if (goesOn) this.#resume();
  }

  /** As `hasEnded`, which may change while something is awaited. */
  #isOver(): boolean {
    return this.hasEnded;
  }

  async #park(): Promise<void> {
    await this.shell.vcpus.park();
    for (const transport of this.transports) transport.pause();
  }

  #resume(): void {
    for (const { device } of this.memoryDevices) device.resumed();
    for (const transport of this.transports) transport.resume();
    this.shell.vcpus.run();
  }

  /** A processor answers a triple fault with a reset; without one to come it is the guest's end. */
  #tripleFault(vcpu: Vcpu, exit: VcpuExit): void {
    if (!this.config.noReboot) {
      this.#guestReset({ kind: 'triple-fault', cause: 'triple fault' });
      return;
    }
    const report = diagnose(vcpu, exit, this.shell.memory);
    const error = new GuestError('TRIPLE_FAULT', report[0] ?? '', report);
    this.#finish({ kind: 'failed', error });
  }

  /** The vCPU goes no further than the instruction at hand: its answer comes after the pause. */
  #violated(violation: Violation, action: ViolationAction, vcpu: Vcpu): void {
    if (this.hasEnded) return;
    if (action !== 'zeros') vcpu.pause();
    const { device: id, ...what } = violation;
    const about = { id, path: devicePath(id), action, count: this.guard.count(id) };
    this.events.emit({ type: 'violation', ...about, ...what });
    actOnViolation(action, violation, {
      stop: (reason) => {
        this.stop(reason).catch((error: unknown) => this.#finish({ kind: 'failed', error }));
      },
      reset: (cause) => this.#guestReset({ kind: 'violation', cause }),
      end: (error) => this.#finish({ kind: 'failed', error }),
    });
  }

  #unhandled(vcpu: Vcpu, exit: VcpuExit): void {
    const { memory, backends } = this.shell;
    const verdict = judgeExit(vcpu, exit, { memory, backends, guard: this.guard });
    if (verdict.kind === 'reset') {
      // It must not run on until it is reset: AMD's KVM would have it begin where firmware does.
      vcpu.pause();
      this.#tripleFault(vcpu, exit);
    }
    if (verdict.kind === 'end') this.#finish({ kind: 'failed', error: verdict.error });
    vcpu.resume();
  }
}
