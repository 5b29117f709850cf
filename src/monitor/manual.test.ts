import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CommandTable } from './command-table.ts';
import { manualPage } from './manual.ts';

const committed = (): string =>
  readFileSync(new URL('../../docs/monitor.md', import.meta.url), 'utf8');

describe('the manual page', () => {
  it('is up to date; else run node scripts/docs/monitor.mjs', () => {
    expect(committed()).toBe(manualPage(new CommandTable()));
  });

  it('has a section for every command', () => {
    const commands = new CommandTable();
    const headings = committed().match(/(?<=^### `)[^`]+/gm) ?? [];
    expect(headings).toHaveLength(commands.all.length);
    expect(headings).toContain('print|p [/fmt] expr');
    expect(headings).toContain('info memory-devices [-v]');
  });

  it('says more than the summary where a command does', () => {
    const command = {
      name: 'fly',
      summary: 'fly away',
      details: `${'very '.repeat(30)}far\n\nand back`,
      run: () => '',
    };
    const page = manualPage(new CommandTable([command]));
    expect(page).toContain('### `fly`\n\nFly away.\n\nvery very');
    expect(page).toContain('far\n\nand back\n');
    for (const line of page.split('\n').slice(20)) expect(line.length).toBeLessThanOrEqual(100);
  });
});
