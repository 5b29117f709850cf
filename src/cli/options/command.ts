import { Option, type Command } from 'commander';
import { keysHelp, typeHelp } from './help.ts';
import { BACKEND_TYPES, COMMON_BACKEND_KEYS, NUMA_TYPES, VIRTIO_MEM_KEYS } from './keys.ts';
import { RUN_OPTIONS } from './table.ts';
import type { KeyedType, RunOption } from './value.ts';

const collect = (value: string, list: readonly string[]): readonly string[] => [...list, value];

function commanderOption(option: RunOption): Option {
  const { name, argument, help, scalar } = option;
  const made = new Option(argument === undefined ? `--${name}` : `--${name} ${argument}`, help);
  if (option.default !== undefined) made.default(option.default);
  // With keys there is more that it can be than these.
  if (typeof scalar === 'object' && option.keys === undefined) made.choices(scalar);
  if (option.repeats === true) made.default([]).argParser(collect);
  return made;
}

/** Adds what `run` and `plan` take, so that one line serves both. */
export function addRunOptions(command: Command): Command {
  for (const option of RUN_OPTIONS) command.addOption(commanderOption(option));
  return command
    .option(
      '--reboot',
      "let the guest reboot, as it may unless the file's no-reboot says otherwise",
    )
    .option('--config <file>', 'read options from this file, YAML or .json; see below');
}

function types(all: Readonly<Record<string, KeyedType>>): string {
  return Object.entries(all)
    .map(([name, type]) => typeHelp(name, type))
    .join('\n');
}

/** What `run --help` says behind the list of options. */
export const runHelp = (): string => `
Keys of --virtio-mem (sizes take K, M, G, T; the device can be given several times):
${keysHelp(VIRTIO_MEM_KEYS)}

Types of --memory-backend, for --memory memdev=ID and --virtio-mem memdev=ID:
${types(BACKEND_TYPES)}
Keys of all of them:
${keysHelp(COMMON_BACKEND_KEYS)}

Types of --numa; with nodes the guest is told which memory device is in which of them:
${types(NUMA_TYPES)}

--config reads a file in which every option above has its name without dashes, and those with keys have
these as names too: relative paths are relative to the file. A flag beside it wins. With an id that the
file has, --virtio-mem and --memory-backend change the keys they name of that one, otherwise they add
one; --numa and --qmp take the place of all that the file has.

--qmp speaks the established QMP, for programs, and can be given several times. The socket file
of unix:PATH belongs to you alone. tcp:PORT, here and for --monitor, is loopback only, tcp:ADDR:PORT
what you say: there is no password and no encryption, so every user of this host, or whoever reaches
ADDR, controls the machine. Web browsers are hung up on.

Example:
  tsvmm run --kernel vmlinuz --initrd initrd --append console=ttyS0 \\
    --virtio-mem size=1T,dynamic-memslots=on
  (tsvmm) qom-set vm0 requested-size 4G
  (tsvmm) info memory-devices

On a shared terminal, Ctrl-A C switches between the console and the monitor, Ctrl-A X quits.
Exit codes: 0 the guest powered off, or quit; 1 the host or tsvmm failed; 2 bad usage;
3 the guest cannot go on.`;
