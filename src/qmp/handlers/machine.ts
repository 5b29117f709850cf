import type { MachineStatus } from '../../machine/control.ts';
import { setLogLevel } from '../../log.ts';
import { RUN_STATES } from '../schema/machine-commands.ts';
import { checkCpu } from './arguments.ts';
import type { Handlers } from './handler.ts';

type RunState = (typeof RUN_STATES)[number];

/** A reason that the protocol has no word for is an internal error to its clients. */
function runState({ running, reason }: MachineStatus): RunState {
  if (running) return 'running';
  if (reason === undefined) return 'paused';
  return RUN_STATES.find((state) => state === reason) ?? 'internal-error';
}

/** The human monitor's clients expect the line ends of a terminal. */
function terminalLines(text: string): string {
  return text.replaceAll('\n', '\r\n');
}

export const machineHandlers: Handlers<
  | 'query-status'
  | 'query-name'
  | 'query-uuid'
  | 'query-kvm'
  | 'query-cpus-fast'
  | 'stop'
  | 'cont'
  | 'system_reset'
  | 'system_powerdown'
  | 'quit'
  | 'human-monitor-command'
  | 'x-tsvmm-set-log'
> = {
  'query-status': (_args, { control }) => {
    const status = control.status();
    return { running: status.running, singlestep: false, status: runState(status) };
  },

  'query-name': (_args, { control }) => ({ name: control.name }),
  'query-uuid': (_args, { control }) => ({ UUID: control.uuid }),

  // There is no other accelerator, and without this one no machine.
  'query-kvm': () => ({ enabled: true, present: true }),

  'query-cpus-fast': (_args, { control }) =>
    control.cpus().map(({ id, threadId, socket, core, node }) => ({
      'cpu-index': id,
      'qom-path': `/machine/unattached/device[${id}]`,
      'thread-id': threadId ?? 0,
      props: {
        ...(node === undefined ? {} : { 'node-id': node }),
        ...{ 'socket-id': socket, 'core-id': core, 'thread-id': 0 },
      },
      arch: 'x86',
      target: 'x86_64',
    })),

  stop: async (_args, { control }) => {
    await control.stop();
    return {};
  },

  cont: async (_args, { control }) => {
    await control.cont();
    return {};
  },

  system_reset: async (_args, { control }) => {
    await control.reset();
    return {};
  },

  system_powerdown: (_args, { control }) => {
    control.powerDown();
    return {};
  },

  quit: (_args, { control }) => {
    control.quit();
    return {};
  },

  'human-monitor-command': async ({ 'command-line': line, 'cpu-index': index }, context) => {
    const cpu = checkCpu(context.control, index);
    return terminalLines(await context.humanMonitor(line, cpu));
  },

  'x-tsvmm-set-log': async ({ level, file }) => {
    // The file first: it may be refused, and nothing has changed then.
    if (file !== undefined) {
      const { logTo } = await import('../../monitor/commands/log.ts');
      logTo(file === '' ? undefined : file);
    }
    if (level !== undefined) setLogLevel(level);
    return {};
  },
};
