import { machineConfig } from '../api/parse-options.ts';
import { claimFile } from '../claimed-files.ts';
import { ConfigError, EXIT_CODE, exitCodeOf, GuestError, messageOf } from '../errors.ts';
import { addon } from '../kvm/addon.ts';
import { isLogLevel, setLogLevel } from '../log.ts';
import type { MachineConfig } from '../machine/config/machine-config.ts';
import { parseIdentity } from '../machine/config/identity-option.ts';
import { ControlView } from '../machine/control-view.ts';
import { Machine, type MachineEnd } from '../machine/machine.ts';
import { Monitor } from '../monitor/monitor.ts';
import { parsePrompt } from '../monitor/prompt.ts';
import type { QmpEnds } from '../qmp/ends.ts';
import { openSerialBackend } from '../terminal/open-serial.ts';
import type { SerialBackend } from '../terminal/serial-backend.ts';
import type { Stdio } from '../terminal/stdio.ts';
import {
  parseMonitorTarget,
  parseSerialTarget,
  type MonitorTarget,
  type SerialTarget,
} from '../terminal/target.ts';
import { openListener } from '../terminal/open-listener.ts';
import type { Listener } from '../terminal/listener.ts';
import { vmOptions, type MachineOptions } from './machine-options.ts';
import { checkTalkOptions, type TalkOptions } from './talk-options.ts';

/** The options of `tsvmm run` as commander gives them. */
export interface RunOptions extends MachineOptions, TalkOptions {
  readonly logLevel: string;
}

interface Targets {
  readonly serial: SerialTarget;
  readonly monitor: MonitorTarget;
}

function parseTargets(options: RunOptions): Targets {
  const serial = parseSerialTarget(options.serial);
  if (options.monitor !== undefined) {
    return { serial, monitor: parseMonitorTarget(options.monitor) };
  }
  // On a terminal the monitor is a key away; a pipe belongs to the serial port alone.
  const shared = serial.kind === 'stdio' && process.stdin.isTTY;
  return { serial, monitor: { kind: shared ? 'stdio' : 'none' } };
}

function requireKernel(kernel: string | undefined): string {
  if (kernel !== undefined) return kernel;
  throw new ConfigError('BAD_OPTION', '--kernel is missing: give a bzImage or a vmlinux');
}

function parseConfig(options: RunOptions, targets: Targets): Promise<MachineConfig> {
  const kernel = requireKernel(options.kernel);
  const serial = targets.serial.kind !== 'none';
  return machineConfig({ ...vmOptions({ ...options, kernel }), serial });
}

/** Everything that must be closed, last in first out, whatever happens. */
class Cleanup {
  readonly #steps: (() => Promise<void> | void)[] = [];

  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        process.stderr.write(`tsvmm: cleaning up: ${messageOf(error)}\n`);
      }
    }
  }
}

interface Ends {
  readonly stdio: Stdio | undefined;
  readonly serial: SerialBackend | undefined;
  readonly monitorSocket: Listener | undefined;
}

async function openMonitorSocket(target: MonitorTarget): Promise<Listener | undefined> {
  if (target.kind === 'stdio' || target.kind === 'none') return undefined;
  return (await openListener(target, '--monitor')).listener;
}

/** What ends the machine, whenever it is said: before there is one, it is kept in mind. */
class Ending {
  #machine: Machine | undefined;
  #by: 'quit' | 'signal' | undefined;

  /** Whether it was said. */
  get isAsked(): boolean {
    return this.#by !== undefined;
  }

  say(by: 'quit' | 'signal'): void {
    this.#by ??= by;
    this.#machine?.quit(by);
  }

  attach(machine: Machine): void {
    this.#machine = machine;
    if (this.#by !== undefined) machine.quit(this.#by);
  }
}

/**
 * Says which files the shell has given this process, so that nothing else is written there: the log, and
 * the console and monitor where they are.
 */
function claimStandardStreams({ serial, monitor }: Targets, cleanup: Cleanup): void {
  cleanup.add(claimFile('standard error, where the log goes', 'output', 2));
  if (serial.kind !== 'stdio' && monitor.kind !== 'stdio') return;
  cleanup.add(claimFile('standard output', 'output', 1));
  cleanup.add(claimFile('standard input', 'input', 0));
}

/** Opens serial port and monitor before the machine: what is taken or missing is told first. */
async function openEnds(targets: Targets, cleanup: Cleanup, onQuit: () => void): Promise<Ends> {
  const monitorSocket = await openMonitorSocket(targets.monitor);
  if (monitorSocket !== undefined) cleanup.add(() => monitorSocket.close());
  let stdio: Stdio | undefined;
  if (targets.serial.kind === 'stdio' || targets.monitor.kind === 'stdio') {
    stdio = await openStdio(targets, onQuit);
    const opened = stdio;
    cleanup.add(() => opened.close());
  }
  let serial = stdio?.serial;
  if (targets.serial.kind !== 'stdio') {
    const backend = await openSerialBackend(targets.serial);
    cleanup.add(() => backend.close());
    serial = backend;
  }
  return { stdio, serial, monitorSocket };
}

async function openStdio(targets: Targets, onQuit: () => void): Promise<Stdio> {
  const { Stdio } = await import('../terminal/stdio.ts');
  return new Stdio({
    serial: targets.serial.kind === 'stdio',
    monitor: targets.monitor.kind === 'stdio',
    input: process.stdin,
    output: process.stdout,
    rawTerminal: () => addon.rawTerminal(process.stdin.fd),
    onQuit,
  });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal ends the machine as `quit` does; everything is given back. */
function handleSignals(onSignal: () => void, cleanup: Cleanup): void {
  for (const signal of SIGNALS) process.on(signal, onSignal);
  cleanup.add(() => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  });
}

function exitCodeFor(end: MachineEnd): number {
  if (end.kind !== 'failed') return EXIT_CODE.ok;
  const report = end.error instanceof GuestError ? end.error.report : [messageOf(end.error)];
  for (const line of report) process.stderr.write(`tsvmm: ${line}\n`);
  return exitCodeOf(end.error);
}

/** What serves programs is loaded only where they are let in. */
async function openQmp(options: RunOptions, cleanup: Cleanup): Promise<QmpEnds | undefined> {
  if (options.qmp.length === 0) return undefined;
  const { QmpEnds } = await import('../qmp/ends.ts');
  const ends = await QmpEnds.open(options.qmp, options.qmpEventInterval);
  cleanup.add(() => ends.close());
  return ends;
}

async function runMachine(options: RunOptions, cleanup: Cleanup): Promise<number> {
  const ending = new Ending();
  const quit = (): void => ending.say('quit');
  handleSignals(() => ending.say('signal'), cleanup);
  checkTalkOptions(options);
  const targets = parseTargets(options);
  claimStandardStreams(targets, cleanup);
  const config = await parseConfig(options, targets);
  const identity = parseIdentity(options.name, options.uuid);
  const ends = await openEnds(targets, cleanup, quit);
  const qmp = await openQmp(options, cleanup);
  if (ending.isAsked) return EXIT_CODE.ok;
  const machine = await Machine.create(config, ends.serial);
  cleanup.add(() => machine.close());
  ending.attach(machine);
  const control = new ControlView(machine, identity);
  qmp?.serve(control, machine.events);
  const monitor = new Monitor(control, parsePrompt(options.monitorPrompt));
  cleanup.add(() => monitor.close());
  if (ends.monitorSocket !== undefined) monitor.serveSocket(ends.monitorSocket);
  if (ends.stdio !== undefined && targets.monitor.kind === 'stdio') {
    // With the serial port here Ctrl-C is the guest's key, and Ctrl-A X ours.
    const onInterrupt = targets.serial.kind === 'stdio' ? {} : { onInterrupt: quit };
    await monitor.serveEndpoint(ends.stdio.monitor, onInterrupt);
  }
  await machine.prepare();
  if (!machine.hasEnded) {
    ends.serial?.begin?.();
    await machine.start();
  }
  return exitCodeFor(await machine.ended);
}

/** Runs a machine to its end. @returns the exit code; errors have been told on stderr */
export async function run(options: RunOptions): Promise<number> {
  if (!isLogLevel(options.logLevel)) {
    throw new ConfigError('BAD_OPTION', `--log-level=${options.logLevel}: unknown level`);
  }
  setLogLevel(options.logLevel);
  const cleanup = new Cleanup();
  try {
    return await runMachine(options, cleanup);
  } finally {
    await cleanup.run();
  }
}
