// The job folder: what one run of the nested machine needs on the host, in a
// temporary folder that the machine sees through its root.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from './options.mjs';

// Not TMPDIR: socket paths must stay below 108 bytes, kernel words without spaces.
const TEMP = '/tmp';
const PREFIX = 'tsvmm-nested-';
const passed =
  /^(CI|HOME|PATH|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LANG|LC_.*|TZ|USER|LOGNAME|SHELL|NODE_OPTIONS|TSVMM_.*|VITEST.*)$/;

/** Makes the folder, having removed those that a killed run left behind. */
export function createJobFolder() {
  for (const name of readdirSync(TEMP)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0;
    if (pid > 0 && !isAlive(pid)) rmSync(join(TEMP, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(TEMP, `${PREFIX}${process.pid}-`));
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH'; // EPERM: alive, and somebody else's
  }
}

/** The folder shared read-write; it has the same path on both sides. */
export function createShare(job) {
  const share = process.env.TSVMM_NESTED_SHARE ?? join(job, 'share');
  if (!share.startsWith('/') || /[,\n]/.test(share)) {
    throw new UserError(`TSVMM_NESTED_SHARE: not an absolute path free of commas: '${share}'`);
  }
  mkdirSync(share, { recursive: true });
  return share;
}

/** Writes the command and the agent's settings into the job folder. */
export function writeJob(job, { share, token, options, size }) {
  const agent = fileURLToPath(new URL('l1-agent.sh', import.meta.url));
  copyFileSync(agent, join(job, 'agent.sh'));
  writeFileSync(join(job, 'command.sh'), commandScript(options, share));
  const settings = { share, token, tty: options.interactive ? 'yes' : 'no', ...size };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${quote(value)}\n`);
  writeFileSync(join(job, 'settings.sh'), lines.join(''));
}

function commandScript({ env, command }, share) {
  const variables = new Map(Object.entries(process.env).filter(([name]) => passed.test(name)));
  for (const word of env) {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    const value = at < 0 ? process.env[name] : word.slice(at + 1);
    if (value !== undefined) variables.set(name, value);
  }
  variables.set('TSVMM_NESTED', '1').set('TSVMM_NESTED_SHARE', share);
  return [
    `cd ${quote(process.cwd())} || exit 125`,
    ...[...variables].map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec ${command.map(quote).join(' ')}`,
    '',
  ].join('\n');
}

function quote(value) {
  return `'${String(value).replaceAll("'", `'\\''`)}'`;
}
