import type { MonitorCommand } from './command.ts';
import { cont, stop } from './commands/run-state.ts';
import { help } from './commands/help.ts';
import { info } from './commands/info.ts';
import { infoCpus } from './commands/info-cpus.ts';
import { infoHistory } from './commands/info-history.ts';
import { infoMemdev } from './commands/info-memdev.ts';
import { infoMemoryDevices } from './commands/info-memory-devices.ts';
import { infoMemslots } from './commands/info-memslots.ts';
import { infoMtree } from './commands/info-mtree.ts';
import { infoNuma } from './commands/info-numa.ts';
import { infoName, infoStatus, infoVersion } from './commands/info-status.ts';
import { infoPci } from './commands/info-pci.ts';
import { qomGet } from './commands/qom-get.ts';
import { qomList } from './commands/qom-list.ts';
import { qomSet } from './commands/qom-set.ts';
import { quit } from './commands/quit.ts';
import { systemPowerdown, systemReset } from './commands/system.ts';

/** Every command there is. Parser, help and completion all come from this table. */
const COMMANDS: readonly MonitorCommand[] = [
  cont,
  help,
  info,
  infoCpus,
  infoHistory,
  infoMemdev,
  infoMemoryDevices,
  infoMemslots,
  infoMtree,
  infoName,
  infoNuma,
  infoPci,
  infoStatus,
  infoVersion,
  qomGet,
  qomList,
  qomSet,
  quit,
  stop,
  systemPowerdown,
  systemReset,
];

export interface FoundCommand {
  readonly command: MonitorCommand;
  /** Words of its name: 2 for a subcommand of `info`. */
  readonly nameWords: number;
}

/** Commands by name and alias; names are exact. */
export class CommandTable {
  readonly #byName = new Map<string, MonitorCommand>();
  readonly all: readonly MonitorCommand[];

  constructor(commands: readonly MonitorCommand[] = COMMANDS) {
    this.all = commands.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    for (const command of commands) {
      for (const name of [command.name, ...(command.aliases ?? [])]) {
        if (this.#byName.has(name)) throw new Error(`monitor command ${name} is there twice`);
        this.#byName.set(name, command);
      }
    }
  }

  /** The command that a line's words begin with. */
  find(words: readonly string[]): FoundCommand | undefined {
    const [first = '', second] = words;
    if (second !== undefined && this.subcommands(first).length > 0) {
      const command = this.#byName.get(`${first} ${second}`);
      return command && { command, nameWords: 2 };
    }
    const command = this.#byName.get(first);
    return command && { command, nameWords: 1 };
  }

  /** Commands of one word. */
  topLevel(): readonly MonitorCommand[] {
    return this.all.filter((command) => !command.name.includes(' '));
  }

  /** The commands `group …`, as `info status` of `info`. */
  subcommands(group: string): readonly MonitorCommand[] {
    return this.all.filter((command) => command.name.startsWith(`${group} `));
  }
}
