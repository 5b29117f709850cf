import { Command, CommanderError } from 'commander';
import type { CtlOptions } from './cli/ctl.ts';
import { addRunOptions, runHelp } from './cli/options/command.ts';
import type { PlanOptions } from './cli/plan.ts';
import type { RunOptions } from './cli/run.ts';
import { guardStandardStreams } from './cli/standard-streams.ts';
import { ConfigError, EXIT_CODE, exitCodeOf, messageOf } from './errors.ts';
import { version } from './version.ts';

interface ConfigOption {
  readonly config?: string;
}

/** Does something with the options of the command line, and those of the file that it names. */
async function withConfigFile<T extends ConfigOption, R>(
  options: T,
  command: Command,
  action: (options: T) => Promise<R>,
): Promise<R> {
  if (options.config === undefined) return await action(options);
  const { ConfigFile } = await import('./cli/options/config-file.ts');
  const file = new ConfigFile(options.config);
  const merged = file.merge(options, (name) => command.getOptionValueSource(name) === 'cli');
  const { claimFile } = await import('./claimed-files.ts');
  claimFile('the configuration file', 'input', options.config);
  try {
    return await action(merged);
  } catch (error) {
    throw file.explain(error);
  }
}

function runCommand(): Command {
  return addRunOptions(new Command('run'))
    .description('start a virtual machine')
    .addHelpText('after', runHelp)
    .action(async (options: RunOptions & ConfigOption, command: Command) => {
      refuseArguments(command);
      const { run } = await import('./cli/run.ts');
      process.exitCode = await withConfigFile(options, command, run);
    });
}

function planCommand(): Command {
  return addRunOptions(new Command('plan'))
    .description('say what a machine would be on this host, and what it would cost; makes none')
    .option('--json', 'write JSON')
    .addHelpText(
      'after',
      '\nTakes the options of run (run --help explains them); --kernel may be left out, and what says\nnothing of memory changes nothing.',
    )
    .action(async (options: PlanOptions & ConfigOption, command: Command) => {
      refuseArguments(command);
      const { plan } = await import('./cli/plan.ts');
      await withConfigFile(options, command, plan);
    });
}

function doctorCommand(): Command {
  return new Command('doctor')
    .description("say what this host's KVM, huge pages and limits allow, and how to fix the rest")
    .action(async (_options: unknown, command: Command) => {
      refuseArguments(command);
      const { doctor } = await import('./cli/doctor.ts');
      process.exitCode = doctor();
    });
}

const CTL_HELP = `
PATH is what the machine's --qmp got: a socket's path, unix:PATH or tcp:ADDR:PORT.
Commands:
  status                       created, running, paused or ended
  stop, cont, reset            hold the guest, let it go on, press the reset button
  powerdown                    press the power button; the guest decides what to do
  quit                         end the machine
  memory list [--json]         every memory device: its size, and why it is not as requested
  memory resize ID SIZE        ask for another size; with --wait until the guest has it, or has
                               done nothing for 5 seconds; with --timeout for so many seconds
                               at most, whatever it does
  hmp COMMAND                  a command of the human monitor, as one word: 'info memslots'

A resize that is done says that memory is plugged. Only what is online is of use, and that only the guest
knows: lsmem in it tells. Boot it with memhp_default_state=online_movable (up to 3 times boot memory; plan
says what suits more), or, in the guest, for what comes from then on:
  echo online_movable > /sys/devices/system/memory/auto_online_blocks
README.md has the rest, at "Linux guests".

Example:
  tsvmm ctl qmp.sock memory resize vm0 4G --wait --timeout 60

Exit codes: 0 done, the guest has converged; 1 no machine answers there, or it has ended; 2 bad usage;
4 the guest does not go on (and there is no --timeout), or somebody asked for another size; 5 the
machine refuses; 6 not in time.`;

function ctlCommand(): Command {
  return new Command('ctl')
    .description('control a running machine, for scripts')
    .argument('<path>', 'where its --qmp is')
    .argument('<command...>', 'see below')
    .option('--wait', 'wait for the guest')
    .option('--timeout <seconds>', 'how long to wait at most')
    .option('--json', 'write JSON')
    .addHelpText('after', CTL_HELP)
    .action(async (path: string, words: readonly string[], options: CtlOptions) => {
      const { ctl } = await import('./cli/ctl.ts');
      process.exitCode = await ctl(path, words, options);
    });
}

const MONITOR_HELP = `
WHERE is the path that the machine's --monitor unix:PATH got, or its tcp:PORT or tcp:ADDR:PORT. On a terminal lines are edited, the arrow
keys bring back earlier ones, and Tab completes; Ctrl-D ends the conversation, not the machine, and so
does Ctrl-C on an empty line; Ctrl-Z goes back to the shell. Otherwise standard input goes there as it is:
  echo 'info status' | tsvmm monitor mon.sock

Exit codes: 0 either side has ended it; 1 no monitor answers there; 2 bad usage; 130 Ctrl-C.`;

function monitorCommand(): Command {
  return new Command('monitor')
    .description("talk to a running machine's monitor, with editing, history and completion")
    .argument('<where>', 'its --monitor: PATH, unix:PATH, tcp:PORT or tcp:ADDR:PORT')
    .addHelpText('after', MONITOR_HELP)
    .action(async (where: string, _options: unknown, command: Command) => {
      refuseArguments(command, 1);
      const { monitor } = await import('./cli/monitor.ts');
      process.exitCode = await monitor(where);
    });
}

/** Refuses what is left over by name; commander only counts. @param taken  arguments that it takes */
function refuseArguments(command: Command, taken = 0): void {
  const surplus = command.args[taken];
  if (surplus === undefined) return;
  const what = taken === 0 ? 'no argument' : 'one argument only';
  throw new ConfigError('BAD_OPTION', `${command.name()} takes ${what}: ${surplus}`);
}

async function main(): Promise<void> {
  const program = new Command('tsvmm')
    .description('A virtual machine monitor for guests whose memory grows and shrinks.')
    .version(version(), '--version', 'print the version')
    .addCommand(runCommand())
    .addCommand(planCommand())
    .addCommand(ctlCommand())
    .addCommand(monitorCommand())
    .addCommand(doctorCommand())
    .exitOverride()
    .allowExcessArguments()
    .configureOutput({ outputError: (text, write) => write(`tsvmm: ${text}`) });
  for (const command of program.commands) command.copyInheritedSettings(program);
  await program.parseAsync();
}

/** Tells what went wrong, and by the exit code of which kind it was. */
function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT_CODE.ok : EXIT_CODE.usage;
    return;
  }
  process.stderr.write(`tsvmm: ${messageOf(error)}\n`);
  process.exitCode = exitCodeOf(error);
}

guardStandardStreams();
main().catch(fail);
