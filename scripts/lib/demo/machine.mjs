// One machine under tsvmm, driven over its serial console and its monitor's socket.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { IncomingText } from './incoming-text.mjs';

const CLI = join(import.meta.dirname, '..', '..', '..', 'dist', 'cli.cjs');
const MONITOR_PROMPT = '(tsvmm) ';
const GUEST_PROMPT = 'guest# ';
const GRACE_MS = 10_000;
const WORDS = 4000; // characters of output that a failure shows

/** Arguments of the machine that the demo boots, the shell's as well. */
export function machineArguments({ kernel, initrd }, kernelWords, memoryDevice) {
  return [
    'run',
    ...['--kernel', kernel, '--initrd', initrd, '--append', kernelWords],
    ...['--virtio-mem', memoryDevice],
  ];
}

/** Starts tsvmm with its standard streams as given. */
export function spawnTsvmm(args, stdio) {
  return spawn(process.execPath, [CLI, ...args], { stdio });
}

/** Resolves to undefined while nobody listens there. */
async function tryConnect(path) {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket.on('error', () => {});
  } catch {
    return undefined;
  }
}

export class Machine {
  #folder = mkdtempSync(join(tmpdir(), 'tsvmm-demo-'));
  #process;
  #exited;
  #console = new IncomingText('the guest');
  #complaints = '';
  #socket;
  #monitor = new IncomingText('the monitor');
  #closing = false;

  /** Starts tsvmm at once. */
  constructor(guest, kernelWords, memoryDevice) {
    const args = machineArguments(guest, kernelWords, memoryDevice);
    this.#process = spawnTsvmm([...args, '--monitor', `unix:${this.#monitorPath}`], 'pipe');
    const { stdin, stdout, stderr } = this.#process;
    stdin.on('error', () => {});
    stdout.setEncoding('utf8').on('data', (text) => this.#console.push(text));
    stderr.setEncoding('utf8').on('data', (text) => (this.#complaints += text));
    this.#exited = once(this.#process, 'close').then(([code, signal]) => {
      this.#console.end();
      return code ?? signal;
    });
    process.on('exit', () => this.#vanish());
  }

  get #monitorPath() {
    return join(this.#folder, 'monitor.sock');
  }

  /** Resolves when the monitor answers: the machine is set up, and the guest starts to run. */
  async started() {
    let ended = false;
    this.#exited.then(() => (ended = true));
    while (this.#socket === undefined && !ended) {
      this.#socket = await tryConnect(this.#monitorPath);
      if (this.#socket === undefined) await sleep(50);
    }
    if (this.#socket === undefined) throw new Error(`tsvmm ends at once: ${this.#complaints}`);
    this.#socket.setEncoding('utf8').on('data', (text) => this.#monitor.push(text));
    this.#socket.on('close', () => this.#monitor.end());
    await this.#monitor.until(MONITOR_PROMPT);
  }

  /** Resolves when the guest's shell takes commands. */
  async booted() {
    await this.started();
    await this.#console.until('tsvmm-guest: ready');
    await this.#console.until(GUEST_PROMPT);
    // No kernel messages between the lines from here on.
    await this.type('dmesg -n 1');
  }

  /** Types a command into the guest's shell; resolves to what it prints. */
  async type(command) {
    this.#process.stdin.write(`${command}\n`);
    return await this.#console.until(GUEST_PROMPT);
  }

  /** Asks the monitor; resolves to its answer. */
  async ask(command) {
    this.#socket.write(`${command}\n`);
    return await this.#monitor.until(MONITOR_PROMPT);
  }

  /** Asks again and again until `accept(answer)`; resolves to that answer. */
  async askUntil(ask, accept) {
    for (;;) {
      const answer = await ask();
      if (accept(answer)) return answer;
      await sleep(100);
    }
  }

  /** Types a command that ends the guest; resolves to the exit status of tsvmm. */
  async end(command) {
    this.#process.stdin.write(`${command}\n`);
    return await this.#exited;
  }

  /** What was said last, for a failure. */
  lastWords() {
    const said = [this.#console.all.slice(-WORDS), this.#complaints.slice(-WORDS)];
    return `--- serial console\n${said[0]}\n--- tsvmm\n${said[1]}\n`;
  }

  /** Ends the machine and removes its files; may be called at any time. */
  async close() {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket?.destroy();
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), GRACE_MS);
    await this.#exited;
    clearTimeout(timer);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The same at once, when this process ends without notice. */
  #vanish() {
    this.#process.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
