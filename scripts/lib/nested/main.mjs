// scripts/nested: starts the nested machine, connects its channels, waits for the
// command to end, and leaves nothing behind. The agent on the other side is
// l1-agent.sh.
//
// Usage: node main.mjs [OPTION...] [--] COMMAND [ARGUMENT...]
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { copyUntil, listen } from './channels.mjs';
import { createJobFolder, createShare, writeJob } from './job.mjs';
import { parseOptions, UserError } from './options.mjs';
import { startQemu } from './qemu.mjs';
import { connectTerminal, terminalSize } from './terminal.mjs';

const ASSETS = join(import.meta.dirname, '..', '..', 'assets');
const STATUS_TIME_UP = 124;
const STATUS_FAILED = 125;
const BOOT_SECONDS = 300; // 3 when nothing else runs
const GRACE_MS = 5000; // for the command to clean up when interrupted
const CONSOLE_LINES = 30;

/** The run ends otherwise than by the command's own end. */
class RunEnded extends Error {
  constructor(message, status, { showConsole = false } = {}) {
    super(message);
    this.status = status;
    this.showConsole = showConsole;
  }
}

async function main(args) {
  const options = parseOptions(args, process.stdin.isTTY === true && process.stdout.isTTY === true);
  const { program, l1 } = findMachine(options);
  const job = createJobFolder();
  const consoleLog = join(job, 'console.log');
  const cleanUp = [() => rmSync(job, { recursive: true, force: true })];
  try {
    return await run({ program, l1, options, job, consoleLog, cleanUp });
  } catch (error) {
    if (error instanceof RunEnded && error.showConsole) error.message += lastWords(consoleLog);
    throw error;
  } finally {
    for (const undo of cleanUp.reverse()) await undo();
  }
}

async function run({ program, l1, options, job, consoleLog, cleanUp }) {
  const share = createShare(job);
  const token = randomBytes(16).toString('hex');
  writeJob(job, { share, token, options, size: terminalSize() });
  const ending = watchForEndings(options);
  const { connected } = await listen(job);
  const qemu = startQemu({ program, job, l1, share, options, consoleLog });
  cleanUp.push(() => stop(qemu));
  ending.watchQemu(qemu);
  const channels = await Promise.race([connected, ending.promise]);
  const finished = attach(channels, { token, options, ending, cleanUp });
  return await Promise.race([finished, ending.promise]);
}

/** Where QEMU and the kernel are, once scripts/assets has fetched what is missing of them. */
function findMachine({ kernel }) {
  const names = ['qemu', kernel === undefined ? 'l1-kernel' : `l1-kernel:${kernel}`];
  const assets = (...args) =>
    execFileSync(ASSETS, [...args, ...names], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    assets();
    const [program, image] = `${assets('--path')}`.trim().split('\n');
    return { program, l1: dirname(image) };
  } catch (error) {
    throw new RunEnded(
      `scripts/assets ${names.join(' ')} has failed: ${error.message}`,
      STATUS_FAILED,
    );
  }
}

/** Connects the channels; resolves to the command's exit status. */
async function attach(channels, { token, options, ending, cleanUp }) {
  const { terminal, control, stdin, stdout, stderr } = channels;
  const marker = Buffer.from(`\0${token}`);
  const send = (line) => control.write(`${line}\n`);
  ending.onInterrupt(() => send('signal INT'));
  const copies = options.interactive
    ? [copyUntil(terminal, marker, process.stdout)]
    : [copyUntil(stdout, marker, process.stdout), copyUntil(stderr, marker, process.stderr)];
  if (options.interactive) {
    const onResize = () => {
      const { rows, columns } = terminalSize();
      send(`size ${rows} ${columns}`);
    };
    cleanUp.push(connectTerminal(terminal, { onResize, onLeave: ending.leave }));
  } else {
    process.stdin.on('error', () => stdin.end()).pipe(stdin);
  }
  for await (const line of createInterface({ input: control })) {
    const [word, value] = line.split(' ');
    if (word === 'ready') ending.booted();
    if (word === 'failed') throw new RunEnded(line.slice('failed '.length), STATUS_FAILED);
    if (word === 'exit') {
      await Promise.all(copies);
      return Number(value);
    }
  }
  return await ending.promise; // QEMU has closed the channel: it is ending
}

/** A promise that rejects when the run must end for a reason of our own. */
function watchForEndings({ timeoutSeconds }) {
  const { promise, reject } = withResolvers();
  promise.catch(() => {});
  const bootTimer = setTimeout(() => {
    const message = `the machine did not come up in ${BOOT_SECONDS} seconds`;
    reject(new RunEnded(message, STATUS_FAILED, { showConsole: true }));
  }, BOOT_SECONDS * 1000);
  if (timeoutSeconds > 0) {
    const message = `time is up (${timeoutSeconds} seconds)`;
    setTimeout(() => reject(new RunEnded(message, STATUS_TIME_UP)), timeoutSeconds * 1000);
  }
  let interrupt;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    const end = () => reject(new RunEnded('', 128 + constants.signals[name]));
    process.on(name, () => {
      if (name !== 'SIGINT' || interrupt === undefined) return end();
      // The first Ctrl-C is for the command, the next one for the machine.
      interrupt();
      interrupt = undefined;
      setTimeout(end, GRACE_MS);
    });
  }
  process.stdout.on('error', () => reject(new RunEnded('', 128 + constants.signals.SIGPIPE)));
  return {
    promise,
    booted: () => clearTimeout(bootTimer),
    leave: () => reject(new RunEnded('', 128 + constants.signals.SIGINT)),
    onInterrupt: (callback) => (interrupt = callback),
    watchQemu: (qemu) => watchQemu(qemu, reject),
  };
}

function watchQemu(qemu, reject) {
  let complaint = '';
  qemu.stderr.on('data', (text) => (complaint = `${complaint}${text}`.slice(-4096)));
  qemu.on('error', (error) => {
    reject(new RunEnded(`cannot start QEMU: ${error.message}`, STATUS_FAILED));
  });
  qemu.on('close', (status, signal) => {
    const how = signal === null ? `status ${status}` : signal;
    const why = complaint === '' ? '' : `: ${complaint.trim()}`;
    const message = `the machine ended before the command did (QEMU: ${how})${why}`;
    reject(new RunEnded(message, STATUS_FAILED, { showConsole: true }));
  });
}

async function stop(qemu) {
  if (qemu.exitCode !== null || qemu.signalCode !== null || !qemu.kill('SIGKILL')) return;
  await once(qemu, 'exit');
}

function withResolvers() {
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

/** The end of the machine's console; the whole of it is kept. */
function lastWords(consoleLog) {
  if (!existsSync(consoleLog)) return '';
  const text = readFileSync(consoleLog, 'latin1').replaceAll('\r', '').trimEnd();
  const panic = /Kernel panic - .*/.exec(text)?.[0];
  const kept = `/tmp/tsvmm-nested-console-${process.pid}.log`;
  renameSync(consoleLog, kept);
  const tail = text.split('\n').slice(-CONSOLE_LINES);
  const why = panic === undefined ? '' : `: ${panic}`;
  return [`${why}; console kept in ${kept}`, ...tail].join('\n  | ');
}

function report(error) {
  const known = error instanceof RunEnded || error instanceof UserError;
  const text = known ? error.message : error.stack;
  if (text !== '') process.stderr.write(`nested: ${known ? 'error: ' : ''}${text}\n`);
  return error.status ?? STATUS_FAILED;
}

const status = await main(process.argv.slice(2)).catch(report);
// Written output first: on a pipe it may still be on its way.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))),
);
process.exit(status);
