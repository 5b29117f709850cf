import type { IoHandler } from '../../bus/io-space.ts';
import type { VirtioDevice } from '../device.ts';

/** The device configuration structure: bytes of the device, zeros behind them. */
export function deviceConfig(device: VirtioDevice): IoHandler {
  return {
    read: (offset, size) => {
      if (offset + size <= device.configSize) return device.readConfig(offset, size);
      let value = 0;
      for (let at = offset; at < device.configSize; at++) {
        value += device.readConfig(at, 1) * 2 ** (8 * (at - offset));
      }
      return value;
    },
    write: (offset, size, value) => {
      if (offset + size <= device.configSize) device.writeConfig(offset, size, value);
    },
  };
}
