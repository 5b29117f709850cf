import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Copies what git has or would take. @returns the folder */
export function copyTree(folder: string): string {
  const copy = join(folder, 'tree');
  mkdirSync(copy);
  const files = 'git ls-files -coz --exclude-standard | xargs -0 cp -p --parents -t "$1"';
  execFileSync('sh', ['-c', files, 'sh', copy], { cwd: ROOT });
  return copy;
}

/**
 * Packs the project as a publisher does, in a copy of the tree: packing makes dist anew, which
 * other tests run.
 *
 * @returns path of the package
 */
export function pack(folder: string): string {
  const copy = copyTree(folder);
  const rest = 'cp -a build "$1" && ln -s "$PWD/node_modules" "$1"';
  execFileSync('sh', ['-c', rest, 'sh', copy], { cwd: ROOT });
  const args = ['pack', '--silent', '--json', '--pack-destination', folder];
  const said = execFileSync('npm', args, { cwd: copy, encoding: 'utf8' });
  return join(folder, packedName(said));
}

/** The file's name in what `npm pack --json` says, behind the output of scripts that it ran. */
function packedName(said: string): string {
  const name = /"filename": "(.+\.tgz)"/.exec(said)?.[1];
  if (name === undefined) throw new Error(`npm pack names no file: ${said}`);
  return name;
}

/** A project that installs packages. */
export class Consumer {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder);
    this.write('package.json', '{ "name": "consumer", "private": true, "type": "module" }');
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs a command there; it must end well. @returns its standard output */
  run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
    const { status, stdout, stderr } = this.try(command, args, env);
    if (status === 0) return stdout;
    throw new Error(
      `${command} ${args.join(' ')}: exit ${status ?? 'by signal'}\n${stdout}${stderr}`,
    );
  }

  try(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): SpawnSyncReturns<string> {
    return spawnSync(command, args, { cwd: this.folder, env, encoding: 'utf8' });
  }
}
