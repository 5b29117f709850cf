import { fstatSync, statSync, type Stats } from 'node:fs';

interface Claim {
  /** For people, as `memory backend m`. */
  readonly what: string;
  readonly find: () => Stats | undefined;
}

/** Files that this process reads or writes for as long as their claims last. */
const claims = new Set<Claim>();

/**
 * Says that a file is in use, so that nobody writes over it. Files are told apart by device and inode:
 * one may have many paths.
 *
 * @param what  for people
 * @param file  an open descriptor, or a path that may come to be another file's
 * @returns gives the claim up; idempotent
 */
export function claimFile(what: string, file: number | string): () => void {
  const find = (): Stats | undefined =>
    typeof file === 'number' ? fstatSync(file) : statSync(file, { throwIfNoEntry: false });
  const claim = { what, find };
  claims.add(claim);
  return () => {
    claims.delete(claim);
  };
}

/** What an open file is in use as, if it is. */
export function claimantOf(fd: number): string | undefined {
  const { dev, ino } = fstatSync(fd);
  for (const { what, find } of claims) {
    let found: Stats | undefined;
    try {
      found = find();
    } catch {
      // A path that cannot be looked at leads to nothing that could be written.
    }
    if (found?.dev === dev && found.ino === ino) return what;
  }
  return undefined;
}
