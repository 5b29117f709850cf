/** Where a serial port's characters go to and come from. */
export interface SerialBackend {
  /**
   * Takes output, all of it; the bytes are copied or written before it returns.
   *
   * @returns false when it is full: the port then makes the guest wait until `onDrain` calls
   */
  write(bytes: Uint8Array): boolean;
  /** Sets who is told that there is room again after `write` answered false; never called inside `write`. */
  onDrain(callback: () => void): void;
  /** Sets who takes input. The bytes are copied before the callback returns. */
  onData(callback: (bytes: Uint8Array) => void): void;
  /** The guest reads slower than input arrives: hold it. What is under way may still come. */
  pauseInput(): void;
  resumeInput(): void;
}
