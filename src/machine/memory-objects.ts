import { ConfigError } from '../errors.ts';
import type { ObjectInfo, ObjectProperty, PropertyValue } from './control.ts';
import type { MemoryDevice } from './memory-devices.ts';

/** Path of a device's object. */
export const devicePath = (id: string): string => `/machine/peripheral/${id}`;

/** A property that only shows. */
export function fixed(
  name: string,
  type: ObjectProperty['type'],
  value: PropertyValue,
): ObjectProperty {
  return { name, type, value, writable: false };
}

/** A memory device as an object with properties. */
export function memoryDeviceObject(memory: MemoryDevice): ObjectInfo {
  const { device, container, memdevPath } = memory;
  const { convergence, properties, sizes } = device;
  return {
    path: devicePath(device.id),
    type: 'virtio-mem-pci',
    properties: [
      fixed('block-size', 'size', properties.blockSize),
      fixed('convergence', 'string', convergence.kind),
      fixed('convergence-cause', 'string', convergence.cause),
      fixed('dynamic-memslots', 'bool', properties.dynamicMemslots),
      fixed('memaddr', 'int', properties.memaddr),
      fixed('memdev', 'string', memdevPath),
      fixed('memslot-size', 'size', container.windowSize),
      fixed('node', 'int', properties.node),
      fixed('prealloc', 'bool', properties.prealloc),
      fixed('protect-unplugged', 'bool', properties.protectUnplugged),
      { name: 'requested-size', type: 'size', value: sizes.requestedSize, writable: true },
      fixed('size', 'size', sizes.pluggedSize),
      fixed('unplugged-inaccessible', 'bool', properties.unpluggedInaccessible),
    ],
  };
}

/** @throws ConfigError when there is no such object or property, or the value cannot be */
export function setDeviceProperty(
  devices: readonly MemoryDevice[],
  path: string,
  name: string,
  value: PropertyValue,
): void {
  const memory = devices.find(({ device }) => devicePath(device.id) === path);
  if (memory === undefined) throw new ConfigError('NO_OBJECT', `${path} has no writable property`);
  if (name !== 'requested-size') {
    throw new ConfigError('NO_PROPERTY', `${path}: property ${name} cannot be written`);
  }
  if (typeof value !== 'number') {
    throw new ConfigError('BAD_VALUE', `${path}: ${name}=${value}: not a size`);
  }
  memory.device.setRequestedSize(value);
}
