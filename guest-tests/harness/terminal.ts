import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { Child } from './child.ts';
import { CLI } from './tsvmm.ts';

/**
 * Runs a command on a pty, 24 lines of 160 columns, whose keyboard and screen are standard input and
 * output. What the command says on its standard error goes to the screen too. When the command has
 * ended, it says on standard error whether the terminal is as it was, and exits as the command did.
 */
const HELPER = `
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 160, 0, 0))
before = termios.tcgetattr(slave)
def own():
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
child = subprocess.Popen(sys.argv[1:], stdin=slave, stdout=slave, stderr=slave, preexec_fn=own)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
sources = [0, master]
def screen(wait):
    while select.select([master], [], [], wait)[0]:
        data = os.read(master, 65536)
        if not data: return
        os.write(1, data)
while child.poll() is None:
    ready = select.select(sources, [], [], 0.05)[0]
    if master in ready: os.write(1, os.read(master, 65536))
    if 0 in ready:
        data = os.read(0, 65536)
        if data: os.write(master, data)
        else: sources.remove(0)
screen(0)
same = termios.tcgetattr(slave) == before
os.write(2, b'terminal as before' if same else b'terminal changed')
sys.exit(child.returncode if child.returncode >= 0 else 128 - child.returncode)
`;

/** What the helper says of a terminal that was put back. */
export const RESTORED = 'terminal as before';

/** Starts the `tsvmm` command at a terminal; it ends with the test. */
export function startOnTerminal(args: readonly string[]): Child {
  return runOnTerminal([process.execPath, CLI, ...args]);
}

/** Likewise any command. */
export function runOnTerminal(command: readonly string[]): Child {
  const child = new Child('python3', ['-c', HELPER, ...command]);
  onTestFinished(async () => {
    await child.stop();
  });
  return child;
}

/** The command that runs at a terminal, as a process. */
export function commandAt(terminal: Child): number {
  const { pid } = terminal;
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
}

/**
 * Runs a command on a pty whose other end goes away once a text has come, as when ssh loses its
 * connection. Says on standard error how the command ended, which nobody else can see.
 */
const LOST = `
import os, pty, sys
pid, master = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
seen = b''
while sys.argv[1].encode() not in seen: seen += os.read(master, 65536)
os.close(master)
status = os.waitpid(pid, 0)[1]
how = 'signal %d' % os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'exit %d' % os.WEXITSTATUS(status)
os.write(2, how.encode())
`;

/** @param text  what the command says before its terminal goes away */
export function loseTerminal(text: string, args: readonly string[]): Child {
  const child = new Child('python3', ['-c', LOST, text, process.execPath, CLI, ...args]);
  onTestFinished(async () => {
    await child.stop();
  });
  return child;
}
