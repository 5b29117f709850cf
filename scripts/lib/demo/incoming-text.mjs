// Text that arrives over time, for a reader that waits for a part of it.
export class IncomingText {
  /** Everything that has come. */
  all = '';
  #name;
  #taken = 0;
  #ended = false;
  #look = () => {};

  constructor(name) {
    this.#name = name;
  }

  push(text) {
    this.all += text;
    this.#look();
  }

  /** Nothing more will come. */
  end() {
    this.#ended = true;
    this.#look();
  }

  /** Resolves to the text before `mark`, with lines ending in `\n`; takes both. */
  until(mark) {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        const at = this.all.indexOf(mark, this.#taken);
        if (at >= 0) {
          const text = this.all.slice(this.#taken, at).replaceAll('\r\n', '\n');
          this.#taken = at + mark.length;
          this.#look = () => {};
          resolve(text);
        } else if (this.#ended) {
          reject(new Error(`${this.#name} has gone before it said '${mark}'`));
        }
      };
      this.#look();
    });
  }
}
