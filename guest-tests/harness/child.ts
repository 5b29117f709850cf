import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { TextStream } from './text-stream.ts';

/** Milliseconds between asking a process to end and killing it. */
const GRACE_MS = 10_000;

/** How a process ended: its exit code, or the signal that killed it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<Child>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A child process whose output is kept. */
export class Child {
  readonly pid: number;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Resolves when it has ended and all its output has come. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #command: string;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#command = [command, ...args].join(' ');
    this.#process = spawn(command, args, { stdio: 'pipe', env });
    const explain = () => this.describe();
    this.stdout = new TextStream('stdout', explain);
    this.stderr = new TextStream('stderr', explain);
    this.#process.stdout.setEncoding('latin1').on('data', (text: string) => this.stdout.push(text));
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => this.stderr.push(text));
    // A process that is gone does not read; its exit says more than EPIPE.
    this.#process.stdin.on('error', () => undefined);
    this.exited = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code, signal) => {
        running.delete(this);
        this.stdout.end();
        this.stderr.end();
        resolve({ code, signal });
      });
    });
    this.exited.catch(() => undefined);
    this.pid = this.#process.pid ?? 0;
    running.add(this);
  }

  write(text: string): void {
    this.#process.stdin.write(text, 'latin1');
  }

  endInput(): void {
    this.#process.stdin.end();
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** What it was, and what it said on stderr. */
  describe(): string {
    const { exitCode, signalCode } = this.#process;
    const state = exitCode ?? signalCode ?? 'running';
    return `--- ${this.#command}\n--- state: ${state}\n--- stderr\n${this.stderr.transcript}`;
  }

  /** Ends it, with force if it does not go; resolves when it is gone. */
  async stop(): Promise<Exit> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), GRACE_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}
