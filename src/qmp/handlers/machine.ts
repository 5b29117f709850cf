import type { MachineStatus } from '../../machine/control.ts';
import { RUN_STATES } from '../schema/commands.ts';
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
  | 'query-kvm'
  | 'query-cpus-fast'
  | 'stop'
  | 'cont'
  | 'system_reset'
  | 'system_powerdown'
  | 'quit'
  | 'human-monitor-command'
> = {
  'query-status': (_args, { control }) => {
    const status = control.status();
    return { running: status.running, status: runState(status) };
  },

  'query-name': (_args, { control }) => ({ name: control.name }),

  // There is no other accelerator, and without this one no machine.
  'query-kvm': () => ({ enabled: true, present: true }),

  'query-cpus-fast': (_args, { control }) =>
    control.cpus().map(({ id, threadId }) => ({
      'cpu-index': id,
      'qom-path': `/machine/unattached/device[${id}]`,
      ...(threadId === undefined ? {} : { 'thread-id': threadId }),
      props: { 'socket-id': id, 'core-id': 0, 'thread-id': 0 },
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

  'human-monitor-command': async ({ 'command-line': line }, context) =>
    terminalLines(await context.humanMonitor(line)),
};
