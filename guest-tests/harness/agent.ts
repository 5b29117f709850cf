import { WAIT_LIMIT_MS, type TextStream } from './text-stream.ts';

/** Where what the agent says is waited for. */
type Output = Pick<TextStream, 'expect'>;

/** Fields of an answer: `name=value` words. */
export type Fields = Readonly<Record<string, number>>;

/** The configuration of a virtio-mem device as the guest reads it; bytes. */
export interface MemConfig {
  readonly block: number;
  readonly node: number;
  readonly addr: number;
  readonly region: number;
  readonly usable: number;
  readonly plugged: number;
  readonly requested: number;
}

function parseFields(answer: string): Fields {
  const fields: Record<string, number> = {};
  for (const [, name, value] of answer.matchAll(/([\w-]+)=(0x[0-9a-f]+|\d+)(?=\s|$)/g)) {
    if (name !== undefined) fields[name] = Number(value);
  }
  return fields;
}

/** The agent guest, asked over its console: one line each way. */
export class Agent {
  readonly #output: Output;
  readonly #send: (text: string) => void;

  constructor(output: Output, send: (text: string) => void) {
    this.#output = output;
    this.#send = send;
  }

  /** Waits for the line that the agent says after every start. */
  async ready(limitMs = WAIT_LIMIT_MS): Promise<Fields> {
    return parseFields(await this.#output.expect(/agent ready .*\n/, limitMs));
  }

  /** Sends a command. @returns the line it answers, as `ok ack` */
  async ask(command: string, limitMs = WAIT_LIMIT_MS): Promise<string> {
    this.#send(`${command}\n`);
    return (await this.#output.expect('\n', limitMs)).trimEnd();
  }

  /** Sends a command that must succeed. @returns its answer without the `ok` */
  async ok(command: string, limitMs = WAIT_LIMIT_MS): Promise<string> {
    const answer = await this.ask(command, limitMs);
    if (answer !== 'ok' && !answer.startsWith('ok ')) {
      throw new Error(`the agent answers ${JSON.stringify(answer)} to ${command}`);
    }
    return answer.slice(3);
  }

  /** As `ok`, with the answer's `name=value` words as numbers. */
  async fields(command: string): Promise<Fields> {
    return parseFields(await this.ok(command));
  }

  /** As `ok`, for an answer that is one number. */
  async number(command: string): Promise<number> {
    return Number(await this.ok(command));
  }

  /** A field that must be in the answer. */
  async field(command: string, name: string): Promise<number> {
    const value = (await this.fields(command))[name];
    if (value === undefined) throw new Error(`no ${name} in the answer to ${command}`);
    return value;
  }

  async memConfig(): Promise<MemConfig> {
    const { block, node, addr, region, usable, plugged, requested } =
      await this.fields('mem config');
    return { block, node, addr, region, usable, plugged, requested } as MemConfig;
  }

  /** Finds and starts a virtio device. @returns its configuration */
  async initMem(options = '0'): Promise<MemConfig> {
    await this.ok(`virtio init ${options}`);
    return await this.memConfig();
  }
}
