import type { MachineControl } from '../../machine/control.ts';
import type { ArgumentsOf, CommandName, ReturnOf } from '../schema/commands.ts';

/** What a command is given to work with. */
export interface QmpContext {
  readonly control: MachineControl;
  /**
   * Runs a line of the human monitor.
   *
   * @param cpu the vCPU that registers and virtual addresses are of; default: the first
   * @returns what it prints, lines ending in `\n`
   */
  humanMonitor(line: string, cpu?: number): Promise<string>;
}

/** Does a command, whose arguments have been checked. @throws QmpError, TsvmmError for the client */
export type Handler<Name extends CommandName> = (
  args: ArgumentsOf<Name>,
  context: QmpContext,
) => ReturnOf<Name> | Promise<ReturnOf<Name>>;

/** The handlers of some commands. */
export type Handlers<Names extends CommandName> = { readonly [Name in Names]: Handler<Name> };
