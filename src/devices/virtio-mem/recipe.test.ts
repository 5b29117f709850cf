import { beforeEach, describe, expect, it } from 'vitest';
import { Recipe, type Step } from './recipe.ts';

let seen: string[];
beforeEach(() => {
  seen = [];
});

/** Takes a turn, and then fails or not. */
async function later(name: string, error?: Error): Promise<void> {
  await Promise.resolve();
  seen.push(`${name} ends`);
  if (error !== undefined) throw error;
}

function step(name: string, run: Step['run'] = () => undefined, undo: Step['undo'] = run): Step {
  return {
    run: (first, count) => {
      seen.push(`${name} ${first} ${count}`);
      return run(first, count);
    },
    undo: (first, count) => {
      seen.push(`undo ${name}`);
      return undo === run ? undefined : undo(first, count);
    },
  };
}

const refusal = new Error('refused');
const refuse = (): never => {
  throw refusal;
};

describe('a recipe', () => {
  it('is done at once where no step takes time', () => {
    expect(new Recipe([step('a'), step('b')]).run(3, 2)).toBeUndefined();
    expect(seen).toEqual(['a 3 2', 'b 3 2']);
  });

  it('has one step under way at a time', async () => {
    const steps = [step('a', () => later('a')), step('b'), step('c', () => later('c')), step('d')];
    await new Recipe(steps).run(0, 1);
    expect(seen).toEqual(['a 0 1', 'a ends', 'b 0 1', 'c 0 1', 'c ends', 'd 0 1']);
  });

  it.each([
    ['at once', refuse],
    ['later', () => later('c', refusal)],
  ])('undoes all when a step is refused %s, the last first', async (when, run) => {
    const undoes = (): Promise<void> => later('undo b');
    const steps = [step('a'), step('b', () => undefined, undoes), step('c', run), step('d')];
    await expect(new Recipe(steps).run(0, 1)).rejects.toBe(refusal);
    const ends = when === 'later' ? ['c ends'] : [];
    const undone = ['undo c', 'undo b', 'undo b ends', 'undo a'];
    expect(seen).toEqual(['a 0 1', 'b 0 1', 'c 0 1', ...ends, ...undone]);
  });

  it('says which blocks an undo has failed for, and is refused for what came first', async () => {
    const failed: unknown[] = [];
    const other = new Error('undo refused');
    const undo = (): never => {
      throw other;
    };
    const steps = [step('a'), step('b', () => undefined, undo), step('c', refuse)];
    const recipe = new Recipe(steps, (...run) => void failed.push(run));
    await expect(recipe.run(5, 6)).rejects.toBe(refusal);
    expect(failed).toEqual([[5, 6, other]]);
    expect(seen).not.toContain('undo a');
  });
});
