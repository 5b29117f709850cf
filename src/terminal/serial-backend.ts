/**
 * The host's end of a serial port: bytes of the guest go out, bytes for the guest come in. Nothing
 * is interpreted, and what waits in between is bounded.
 */
export interface SerialBackend {
  /** The machine is about to run: what was there until now goes. Absent where nothing does. */
  begin?(): void;
  /**
   * Sends bytes of the guest. They are copied or written before it returns.
   *
   * @returns false: taken, but send no more until `onDrain`. A sender that goes on is bounded by
   *   dropping what comes past the bound.
   */
  write(bytes: Uint8Array): boolean;
  /** Sets who gets bytes for the guest; input is read from now on. The bytes are the callee's. */
  onData(callback: (bytes: Uint8Array) => void): void;
  /** Sets who is told that `write` may go on after it has returned false. */
  onDrain(callback: () => void): void;
  /** Asks for no more input for now, because the guest does not read; it waits outside. */
  pauseInput(): void;
  resumeInput(): void;
  /** Sends what waits (briefly: a reader that has stopped reading is left behind) and lets go. */
  close(): Promise<void>;
}
