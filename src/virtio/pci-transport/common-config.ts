import type { IoHandler } from '../../bus/io-space.ts';
import { registerMap, reserved, type Register } from '../../bus/register-map.ts';
import { featureWord, type VirtioCore } from '../core.ts';
import type { QueueRegisters, RingArea } from '../queue-registers.ts';
import type { VirtioInterrupts } from './interrupts.ts';
import { COMMON_SIZE } from './layout.ts';

/** struct virtio_pci_common_cfg (virtio 1.3 §4.1.4.3). */
export class CommonConfig {
  readonly handler: IoHandler;
  readonly #core: VirtioCore;
  readonly #interrupts: VirtioInterrupts;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #queueSelect = 0;

  /** The queue that the driver has chosen last. */
  get queueSelect(): number {
    return this.#queueSelect;
  }

  constructor(core: VirtioCore, interrupts: VirtioInterrupts) {
    this.#core = core;
    this.#interrupts = interrupts;
    const registers = [
      ...this.#featureRegisters(),
      ...this.#deviceRegisters(),
      ...this.#queueSetup(),
      ...this.#queueUse(),
      ...this.#queueAddress('queue_desc', 'descriptors'),
      ...this.#queueAddress('queue_driver', 'avail'),
      ...this.#queueAddress('queue_device', 'used'),
      // queue_notif_config_data, queue_reset and the admin queue: their features are not offered.
      reserved(8),
    ];
    this.handler = registerMap({ name: 'virtio_pci_common_cfg', size: COMMON_SIZE, registers });
  }

  reset(): void {
    this.#deviceFeatureSelect = 0;
    this.#driverFeatureSelect = 0;
    this.#queueSelect = 0;
  }

  /** The selected queue; undefined: it does not exist, and its registers read as 0. */
  get #queue(): QueueRegisters | undefined {
    return this.#core.queueRegisters[this.#queueSelect];
  }

  #featureRegisters(): Register[] {
    const core = this.#core;
    return [
      {
        name: 'device_feature_select',
        size: 4,
        read: () => this.#deviceFeatureSelect,
        write: (value) => {
          this.#deviceFeatureSelect = value;
        },
      },
      {
        name: 'device_feature',
        size: 4,
        read: () => featureWord(core.offeredFeatures, this.#deviceFeatureSelect),
      },
      {
        name: 'driver_feature_select',
        size: 4,
        read: () => this.#driverFeatureSelect,
        write: (value) => {
          this.#driverFeatureSelect = value;
        },
      },
      {
        name: 'driver_feature',
        size: 4,
        read: () => featureWord(core.acceptedFeatures, this.#driverFeatureSelect),
        write: (value) => core.acceptFeatures(this.#driverFeatureSelect, value),
      },
    ];
  }

  #deviceRegisters(): Register[] {
    const core = this.#core;
    const interrupts = this.#interrupts;
    return [
      {
        name: 'config_msix_vector',
        size: 2,
        read: () => interrupts.configVector,
        write: (value) => {
          interrupts.configVector = value;
        },
      },
      { name: 'num_queues', size: 2, read: () => core.queueRegisters.length },
      {
        name: 'device_status',
        size: 1,
        read: () => core.status,
        write: (value) => core.writeStatus(value),
      },
      { name: 'config_generation', size: 1, read: () => core.configGeneration },
    ];
  }

  #queueSetup(): Register[] {
    return [
      {
        name: 'queue_select',
        size: 2,
        read: () => this.#queueSelect,
        write: (value) => {
          this.#queueSelect = value;
        },
      },
      {
        name: 'queue_size',
        size: 2,
        read: () => this.#queue?.size ?? 0,
        write: (value) => this.#queue?.setSize(value),
      },
      {
        name: 'queue_msix_vector',
        size: 2,
        read: () => this.#interrupts.queueVector(this.#queueSelect),
        write: (value) => this.#interrupts.setQueueVector(this.#queueSelect, value),
      },
    ];
  }

  #queueUse(): Register[] {
    return [
      {
        name: 'queue_enable',
        size: 2,
        read: () => (this.#queue?.enabled === true ? 1 : 0),
        // §4.1.4.3.2: a driver writes 1 and nothing else.
        write: (value) => {
          if (value === 1) this.#core.enableQueue(this.#queueSelect);
        },
      },
      {
        name: 'queue_notify_off',
        size: 2,
        read: () => (this.#queue === undefined ? 0 : this.#queueSelect),
      },
    ];
  }

  /** §4.1.3.1: 64-bit fields are accessed as two of 32 bits. */
  #queueAddress(name: string, area: RingArea): Register[] {
    return [false, true].map((high) => ({
      name: `${name}_${high ? 'hi' : 'lo'}`,
      size: 4,
      read: () => this.#queue?.half(area, high) ?? 0,
      write: (value: number) => this.#queue?.setHalf(area, high, value),
    }));
  }
}
