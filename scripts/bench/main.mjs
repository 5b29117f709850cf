// `npm run bench`: the benchmark is TypeScript, and runs from source.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
const { main } = await import('./bench.ts');
process.exitCode = await main(process.argv.slice(2));
