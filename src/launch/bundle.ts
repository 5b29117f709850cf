import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { constants, Script } from 'node:vm';
import { codeCachePaths, readCodeCache, writeCodeCache, type CodeCache } from './code-cache.ts';

interface Module {
  exports: unknown;
}

type Wrapper = (
  exports: unknown,
  require: (id: string) => unknown,
  module: Module,
  filename: string,
  dirname: string,
) => void;

/**
 * The files of the bundle, as `require` would load them, with compiled code from a run before: that
 * is a third of what the command takes until the guest runs.
 */
export class Bundle {
  readonly #folder: string;
  readonly #require: NodeJS.Require;
  readonly #paths: readonly string[];
  readonly #cache: CodeCache;
  readonly #modules = new Map<string, Module>();
  readonly #scripts = new Map<string, Script>();
  /** Whether something was compiled that the cache does not have. */
  #compiled = false;

  constructor(folder: string) {
    this.#folder = folder;
    this.#require = createRequire(join(folder, 'bundle'));
    this.#paths = codeCachePaths(folder);
    this.#cache = this.#read();
  }

  /** Whether something was compiled that the cache does not have. */
  get hasCompiled(): boolean {
    return this.#compiled;
  }

  /** Whether the cache was taken after a machine had run. */
  get isWarm(): boolean {
    return this.#cache.warm;
  }

  /** Runs a file, the first time that it is asked for. @returns what it exports */
  load(name: string): unknown {
    const loaded = this.#modules.get(name);
    if (loaded !== undefined) return loaded.exports;
    const module: Module = { exports: {} };
    this.#modules.set(name, module);
    const filename = join(this.#folder, name);
    const require = (id: string): unknown =>
      id.startsWith('./') ? this.load(id.slice(2)) : this.#require(id);
    this.#compile(name, filename)(module.exports, require, module, filename, this.#folder);
    return module.exports;
  }

  /** Keeps what has been compiled for the next time. Where it cannot be written, it is not. */
  keep(warm: boolean): void {
    const code = new Map<string, Buffer>();
    // What was not loaded this time may be the next; what another build has left may not.
    for (const [name, bytes] of this.#cache.code) {
      if (existsSync(join(this.#folder, name))) code.set(name, bytes);
    }
    for (const [name, script] of this.#scripts) code.set(name, script.createCachedData());
    for (const path of this.#paths) {
      try {
        writeCodeCache(path, { warm, code });
        return;
      } catch {
        // The next place, or none: all goes on as it did, only slower.
      }
    }
  }

  #read(): CodeCache {
    for (const path of this.#paths) {
      const cache = readCodeCache(path);
      if (cache.code.size > 0) return cache;
    }
    return { warm: false, code: new Map() };
  }

  #compile(name: string, filename: string): Wrapper {
    const source = readFileSync(filename, 'utf8');
    const cachedData = this.#cache.code.get(name);
    const script = new Script(
      `(function (exports, require, module, __filename, __dirname) {${source}\n})`,
      {
        filename,
        importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
        ...(cachedData !== undefined && { cachedData }),
      },
    );
    this.#compiled ||= cachedData === undefined || script.cachedDataRejected === true;
    this.#scripts.set(name, script);
    // eslint-disable-next-line @typescript-eslint/no-unsafe-type-assertion -- as written above
    return script.runInThisContext() as Wrapper;
  }
}
