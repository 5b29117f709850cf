import { allOnes } from '../bytes.ts';
import { ConfigError } from '../errors.ts';
import type { IoHandler, IoSpace } from '../bus/io-space.ts';
import { hex, isPowerOfTwo, MIB } from '../units.ts';
import type { PciBus } from './bus.ts';
import { PciFunction } from './function.ts';
import { PCI_CFG_SPACE_EXP_SIZE } from './registers.ts';

/** Configuration mechanism #1 (PCI 3.0 §3.2.2.3.2): CONFIG_ADDRESS and CONFIG_DATA. */
const CONFIG_PORTS_BASE = 0xcf8;
const CONFIG_PORTS_SIZE = 8;
const CONFIG_DATA = 4;
const CONFIG_ENABLE = 0x8000_0000;
/** Enable, bus, device, function and register; the rest reads as 0. */
const CONFIG_ADDRESS_WRITABLE = 0x80ff_fffc;
/** The reset control register shares the ports: only a 4-byte access at 0 is CONFIG_ADDRESS. */
const RESET_CONTROL = 1;

/** 00:00.0, so that a guest that looks for a host bridge finds one: a generic PCI Express one. */
const HOST_BRIDGE_IDS = { vendor: 0x1b36, device: 0x0008, classCode: 0x06_00_00 };

export interface HostBridgeOptions {
  readonly bus: PciBus;
  readonly ports: IoSpace;
  readonly mmio: IoSpace;
  readonly ecamBase: number;
  /** 1 MiB for each bus, 1 to 256 buses, a power of two. */
  readonly ecamSize: number;
  /** Byte accesses to port 0xcf9 (offset 0, size 1), which lies among the bridge's ports. */
  readonly resetControl?: IoHandler;
}

/** The ways to configuration space: ports 0xcf8 to 0xcff, and ECAM (PCI Express 5.0 §7.2.2). */
export class HostBridge {
  readonly #bus: PciBus;
  readonly #resetControl: IoHandler | undefined;
  #address = 0;

  /** Puts itself on the bus as 00:00.0. @throws ConfigError for a place taken or a bad ECAM */
  constructor(options: HostBridgeOptions) {
    const { bus, ports, mmio, ecamBase, ecamSize, resetControl } = options;
    const isSize = isPowerOfTwo(ecamSize) && ecamSize >= MIB && ecamSize <= 256 * MIB;
    if (!isSize || ecamBase % ecamSize !== 0) {
      throw new ConfigError(
        'PCI_BAD_ECAM',
        `ECAM of ${hex(ecamSize)} at ${hex(ecamBase)}: it takes 1 to 256 MiB, aligned to its size`,
      );
    }
    this.#bus = bus;
    this.#resetControl = resetControl;
    bus.addFunction(new PciFunction({ name: 'host-bridge', ids: HOST_BRIDGE_IDS }), { slot: 0 });
    ports.add({
      name: 'pci-config',
      base: CONFIG_PORTS_BASE,
      size: CONFIG_PORTS_SIZE,
      handler: {
        read: (offset, size) => this.#readPort(offset, size),
        write: (offset, size, value) => this.#writePort(offset, size, value),
      },
    });
    mmio.add({ name: 'pci-ecam', base: ecamBase, size: ecamSize, handler: this.#ecam() });
  }

  /** System reset of the bridge alone: the bus has one of its own. */
  reset(): void {
    this.#address = 0;
  }

  #readPort(offset: number, size: number): number {
    if (offset >= CONFIG_DATA) {
      if (this.#address < CONFIG_ENABLE) return allOnes(size);
      return this.#bus.configRead(this.#busNumber, this.#devfn, this.#register(offset), size);
    }
    if (offset === 0 && size === 4) return this.#address;
    if (offset === RESET_CONTROL && size === 1 && this.#resetControl !== undefined) {
      return this.#resetControl.read(0, 1);
    }
    return allOnes(size);
  }

  #writePort(offset: number, size: number, value: number): void {
    if (offset >= CONFIG_DATA) {
      if (this.#address < CONFIG_ENABLE) return;
      this.#bus.configWrite(this.#busNumber, this.#devfn, this.#register(offset), size, value);
    } else if (offset === 0 && size === 4) {
      this.#address = (value & CONFIG_ADDRESS_WRITABLE) >>> 0;
    } else if (offset === RESET_CONTROL && size === 1) {
      this.#resetControl?.write(0, 1, value);
    }
  }

  get #busNumber(): number {
    return (this.#address >>> 16) & 0xff;
  }

  /** Device number and function number, as one index. */
  get #devfn(): number {
    return (this.#address >>> 8) & 0xff;
  }

  #register(offset: number): number {
    return (this.#address & 0xfc) + offset - CONFIG_DATA;
  }

  /** ECAM: bus, device, function and register are the bits of the offset, from 20, 15, 12 and 0. */
  #ecam(): IoHandler {
    const bus = this.#bus;
    return {
      read: (offset, size) =>
        bus.configRead(
          offset >>> 20,
          (offset >>> 12) & 0xff,
          offset % PCI_CFG_SPACE_EXP_SIZE,
          size,
        ),
      write: (offset, size, value) => {
        const register = offset % PCI_CFG_SPACE_EXP_SIZE;
        bus.configWrite(offset >>> 20, (offset >>> 12) & 0xff, register, size, value);
      },
    };
  }
}
