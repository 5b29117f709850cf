import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CommandTable } from '../monitor/command-table.ts';
import { packageFile } from '../package-root.ts';
import { COMMANDS } from './schema/commands.ts';
import { EVENTS } from './schema/events.ts';

const page = readFileSync(packageFile('docs/qmp.md'), 'utf8');

/** What a table of the page names in a column, in code. */
function named(column: number): readonly string[] {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) =>
    Array.from((row.split('|')[column] ?? '').matchAll(/`([^`]+)`/g), ([, name = '']) => name),
  );
}

describe('the page about the protocol', () => {
  it('names every command and every event, and no others', () => {
    expect(named(1).toSorted()).toEqual(
      [...Object.keys(COMMANDS), ...Object.keys(EVENTS)].toSorted(),
    );
  });

  it("has a twin for each of the human monitor's commands, or says that there is none", () => {
    const sessions = ['cpu', 'print', 'info', 'info history'];
    const all = new CommandTable().all.map(({ name }) => name);
    const isTerminals = (name: string): boolean => name.startsWith('terminal-');
    const others = all.filter((name) => !sessions.includes(name) && !isTerminals(name));
    expect(others.filter((name) => !named(2).includes(name))).toEqual([]);
  });
});
