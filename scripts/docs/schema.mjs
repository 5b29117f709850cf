// `node scripts/docs/schema.mjs`: writes schema/vm.schema.json from the table of options.
import { writeFileSync } from 'node:fs';
import { register } from 'node:module';

register('../bench/typescript-hooks.mjs', import.meta.url);
const { configSchema } = await import('../../src/cli/options/schema.ts');
const text = `${JSON.stringify(configSchema(), undefined, 2)}\n`;
writeFileSync(new URL('../../schema/vm.schema.json', import.meta.url), text);
