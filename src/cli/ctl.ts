import { ANSWER_MS, connectVm, type RemoteVm } from '../api/client/remote-vm.ts';
import type { MemoryDeviceState } from '../api/memory-host.ts';
import { ResizeError, type ResizeFailure } from '../api/resize-error.ts';
import { NO_ANSWER, timeoutText, type TimedResizeOptions } from '../api/resize.ts';
import { ConfigError, EXIT_CODE, HostError, messageOf } from '../errors.ts';
import { formatSize, parseSize } from '../units.ts';
import { ProgressBar } from './progress-bar.ts';

/** The options of `tsvmm ctl` as commander gives them. */
export interface CtlOptions {
  readonly wait?: true;
  readonly timeout?: string;
  readonly json?: true;
}

/** Exit codes of a resize that did not come to be; they go on behind those of every command. */
const FAILURE_CODES: Readonly<Record<ResizeFailure, number>> = {
  STALLED: 4,
  SUPERSEDED: 4,
  REFUSED: 5,
  TIMEOUT: 6,
  ENDED: EXIT_CODE.host,
};

/** When the command began: what it takes to reach the machine counts, too. */
interface Limit {
  readonly timeoutMs: number | undefined;
  /** performance.now(), in milliseconds. */
  readonly startedMs: number;
}

type Action = (
  vm: RemoteVm,
  args: readonly string[],
  options: CtlOptions,
  limit: Limit,
) => Promise<void>;

interface Verb {
  readonly parameters: readonly string[];
  readonly options: readonly (keyof CtlOptions)[];
  readonly run: Action;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const plain = (run: (vm: RemoteVm) => Promise<void>): Verb => ({
  parameters: [],
  options: [],
  run,
});

const VERBS: Readonly<Record<string, Verb>> = {
  status: plain(async (vm) => print(await vm.status())),
  stop: plain((vm) => vm.stop()),
  cont: plain((vm) => vm.cont()),
  reset: plain((vm) => vm.reset()),
  powerdown: plain((vm) => vm.powerDown()),
  quit: plain((vm) => vm.quit()),
  'memory list': { parameters: [], options: ['json'], run: listMemory },
  'memory resize': { parameters: ['ID', 'SIZE'], options: ['wait', 'timeout'], run: resizeMemory },
  hmp: {
    parameters: ['COMMAND'],
    options: [],
    run: async (vm, [line = '']) => void process.stdout.write(await vm.monitor(line)),
  },
};

async function listMemory(
  vm: RemoteVm,
  _args: readonly string[],
  { json }: CtlOptions,
): Promise<void> {
  const states = await vm.memoryDevices();
  if (json === true) print(JSON.stringify(states, undefined, 2));
  else for (const state of states) print(describe(state));
}

function describe({ id, size, requestedSize, maxSize, cause }: MemoryDeviceState): string {
  const of = size === requestedSize ? '' : ` of ${formatSize(requestedSize)} requested`;
  const why = size === requestedSize ? '' : `: ${cause}`;
  return `${id}: ${formatSize(size)}${of} (at most ${formatSize(maxSize)})${why}`;
}

/** What is known of memory that was waited for, and what is not. */
const grown = (bytes: number): string =>
  `${formatSize(bytes)} is plugged; whether it is online, only the guest knows (ctl --help)`;

async function resizeMemory(
  vm: RemoteVm,
  [id = '', size = '']: readonly string[],
  options: CtlOptions,
  limit: Limit,
): Promise<void> {
  // What is no size at all is not for the machine to refuse.
  const bytes = parseSize(size, 'ctl memory resize: SIZE');
  const device = vm.memoryDevice(id);
  if (options.wait !== true) {
    await device.request(bytes);
    return;
  }
  const bar = new ProgressBar(process.stderr);
  let first: number | undefined;
  try {
    const timed: TimedResizeOptions = limit;
    for await (const state of device.resize(bytes, timed)) {
      first ??= state.size;
      bar.show(state);
    }
  } finally {
    bar.end();
  }
  if (bytes > (first ?? bytes)) process.stderr.write(`tsvmm: ${id}: ${grown(bytes)}\n`);
}

/** Seconds on the command line. @returns milliseconds */
function parseTimeout({ timeout, wait }: CtlOptions): number | undefined {
  if (timeout === undefined) return undefined;
  const refuse = (why: string): never => {
    throw new ConfigError('BAD_OPTION', `--timeout=${timeout}: ${why}`);
  };
  if (wait !== true) refuse('only with --wait');
  const seconds = /^\d{1,12}(\.\d{1,3})?$/.test(timeout) ? Number(timeout) : 0;
  return seconds > 0 ? seconds * 1000 : refuse('must be seconds, more than 0');
}

interface Call {
  readonly verb: Verb;
  readonly args: readonly string[];
}

/** @throws ConfigError naming what is not known, missing or too much */
function parseCall(words: readonly string[], options: CtlOptions): Call {
  const two = words.slice(0, 2).join(' ');
  const name = Object.hasOwn(VERBS, two) ? two : (words[0] ?? '');
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb === undefined) {
    const known = Object.keys(VERBS).join(', ');
    throw new ConfigError('BAD_OPTION', `ctl ${two}: not a command; the commands are ${known}`);
  }
  const args = words.slice(name.split(' ').length);
  if (args.length !== verb.parameters.length) {
    const usage = ['ctl PATH', name, ...verb.parameters].join(' ');
    throw new ConfigError('BAD_OPTION', `ctl ${words.join(' ')}: write ${usage}`);
  }
  for (const option of ['wait', 'timeout', 'json'] as const) {
    if (options[option] === undefined || verb.options.includes(option)) continue;
    throw new ConfigError('BAD_OPTION', `ctl ${name}: --${option} does not apply`);
  }
  return { verb, args };
}

/** @returns undefined for what is no answer of the machine */
function failureCode(error: unknown): number | undefined {
  if (error instanceof ResizeError) return FAILURE_CODES[error.code];
  const refused = error instanceof ConfigError && error.code === 'REFUSED';
  return refused ? FAILURE_CODES.REFUSED : undefined;
}

/** @throws ResizeError when that takes all the time there is for a resize; else as `connectVm` */
async function reach(
  where: string,
  { timeoutMs, startedMs }: Limit,
  id: string,
): Promise<RemoteVm> {
  try {
    return await connectVm(where, { timeoutMs: Math.min(timeoutMs ?? ANSWER_MS, ANSWER_MS) });
  } catch (error) {
    const isLate = timeoutMs !== undefined && performance.now() - startedMs >= timeoutMs;
    if (!isLate || !(error instanceof HostError)) throw error;
    const message = timeoutText(timeoutMs, NO_ANSWER);
    throw new ResizeError('TIMEOUT', message, { device: id, cause: error });
  }
}

/** Drives a machine in another process. @returns the exit code; a resize's failure has been told */
export async function ctl(
  where: string,
  words: readonly string[],
  options: CtlOptions,
): Promise<number> {
  const { verb, args } = parseCall(words, options);
  const limit = { timeoutMs: parseTimeout(options), startedMs: performance.now() };
  let vm: RemoteVm | undefined;
  try {
    vm = await reach(where, limit, args[0] ?? '');
    await verb.run(vm, args, options, limit);
    return EXIT_CODE.ok;
  } catch (error) {
    const code = failureCode(error);
    if (code === undefined) throw error;
    process.stderr.write(`tsvmm: ${messageOf(error)}\n`);
    return code;
  } finally {
    await vm?.close();
  }
}
