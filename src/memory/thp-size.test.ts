import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import { probeThpSize } from './thp-size.ts';

const directory = mkdtempSync(join(tmpdir(), 'tsvmm-thp-'));
setLogLevel('silent');
afterAll(() => {
  setLogLevel('info');
  rmSync(directory, { recursive: true });
});

function file(content: string): string {
  const path = join(directory, 'hpage_pmd_size');
  writeFileSync(path, content);
  return path;
}

describe('probeThpSize', () => {
  it('takes what the kernel says', () => {
    expect(probeThpSize(file('4194304\n'), 'x64')).toBe(4 * 2 ** 20);
  });

  it.each(['0\n', '3000000\n', 'garbage', ''])('falls back when the file says %j', (content) => {
    expect(probeThpSize(file(content), 'x64')).toBe(2 * 2 ** 20);
  });

  it('falls back by architecture and page size when there is no file', () => {
    const missing = join(directory, 'none');
    expect(probeThpSize(missing, 'x64', 4096)).toBe(2 * 2 ** 20);
    expect(probeThpSize(missing, 'arm64', 4096)).toBe(2 * 2 ** 20);
    expect(probeThpSize(missing, 'arm64', 16384)).toBe(32 * 2 ** 20);
    expect(probeThpSize(missing, 'arm64', 65536)).toBe(512 * 2 ** 20);
    expect(probeThpSize(missing, 'riscv64', 4096)).toBe(2 ** 20);
  });
});
