import { fstatSync, statSync, type Stats } from 'node:fs';

/**
 * What a file is to this process: it reads an `input` and writes an `output`; `memory` is guest memory,
 * which backends may share. An output shares a file with nothing, memory not with an input.
 */
export type FileUse = 'input' | 'output' | 'memory';

interface Claim {
  /** For people, as `memory backend m`. */
  readonly what: string;
  readonly use: FileUse;
  readonly find: () => Stats | undefined;
}

/** Files that this process reads or writes for as long as their claims last. */
const claims = new Set<Claim>();

function statOf(file: number | string): Stats | undefined {
  if (typeof file === 'number') return fstatSync(file);
  return statSync(file, { throwIfNoEntry: false });
}

/**
 * Says that a file is in use, so that nobody writes over it. Files are told apart by device and inode:
 * one may have many paths.
 *
 * @param what  for people
 * @param file  an open descriptor, or a path that may come to be another file's
 * @returns gives the claim up; idempotent
 */
export function claimFile(what: string, use: FileUse, file: number | string): () => void {
  const claim = { what, use, find: () => statOf(file) };
  claims.add(claim);
  return () => {
    claims.delete(claim);
  };
}

/**
 * What a regular file is in use as that cannot be shared.
 *
 * @param file  an open descriptor, or a path
 * @param use   what it should be used as
 */
export function claimantOf(file: number | string, use: FileUse = 'output'): string | undefined {
  const wanted = lookAt(() => statOf(file));
  // Everybody may write to a terminal, or to nowhere.
  if (wanted?.isFile() !== true) return undefined;
  for (const claim of claims) {
    if (claim.use === use && use !== 'output') continue;
    const found = lookAt(claim.find);
    if (found?.dev === wanted.dev && found.ino === wanted.ino) return claim.what;
  }
  return undefined;
}

/** A path that cannot be looked at leads to nothing that could be written. */
function lookAt(find: () => Stats | undefined): Stats | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}
