import { ConfigError } from '../errors.ts';

/** How a monitor speaks to a client that sends lines. */
export interface PromptStyle {
  /** What it says when it waits for a line. */
  readonly prompt: string;
  /**
   * Whether each line is repeated before its answer, and lines end in `\r\n`, also where nobody types: the
   * established monitor does so on sockets, and some that read it look for their command.
   */
  readonly echoes: boolean;
}

/** Value of `--monitor-prompt` where nothing is said. */
export const PROMPT_NAME = 'tsvmm';
/** The name that asks for the habits of the established monitor as well. */
const ESTABLISHED = 'qemu';
/** Without blanks or parentheses, so that a client knows the whole of a prompt when it sees one. */
const NAME = /^[\w.:@+-]{1,32}$/;

/** Parses the value of `--monitor-prompt`: what stands in parentheses. @throws ConfigError naming the value */
export function parsePrompt(name: string): PromptStyle {
  if (NAME.test(name)) return { prompt: `(${name}) `, echoes: name === ESTABLISHED };
  throw new ConfigError(
    'BAD_OPTION',
    `--monitor-prompt=${JSON.stringify(name)}: must be ${ESTABLISHED}, or up to 32 letters, digits and .:@+-_`,
  );
}

/** What a prompt looks like, behind the one line of a greeting. */
export const GREETING_AND_PROMPT = /^(tsvmm \S+ monitor[^\r\n]*(\r?)\n)(\([\w.:@+-]{1,32}\) )$/;
