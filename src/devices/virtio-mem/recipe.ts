type Work = void | Promise<void>;

/** A part of the work on a run of blocks, and what undoes it. */
export interface Step {
  /** @throws (or rejects) when the host refuses: it may have been done in part */
  readonly run: (first: number, count: number) => Work;
  /** Also undoes what was done in part. */
  readonly undo: (first: number, count: number) => Work;
}

/** For steps that need no undo of their own. */
export function nothing(): void {
  // The undo of an earlier step makes up for it.
}

/**
 * Steps that are all done, or none. They run one after the other, synchronously until the first that
 * takes time: what most requests take is done without a promise. Where one fails, it and those before
 * it are undone, the last first; nothing else is in flight by then.
 */
export class Recipe {
  readonly #steps: readonly Step[];
  readonly #onUndoFailed: (first: number, count: number, error: unknown) => Work;

  /** @param onUndoFailed  an undo has failed, and those of the steps before it have not run */
  constructor(
    steps: readonly Step[],
    onUndoFailed: (first: number, count: number, error: unknown) => Work = rethrow,
  ) {
    this.#steps = steps;
    this.#onUndoFailed = onUndoFailed;
  }

  /**
   * @returns undefined where every step was done at once
   * @throws never; rejects with what a step was refused for, once it is undone
   */
  run(first: number, count: number): Work {
    let at = 0;
    try {
      for (const step of this.#steps) {
        const later = step.run(first, count);
        if (later !== undefined) return this.#goOn(later, at, first, count);
        at += 1;
      }
    } catch (error) {
      return this.#fail(error, at, first, count);
    }
  }

  /** Undoes all of it. */
  undo(first: number, count: number): Promise<void> {
    return this.#undoFrom(this.#steps.length - 1, first, count);
  }

  /** @param at  the step that `later` is the rest of */
  async #goOn(later: Promise<void>, at: number, first: number, count: number): Promise<void> {
    let current = at;
    try {
      await later;
      for (const step of this.#steps.slice(at + 1)) {
        current += 1;
        const rest = step.run(first, count);
        if (rest !== undefined) await rest;
      }
    } catch (error) {
      await this.#fail(error, current, first, count);
    }
  }

  async #fail(error: unknown, at: number, first: number, count: number): Promise<never> {
    await this.#undoFrom(at, first, count);
    throw error;
  }

  async #undoFrom(at: number, first: number, count: number): Promise<void> {
    try {
      for (const step of this.#steps.slice(0, at + 1).reverse()) await step.undo(first, count);
    } catch (error) {
      await this.#onUndoFailed(first, count, error);
    }
  }
}

function rethrow(_first: number, _count: number, error: unknown): never {
  throw error;
}
