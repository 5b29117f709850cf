/** Something the guest rings by a write that does not exit to JavaScript (an ioeventfd). */
export interface Doorbell {
  /** Idempotent. */
  close(): void;
}

export interface DoorbellOptions {
  /** Guest-physical address written to. */
  readonly gpa: number;
  /** Called on the event loop, once for any number of rings since the last call. */
  readonly onRing: () => void;
}

export interface DoorbellFactory {
  /** Any write of any length at `gpa` rings. @throws HostError */
  create(options: DoorbellOptions): Doorbell;
}
