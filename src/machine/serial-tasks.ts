/** Runs asynchronous tasks one after the other, in the order they were given. */
export class SerialTasks {
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what the task gives; one that fails does not stop those after it */
  run<T>(task: () => Promise<T> | T): Promise<T> {
    const result = this.#last.then(task, task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything given so far is through. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
