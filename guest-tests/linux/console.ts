import type { TextStream } from '../harness/text-stream.ts';

/** How long Linux may take for anything: an emulated machine that is shared is slow. */
export const LINUX_LIMIT_MS = 300_000;

const READY = 'tsvmm-guest: ready';
const PROMPT = 'guest# ';

/** The guest's shell on its serial port, driven by a script: neither echo nor line editing. */
export class Console {
  readonly #output: TextStream;
  readonly #send: (text: string) => void;
  #commands = 0;

  constructor(output: TextStream, send: (text: string) => void) {
    this.#output = output;
    this.#send = send;
  }

  /** Waits until the guest has booted, or has booted again, and its shell takes commands. */
  async booted(): Promise<void> {
    await this.#output.expect(READY, LINUX_LIMIT_MS);
    await this.#output.expect(PROMPT, LINUX_LIMIT_MS);
    // From here on the kernel's log does not come between what commands print.
    await this.run('dmesg -n 1');
  }

  /**
   * Runs a command; several lines are fine.
   *
   * @returns what it prints on stdout and stderr, lines ending in `\n`
   * @throws Error when it fails
   */
  async run(command: string): Promise<string> {
    this.#commands += 1;
    const id = this.#commands;
    // Marks that are made by printf cannot be mistaken for an echo of what was typed.
    this.#send(`printf '<%s>\\n' ${id}; { ${command}\n}; printf '<%s:%s>\\n' ${id} $?\n`);
    await this.#output.expect(new RegExp(`<${id}>\r?\n`), LINUX_LIMIT_MS);
    const end = new RegExp(`<${id}:(\\d+)>\r?\n`);
    const text = await this.#output.expect(end, LINUX_LIMIT_MS);
    const output = text.replace(end, '').replaceAll('\r\n', '\n');
    const status = end.exec(text)?.[1];
    if (status !== '0') throw new Error(`status ${String(status)} of ${command}\n${output}`);
    return output;
  }
}
