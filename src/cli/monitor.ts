import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { EXIT_CODE } from '../errors.ts';
import { openSocket } from '../terminal/open-socket.ts';

/** Signals that end the conversation; the terminal is put back first. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What a shell says of a process that a signal has ended. */
const exitCodeOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** Whether the terminal's keys come to this process: proc(5), pgrp and tpgid of stat. */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[2] === fields[5];
}

/** How long a host may take to answer. */
const CONNECT_MS = 30_000;

/** @throws (rejects with) HostError, ConfigError */
async function connect(where: string): Promise<Socket> {
  const late = new AbortController();
  const why = new Error(`the host has not answered in ${CONNECT_MS / 1000} s`);
  const timer = setTimeout(() => late.abort(why), CONNECT_MS);
  try {
    const socket = await openSocket(where, '--monitor', late.signal);
    // A lost connection is closed, and that is what the rest waits for.
    return socket.on('error', () => socket.destroy());
  } finally {
    clearTimeout(timer);
  }
}

/** A person at a terminal: lines are edited here, and run there. */
async function converse(socket: Socket, where: string): Promise<number> {
  const [{ RemoteSession }, { TerminalClient }, { Stdio }, { addon }] = await Promise.all([
    import('../monitor/remote-session.ts'),
    import('../monitor/terminal-client.ts'),
    import('../terminal/stdio.ts'),
    import('../kvm/addon.ts'),
  ]);
  const session = await RemoteSession.open(socket, where, () => process.stdout.columns);
  const stdio = new Stdio({
    serial: false,
    monitor: true,
    input: process.stdin,
    output: process.stdout,
    rawTerminal: () => addon.rawTerminal(process.stdin.fd),
    onQuit: () => undefined,
  });
  const end: { code?: number } = {};
  const leave = (code: number): void => {
    end.code = code;
    socket.destroy();
  };
  for (const signal of SIGNALS) process.on(signal, () => leave(exitCodeOfSignal(signal)));
  const endpoint = stdio.monitor;
  endpoint.onEnd(() => leave(EXIT_CODE.ok));
  const client = new TerminalClient(endpoint, session, {
    prompt: session.prompt,
    onInterrupt: () => leave(exitCodeOfSignal('SIGINT')),
    onEndOfInput: () => leave(EXIT_CODE.ok),
    onSuspend: () => {
      stdio.giveUp();
      process.kill(0, 'SIGTSTP');
      // Nobody stops us where no shell could let us go on.
      setImmediate(takeBack);
    },
  });
  const takeBack = (): void => {
    // In the background the terminal is the shell's; to read there stops us until we are called.
    if (!isInForeground()) return;
    stdio.takeBack();
    client.redraw();
  };
  process.on('SIGCONT', takeBack);
  await session.closed;
  process.off('SIGCONT', takeBack);
  client.close();
  await stdio.close();
  if (end.code !== undefined) return end.code;
  process.stderr.write(`tsvmm: ${where}: the monitor has closed the connection\n`);
  return EXIT_CODE.ok;
}

/** A script: every byte as it is, both ways, until the monitor has answered all. */
async function passOn(socket: Socket): Promise<number> {
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const { stdin, stdout } = process;
  // A reader that has seen enough, as `head`, ends the conversation too.
  stdout.on('error', () => socket.destroy());
  stdin.on('error', () => socket.destroy());
  stdin.pipe(socket);
  socket.pipe(stdout, { end: false });
  await closed;
  return EXIT_CODE.ok;
}

/**
 * Talks to the monitor at a socket until either side has enough.
 *
 * @param where  the socket's path, or `unix:PATH` or `tcp:ADDR:PORT` as for `--monitor`
 * @returns the exit code
 * @throws (rejects with) HostError when no monitor answers there
 */
export async function monitor(where: string): Promise<number> {
  const socket = await connect(where);
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  try {
    return await (isTerminal ? converse(socket, where) : passOn(socket));
  } finally {
    // Whoever still types would keep the process waiting.
    process.stdin.destroy();
  }
}
