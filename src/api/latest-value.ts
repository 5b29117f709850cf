/** A value that changes, for readers who want its latest and then wait for the next. */
export class LatestValue<T> {
  #value: T | undefined;
  /** Counts values from 1. */
  #version = 0;
  #ended = false;
  #wakers: (() => void)[] = [];

  set(value: T): void {
    this.#value = value;
    this.#version += 1;
    this.#wakeUp();
  }

  /** No other value comes. */
  end(): void {
    this.#ended = true;
    this.#wakeUp();
  }

  /**
   * The latest value if it came after `version`, or the next; 0 for any.
   *
   * @returns undefined when there is none and none comes
   */
  async after(version: number): Promise<{ value: T; version: number } | undefined> {
    while (this.#version <= version && !this.#ended) {
      await new Promise<void>((resolve) => this.#wakers.push(resolve));
    }
    const value = this.#value;
    if (this.#version <= version || value === undefined) return undefined;
    return { value, version: this.#version };
  }

  #wakeUp(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }
}
