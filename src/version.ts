import { readFileSync } from 'node:fs';
import { packageFile } from './package-root.ts';

/** The version in package.json, the only place that states it. */
export function version(): string {
  const text = readFileSync(packageFile('package.json'), 'utf8');
  const found = /"version":\s*"([^"]+)"/.exec(text)?.[1];
  return found ?? 'unknown';
}
