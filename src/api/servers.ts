import { ConfigError } from '../errors.ts';
import type { MachineControl } from '../machine/control.ts';
import type { MachineEvents } from '../machine/events.ts';
import { parsePrompt, PROMPT_NAME, type PromptStyle } from '../monitor/prompt.ts';
import { parseEventInterval } from '../qmp/target.ts';
import type { VmOptions } from './options.ts';

/** Something that others come in by: open before the machine is there, and served once it is. */
interface Entrance {
  /** As `openListener` has it. */
  readonly where?: string;
  serve(control: MachineControl, events: MachineEvents): void;
  close(): Promise<void>;
}

async function openMonitor(where: string, style: PromptStyle): Promise<Entrance> {
  const [{ parseMonitorTarget }, { openListener }, { Monitor }] = await Promise.all([
    import('../terminal/target.ts'),
    import('../terminal/open-listener.ts'),
    import('../monitor/monitor.ts'),
  ]);
  const target = parseMonitorTarget(where);
  if (target.kind === 'stdio' || target.kind === 'none') {
    throw new ConfigError('BAD_OPTION', `--monitor=${where}: a program can only give a socket`);
  }
  const { listener, where: place } = await openListener(target, '--monitor');
  let close = (): Promise<void> => {
    listener.close();
    return Promise.resolve();
  };
  return {
    where: place,
    serve: (control) => {
      const monitor = new Monitor(control, style);
      monitor.serveSocket(listener);
      close = () => monitor.close();
    },
    close: () => close(),
  };
}

/** Sockets of a machine for people and programs. */
export class Servers {
  readonly #entrances: Entrance[] = [];
  #qmp: readonly string[] = [];
  #monitor: string | undefined;

  /** Opens what the options name. @throws (rejects with) ConfigError; nothing is left then */
  static async open(options: VmOptions): Promise<Servers> {
    const { qmp = [], qmpEventIntervalMs = 1000, monitor, monitorPrompt = PROMPT_NAME } = options;
    // Also where nobody will hear of events: a mistake is one.
    parseEventInterval(String(qmpEventIntervalMs));
    const style = parsePrompt(monitorPrompt);
    const wheres = typeof qmp === 'string' ? [qmp] : qmp;
    const servers = new Servers();
    try {
      if (wheres.length > 0) await servers.#openQmp(wheres, qmpEventIntervalMs);
      if (monitor !== undefined) {
        const entrance = await openMonitor(monitor, style);
        servers.#entrances.push(entrance);
        servers.#monitor = entrance.where;
      }
    } catch (error) {
      await servers.close();
      throw error;
    }
    return servers;
  }

  async #openQmp(wheres: readonly string[], intervalMs: number): Promise<void> {
    const { QmpEnds } = await import('../qmp/ends.ts');
    const ends = await QmpEnds.open(wheres, String(intervalMs));
    this.#entrances.push(ends);
    this.#qmp = ends.wheres;
  }

  /** Where programs connect, each as `connectVm` takes it. */
  get qmp(): readonly string[] {
    return this.#qmp;
  }

  /** Where people connect, as `tsvmm monitor` takes it. */
  get monitor(): string | undefined {
    return this.#monitor;
  }

  serve(control: MachineControl, events: MachineEvents): void {
    for (const entrance of this.#entrances) entrance.serve(control, events);
  }

  /** Takes no more clients, sends them what waits (briefly), and lets them go. */
  async close(): Promise<void> {
    await Promise.all(this.#entrances.splice(0).map((entrance) => entrance.close()));
  }
}
