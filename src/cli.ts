#!/usr/bin/env node
import { Command, CommanderError, Option } from 'commander';
import type { CtlOptions } from './cli/ctl.ts';
import type { PlanOptions } from './cli/plan.ts';
import type { RunOptions } from './cli/run.ts';
import { ConfigError, EXIT_CODE, exitCodeOf, messageOf } from './errors.ts';
import { LOG_LEVELS } from './log.ts';
import { version } from './version.ts';

const collect = (value: string, list: readonly string[]): readonly string[] => [...list, value];

const VIRTIO_MEM_HELP = `
Keys of --virtio-mem (sizes take K, M, G, T; the device can be given several times):
  size=SIZE               what the guest can grow by; costs nothing until it is plugged
  memdev=ID               take this memory backend, and its size
  id=ID                   name in the monitor (default: vm0, vm1, ...)
  requested-size=SIZE     what the guest is asked to plug at start (default: 0)
  block-size=SIZE         what is plugged at once (default: the size of a huge page)
  dynamic-memslots=on|off map only what is plugged (default: off)
  memslot-size=SIZE       size of one memslot (default: at least 1G, as many as KVM has)
  memaddr=ADDRESS         guest-physical address (default: the next free one)
  node=N                  NUMA node (default: 0)
  prealloc=on|off         allocate memory before the guest sees it (default: off)
  unplugged-inaccessible=on|off|auto   whether the guest must promise not to touch
                          unplugged memory (default: on)
  protect-unplugged=on|off|auto   whether unplugged memory is out of the guest's reach, so that
                          touching it is a violation (default: auto, on with dynamic-memslots=on)

Types of --memory-backend, for --memory memdev=ID and --virtio-mem memdev=ID:
  ram,id=ID,size=SIZE     anonymous memory
  memfd,id=ID,size=SIZE   a file without a name; hugetlb=on|off, hugetlbsize=2M|1G, seal=on|off
  file,id=ID,mem-path=PATH   a file, a folder (hugetlbfs, tmpfs) or a device-dax; size=SIZE (default:
                          the file's), offset=, align=, readonly=on|off
  devmem,id=ID,size=SIZE,base=ADDRESS   host memory kept from the kernel with mem=, by /dev/mem
Keys of all of them:
  share=on|off            whether others who map it see it (default: on for memfd and devmem)
  prealloc=on|off         allocate all of it before the guest starts; prealloc-threads=N
  reserve=on|off          have the host set it aside (default: off under a memory device)
  thp=on|off              use transparent huge pages, or do not (default: as the kernel is set)
  merge=on|off            let KSM merge equal pages (default: off)
  dump=on|off             be part of core dumps (default: on)
  policy=default|bind|preferred|interleave   where the host takes pages from, among
  host-nodes=A-B          these host NUMA nodes

--numa node,KEYS adds a NUMA node; the first is node 0. With nodes the guest is told which memory
device is in which of them:
  cpus=A-B                its CPUs: A, A-B, also several times; each CPU is in exactly one node
                          (default: when no node has it, they are shared out evenly)
  memory=SIZE             its boot memory; the sizes sum up to --memory (default: likewise)
  memdev=ID               have this boot memory on a memory backend of its own, and take its size
--numa dist,src=A,dst=B,val=N says how far memory of node B is from node A, and A from B unless said
otherwise: 11 to 255, where 10 is within a node and 255 out of reach (default: 20)

--qmp speaks the established QMP, for programs, and can be given several times. The socket file
of unix:PATH belongs to you alone. tcp:PORT is loopback only, tcp:ADDR:PORT what you say: there is
no password and no encryption, so every user of this host, or whoever reaches ADDR, controls the
machine.

Example:
  tsvmm run --kernel vmlinuz --initrd initrd --append console=ttyS0 \\
    --virtio-mem size=1T,dynamic-memslots=on
  (tsvmm) qom-set vm0 requested-size 4G
  (tsvmm) info memory-devices

On a shared terminal, Ctrl-A C switches between the console and the monitor, Ctrl-A X quits.
Exit codes: 0 the guest powered off, or quit; 1 the host or tsvmm failed; 2 bad usage;
3 the guest cannot go on.`;

/** `plan` takes the options of `run`, so that one line serves both. */
function withRunOptions(command: Command): Command {
  return command
    .option('--kernel <file>', 'bzImage, or an ELF file with a PVH entry (vmlinux); required')
    .option('--initrd <file>', 'initial RAM disk')
    .option('--append <text>', 'kernel command line', '')
    .option(
      '--memory <size>',
      'boot memory: a size, or memdev=ID (default: what the NUMA nodes have, or 1G)',
    )
    .option('--cpus <n>', 'number of virtual CPUs', '1')
    .option('--numa <keys>', 'add a NUMA node, or say how far two are; see below', collect, [])
    .option('--virtio-mem <keys>', 'add a memory device; see below', collect, [])
    .option('--memory-backend <type,keys>', 'name host memory; see below', collect, [])
    .option('--serial <where>', 'serial port: stdio, none, file:PATH or unix:PATH', 'stdio')
    .option(
      '--monitor <where>',
      'monitor: stdio, none or unix:PATH (default: shares the terminal, if there is one)',
    )
    .option('--qmp <where>', 'let programs in: unix:PATH or tcp:ADDR:PORT; see below', collect, [])
    .option(
      '--qmp-event-interval <ms>',
      'least time between two events of a kind about one memory device',
      '1000',
    )
    .option('--no-reboot', 'exit when the guest reboots')
    .option(
      '--on-violation <action>',
      'when the guest touches protected memory: stop, reset or kill',
      'stop',
    )
    .option('--name <text>', "the machine's name, for the monitor (default: tsvmm)")
    .option('--uuid <uuid>', "the machine's UUID, for the monitor")
    .addOption(
      new Option('--log-level <level>', 'what to log on stderr')
        .choices([...LOG_LEVELS])
        .default('info'),
    );
}

function runCommand(): Command {
  return withRunOptions(new Command('run'))
    .description('start a virtual machine')
    .addHelpText('after', VIRTIO_MEM_HELP)
    .action(async (options: RunOptions, command: Command) => {
      refuseArguments(command);
      const { run } = await import('./cli/run.ts');
      process.exitCode = await run(options);
    });
}

function planCommand(): Command {
  return withRunOptions(new Command('plan'))
    .description('say what a machine would be on this host, and what it would cost; makes none')
    .option('--json', 'write JSON')
    .addHelpText(
      'after',
      '\nTakes the options of run (run --help explains them); --kernel may be left out, and what says\nnothing of memory changes nothing.',
    )
    .action(async (options: PlanOptions, command: Command) => {
      refuseArguments(command);
      const { plan } = await import('./cli/plan.ts');
      await plan(options);
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
  memory resize ID SIZE        ask for another size; with --wait until the guest has it, at most
                               --timeout seconds
  hmp COMMAND                  a command of the human monitor, as one word: 'info memslots'

Example:
  tsvmm ctl qmp.sock memory resize vm0 4G --wait --timeout 60

Exit codes: 0 done, the guest has converged; 1 no machine answers there, or it has ended; 2 bad usage;
4 the guest does not go on, or somebody asked for another size; 5 the machine refuses; 6 not in time.`;

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
PATH is the path that the machine's --monitor unix:PATH got. On a terminal lines are edited, the arrow
keys bring back earlier ones, and Tab completes; Ctrl-D ends the conversation, not the machine, and so
does Ctrl-C on an empty line. Otherwise standard input goes there as it is:
  echo 'info status' | tsvmm monitor mon.sock

Exit codes: 0 either side has ended it; 1 no monitor answers there; 2 bad usage; 130 Ctrl-C.`;

function monitorCommand(): Command {
  return new Command('monitor')
    .description("talk to a running machine's monitor, with editing, history and completion")
    .argument('<path>', 'where its --monitor is')
    .addHelpText('after', MONITOR_HELP)
    .action(async (path: string, _options: unknown, command: Command) => {
      refuseArguments(command, 1);
      const { monitor } = await import('./cli/monitor.ts');
      process.exitCode = await monitor(path);
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

try {
  await main();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT_CODE.ok : EXIT_CODE.usage;
  } else {
    process.stderr.write(`tsvmm: ${messageOf(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
