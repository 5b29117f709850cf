import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { TempDir } from '../harness/temp-dir.ts';
import { Consumer, pack } from './packed.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const WITH_NODE = join(ROOT, 'scripts', 'with-node');
const CLI = 'node_modules/tsvmm/dist/cli.cjs';
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

describe('the package', () => {
  it('installs without a compiler and without scripts', () => {
    expect(boot(consumer)).toContain('hello');
    const names = readdirSync(consumer.path('node_modules'));
    expect(names).not.toContain('node-gyp');
    expect(names).not.toContain('node-addon-api');
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
    project.run('sh', ['-c', command]);
    expect(boot(project)).toContain('hello');
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
