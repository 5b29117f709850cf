/** One side of a conversation with a person or a program: text out, bytes in. */
export interface Endpoint {
  /** Whether a person types here: lines are then edited, and end in `\r\n`. */
  readonly isTerminal: boolean;
  /** Width in characters, where known. */
  columns(): number | undefined;
  /** @returns false when the writer should wait for `onDrain` */
  write(text: string): boolean;
  onDrain(callback: () => void): void;
  /** Sets who gets the input; it is read from now on. */
  onInput(callback: (bytes: Uint8Array) => void): void;
  /** Sets who is told that input has ended for good, after the last of it. */
  onEnd(callback: () => void): void;
  /** Sets who is told, each time, that what is typed comes here from now on. */
  onFocus(callback: () => void): void;
  onResize(callback: () => void): void;
  /** Asks for no more input for now; what comes meanwhile waits, bounded. */
  pauseInput(): void;
  resumeInput(): void;
  /** Sets who is told that the other side is gone and nothing can be sent any more. */
  onClose(callback: () => void): void;
  /** Sends what waits (briefly: a reader that has stopped reading is left behind) and lets go. */
  close(): Promise<void>;
}
