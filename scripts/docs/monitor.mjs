// `node scripts/docs/monitor.mjs`: writes docs/monitor.md from the monitor's table of commands.
import { writeFileSync } from 'node:fs';
import { register } from 'node:module';

register('../bench/typescript-hooks.mjs', import.meta.url);
const { CommandTable } = await import('../../src/monitor/command-table.ts');
const { manualPage } = await import('../../src/monitor/manual.ts');
writeFileSync(new URL('../../docs/monitor.md', import.meta.url), manualPage(new CommandTable()));
