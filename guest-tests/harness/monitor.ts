import { SocketClient } from './client.ts';
import type { TextStream } from './text-stream.ts';

export const PROMPTS = { tsvmm: '(tsvmm) ', qemu: '(qemu) ' } as const;

/** A client of the human monitor. */
export class Monitor {
  readonly client: SocketClient;
  readonly #prompt: string;

  private constructor(client: SocketClient, prompt: string) {
    this.client = client;
    this.#prompt = prompt;
  }

  /** Connects and reads up to the first prompt. */
  static async open(path: string, explain: () => string, prompt: string): Promise<Monitor> {
    const monitor = new Monitor(await SocketClient.open(path, 'monitor', explain), prompt);
    await monitor.text.expect(prompt);
    return monitor;
  }

  get text(): TextStream {
    return this.client.text;
  }

  /**
   * Runs one command.
   *
   * @returns its output without the prompt after it, lines ending in `\n`
   */
  async command(line: string): Promise<string> {
    this.client.write(`${line}\n`);
    const text = (await this.text.expect(this.#prompt)).slice(0, -this.#prompt.length);
    const output = text.replaceAll('\r\n', '\n');
    // QEMU echoes, and moves the cursor while it does.
    return this.#prompt === PROMPTS.qemu ? output.slice(output.indexOf('\n') + 1) : output;
  }

  /** A `  key: value` line of `info memory-devices` and the like. */
  async value(line: string, key: string): Promise<string> {
    const output = await this.command(line);
    const match = new RegExp(`^ *${key}: (.*)$`, 'm').exec(output);
    if (match?.[1] === undefined) throw new Error(`no ${key} in the answer of ${line}:\n${output}`);
    return match[1];
  }

  close(): void {
    this.client.destroy();
  }
}
