import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of one test's own; its path is short, because sockets go there. */
export class TempDir {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'tsvmm-'));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Names of what is in it. */
  list(): readonly string[] {
    return readdirSync(this.path).sort();
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
