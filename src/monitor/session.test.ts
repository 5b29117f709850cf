import { beforeEach, describe, expect, it } from 'vitest';
import { CommandTable } from './command-table.ts';
import { Session } from './session.ts';
import { FakeMachine } from './testing/fake-machine.ts';
import { quoteWord } from './words.ts';

let machine: FakeMachine;
let session: Session;

beforeEach(() => {
  machine = new FakeMachine();
  session = new Session(machine, new CommandTable());
});

const run = (line: string): Promise<string> => session.execute(line);

describe('help', () => {
  it('lists every command with one line', async () => {
    const help = (await run('help')).trimEnd().split('\n');
    expect(help.map((line) => line.split(' ')[0])).toEqual([
      'balloon',
      'cont|c',
      'cpu',
      'gva2gpa',
      'help|?',
      'info',
      'log',
      'logfile',
      'memsave',
      'nmi',
      'pmemsave',
      'print|p',
      'qom-get',
      'qom-list',
      'qom-set',
      'quit|q',
      'stop|s',
      'system_powerdown',
      'system_reset',
      'terminal-complete',
      'terminal-width',
      'x',
      'xp',
    ]);
    expect(help).toContain('quit|q  -- end the machine at once, without asking the guest');
    for (const line of help) expect(line).toMatch(/^\S+ .* ?-- \S.{10,}$/);
    expect(await run('?')).toBe(`${help.join('\n')}\n`);
  });

  it('lists the subcommands of info, as info alone does', async () => {
    const help = await run('help info');
    const names = help.match(/(?<=^info )\S+/gm) ?? [];
    expect(names).toEqual(names.toSorted());
    expect(names).toEqual(
      expect.arrayContaining(['cpus', 'memory-devices', 'memory_size_summary', 'mtree', 'version']),
    );
    expect(help).toContain('info memory-devices [-v] -- show the memory devices');
    expect(await run('info')).toBe(help);
  });

  it('describes one command, by name, alias or subcommand', async () => {
    expect(await run('help qom-get')).toMatch(/^qom-get path property -- .+\n$/);
    expect(await run('help q')).toMatch(/^quit\|q  -- .+\n$/);
    expect(await run('? info  status')).toMatch(/^info status  -- .+\n$/);
    expect(await run('help foo')).toBe("unknown command: 'foo'\n");
  });
});

describe('what programs say for their users', () => {
  it('lists what a word may become', async () => {
    expect(await run('terminal-complete "info memory-"')).toBe('memory-devices\nmemory-map\n');
    expect(await run('terminal-complete "qom-set vm0 "')).toContain('requested-size\n');
    expect(await run(`terminal-complete ${quoteWord('help "info')}`)).toBe('');
    expect(await run('terminal-complete ""')).toBe(await run('terminal-complete'));
  });

  it('sets the width of pictures', async () => {
    expect(await run('info memory-map vm0')).toContain('MiB');
    const width = (): number | undefined => Number(/ \d+$/.exec(machine.calls.at(-1) ?? '')?.[0]);
    const before = width();
    expect(await run('terminal-width 300')).toBe('');
    await run('info memory-map vm0');
    expect(width()).toBeGreaterThan(Number(before));
    expect(await run('terminal-width 0')).toBe('Error: terminal-width 0: must be 1 to 1000\n');
  });

  it('is not remembered, as all else is, also what cannot be', async () => {
    await run('qom-get "vm0');
    await run('nonsense');
    await run('terminal-width 100');
    await run('terminal-complete "q"');
    await run('terminal-complete "q');
    expect(await run('info history')).toBe(`0: 'qom-get "vm0'\n1: 'nonsense'\n2: 'info history'\n`);
  });
});

describe('lines that are no command', () => {
  it.each([
    ['foo', "unknown command: 'foo'\n"],
    ['foo bar', "unknown command: 'foo'\n"],
    ['info foo bar', "unknown command: 'info foo'\n"],
    ['infostatus', "unknown command: 'infostatus'\n"],
    ['sto', "unknown command: 'sto'\n"],
    ['info stat', "unknown command: 'info stat'\n"],
    ['""', "unknown command: ''\n"],
    ['constructor', "unknown command: 'constructor'\n"],
    ['a\u001b[31m\0', "unknown command: 'a\\x1b[31m\\x00'\n"],
    ['stop now', 'Error: stop: now is one argument too many; try "help stop"\n'],
    ['info status -v', 'Error: info status: -v is one argument too many; try "help info status"\n'],
    ['info cpus -z', 'Error: info cpus: there is no flag -z; try "help info cpus"\n'],
    ['qom-get vm0', 'Error: qom-get: property is missing; try "help qom-get"\n'],
    ['qom-set', 'Error: qom-set: path is missing; try "help qom-set"\n'],
    ['qom-get "vm0', 'Error: the quotation mark is not closed\n'],
    ['', ''],
    [' \t', ''],
  ])('answers %j', async (line, answer) => {
    expect(await run(line)).toBe(answer);
    expect(machine.calls).toEqual([]);
  });

  it('bounds what it repeats of a long line', async () => {
    expect((await run('x'.repeat(60_000))).length).toBeLessThan(300);
    expect((await run(`qom-set vm0 requested-size ${'9'.repeat(60_000)}`)).length).toBeLessThan(
      600,
    );
  });
});
