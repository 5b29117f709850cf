import { closeSync, linkSync, openSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { claimantOf, claimFile, type FileUse } from './claimed-files.ts';
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
  const giveUp = claimFile('memory backend m', 'memory', open(file));
  for (const path of [file, link, symlink]) expect(claimantOf(open(path))).toBe('memory backend m');
  expect(claimantOf(open(other))).toBeUndefined();
  giveUp();
  giveUp();
  expect(claimantOf(open(file))).toBeUndefined();
});

it('follows a path to what is there now', () => {
  const folder = temporaryFolder();
  const [kernel, next] = [join(folder, 'kernel'), join(folder, 'next')];
  onTestFinished(claimFile('the kernel', 'input', kernel));
  writeFileSync(next, 'new');
  const fd = open(next);
  expect(claimantOf(fd)).toBeUndefined();
  renameSync(next, kernel);
  expect(claimantOf(fd)).toBe('the kernel');
});

describe('a file that is in use', () => {
  const claimed = (use: FileUse): string => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, 'x');
    onTestFinished(claimFile('the one', use, file));
    return file;
  };

  it.each([
    ['input', 'input', undefined],
    ['input', 'memory', 'the one'],
    ['input', 'output', 'the one'],
    ['memory', 'input', 'the one'],
    ['memory', 'memory', undefined],
    ['memory', 'output', 'the one'],
    ['output', 'input', 'the one'],
    ['output', 'memory', 'the one'],
    ['output', 'output', 'the one'],
  ] as const)('as %s cannot, or can, be %s as well', (use, other, expected) => {
    expect(claimantOf(claimed(use), other)).toBe(expected);
  });
});

it('lets everybody write to a device, and knows nothing of what is not there', () => {
  const nowhere = open('/dev/null');
  onTestFinished(claimFile('the log', 'output', nowhere));
  expect(claimantOf('/dev/null')).toBeUndefined();
  expect(claimantOf(nowhere)).toBeUndefined();
  expect(claimantOf(join(temporaryFolder(), 'missing'))).toBeUndefined();
});
