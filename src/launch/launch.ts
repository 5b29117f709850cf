#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bundle } from './bundle.ts';

/*
 * The command `tsvmm`: starts the bundle beside it.
 */
const folder = join(import.meta.dirname, 'bundle');
const bundle = new Bundle(folder);

process.on('exit', (code) => {
  // A profile or a debugger changes what is compiled.
  if (process.env['NODE_V8_COVERAGE'] !== undefined || process.execArgv.length > 0) return;
  const ranMachine = process.argv[2] === 'run' && code === 0;
  if (bundle.hasCompiled || (ranMachine && !bundle.isWarm)) bundle.keep(ranMachine);
});
bundle.load(readFileSync(join(folder, 'entry'), 'utf8'));
