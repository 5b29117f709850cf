import { describe, expect, it } from 'vitest';
import { CommandTable } from './command-table.ts';
import { complete } from './completion.ts';
import { FakeMachine } from './testing/fake-machine.ts';

const commands = new CommandTable();
const candidates = (line: string): readonly string[] =>
  complete(commands, new FakeMachine(), line).candidates;

describe('completion', () => {
  it.each([
    ['q', ['q', 'qom-get', 'qom-list', 'qom-set', 'quit']],
    ['sys', ['system_powerdown', 'system_reset']],
    ['info mem', ['memdev', 'memory-devices', 'memory-map', 'memory_size_summary', 'memslots']],
    ['info memory-map ', ['vm0', 'vm1']],
    ['info registers ', ['0', '1', '2']],
    ['cpu ', ['0', '1', '2']],
    ['log tr', ['trace', 'trace-all']],
    ['xp /4x ', []],
    ['help qom-', ['qom-get', 'qom-list', 'qom-set']],
    ['help info stat', ['stats', 'status']],
    ['? sto', ['stop']],
    ['info memory-devices -', ['-v']],
    ['qom-set ', ['mem0', 'mem1', 'vm0', 'vm1']],
    [
      'qom-list /mach',
      ['/machine', '/machine/peripheral', '/machine/peripheral/vm0', '/machine/peripheral/vm1'],
    ],
    ['qom-set vm0 r', ['requested-size']],
    ['qom-set vm0 s', []],
    ['qom-get vm0 s', ['size']],
    ['qom-get mem0 ', ['type']],
    ['qom-set vm0 prealloc o', ['off', 'on']],
    ['qom-set vm0 requested-size 5', []],
    ['qom-get nobody ', ['type']],
    ['stop ', []],
    ['info status ', []],
    ['nonsense ', []],
    ['help foo bar ', []],
  ])('of %j offers %j', (line, expected) => {
    expect(candidates(line)).toEqual(expected);
  });

  it('offers every command for nothing', () => {
    expect(candidates('')).toContain('system_reset');
    expect(candidates('  ')).toContain('info');
    expect(candidates('info ')).toContain('mtree');
  });

  it('names the word that it completes', () => {
    expect(complete(commands, new FakeMachine(), 'qom-get  vm').word).toBe('vm');
    expect(complete(commands, new FakeMachine(), 'qom-get ').word).toBe('');
  });
});
