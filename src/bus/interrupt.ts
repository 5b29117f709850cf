/** A wire to the interrupt controllers, level-triggered or used as an edge by lowering it again. */
export interface InterruptLine {
  /** Idempotent for an unchanged level. */
  set(level: boolean): void;
}

/**
 * One message-signalled interrupt: where its address and data come from is PCI's business,
 * how it is delivered KVM's (an irqfd with a GSI route).
 */
export interface MsiRoute {
  /** Sets what is sent; cheap when unchanged. */
  update(address: number, data: number): void;
  /** Sends it. */
  signal(): void;
  /** Gives the GSI back; idempotent. */
  close(): void;
}

export interface InterruptController {
  /** The wire with this GSI: 0 to 15 ISA, 16 to 23 PCI INTx. */
  line(gsi: number): InterruptLine;
  /** @throws HostError when no GSI is free */
  createMsiRoute(): MsiRoute;
}
