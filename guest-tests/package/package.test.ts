import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { TempDir } from '../harness/temp-dir.ts';
import { Consumer, pack } from './packed.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const WITH_NODE = join(ROOT, 'scripts', 'with-node');
const CLI = 'node_modules/tsvmm/dist/cli.cjs';
/** Of FLAGS_1 in the dynamic section. */
const DF_1_NODELETE = 0x8;
const HELLO = ['run', '--monitor', 'none', '--memory', '16M', '--kernel', guestPath('hello')];

const dir = new TempDir();
let tarball: string;
let consumer: Consumer;

beforeAll(() => {
  tarball = pack(dir.path);
  consumer = new Consumer(dir.file('npm'));
  consumer.run('npm', ['install', '--ignore-scripts', tarball], withoutCompiler());
});
afterAll(() => dir.remove());

/** A PATH with Node.js and a shell, and no compiler. */
function withoutCompiler(): NodeJS.ProcessEnv {
  const bin = dir.file('bin');
  if (!existsSync(bin)) {
    mkdirSync(bin);
    for (const name of ['node', 'npm', 'sh', 'env']) {
      const path = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
      symlinkSync(path.trim(), join(bin, name));
    }
  }
  return { ...process.env, PATH: bin, CXX: '' };
}

/** What the guest of the installed command says. */
function boot(project: Consumer, command: readonly string[] = ['node']): string {
  const [program = '', ...args] = command;
  return project.run(program, [...args, CLI, ...HELLO]);
}

/** A compiler that notes how it is called, a line each time. */
function notingCompiler(notes: string): string {
  const program = dir.file('noting-compiler');
  const script = `#!/bin/sh\nprintf '%s ' "$@" >>'${notes}'; echo >>'${notes}'; exec g++ "$@"\n`;
  writeFileSync(program, script, { mode: 0o755 });
  return program;
}

/** How node-gyp has called the compiler for an object or the addon of this checkout. */
function gypCommand(target: string): string {
  const notes = join(ROOT, 'build', 'Release', '.deps', 'Release', `${target}.d`);
  return readFileSync(notes, 'utf8').split('\n')[0] ?? '';
}

/** A worker may end while the addon throws. */
const SWALLOWS = '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS';
/** Signal handlers outlive the last worker. */
const STAYS = '-Wl,-z,nodelete';

/** What the loader sees of an addon. */
function expectAddon(path: string): void {
  const text = execFileSync('objdump', ['-p', path], { encoding: 'utf8' });
  const flags = /FLAGS_1\s+(0x[0-9a-f]+)/.exec(text)?.[1];
  expect(Number(flags) & DF_1_NODELETE).toBe(DF_1_NODELETE);
  expect(text).not.toContain('libstdc++');
  const exported = execFileSync('nm', ['-D', '--defined-only', path], { encoding: 'utf8' });
  expect(exported.match(/(?<= T )\S+/g)).toEqual([
    'napi_register_module_v1',
    'node_api_module_get_api_version_v1',
  ]);
}

describe('the package', () => {
  it('installs without a compiler and without scripts', () => {
    expect(boot(consumer)).toContain('hello');
    const names = readdirSync(consumer.path('node_modules'));
    expect(names).not.toContain('node-gyp');
    expect(names).not.toContain('node-addon-api');
    // Installers compile where they see it.
    expect(existsSync(consumer.path('node_modules/tsvmm/binding.gyp'))).toBe(false);
    expectAddon(consumer.path('node_modules/tsvmm/build/Release/tsvmm.node'));
  });

  it.each(['20', '22', '24', '26'])('runs on Node.js %s with the same addon', (version) => {
    expect(boot(consumer, [WITH_NODE, version, 'node', '--throw-deprecation'])).toContain('hello');
  });

  it('runs from a folder that cannot be written', () => {
    const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
    const args = ['-m', 'sh', '-c', script, consumer.folder, 'env', 'HOME=/proc/none', 'node'];
    expect(boot(consumer, ['unshare', ...args])).toContain('hello');
  });

  it('runs where pnpm has installed it, which runs no scripts and links what it has', () => {
    const project = new Consumer(dir.file('pnpm'));
    const tools = new Consumer(dir.file('tools'));
    // Fails where a package has scripts that it did not run; needs Node.js 22.
    tools.run('npm', ['install', '--silent', 'pnpm@11']);
    const pnpm = tools.path('node_modules/pnpm/bin/pnpm.cjs');
    project.run(WITH_NODE, ['24', 'node', pnpm, 'add', '--store-dir', dir.file('s'), tarball]);
    expect(boot(project)).toContain('hello');
  });

  it('runs where yarn has installed it', () => {
    const project = new Consumer(dir.file('yarn'));
    // Yarn is strict about engines, and the newest of what pino-pretty needs has left Node.js 20.
    const yarn = ['24', 'npx', '--yes', 'yarn@1', 'add', '--cache-folder', dir.file('y')];
    project.run(WITH_NODE, [...yarn, tarball]);
    expect(boot(project)).toContain('hello');
  });

  it('says on Bun that it needs Node.js', () => {
    const project = new Consumer(dir.file('bun'));
    project.run('npm', ['install', '--silent', '@oven/bun-linux-x64', tarball]);
    const bun = project.path('node_modules/@oven/bun-linux-x64/bin/bun');
    const { status, stderr } = project.try(bun, [CLI, 'doctor']);
    expect(stderr).toMatch(/^tsvmm: tsvmm runs on Node\.js only, not on Bun \S+\n$/);
    expect(status).toBe(1);
  });

  it('compiles its addon where that does not load, with nothing but g++', () => {
    const project = new Consumer(dir.file('compile'));
    project.run('npm', ['install', tarball]);
    const addon = project.path('node_modules/tsvmm/build/Release/tsvmm.node');
    rmSync(addon);
    const { status, stderr } = project.try('node', [CLI, 'doctor']);
    expect(status).toBe(1);
    const [line, command = ''] =
      /^tsvmm: there is no addon .*; compile it: (.*)\n$/.exec(stderr) ?? [];
    expect(line).toBeDefined();
    const refused = project.try('sh', ['-c', command], withoutCompiler());
    expect(refused.stderr).toMatch(
      /^tsvmm: the addon is not compiled: cannot run g\+\+: install g\+\+/,
    );
    expect(refused.status).toBe(1);
    const notes = dir.file('compiler-notes');
    project.run('sh', ['-c', command], { ...process.env, CXX: notingCompiler(notes) });
    expect(boot(project)).toContain('hello');
    expectAddon(addon);
    const commands = readFileSync(notes, 'utf8').trim().split('\n');
    expect(commands.pop()).toContain(STAYS);
    expect(commands.filter((line) => !line.includes(SWALLOWS))).toEqual([]);
    // As the prebuilt one, which node-gyp makes of the same list.
    expect(gypCommand('obj.target/tsvmm.node')).toContain(STAYS);
    expect(gypCommand('obj.target/tsvmm/native/addon.o')).toContain(SWALLOWS);
  });

  it('has types that a strict program of the newest TypeScript compiles with', () => {
    const project = new Consumer(dir.file('types'));
    project.run('npm', ['install', '--silent', 'typescript@latest', '@types/node', tarball]);
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, example] = /```ts\n(.*?)```/s.exec(readme) ?? [];
    project.write('example.ts', example ?? '');
    project.write('testing.ts', "export * from 'tsvmm/testing';\n");
    const strict = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false'];
    const options = ['--noEmit', '--ignoreConfig', '--target', 'es2023', ...strict];
    for (const module of [['nodenext'], ['esnext', '--moduleResolution', 'bundler']]) {
      const files = ['example.ts', 'testing.ts'];
      const tsc = 'node_modules/typescript/bin/tsc';
      expect(project.run('node', [tsc, ...options, '--module', ...module, ...files])).toBe('');
    }
  });
});
