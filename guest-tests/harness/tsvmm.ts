import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const CLI = join(ROOT, 'dist', 'cli.cjs');

/** Starts the `tsvmm` command, as a user's shell would. */
export function spawnTsvmm(args: readonly string[], env?: NodeJS.ProcessEnv): Child {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: run npm run build first`);
  return new Child(process.execPath, [CLI, ...args], env);
}
