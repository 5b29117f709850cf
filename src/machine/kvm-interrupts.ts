import type { InterruptController, InterruptLine, MsiRoute } from '../bus/interrupt.ts';
import { HostError } from '../errors.ts';
import { addon, type NativeEventFd, type NativeVm } from '../kvm/addon.ts';
import { GSIS } from '../memory/layout.ts';
import { gsi as toGsi, type Gsi } from '../units.ts';
import type { InterruptCount } from './inspect/inspection.ts';

/** KVM API 4.52: entries of the routing table, five words each (see NativeVm.setGsiRouting). */
const TYPE_IRQCHIP = 0;
const TYPE_MSI = 1;
const CHIP_IOAPIC = 2;
const ISA_LINES = 16;
const IOAPIC_PINS = 24;
/** KVM_MAX_IRQ_ROUTES. */
const GSI_LIMIT = 4096;

type RoutingVm = Pick<NativeVm, 'setGsiRouting' | 'irqLine' | 'assignIrqfd' | 'deassignIrqfd'>;

/** Wires of the PICs and the I/O APIC. The PIT's ISA IRQ 0 arrives at I/O APIC pin 2. */
function wireRoutes(): number[] {
  const words: number[] = [];
  for (let line = 0; line < ISA_LINES; line++) {
    words.push(line, TYPE_IRQCHIP, line >> 3, line & 7, 0);
  }
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if (pin === 0) continue;
    words.push(pin === 2 ? 0 : pin, TYPE_IRQCHIP, CHIP_IOAPIC, pin, 0);
  }
  return words;
}

/** A line of the interrupt controllers: an ioctl per change of level. */
class KvmLine implements InterruptLine {
  readonly #vm: RoutingVm;
  readonly #gsi: Gsi;
  #level = false;
  /** Times it was raised. */
  raised = 0;

  constructor(vm: RoutingVm, gsi: Gsi) {
    this.#vm = vm;
    this.#gsi = gsi;
  }

  set(level: boolean): void {
    if (level === this.#level) return;
    this.#level = level;
    if (level) this.raised += 1;
    this.#vm.irqLine(this.#gsi, level);
  }
}

/** A message: its GSI, the irqfd that sends it, and what the routing table says of it. */
class KvmMsiRoute implements MsiRoute {
  readonly gsi: Gsi;
  readonly #controller: KvmInterrupts;
  #event: NativeEventFd | undefined;
  address = 0;
  data = 0;
  /** Times it was sent. */
  sent = 0;

  constructor(controller: KvmInterrupts, gsi: Gsi) {
    this.#controller = controller;
    this.gsi = gsi;
  }

  update(address: number, data: number): void {
    if (this.#event !== undefined && this.address === address && this.data === data) return;
    this.address = address;
    this.data = data;
    this.#controller.publish(this);
    this.#event ??= this.#controller.connect(this.gsi);
  }

  signal(): void {
    if (this.#event === undefined) return;
    this.sent += 1;
    this.#event.signal();
  }

  close(): void {
    this.#controller.release(this, this.#event);
    this.#event = undefined;
  }
}

/** KVM's interrupt controllers: wires by KVM_IRQ_LINE, messages by irqfd and GSI routing. */
export class KvmInterrupts implements InterruptController {
  readonly #vm: RoutingVm;
  readonly #lines = new Map<number, KvmLine>();
  readonly #wires = wireRoutes();
  /** Messages that have an address, by GSI. */
  readonly #routed = new Map<Gsi, KvmMsiRoute>();
  readonly #taken = new Set<Gsi>();

  constructor(vm: RoutingVm) {
    this.#vm = vm;
    this.#writeTable();
  }

  line(gsi: number): InterruptLine {
    const line = this.#lines.get(gsi) ?? new KvmLine(this.#vm, toGsi(gsi));
    this.#lines.set(gsi, line);
    return line;
  }

  createMsiRoute(): MsiRoute {
    for (let number: number = GSIS.msiBase; number < GSI_LIMIT; number++) {
      const gsi = toGsi(number);
      if (this.#taken.has(gsi)) continue;
      this.#taken.add(gsi);
      return new KvmMsiRoute(this, gsi);
    }
    throw new HostError('GSIS_EXHAUSTED', `all ${GSI_LIMIT} GSIs of this KVM are in use`);
  }

  /** How often lines were raised and messages sent, by GSI. */
  counts(): readonly InterruptCount[] {
    const wires = Array.from(this.#lines, ([number, line]): InterruptCount => {
      return { gsi: number, kind: 'wire', count: line.raised };
    });
    const messages = Array.from(this.#routed.values(), ({ gsi: number, sent }): InterruptCount => {
      return { gsi: number, kind: 'msi', count: sent };
    });
    return [...wires, ...messages].sort((a, b) => a.gsi - b.gsi);
  }

  /** For routes: puts one into KVM's table. */
  publish(route: KvmMsiRoute): void {
    this.#routed.set(route.gsi, route);
    this.#writeTable();
  }

  /** For routes: makes the eventfd that sends a GSI. */
  connect(gsi: Gsi): NativeEventFd {
    const event = addon.createEventFd();
    try {
      this.#vm.assignIrqfd(event, gsi);
    } catch (error) {
      event.close();
      throw error;
    }
    return event;
  }

  /** For routes: takes one out of the table and frees its GSI. */
  release(route: KvmMsiRoute, event: NativeEventFd | undefined): void {
    if (!this.#taken.delete(route.gsi)) return;
    if (event !== undefined) {
      this.#vm.deassignIrqfd(event, route.gsi);
      event.close();
    }
    if (this.#routed.delete(route.gsi)) this.#writeTable();
  }

  #writeTable(): void {
    const words = [...this.#wires];
    for (const { gsi, address, data } of this.#routed.values()) {
      words.push(gsi, TYPE_MSI, address % 2 ** 32, Math.floor(address / 2 ** 32), data);
    }
    this.#vm.setGsiRouting(new Uint32Array(words));
  }
}
