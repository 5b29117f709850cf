import type { CommandIndex, FoundCommand, MonitorCommand } from './command.ts';
import { balloon, infoBalloon } from './commands/balloon.ts';
import { cpu, nmi } from './commands/cpu.ts';
import { help } from './commands/help.ts';
import { infoCpus } from './commands/info-cpus.ts';
import { infoHistory } from './commands/info-history.ts';
import { infoIrq, infoPic } from './commands/info-irq.ts';
import { infoKvm } from './commands/info-kvm.ts';
import { infoLapic } from './commands/info-lapic.ts';
import { infoMemdev } from './commands/info-memdev.ts';
import { infoMemoryDevices } from './commands/info-memory-devices.ts';
import { infoMemoryMap } from './commands/info-memory-map.ts';
import { infoMemorySizeSummary } from './commands/info-memory-size-summary.ts';
import { infoMemslots } from './commands/info-memslots.ts';
import { infoMtree } from './commands/info-mtree.ts';
import { infoNuma } from './commands/info-numa.ts';
import { infoPci } from './commands/info-pci.ts';
import { infoQomTree } from './commands/info-qom-tree.ts';
import { infoQtree } from './commands/info-qtree.ts';
import { infoRegisters } from './commands/info-registers.ts';
import { infoStats } from './commands/info-stats.ts';
import { infoName, infoStatus, infoUuid, infoVersion } from './commands/info-status.ts';
import { infoVirtio, infoVirtioQueueStatus, infoVirtioStatus } from './commands/info-virtio.ts';
import { info } from './commands/info.ts';
import { logCommand, logfile } from './commands/log.ts';
import { gva2gpa, print, x, xp } from './commands/memory-dump.ts';
import { memsave, pmemsave } from './commands/memory-save.ts';
import { qomGet } from './commands/qom-get.ts';
import { qomList } from './commands/qom-list.ts';
import { qomSet } from './commands/qom-set.ts';
import { quit } from './commands/quit.ts';
import { cont, stop } from './commands/run-state.ts';
import { systemPowerdown, systemReset } from './commands/system.ts';
import { terminalComplete, terminalWidth } from './commands/terminal.ts';

/** Every command there is. Parser, help and completion all come from this table. */
const COMMANDS: readonly MonitorCommand[] = [
  balloon,
  cont,
  cpu,
  gva2gpa,
  help,
  info,
  infoBalloon,
  infoCpus,
  infoHistory,
  infoIrq,
  infoKvm,
  infoLapic,
  infoMemdev,
  infoMemoryDevices,
  infoMemoryMap,
  infoMemorySizeSummary,
  infoMemslots,
  infoMtree,
  infoName,
  infoNuma,
  infoPci,
  infoPic,
  infoQomTree,
  infoQtree,
  infoRegisters,
  infoStats,
  infoStatus,
  infoUuid,
  infoVersion,
  infoVirtio,
  infoVirtioQueueStatus,
  infoVirtioStatus,
  logCommand,
  logfile,
  memsave,
  nmi,
  pmemsave,
  print,
  qomGet,
  qomList,
  qomSet,
  quit,
  stop,
  systemPowerdown,
  systemReset,
  terminalComplete,
  terminalWidth,
  x,
  xp,
];

/** Commands by name and alias; names are exact. */
export class CommandTable implements CommandIndex {
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

  find(words: readonly string[]): FoundCommand | undefined {
    const [first = '', second] = words;
    if (second !== undefined && this.subcommands(first).length > 0) {
      const command = this.#byName.get(`${first} ${second}`);
      return command && { command, nameWords: 2 };
    }
    const command = this.#byName.get(first);
    return command && { command, nameWords: 1 };
  }

  topLevel(): readonly MonitorCommand[] {
    return this.all.filter((command) => !command.name.includes(' '));
  }

  subcommands(group: string): readonly MonitorCommand[] {
    return this.all.filter((command) => command.name.startsWith(`${group} `));
  }
}
