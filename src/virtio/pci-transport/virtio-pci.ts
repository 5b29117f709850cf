import type { DoorbellFactory } from '../../bus/doorbell.ts';
import type { IoHandler } from '../../bus/io-space.ts';
import { ConfigError } from '../../errors.ts';
import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import type { BarOptions } from '../../pci/bar-options.ts';
import type { PciFunctionHooks } from '../../pci/function-options.ts';
import { PciFunction } from '../../pci/function.ts';
import { PAGE_SIZE } from '../../units.ts';
import { VirtioCore, type VirtioInfo } from '../core.ts';
import type { VirtioDevice } from '../device.ts';
import { VIRTIO_PCI_DEVICE_ID_BASE, VIRTIO_PCI_REVISION, VIRTIO_PCI_VENDOR_ID } from '../spec.ts';
import { structureCapabilities } from './capabilities.ts';
import { CommonConfig } from './common-config.ts';
import { configWindow } from './config-window.ts';
import { deviceConfig } from './device-config.ts';
import { VirtioInterrupts } from './interrupts.ts';
import {
  COMMON_OFFSET,
  DEVICE_OFFSET,
  ISR_OFFSET,
  MAX_QUEUES,
  MSIX_BAR,
  MSIX_TABLE_OFFSET,
  msixLayout,
  NOTIFY_MULTIPLIER,
  NOTIFY_OFFSET,
  STRUCTURES_BAR,
  STRUCTURES_BAR_SIZE,
} from './layout.ts';
import { QueueDoorbells } from './queue-doorbells.ts';

export interface VirtioPciOptions {
  readonly device: VirtioDevice;
  readonly memory: GuestMemoryAccess;
  readonly doorbells: DoorbellFactory;
  /** See VirtioTransport. Default: nothing can be done. */
  readonly crowded?: () => boolean;
  /** INTA to INTD as 1 to 4; default 1. */
  readonly interruptPin?: 1 | 2 | 3 | 4;
}

export interface VirtioPciInfo extends VirtioInfo {
  /** ISR status (virtio 1.3 §4.1.4.5). */
  readonly isr: number;
  /** The queue that the driver has chosen last. */
  readonly queueSelect: number;
}

/** A virtio device on PCI, without the legacy interface (virtio 1.3 §4.1). */
export class VirtioPci {
  /** Goes onto the bus. */
  readonly function: PciFunction;
  readonly device: VirtioDevice;
  readonly #core: VirtioCore;
  readonly #common: CommonConfig;
  readonly #interrupts: VirtioInterrupts;
  readonly #doorbells: QueueDoorbells;
  #paused = false;
  /** Bus Master Enable, without which memory may not be touched. */
  #busMaster = false;

  /** Attaches to the device. @throws ConfigError when the device has more queues than a page holds */
  constructor({
    device,
    memory,
    doorbells,
    crowded = () => false,
    interruptPin = 1,
  }: VirtioPciOptions) {
    const queues = device.queueSizes.length;
    if (queues > MAX_QUEUES) {
      throw new ConfigError('TOO_MANY_QUEUES', `${device.id}: ${queues} queues, at most 1024`);
    }
    this.device = device;
    this.#interrupts = new VirtioInterrupts(queues, () => this.function);
    this.#doorbells = new QueueDoorbells({
      id: device.id,
      factory: doorbells,
      onRing: (queue) => this.#core.kick(queue),
    });
    this.#core = this.#createCore(device, memory, crowded);
    this.#common = new CommonConfig(this.#core, this.#interrupts);
    this.function = this.#createFunction(interruptPin);
  }

  /** Status, features and queues, for the monitor. */
  get info(): VirtioPciInfo {
    const { isr } = this.#interrupts;
    return { ...this.#core.info, isr, queueSelect: this.#common.queueSelect };
  }

  /** Serves no further request until `resume`: the machine is stopped. */
  pause(): void {
    this.#paused = true;
    this.#updateServing();
  }

  resume(): void {
    this.#paused = false;
    this.#updateServing();
  }

  #createCore(device: VirtioDevice, memory: GuestMemoryAccess, crowded: () => boolean): VirtioCore {
    const core = new VirtioCore(device, memory, {
      crowded,
      queueInterrupt: (index) => this.#interrupts.signalQueue(index),
      configInterrupt: () => this.#interrupts.signalConfig(),
      activated: () => {
        const indexes = core.queueRegisters.keys();
        this.#doorbells.setQueues(
          [...indexes].filter((index) => core.queueRegisters[index]?.enabled === true),
        );
      },
      reset: () => {
        this.#doorbells.setQueues([]);
        this.#interrupts.reset();
        this.#common.reset();
      },
    });
    core.setServing(false);
    return core;
  }

  #createFunction(interruptPin: 1 | 2 | 3 | 4): PciFunction {
    const { id, deviceType, pciClass, queueSizes, configSize } = this.device;
    const vectors = queueSizes.length + 1;
    const deviceId = VIRTIO_PCI_DEVICE_ID_BASE + deviceType;
    const { pbaOffset, size } = msixLayout(vectors);
    return new PciFunction({
      name: id,
      ids: {
        vendor: VIRTIO_PCI_VENDOR_ID,
        device: deviceId,
        revision: VIRTIO_PCI_REVISION,
        classCode: pciClass,
        subsystemVendor: VIRTIO_PCI_VENDOR_ID,
        // §4.1.2.1: 0x40 or higher.
        subsystem: deviceId,
      },
      bars: [this.#structuresBar(), { index: MSIX_BAR, kind: 'memory32', size, regions: [] }],
      capabilities: [
        ...structureCapabilities(queueSizes.length, configSize),
        configWindow(() => this.function),
      ],
      msix: { vectors, bar: MSIX_BAR, tableOffset: MSIX_TABLE_OFFSET, pbaOffset },
      interruptPin,
      hooks: this.#hooks(),
    });
  }

  #structuresBar(): BarOptions {
    const structures: readonly (readonly [string, number, IoHandler])[] = [
      ['common', COMMON_OFFSET, this.#common.handler],
      ['isr', ISR_OFFSET, this.#isr()],
      ['device', DEVICE_OFFSET, deviceConfig(this.device)],
      ['notify', NOTIFY_OFFSET, this.#notify()],
    ];
    return {
      index: STRUCTURES_BAR,
      kind: 'memory32',
      size: STRUCTURES_BAR_SIZE,
      regions: structures.map(([name, offset, handler]) => {
        return { name, offset, size: PAGE_SIZE, handler };
      }),
    };
  }

  #isr(): IoHandler {
    return {
      read: (offset) => (offset === 0 ? this.#interrupts.readIsr() : 0),
      write: () => undefined,
    };
  }

  /** Kicks that no doorbell caught: before there is one, or through the configuration window. */
  #notify(): IoHandler {
    return {
      read: () => 0,
      write: (offset) => {
        if (offset % NOTIFY_MULTIPLIER === 0) this.#core.kickSoon(offset / NOTIFY_MULTIPLIER);
      },
    };
  }

  #hooks(): PciFunctionHooks {
    return {
      barMapped: (index, base) => {
        if (index !== STRUCTURES_BAR) return;
        this.#doorbells.moveTo(base === undefined ? undefined : base + NOTIFY_OFFSET);
      },
      busMasterChanged: (enabled) => {
        this.#busMaster = enabled;
        this.#updateServing();
        if (!enabled) this.#core.withdrawMemory();
      },
      reset: () => this.#core.reset(),
    };
  }

  #updateServing(): void {
    this.#core.setServing(this.#busMaster && !this.#paused);
  }
}
