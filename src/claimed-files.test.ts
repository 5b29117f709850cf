import { closeSync, linkSync, openSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { claimantOf, claimFile } from './claimed-files.ts';
import { temporaryFolder } from './terminal/testing/temporary-folder.ts';

function open(path: string): number {
  const fd = openSync(path, 'r');
  onTestFinished(() => closeSync(fd));
  return fd;
}

it('knows a file by whatever name, as long as it is claimed', () => {
  const folder = temporaryFolder();
  const [file, link, symlink, other] = ['file', 'link', 'symlink', 'other'].map((it) =>
    join(folder, it),
  ) as [string, string, string, string];
  writeFileSync(file, 'x');
  writeFileSync(other, 'x');
  linkSync(file, link);
  symlinkSync(file, symlink);
  const giveUp = claimFile('memory backend m', open(file));
  for (const path of [file, link, symlink]) expect(claimantOf(open(path))).toBe('memory backend m');
  expect(claimantOf(open(other))).toBeUndefined();
  giveUp();
  giveUp();
  expect(claimantOf(open(file))).toBeUndefined();
});

it('follows a path to what is there now', () => {
  const folder = temporaryFolder();
  const [kernel, next] = [join(folder, 'kernel'), join(folder, 'next')];
  onTestFinished(claimFile('the kernel', kernel));
  writeFileSync(next, 'new');
  const fd = open(next);
  expect(claimantOf(fd)).toBeUndefined();
  renameSync(next, kernel);
  expect(claimantOf(fd)).toBe('the kernel');
});
