/*
 * What the bits of a virtio device are called, for monitors.
 */

interface NamedBit {
  readonly bit: number;
  readonly name: string;
  readonly meaning: string;
}

/** virtio 1.3 §2.1, in the order in which a driver sets them. */
const STATUS_BITS: readonly NamedBit[] = [
  { bit: 0, name: 'VIRTIO_CONFIG_S_ACKNOWLEDGE', meaning: 'the guest has seen the device' },
  { bit: 1, name: 'VIRTIO_CONFIG_S_DRIVER', meaning: 'the guest has a driver for it' },
  { bit: 3, name: 'VIRTIO_CONFIG_S_FEATURES_OK', meaning: 'features are agreed on' },
  { bit: 2, name: 'VIRTIO_CONFIG_S_DRIVER_OK', meaning: 'the driver is ready' },
  {
    bit: 6,
    name: 'VIRTIO_CONFIG_S_NEEDS_RESET',
    meaning: 'the device cannot go on without a reset',
  },
  { bit: 7, name: 'VIRTIO_CONFIG_S_FAILED', meaning: 'the driver has given the device up' },
];
const DRIVER_OK = 4;

/** virtio 1.3 §6, and those of the device types there are (§5.15.3). */
const COMMON_FEATURES: readonly NamedBit[] = [
  { bit: 28, name: 'VIRTIO_F_RING_INDIRECT_DESC', meaning: 'descriptors may be in tables' },
  { bit: 29, name: 'VIRTIO_F_RING_EVENT_IDX', meaning: 'notifications by index' },
  { bit: 32, name: 'VIRTIO_F_VERSION_1', meaning: 'virtio 1, not the legacy interface' },
];
const DEVICE_FEATURES: Readonly<Record<number, readonly NamedBit[]>> = {
  24: [
    { bit: 0, name: 'VIRTIO_MEM_F_ACPI_PXM', meaning: 'nodes are ACPI proximity domains' },
    {
      bit: 1,
      name: 'VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE',
      meaning: 'unplugged memory must not be touched',
    },
    { bit: 2, name: 'VIRTIO_MEM_F_PERSISTENT_SUSPEND', meaning: 'plugged over suspend' },
  ],
};

const text = ({ name, meaning }: NamedBit): string => `${name}: ${meaning}`;

/** Whether the driver is at work. */
export function isStarted(status: number): boolean {
  return (status & DRIVER_OK) !== 0;
}

/** `VIRTIO_CONFIG_S_DRIVER: the guest has a driver for it`, for each bit that is set. */
export function statusTexts(status: number): readonly string[] {
  return STATUS_BITS.filter(({ bit }) => ((status >> bit) & 1) !== 0).map(text);
}

export interface FeatureTexts {
  /** Of every virtio device, and of this type of device. */
  readonly transport: readonly string[];
  readonly device: readonly string[];
  /** Bits without a name. */
  readonly unknown: readonly number[];
}

/** Names and meanings of the features that are set. */
export function featureTexts(features: bigint, deviceType: number): FeatureTexts {
  const own = DEVICE_FEATURES[deviceType] ?? [];
  const isSet = ({ bit }: Pick<NamedBit, 'bit'>): boolean =>
    ((features >> BigInt(bit)) & 1n) !== 0n;
  const known = [...own, ...COMMON_FEATURES];
  const unknown: number[] = [];
  for (let bit = 0; features >> BigInt(bit) > 0n; bit++) {
    if (isSet({ bit }) && !known.some((each) => each.bit === bit)) unknown.push(bit);
  }
  return {
    transport: COMMON_FEATURES.filter(isSet).map(text),
    device: own.filter(isSet).map(text),
    unknown,
  };
}
