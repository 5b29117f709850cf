import type { MachineControl } from '../machine/control.ts';

/**
 * Runs a line of the human monitor. Its commands are loaded with the first use: most programs need
 * none.
 *
 * @param cpu the vCPU that registers and virtual addresses are of
 * @returns what it prints, lines ending in `\n`; what went wrong is told there
 */
export async function humanMonitor(
  control: MachineControl,
  line: string,
  cpu: number,
): Promise<string> {
  const [{ CommandTable }, { Session }] = await Promise.all([
    import('../monitor/command-table.ts'),
    import('../monitor/session.ts'),
  ]);
  const session = new Session(control, new CommandTable());
  session.settings.cpu = cpu;
  return await session.execute(line);
}
