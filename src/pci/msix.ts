import { ConfigError, messageOf } from '../errors.ts';
import type { InterruptController, MsiRoute } from '../bus/interrupt.ts';
import { log } from '../log.ts';
import type { BarRegion } from './bar-options.ts';
import type { PciCapability } from './capability.ts';
import type { MsixOptions } from './function-options.ts';
import { MsixTable } from './msix-table.ts';
import { PendingBits } from './pending-bits.ts';
import { PCI_CAP_ID_MSIX } from './registers.ts';

const logger = log('pci');

/** Message Control (PCI 3.0 §6.8.2.3): offset in the capability, and bits. */
const MESSAGE_CONTROL = 2;
const MSIX_ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;
/** Messages go to the local APICs, 0xfeex_xxxx (Intel SDM vol. 3 §12.11.1), and nowhere else. */
const APIC_PAGES = 0xfee;

function check(name: string, { vectors, bar, tableOffset, pbaOffset }: MsixOptions): void {
  const good = (value: number, limit: number, multiple: number): boolean =>
    Number.isInteger(value) && value >= 0 && value < limit && value % multiple === 0;
  if (
    !good(vectors - 1, 2048, 1) ||
    !good(bar, 6, 1) ||
    !good(tableOffset, 2 ** 32, 8) ||
    !good(pbaOffset, 2 ** 32, 8)
  ) {
    throw new ConfigError(
      'PCI_BAD_MSIX',
      `${name}: MSI-X with ${vectors} vectors, BAR ${bar}, offsets ${tableOffset} and ${pbaOffset}: ` +
        'vectors are 1 to 2048, BARs 0 to 5, offsets multiples of 8 below 4 GiB',
    );
  }
}

function capabilityBody({ vectors, bar, tableOffset, pbaOffset }: MsixOptions): Uint8Array {
  const view = new DataView(new ArrayBuffer(10));
  view.setUint16(0, vectors - 1, true);
  view.setUint32(2, tableOffset + bar, true);
  view.setUint32(6, pbaOffset + bar, true);
  return new Uint8Array(view.buffer);
}

export interface MsixEvents {
  /** Whether the function may send messages: Bus Master Enable. */
  maySend(): boolean;
  /** MSI-X Enable changed. */
  changed(): void;
}

/**
 * MSI-X of a function (PCI 3.0 §6.8.2): a vector that may not be sent is pending until it may.
 * A vector takes an MSI route with its first message and keeps it until MSI-X is disabled.
 */
export class Msix {
  /** BAR that the regions belong to. */
  readonly bar: number;
  readonly vectors: number;
  readonly capability: PciCapability;
  /** Table and pending bits. */
  readonly regions: readonly BarRegion[];
  readonly #name: string;
  readonly #events: MsixEvents;
  readonly #table: MsixTable;
  readonly #pending: PendingBits;
  readonly #routes: (MsiRoute | undefined)[];
  #interrupts: InterruptController | undefined;
  #control = 0;
  #complainedOfHost = false;
  #complainedOfGuest = false;

  /** @throws ConfigError for options that no function can have */
  constructor(name: string, options: MsixOptions, events: MsixEvents) {
    check(name, options);
    this.#name = name;
    this.#events = events;
    this.vectors = options.vectors;
    this.bar = options.bar;
    this.#table = new MsixTable(options.vectors, (vector) => this.#entryChanged(vector));
    this.#pending = new PendingBits(options.vectors);
    this.#routes = new Array<MsiRoute | undefined>(options.vectors).fill(undefined);
    this.regions = [
      {
        name: 'msix-table',
        offset: options.tableOffset,
        size: this.#table.size,
        handler: this.#table,
      },
      {
        name: 'msix-pba',
        offset: options.pbaOffset,
        size: this.#pending.size,
        handler: this.#pending,
      },
    ];
    this.capability = {
      id: PCI_CAP_ID_MSIX,
      body: capabilityBody(options),
      writable: Uint8Array.of(0, (MSIX_ENABLE | FUNCTION_MASK) >> 8, 0, 0, 0, 0, 0, 0, 0, 0),
      afterWrite: (view) => this.#setControl(view.getUint16(MESSAGE_CONTROL, true)),
    };
  }

  attach(interrupts: InterruptController): void {
    this.#interrupts = interrupts;
  }

  /** MSI-X Enable: the guest wants messages and not the wire. */
  get enabled(): boolean {
    return (this.#control & MSIX_ENABLE) !== 0;
  }

  /** Function Mask. */
  get masked(): boolean {
    return (this.#control & FUNCTION_MASK) !== 0;
  }

  /** Sends a vector's message, or marks it pending; nothing when disabled or beyond `vectors`. */
  signal(vector: number): void {
    if (!this.enabled || vector < 0 || vector >= this.vectors) return;
    if (!this.#isOpen() || this.#table.isMasked(vector) || !this.#send(vector)) {
      this.#pending.set(vector);
    }
  }

  /** Sends what is pending and may be sent by now. */
  sendPending(): void {
    if (!this.#isOpen()) return;
    this.#pending.forEach((vector) => {
      if (!this.#table.isMasked(vector) && this.#send(vector)) this.#pending.clear(vector);
    });
  }

  /** Back to the initial state; the capability's bytes are the config space's business. */
  reset(): void {
    this.#control = 0;
    this.#table.reset();
    this.#forgetMessages();
  }

  #isOpen(): boolean {
    return (
      (this.#control & (MSIX_ENABLE | FUNCTION_MASK)) === MSIX_ENABLE && this.#events.maySend()
    );
  }

  #setControl(control: number): void {
    const wasEnabled = this.enabled;
    this.#control = control & (MSIX_ENABLE | FUNCTION_MASK);
    if (this.enabled !== wasEnabled) {
      this.#forgetMessages();
      this.#events.changed();
    }
    this.sendPending();
  }

  #entryChanged(vector: number): void {
    if (!this.#pending.has(vector) || !this.#isOpen() || this.#table.isMasked(vector)) return;
    if (this.#send(vector)) this.#pending.clear(vector);
  }

  #forgetMessages(): void {
    this.#pending.clearAll();
    for (const [vector, route] of this.#routes.entries()) {
      route?.close();
      this.#routes[vector] = undefined;
    }
  }

  /** @returns false when the host has no route for it: the message stays pending */
  #send(vector: number): boolean {
    if (this.#routes[vector] === undefined || this.#table.isStale(vector)) {
      if (!this.#hasApicAddress(vector)) return true;
      if (!this.#updateRoute(vector)) return false;
    }
    this.#routes[vector]?.signal();
    return true;
  }

  /** Gives a vector's route its present message, and the vector a route when it has none. */
  #updateRoute(vector: number): boolean {
    let route = this.#routes[vector];
    try {
      route ??= this.#interrupts?.createMsiRoute();
      route?.update(this.#table.addressLow(vector), this.#table.data(vector));
    } catch (error) {
      // The route may say anything now: the next attempt starts with a new one.
      route?.close();
      this.#routes[vector] = undefined;
      this.#complainOfHost(vector, error);
      return false;
    }
    this.#routes[vector] = route;
    this.#table.markSent(vector);
    return true;
  }

  #complainOfHost(vector: number, error: unknown): void {
    if (this.#complainedOfHost) return;
    this.#complainedOfHost = true;
    const why = messageOf(error);
    logger.error({ vector }, `${this.#name}: an MSI-X message stays pending: ${why}`);
  }

  /** A message elsewhere would be a write to memory: it is dropped, and complained about once. */
  #hasApicAddress(vector: number): boolean {
    const low = this.#table.addressLow(vector);
    const high = this.#table.addressHigh(vector);
    if (high === 0 && low >>> 20 === APIC_PAGES) return true;
    if (!this.#complainedOfGuest) {
      this.#complainedOfGuest = true;
      const guest = { vector, low, high };
      logger.warn(
        { guest },
        `${this.#name}: MSI-X message dropped: its address is no local APIC's`,
      );
    }
    return false;
  }
}
