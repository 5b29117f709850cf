import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';

/** Opens a pty, says its name on a line, and then is its other side on standard input and output. */
const HELPER = `
import fcntl, os, pty, select, struct, sys, termios
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
os.write(1, (os.ttyname(slave) + '\\n').encode())
stopped = False
while True:
    ready, _, _ = select.select([0] if stopped else [0, master], [], [])
    if 0 in ready:
        data = os.read(0, 65536)
        if not data: break
        if data == b'STOP': stopped = True
        elif data == b'GO': stopped = False
        else: os.write(master, data)
    elif master in ready:
        os.write(1, os.read(master, 65536))
`;

/** A real terminal whose keyboard and screen the test has. */
export class Pty {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly #helper: ChildProcess;
  #screen = '';
  #arrived: () => void = () => undefined;

  private constructor(helper: ChildProcess, name: string) {
    this.#helper = helper;
    this.input = new ReadStream(openSync(name, constants.O_RDWR | constants.O_NOCTTY));
    this.output = new WriteStream(openSync(name, constants.O_RDWR | constants.O_NOCTTY));
    this.#helper.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#screen += text;
      this.#arrived();
    });
  }

  static async open(): Promise<Pty> {
    const helper = spawn('python3', ['-c', HELPER], { stdio: ['pipe', 'pipe', 'inherit'] });
    const name = await new Promise<string>((resolve) => {
      helper.stdout.once('data', (data: Buffer) => resolve(data.toString()));
    });
    return new Pty(helper, name.trim());
  }

  rawTerminal(): { restore(): void } {
    this.input.setRawMode(true);
    return { restore: () => this.input.setRawMode(false) };
  }

  type(keys: string): void {
    this.#helper.stdin?.write(keys);
  }

  /** Everything shown since the last call that waited, up to and including `text`. */
  async shown(text: string): Promise<string> {
    while (!this.#screen.includes(text)) {
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
    const end = this.#screen.indexOf(text) + text.length;
    const shown = this.#screen.slice(0, end);
    this.#screen = this.#screen.slice(end);
    return shown;
  }

  /** Nobody reads the screen until `goOn`. */
  standStill(): void {
    this.#helper.stdin?.write('STOP');
  }

  goOn(): void {
    this.#helper.stdin?.write('GO');
  }

  async close(): Promise<void> {
    this.input.destroy();
    this.output.destroy();
    const exited = once(this.#helper, 'exit');
    this.#helper.stdin?.end();
    this.#helper.kill();
    await exited;
  }
}
