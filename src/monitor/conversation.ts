import type { Completion } from './completion.ts';

/** Command lines that are remembered. */
export const HISTORY_LENGTH = 64;

/** Whom a person talks with: the monitor of this process, or of another. */
export interface Conversation {
  /** What is shown before the first prompt. */
  readonly greeting: string;
  /** Whether nothing more is answered. */
  readonly ended: boolean;
  /** Runs a line. @returns what to print; never rejects */
  execute(line: string): Promise<string>;
  /** What the last word of `line`, the text in front of the cursor, may become; never rejects. */
  complete(line: string): Promise<Completion>;
}
