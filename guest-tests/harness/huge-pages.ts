import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';

/** Two tests that count the free huge pages of one host must not run at the same time. */
const LOCK = '/tmp/tsvmm-huge-pages.lock';

const folderOf = (size: number): string => `/sys/kernel/mm/hugepages/hugepages-${size / 1024}kB`;

const count = (size: number, file: string): number =>
  Number(readFileSync(`${folderOf(size)}/${file}`, 'utf8'));

/** Whether this host can be given huge pages of `size` bytes. */
export function hasHugePages(size: number): boolean {
  return process.getuid?.() === 0 && existsSync(folderOf(size));
}

/** Huge pages of one size, this test's alone until it ends. */
export class HugePages {
  readonly size: number;
  readonly #before: number;

  private constructor(size: number) {
    this.size = size;
    this.#before = count(size, 'nr_hugepages');
  }

  /** Waits for its turn, then gives the host `pages` free huge pages. */
  static async take(size: number, pages: number): Promise<HugePages> {
    const holder = spawn('flock', [LOCK, 'sh', '-c', 'echo; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    const huge = new HugePages(size);
    onTestFinished(async () => {
      huge.#set(huge.#before);
      holder.stdin.end();
      await once(holder, 'close');
    });
    huge.setFree(pages);
    return huge;
  }

  get free(): number {
    return count(this.size, 'free_hugepages') - count(this.size, 'resv_hugepages');
  }

  /** Adds or removes pages until so many are free. */
  setFree(pages: number): void {
    this.#set(count(this.size, 'nr_hugepages') + pages - this.free);
    if (this.free !== pages)
      throw new Error(`the host has ${this.free} free huge pages, not ${pages}`);
  }

  #set(pages: number): void {
    writeFileSync(`${folderOf(this.size)}/nr_hugepages`, String(pages));
  }
}
