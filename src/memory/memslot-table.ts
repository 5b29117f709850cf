import type { NativeMapping } from '../kvm/addon.ts';
import { HostError } from '../errors.ts';
import { log } from '../log.ts';
import { hex, slotId, type SlotId } from '../units.ts';

const logger = log('memslots');

/** What the table asks of the VM. */
export interface MemslotHost {
  setMemslot(memslot: {
    readonly slot: number;
    readonly flags: number;
    readonly gpa: number;
    readonly size: number;
    readonly mapping: NativeMapping;
    readonly offset: number;
  }): void;
  deleteMemslot(slot: number): void;
  /** Without keeping the event loop. */
  deleteMemslots(slots: Uint32Array): Promise<void>;
}

export interface MemslotRequest {
  readonly gpa: number;
  /** Bytes. */
  readonly size: number;
  readonly mapping: NativeMapping;
  /** Bytes into the mapping. */
  readonly offset: number;
  /** Whose it is, for `info memslots`. */
  readonly owner: string;
  /** Whether it is boot memory; a device may have any name. */
  readonly isBootMemory?: boolean;
}

/** A slot that KVM has. */
export interface Memslot {
  readonly id: SlotId;
  readonly gpa: number;
  readonly size: number;
  readonly owner: string;
  readonly isBootMemory: boolean;
}

/** Slots kept for the machine itself: boot memory and what may come later. */
const MACHINE_RESERVE = 8;

/** How many of a KVM's memslots devices may have in all. */
export function deviceSlots(capacity: number): number {
  return Math.max(0, capacity - MACHINE_RESERVE);
}

/** Slots that the reserve has for boot memory: it is one piece, or two around the hole. */
const USUAL_RAM_SLOTS = 2;

/** How many slots boot memory takes from devices, where it is in so many pieces. */
export function extraRamSlots(pieces: number): number {
  return Math.max(0, pieces - USUAL_RAM_SLOTS);
}

function trace({ id, gpa, size, owner }: Memslot, what: string): void {
  if (logger.isTraced) logger.trace({ slot: id, gpa: hex(gpa), size: hex(size), owner }, what);
}

/**
 * The machine's memslots: who has which id, and how many are left. Ids are handed out as slots
 * become active and reused lowest first, since KVM's own tables grow with the highest id.
 */
export class MemslotTable {
  /** KVM_CAP_NR_MEMSLOTS. */
  readonly capacity: number;
  readonly #host: MemslotHost;
  /** With what each was made of, to make it again. */
  readonly #slots = new Map<
    SlotId,
    { readonly memslot: Memslot; readonly request: MemslotRequest }
  >();
  /** Ids below `#next` that are free again, lowest last. */
  readonly #free: SlotId[] = [];
  #next = 0;
  #promised = 0;

  constructor(host: MemslotHost, capacity: number) {
    this.#host = host;
    this.capacity = capacity;
  }

  /** How many slots may still be promised to devices. */
  get available(): number {
    return Math.max(0, deviceSlots(this.capacity) - this.#promised);
  }

  /** Slots that KVM has now. */
  get active(): number {
    return this.#slots.size;
  }

  /** Sets `count` slots aside for a device. @throws HostError when there are not that many */
  promise(count: number, owner: string): void {
    if (count > this.available) {
      const message = `${owner} wants ${count} memslots, ${this.available} of this KVM's ${this.capacity} are left; give a larger memslot-size, or none`;
      throw new HostError('MEMSLOTS_EXHAUSTED', message);
    }
    this.#promised += count;
  }

  /** Makes a slot in KVM. @throws HostError when the table is full; KvmError when KVM refuses */
  add(request: MemslotRequest): Memslot {
    if (this.#slots.size >= this.capacity) {
      const message = `${request.owner}: all ${this.capacity} memslots of this KVM are in use`;
      throw new HostError('MEMSLOTS_EXHAUSTED', message);
    }
    const { gpa, size, owner, isBootMemory = false } = request;
    const id = this.#free.at(-1) ?? slotId(this.#next);
    this.#set(id, request);
    if (this.#free.length > 0) this.#free.pop();
    else this.#next += 1;
    const memslot: Memslot = { id, gpa, size, owner, isBootMemory };
    this.#slots.set(id, { memslot, request });
    trace(memslot, 'memslot added');
    return memslot;
  }

  /** Whether this slot was not taken away meanwhile. */
  has(memslot: Memslot): boolean {
    return this.#slots.get(memslot.id)?.memslot === memslot;
  }

  /** Takes a slot from KVM. */
  remove(memslot: Memslot): void {
    if (!this.has(memslot)) return;
    this.#host.deleteMemslot(memslot.id);
    this.#forget(memslot.id);
    trace(memslot, 'memslot removed');
  }

  /**
   * Takes slots from KVM without keeping the event loop. Their ids are free once it is done.
   * @throws (rejects with) KvmError: all of them are there again, but for those that `has` denies
   */
  async removeAll(memslots: readonly Memslot[]): Promise<void> {
    try {
      await this.#host.deleteMemslots(Uint32Array.from(memslots, ({ id }) => id));
    } catch (error) {
      for (const { id } of memslots) this.#ensure(id);
      throw error;
    }
    for (const memslot of memslots) {
      this.#slots.delete(memslot.id);
      this.#free.push(memslot.id);
      trace(memslot, 'memslot removed');
    }
    this.#free.sort((a, b) => b - a);
  }

  /** Makes a slot that may be gone. KVM has nothing against one that is there already. */
  #ensure(id: SlotId): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    try {
      this.#set(id, slot.request);
    } catch {
      this.#giveUp(id);
    }
  }

  /** Forgets a slot of which nobody knows whether KVM has it. */
  #giveUp(id: SlotId): void {
    try {
      this.#host.deleteMemslot(id);
    } catch {
      // It was gone, most likely.
    }
    const memslot = this.#slots.get(id)?.memslot;
    this.#forget(id);
    if (memslot !== undefined) trace(memslot, 'memslot lost');
  }

  #set(id: SlotId, { gpa, size, mapping, offset }: MemslotRequest): void {
    this.#host.setMemslot({ slot: id, flags: 0, gpa, size, mapping, offset });
  }

  #forget(id: SlotId): void {
    this.#slots.delete(id);
    this.#insertFree(id);
  }

  /** Active slots by address. */
  list(): readonly Memslot[] {
    return Array.from(this.#slots.values(), ({ memslot }) => memslot).sort((a, b) => a.gpa - b.gpa);
  }

  #insertFree(id: SlotId): void {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#free[middle] ?? 0) > id) low = middle + 1;
      else high = middle;
    }
    this.#free.splice(low, 0, id);
  }
}
