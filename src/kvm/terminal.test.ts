import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { addon } from './addon.ts';

const ADDON = fileURLToPath(new URL('../../build/Release/tsvmm.node', import.meta.url));
/** script(1) of util-linux gives a process a terminal. */
const NO_SCRIPT = spawnSync('script', ['--version']).status === 0 ? '' : 'script(1) is missing';

/** Runs JavaScript on a terminal, with stty(1) at hand; what it printed comes back. */
function onTerminal(source: string): string {
  const prelude = `
    const addon = require(${JSON.stringify(ADDON)});
    const stty = () => require('node:child_process')
      .execFileSync('stty', ['-a'], { stdio: ['inherit', 'pipe', 'inherit'] }).toString();
    const flags = () => ['icanon', 'echo', 'isig', 'opost']
      .filter((flag) => new RegExp('(^| )' + flag + '( |;|$)', 'm').test(stty())).join(' ');
  `;
  const code = Buffer.from(prelude + source).toString('base64');
  const run = `${process.execPath} -e "eval(atob('${code}'))"; stty -a`;
  return spawnSync('script', ['-qec', run, '/dev/null'], { encoding: 'utf8' }).stdout;
}

describe.skipIf(NO_SCRIPT !== '')('a raw terminal', () => {
  it('keeps output processing, and comes back as it was', () => {
    const output = onTerminal(`
      const before = flags();
      const terminal = addon.rawTerminal(0);
      const raw = flags();
      terminal.restore();
      terminal.restore();
      console.log('<' + [before, raw, flags()].join('|') + '>');
    `);
    expect(output).toContain('<icanon echo isig opost|opost|icanon echo isig opost>');
  });

  it('comes back when the process just exits', () => {
    for (const end of ['process.exit(0)', 'process.reallyExit(0)', 'throw new Error("end")', '']) {
      const output = onTerminal(`globalThis.kept = addon.rawTerminal(0); ${end}`);
      expect(output, end).toMatch(/ icanon/);
      expect(output, end).not.toMatch(/-icanon/);
    }
  });
});

describe('what is no terminal', () => {
  it('is refused by name', () => {
    expect(() => addon.rawTerminal(9999)).toThrow(
      'tcgetattr(fd=9999): Bad file descriptor (EBADF)',
    );
    expect(() => addon.rawTerminal(-1)).toThrow('fd: -1 is not a whole number');
  });
});
