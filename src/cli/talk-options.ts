import { parseIdentity } from '../machine/config/identity-option.ts';
import { parsePrompt } from '../monitor/prompt.ts';
import { parseEventInterval, parseQmpTarget } from '../qmp/target.ts';
import { parseMonitorTarget, parseSerialTarget } from '../terminal/target.ts';

/** The options of `run` that say who talks with the machine, and what it is called, as commander gives them. */
export interface TalkOptions {
  readonly serial: string;
  readonly monitor?: string;
  readonly monitorPrompt: string;
  readonly qmp: readonly string[];
  readonly qmpEventInterval: string;
  readonly name?: string;
  readonly uuid?: string;
}

/**
 * Checks all of them, also those that nothing will use: of two mistakes, or in a file that `plan` reads,
 * one would be found only when the other is gone.
 *
 * @throws ConfigError naming the option and its value
 */
export function checkTalkOptions(options: TalkOptions): void {
  parseSerialTarget(options.serial);
  if (options.monitor !== undefined) parseMonitorTarget(options.monitor);
  parsePrompt(options.monitorPrompt);
  for (const where of options.qmp) parseQmpTarget(where);
  parseEventInterval(options.qmpEventInterval);
  parseIdentity(options.name, options.uuid);
}
