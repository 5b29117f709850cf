import { ConfigError } from '../errors.ts';
import type { InterruptController, InterruptLine } from '../bus/interrupt.ts';
import { allOnes } from '../bytes.ts';
import { BarSet, type BarHost } from './bar-set.ts';
import type { BarOptions } from './bar-options.ts';
import { CapabilityList } from './capability-list.ts';
import { ConfigSpace } from './config-space.ts';
import type { PciFunctionHooks, PciFunctionOptions, PciIds } from './function-options.ts';
import { writeHeader } from './header.ts';
import { Intx } from './intx.ts';
import { Msix } from './msix.ts';
import {
  PCI_COMMAND,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_MULTI_FUNCTION,
  PCI_INTERRUPT_LINE,
} from './registers.ts';
import type { WindowAllocator } from './windows.ts';

/** The vectors of a function, as its device sees them. */
export type MsixControl = Pick<Msix, 'vectors' | 'enabled' | 'masked' | 'signal'>;
/** The wire of a function, as its device sees it. */
export type IntxControl = Pick<Intx, 'asserted' | 'set'>;

/** What a function needs of the bus it sits on. */
export interface PciFunctionHost extends BarHost {
  readonly interrupts: InterruptController;
  /** Initial addresses for the BARs. */
  readonly allocator: WindowAllocator;
  /** Connects an interrupt pin, 1 to 4. */
  connectPin(pin: number): { readonly gsi: number; readonly line: InterruptLine };
}

/** Adds the MSI-X regions to the BAR that they name. */
function barsOf({ name, bars = [] }: PciFunctionOptions, msix: Msix | undefined): BarOptions[] {
  if (msix === undefined) return [...bars];
  if (!bars.some(({ index, kind }) => index === msix.bar && kind !== 'io')) {
    throw new ConfigError('PCI_BAD_MSIX', `${name}: MSI-X needs memory BAR ${msix.bar}`);
  }
  return bars.map((bar) =>
    bar.index === msix.bar ? { ...bar, regions: [...bar.regions, ...msix.regions] } : bar,
  );
}

/**
 * One PCI function: its configuration space, BARs and interrupts. Everything here can be reached
 * by the guest at any time: accesses are always answered and never throw for what they say.
 */
export class PciFunction {
  readonly name: string;
  readonly ids: PciIds;
  readonly interruptPin: number | undefined;
  readonly #msix: Msix | undefined;
  readonly #intx: Intx;
  readonly #config = new ConfigSpace();
  readonly #bars: BarSet;
  readonly #capabilities: CapabilityList;
  readonly #hooks: PciFunctionHooks;
  #busMaster = false;
  #gsi: number | undefined;

  /** @throws ConfigError when the options contradict each other */
  constructor(options: PciFunctionOptions) {
    const { name, ids, interruptPin, capabilities = [], hooks = {} } = options;
    this.name = name;
    this.ids = ids;
    this.interruptPin = interruptPin;
    this.#hooks = hooks;
    writeHeader(this.#config, ids, interruptPin);
    if (options.msix !== undefined) {
      this.#msix = new Msix(name, options.msix, {
        maySend: () => this.#busMaster,
        changed: () => this.#intx.update(),
      });
    }
    this.#intx = new Intx(this.#config, () => this.#msix?.enabled === true);
    this.#bars = new BarSet(name, this.#config, barsOf(options, this.#msix), (index, base) =>
      hooks.barMapped?.(index, base),
    );
    const last = this.#msix === undefined ? [] : [this.#msix.capability];
    this.#capabilities = new CapabilityList(name, this.#config, [...capabilities, ...last]);
  }

  /** Absent when the function was made without `msix`. */
  get msix(): MsixControl | undefined {
    return this.#msix;
  }

  get intx(): IntxControl {
    return this.#intx;
  }

  /** Bus Master Enable: without it the device may not touch memory; its messages are held back. */
  get busMaster(): boolean {
    return this.#busMaster;
  }

  /** The GSI of the interrupt pin, once on a bus. */
  get gsi(): number | undefined {
    return this.#gsi;
  }

  /** BARs: what their registers say (`address`) and where they are decoded (`base`). */
  get bars(): BarSet['bars'] {
    return this.#bars.bars;
  }

  /** Where a BAR is decoded now. */
  barBase(index: number): number | undefined {
    return this.#bars.byIndex(index)?.base;
  }

  /** Reads 1, 2 or 4 bytes of a BAR, decoded or not; 0 outside every region. */
  readBar(index: number, offset: number, size: number): number {
    const region = this.#bars.byIndex(index)?.regionAt(offset, size);
    return region === undefined ? 0 : region.handler.read(offset - region.offset, size);
  }

  /** Writes 1, 2 or 4 bytes of a BAR, decoded or not; nothing outside every region. */
  writeBar(index: number, offset: number, size: number, value: number): void {
    const region = this.#bars.byIndex(index)?.regionAt(offset, size);
    region?.handler.write(offset - region.offset, size, value);
  }

  /** Reads 1, 2 or 4 bytes; registers are 0 to 4095. */
  configRead(register: number, size: number): number {
    if (register < 0) return allOnes(size);
    this.#capabilities.beforeRead(register, size);
    return this.#config.read(register, size);
  }

  /** Writes 1, 2 or 4 bytes. */
  configWrite(register: number, size: number, value: number): void {
    if (register < 0) return;
    this.#config.write(register, size, value);
    if (this.#bars.isAffectedBy(register, size)) {
      this.#followCommand();
      this.#bars.update();
    }
    this.#capabilities.afterWrite(register, size);
  }

  /**
   * Puts the function on a bus as firmware would leave it: BARs assigned and decoded, bus master.
   * @throws ConfigError when no window has room
   */
  attach(host: PciFunctionHost): void {
    this.#bars.assign(host.allocator);
    this.#connect(host);
    const { view } = this.#config;
    const kinds = this.#bars.bars.map(({ kind }) => kind);
    const io = kinds.includes('io') ? PCI_COMMAND_IO : 0;
    const memory = kinds.some((kind) => kind !== 'io') ? PCI_COMMAND_MEMORY : 0;
    view.setUint16(PCI_COMMAND, io | memory | PCI_COMMAND_MASTER, true);
    this.#config.seal();
    this.#followCommand();
    this.#bars.attach(host);
  }

  /** Says in the header that the device has more functions than this one. */
  markMultiFunction(): void {
    const { view } = this.#config;
    const type = view.getUint8(PCI_HEADER_TYPE);
    this.#config.amend(PCI_HEADER_TYPE, type | PCI_HEADER_TYPE_MULTI_FUNCTION);
  }

  /** Decodes the BARs that can be decoded by now. */
  retryBars(): void {
    this.#bars.mapWaiting();
  }

  /** First half of a system reset: gives up all addresses, which others may need back. */
  beginReset(): void {
    this.#bars.unmapAll();
  }

  /** System reset: everything as after `attach`. */
  reset(): void {
    this.#hooks.reset?.();
    this.#bars.unmapAll();
    this.#config.reset();
    this.#msix?.reset();
    this.#intx.set(false);
    this.#followCommand();
    this.#bars.update();
  }

  #connect(host: PciFunctionHost): void {
    this.#msix?.attach(host.interrupts);
    if (this.interruptPin === undefined) return;
    const { gsi, line } = host.connectPin(this.interruptPin);
    this.#gsi = gsi;
    this.#config.view.setUint8(PCI_INTERRUPT_LINE, gsi);
    this.#intx.attach(line);
  }

  /** Makes what hangs on the command register follow it, the BARs excepted. */
  #followCommand(): void {
    const command = this.#config.view.getUint16(PCI_COMMAND, true);
    const busMaster = (command & PCI_COMMAND_MASTER) !== 0;
    const changed = busMaster !== this.#busMaster;
    this.#busMaster = busMaster;
    this.#intx.update();
    if (!changed) return;
    this.#hooks.busMasterChanged?.(busMaster);
    if (busMaster) this.#msix?.sendPending();
  }
}
