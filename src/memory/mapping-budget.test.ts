import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { MappingBudget, spareMappings } from './mapping-budget.ts';

function fakeProc(limit: string | undefined, mappings: number): string {
  const proc = mkdtempSync(join(tmpdir(), 'proc-'));
  onTestFinished(() => rmSync(proc, { recursive: true }));
  mkdirSync(join(proc, 'sys/vm'), { recursive: true });
  mkdirSync(join(proc, 'self'));
  if (limit !== undefined) writeFileSync(join(proc, 'sys/vm/max_map_count'), limit);
  writeFileSync(join(proc, 'self/maps'), 'a range\n'.repeat(mappings));
  return proc;
}

it('leaves a quarter of the limit, and what is in use', () => {
  expect(spareMappings(fakeProc('1000\n', 100))).toBe(650);
  expect(spareMappings(fakeProc('100\n', 100))).toBe(0);
});

it('assumes the usual limit where the kernel tells none', () => {
  expect(spareMappings(fakeProc(undefined, 0))).toBeGreaterThan(40_000);
  expect(spareMappings(fakeProc('0\n', 0))).toBeGreaterThan(40_000);
});

it('gives what there is, and takes it back', () => {
  const budget = new MappingBudget(3);
  expect(budget.take(2)).toBe(true);
  expect(budget.take(2)).toBe(false);
  expect(budget.left).toBe(1);
  expect(budget.take(-2)).toBe(true);
  expect(budget.take(3)).toBe(true);
  expect(budget.take(0)).toBe(true);
});
